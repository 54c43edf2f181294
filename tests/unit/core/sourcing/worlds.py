"""Small networks, orders and stock that meet in all ways."""

from __future__ import annotations

from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import strategies as st

from allocator.core.network.types import Group, Kind, Lane, Location, Mode, Profile
from allocator.core.sourcing import CAPACITY_UNLIMITED, NetworkTable, SourcingOrder, StockPicture

DAY_NS: Final = 86_400_000_000_000
NOW: Final = 20_254 * DAY_NS + 12 * 3600 * 10**9
"""Sunday, 15 June 2025, noon UTC."""
LEEDS: Final = (53.8, -1.55)
PARCEL: Final = Lane("parcel", "standard", parcel_micros=3_000_000, unit_micros=100_000)
CHEAPEST: Final = Profile("cheapest", cost=1.0)

profiles = st.builds(
    Profile,
    profile=st.just("drawn"),
    display_name=st.just(""),
    cost=st.sampled_from((0.0, 1.0, 1.0, 2.5)),
    lateness=st.sampled_from((0.0, 0.5)),
    parcels=st.sampled_from((0.25, 1.0)),  # never all weights 0
    stock_cover=st.sampled_from((0.0, 1.0, 3.0)),
    capacity=st.sampled_from((0.0, 2.0)),
    priority=st.sampled_from((0.0, 0.125)),
    splits_max=st.integers(1, 4),
    age_max_s=st.sampled_from((0.0, 60.0)),
)

lanes = st.builds(
    Lane,
    lane=st.sampled_from(("a", "b", "c", "d")),
    service_level=st.sampled_from(("standard", "standard", "express")),
    display_name=st.just(""),
    origin_group=st.just(""),
    origin_location=st.sampled_from(("", "", "l0", "l1")),
    countries=st.sampled_from(((), ("GB",), ("FR",))),
    distance_max_km=st.sampled_from((0, 0, 300)),
    transit=st.sampled_from(((), ((0, 2),), ((200, 1), (0, 3)), ((100, 1), (400, 2)))),
    parcel_micros=st.integers(0, 9_000_000),
    unit_micros=st.integers(0, 500_000),
    kg_micros=st.integers(0, 500_000),
    km_micros=st.sampled_from((0, 3_000)),
    kg_km_micros=st.sampled_from((0, 700)),
)


class World(NamedTuple):
    """An order, the network and the stock that it meets."""

    places: tuple[Location, ...]
    groups: tuple[Group, ...]
    lanes: tuple[Lane, ...]
    order: SourcingOrder
    stock: StockPicture

    @property
    def table(self) -> NetworkTable:
        """The network, compiled."""
        return NetworkTable(self.places, self.groups, self.lanes, ZoneInfo)


def table_of(*places: Location, groups: tuple[Group, ...] = (), lanes: tuple[Lane, ...] = (PARCEL,)) -> NetworkTable:
    """A network of these locations, with one lane from everywhere to everywhere unless told otherwise."""
    return NetworkTable(places, groups, lanes, ZoneInfo)


def order_of(*units: int, **values: Any) -> SourcingOrder:  # noqa: ANN401  # of any field
    """A standard order to Leeds of so many units of apple, fig, pear and plum, the cheapest way."""
    lines = tuple((sku, count, 1_000) for sku, count in zip(("apple", "fig", "pear", "plum"), units, strict=False))
    order = SourcingOrder(lines, NOW, "standard", destination=LEEDS, country="GB", profile=CHEAPEST)
    return order._replace(**values)


def stock_of(*rows: list[int], left: list[int] | None = None, by_order: bool = False) -> StockPicture:
    """Units of each line at each location, and what is left of capacities of 100."""
    available = np.array(rows, dtype=np.int64)
    count = available.shape[1]
    unlimited = np.full(count, CAPACITY_UNLIMITED)
    limits = unlimited if left is None else np.full(count, 100)
    return StockPicture(
        available,
        unlimited if left is None else np.array(left, dtype=np.int64),
        limits,
        np.full(count, by_order),
        np.zeros(count),
    )


@st.composite
def worlds(draw: st.DrawFn, locations_max: int = 6, lines_max: int = 3) -> World:
    """Any order in any network, with any stock; most of them can be served in part."""
    count = draw(st.integers(1, locations_max))
    places = tuple(draw(_place(f"l{i}")) for i in range(count))
    names = [place.location for place in places]
    groups = (Group("north", "", tuple(draw(st.sets(st.sampled_from(names))))),)
    drawn = {lane.lane: lane for lane in draw(st.lists(lanes, max_size=4))}
    lines = tuple(
        (f"s{i}", draw(st.integers(1, 5)), draw(st.integers(0, 3_000))) for i in range(draw(st.integers(1, lines_max)))
    )
    return World(places, groups, (*drawn.values(), PARCEL), draw(_order(lines, names)), draw(stocks(len(lines), count)))


@st.composite
def stocks(draw: st.DrawFn, lines: int, locations: int) -> StockPicture:
    """Stock and capacities, some of them short."""
    units = st.one_of(st.integers(0, 6), st.sampled_from((0, 0, 9)))
    limits = draw(
        st.lists(
            st.sampled_from((CAPACITY_UNLIMITED, CAPACITY_UNLIMITED, 4, 9)), min_size=locations, max_size=locations
        )
    )
    left = [limit if limit == CAPACITY_UNLIMITED else draw(st.integers(0, limit)) for limit in limits]
    return StockPicture(
        np.array([[draw(units) for _ in range(locations)] for _ in range(lines)], dtype=np.int64),
        np.array(left, dtype=np.int64),
        np.array(limits, dtype=np.int64),
        np.array([draw(st.booleans()) for _ in range(locations)]),
        np.array([draw(st.sampled_from((0.0, 30.0, 90.0))) for _ in range(locations)]),
    )


@st.composite
def _place(draw: st.DrawFn, name: str) -> Location:
    position = draw(st.one_of(st.none(), st.tuples(st.floats(50, 56), st.floats(-4, 1))))
    return Location(
        name,
        kind=draw(st.sampled_from((Kind.STORE, Kind.DISTRIBUTION_CENTRE, Kind.DISTRIBUTION_CENTRE))),
        open=draw(st.integers(0, 9)) > 0,
        position=position,
        time_zone=draw(st.sampled_from(("", "Europe/London", "America/New_York"))),
        hours=draw(st.sampled_from(((), ((1, 540, 1080), (3, 540, 1080))))),
        priority=draw(st.integers(0, 2)),
        channels=draw(st.sampled_from(((), (), ("web",), ("shop", "web")))),
        modes=draw(st.sampled_from(((), (), (Mode.SHIP, Mode.PICKUP)))),
        cut_offs=draw(st.sampled_from(((), (("", 600),), (("standard", 780), ("", 1))))),
        handling_days=draw(st.integers(0, 2)),
    )


@st.composite
def _order(draw: st.DrawFn, lines: tuple[tuple[str, int, int], ...], names: list[str]) -> SourcingOrder:
    mode = draw(st.sampled_from((Mode.SHIP, Mode.SHIP, Mode.SHIP_FROM_STORE, Mode.PICKUP)))
    some = st.lists(st.sampled_from(names), max_size=2, unique=True).map(tuple)
    return SourcingOrder(
        lines,
        NOW,
        service_level="standard",
        mode=mode,
        channel=draw(st.sampled_from(("", "web", "phone"))),
        group=draw(st.sampled_from(("", "", "north"))),
        only=draw(st.one_of(st.just(()), st.just(()), some)),
        excluded=draw(st.one_of(st.just(()), some)),
        destination=draw(st.sampled_from((LEEDS, LEEDS, None))),
        country=draw(st.sampled_from(("GB", "FR", ""))),
        pickup_location=draw(st.sampled_from(("", names[0]))) if mode == Mode.PICKUP else "",
        promise_by_ns=draw(st.sampled_from((0, 0, NOW + 2 * DAY_NS, NOW + 5 * DAY_NS))),
        profile=draw(profiles),
        splits_max=draw(st.sampled_from((0, 1, 2, 5))),
        backorder=draw(st.booleans()),
    )
