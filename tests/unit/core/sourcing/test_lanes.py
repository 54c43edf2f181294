from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.network.types import Group, Lane, Location, Profile
from allocator.core.sourcing import Filter, source
from allocator.core.sourcing.distance import distances_km, points
from tests.unit.core.sourcing.reference import haversine_km
from tests.unit.core.sourcing.worlds import DAY_NS, LEEDS, NOW, PARCEL, order_of, stock_of, table_of

YORK = Location("york", kind=1, position=(53.96, -1.08))
places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(st.lists(places, min_size=1, max_size=5), places)
def test_distances_are_haversine(origins: list[tuple[float, float]], destination: tuple[float, float]) -> None:
    """Within a metre, also over the poles, over the date line and next door."""
    near = (destination[0], destination[1] + 1e-7)
    expected = [haversine_km(origin, destination) for origin in (*origins, near)]
    assert distances_km(points([*origins, near]), destination).tolist() == pytest.approx(expected, abs=1e-3)


def test_an_unknown_position_has_no_distance() -> None:
    """Neither of the location nor of the customer."""
    assert str(distances_km(points([None, LEEDS]), LEEDS)[0]) == "nan"
    assert str(distances_km(points([LEEDS]), None)[0]) == "nan"


def lane_used(*lanes: Lane, place: Location = YORK, groups: tuple[Group, ...] = (), **order: object) -> str | None:
    """The lane by which 2 apples go from a location; None without a plan."""
    table = table_of(place, groups=groups, lanes=(*lanes, Lane("other", "other")))
    plans = source(table, order_of(2, **order), stock_of([5])).plans
    return plans[0].parcels[0].lane if plans else None


def test_the_cheapest_lane_is_used() -> None:
    """By the cost of the whole order in one parcel: a cheap parcel with dear units may be the dearer one."""
    dear_units = Lane("dear-units", "standard", parcel_micros=1, unit_micros=2_000_000)
    assert lane_used(PARCEL, dear_units) == "parcel"
    assert lane_used(PARCEL, dear_units._replace(unit_micros=1_000_000)) == "dear-units"


def test_the_cheapest_lane_in_time_is_used() -> None:
    """A cheaper one that is late is used when no date is asked for."""
    slow = Lane("slow", "standard", parcel_micros=1, transit=((0, 3),))
    assert lane_used(PARCEL, slow) == "slow"
    assert lane_used(PARCEL, slow, promise_by_ns=NOW + DAY_NS) == "parcel"
    assert lane_used(slow, promise_by_ns=NOW + DAY_NS) is None


def test_a_lane_starts_where_it_says() -> None:
    """At its location, in its group, or everywhere; a name that is gone is nowhere."""
    assert lane_used(PARCEL._replace(origin_location="york")) == "parcel"
    assert lane_used(PARCEL._replace(origin_location="hull")) is None
    north = Group("north", "", ("york",))
    assert lane_used(PARCEL._replace(origin_group="north"), groups=(north,)) == "parcel"
    assert lane_used(PARCEL._replace(origin_group="north"), groups=(north._replace(locations=()),)) is None
    assert lane_used(PARCEL._replace(origin_group="gone")) is None


def test_a_lane_goes_where_it_says() -> None:
    """To its countries, and as far as it goes; no country is reached by lanes to any country only."""
    assert lane_used(PARCEL._replace(countries=("FR", "GB"))) == "parcel"
    assert lane_used(PARCEL._replace(countries=("FR",))) is None
    assert lane_used(PARCEL._replace(countries=("GB",)), country="") is None
    assert lane_used(PARCEL._replace(distance_max_km=40)) == "parcel"
    assert lane_used(PARCEL._replace(distance_max_km=30)) is None


def test_without_a_distance_only_lanes_that_need_none_go() -> None:
    """Whether the customer's position is missing or the location's."""
    for lane in (
        PARCEL._replace(km_micros=1),
        PARCEL._replace(transit=((100, 1), (0, 2))),
        PARCEL._replace(kg_km_micros=1),
    ):
        assert lane_used(lane) == "parcel"
        assert lane_used(lane, destination=None) is None
        assert lane_used(lane, place=YORK._replace(position=None)) is None
    assert lane_used(PARCEL._replace(transit=((0, 2),)), destination=None) == "parcel"


@pytest.mark.parametrize(
    ("transit", "days"),
    [
        ((), 0),
        (((0, 3),), 3),
        (((30, 1), (40, 2), (0, 5)), 2),
        (((30, 1), (0, 5)), 5),
        (((40, 7),), 7),
    ],
)
def test_transit_takes_the_days_of_its_band(transit: tuple[tuple[int, int], ...], days: int) -> None:
    """York is 35 km from Leeds."""
    plan = source(table_of(YORK, lanes=(PARCEL._replace(transit=transit),)), order_of(1), stock_of([1])).plans[0]
    assert plan.delivery_day - plan.dispatch_day == days


def test_beyond_the_last_band_a_lane_does_not_go() -> None:
    """The answer names the service level as what emptied the list."""
    answer = source(table_of(YORK, lanes=(PARCEL._replace(transit=((30, 1),)),)), order_of(1), stock_of([1]))
    assert (answer.plans, answer.emptied_by) == ((), Filter.SERVICE_LEVEL)


def test_a_parcel_costs_what_its_lane_says() -> None:
    """Parcel, units, kilograms, kilometres, and kilograms x kilometres."""
    lane = Lane("all", "standard", "", "", "", (), 0, (), 1_000_000, 10_000, 2_000, 300, 40)
    plan = source(table_of(YORK, lanes=(lane,)), order_of(3, profile=Profile("p", cost=2.0)), stock_of([5])).plans[0]
    km = haversine_km((53.96, -1.08), LEEDS)
    expected = 1_000_000 + 3 * 10_000 + 3 * 2_000 + 300 * km + 3 * 40 * km
    assert plan.cost_micros == pytest.approx(expected, abs=1)
    assert plan.score == pytest.approx(2 * expected / 1e6)
