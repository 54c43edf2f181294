from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import pytest

from allocator.core import codec
from allocator.core.commands import Capacity, Measure
from allocator.core.network.ledger import NetworkLedger
from allocator.core.network.types import Group, Lane, LoadNetwork, Location, Mode, Profile
from allocator.core.sourcing.profiles import DEFAULT
from allocator.core.sourcing.types import CAPACITY_UNLIMITED, Filter, Outcome, SourcingOrder
from allocator.gateway.errors import ApiError
from allocator.gateway.faults import Faults
from allocator.gateway.planner import Planner
from allocator.runtime.links import Links
from allocator.runtime.network_view import NetworkView
from allocator.runtime.router import Bounds, Router
from allocator.v1 import sourcing_pb2 as pb
from tests.support.api import make
from tests.unit.gateway.models import NOW_NS, filled

STOCK = {"hull": {"apple": 5, "pear": 2}, "leeds": {"apple": 3}, "york": {"pear": 9, "fig": 1}}
LANES = (Lane("van", "standard", parcel_micros=4_000_000), Lane("bike", "express", parcel_micros=9_000_000))
GROUPS = (Group("north", "", ("hull", "york")),)
APPLES = {"lines": [{"sku": "apple", "quantity": 4}], "service_level": "standard"}


class NoLinks(Links):
    """Sourcing asks nobody."""

    def link(self, actor: str) -> NoReturn:
        """No way."""
        raise AssertionError(actor)


class Place:
    """A gateway's picture: a network that can change, and the stock."""

    def __init__(self, stock: Mapping[str, Mapping[str, int]], profiles: Sequence[Profile] = ()) -> None:
        self.ledger = NetworkLedger()
        self.router = Router(NoLinks(), Bounds(1, 1, 1))
        self.router.network = NetworkView()
        self.router.model, self.sources = filled(stock)
        self.load(tuple(Location(name, modes=(Mode.SHIP, Mode.PICKUP)) for name in stock), profiles=tuple(profiles))
        self.planner = Planner(self.router)

    def load(self, locations: Sequence[Location], profiles: Sequence[Profile] = ()) -> None:
        """Take these rows into the network."""
        command = LoadNetwork(str(self.ledger.version), tuple(locations), GROUPS, LANES, tuple(profiles))
        self.ledger.execute(command, NOW_NS)
        self.ledger.close_batch()
        self.router.network.apply([(self.ledger.version, True, codec.pack(self.ledger.state()))])

    def order(self, **fields: Any) -> SourcingOrder:  # noqa: ANN401  # of the message
        """An order of four apples, with other fields."""
        return self.planner.to_order(make(pb.SourcingOrder, **{**APPLES, **fields}), Faults(), NOW_NS)


@pytest.fixture
def place() -> Place:
    """Three places."""
    return Place(STOCK)


def used(place: Place, order: SourcingOrder, **more: Any) -> list[tuple[str, ...]]:  # noqa: ANN401  # as `source`
    """The locations of each plan, best first."""
    return [plan.locations for plan in place.planner.source(order, **more).plans]


def test_the_best_place_has_all_of_it(place: Place) -> None:
    """One parcel is cheaper than two."""
    assert used(place, place.order()) == [("hull",)]
    lines = [{"sku": "apple", "quantity": 2}, {"sku": "fig", "quantity": 1}]
    assert used(place, place.order(lines=lines), plans_max=2) == [("hull", "york"), ("leeds", "york")]


def test_what_a_location_said_it_has_counts(place: Place) -> None:
    """A refusal caps the picture for this order; the next order is planned on the picture as it is."""
    order = place.order()
    assert used(place, order, refused=[("apple", "hull", 3)]) == [("hull", "leeds")]
    assert used(place, order, refused=[("apple", "hull", 9), ("kiwi", "hull", 0), ("apple", "rome", 0)]) == [("hull",)]
    assert used(place, order, refused=[("apple", "hull", 0)]) == []
    assert used(place, order) == [("hull",)]


def test_a_full_location_is_left_out(place: Place) -> None:
    """It is told as having no capacity."""
    order = place.order(lines=[{"sku": "apple", "quantity": 3}])
    assert used(place, order, full=["hull", "rome"]) == [("leeds",)]
    assert place.planner.source(order, full=["hull", "leeds", "york"]).emptied_by == Filter.CAPACITY


def test_every_location_is_explained_in_the_order_of_priority_and_name(place: Place) -> None:
    """With the plans that `source` finds."""
    order = place.order()
    explanation = place.planner.explain(order)
    assert explanation.sourcing.plans == place.planner.source(order, plans_max=3).plans
    assert [(verdict.location, verdict.outcome) for verdict in explanation.verdicts] == [
        ("hull", Outcome.CHOSEN),
        ("leeds", Outcome.OUTSCORED),
        ("york", Outcome.FILTERED),
    ]
    place.load([Location("york", priority=0), Location("hull", priority=7)])
    assert [verdict.location for verdict in place.planner.explain(order).verdicts] == ["leeds", "york", "hull"]


def test_the_picture_has_a_column_for_each_location(place: Place) -> None:
    """Units, capacity and age, in the order of the table."""
    limit = place.sources["leeds"].limit(Capacity(Measure.ORDERS, 3600 * 10**9, 7))
    place.router.model.apply("leeds", [limit])
    picture = place.planner.picture(place.order(lines=[{"sku": sku, "quantity": 1} for sku in ("pear", "apple")]))
    assert picture.available.tolist() == [[2, 0, 9], [5, 3, 0]]
    assert picture.capacity_left.tolist() == [CAPACITY_UNLIMITED, 7, CAPACITY_UNLIMITED]
    assert picture.capacity_limit.tolist() == [CAPACITY_UNLIMITED, 7, CAPACITY_UNLIMITED]
    assert picture.capacity_by_order.tolist() == [False, True, False]
    assert np.all((picture.age_s >= 0) & (picture.age_s < 60))


def test_a_promise_counts_what_is_expected(place: Place) -> None:
    """Only an order with a date may use it."""
    place.router.model.apply("leeds", [place.sources["leeds"].expect("apple", 4, NOW_NS + 10**9)])
    later = {"seconds": NOW_NS // 10**9 + 86_400}
    assert place.planner.picture(place.order()).available.tolist() == [[5, 3, 0]]
    assert place.planner.picture(place.order(promise_by=later)).available.tolist() == [[5, 7, 0]]


def test_channels_see_their_own_quotas(place: Place) -> None:
    """Units that are ring-fenced for one are closed to the others."""
    place.router.model.apply("hull", [place.sources["hull"].ring_fence("apple", {"web": 2})])
    assert place.planner.picture(place.order(channel="web")).available.tolist() == [[5, 3, 0]]
    assert place.planner.picture(place.order(channel="shop")).available.tolist() == [[3, 3, 0]]


def test_a_changed_network_is_compiled_again(place: Place) -> None:
    """A location that closes is left out of the next plan, and a new one has a column."""
    assert used(place, place.order()) == [("hull",)]
    place.load([Location("hull", modes=(Mode.SHIP,), open=False), Location("bath", modes=(Mode.SHIP,))])
    assert used(place, place.order()) == []
    assert place.planner.picture(place.order()).available.tolist() == [[0, 5, 3, 0]]


def test_the_profile_is_the_named_one_or_the_default() -> None:
    """The network's own `default` comes before the built-in one; weights of the order before any."""
    mine, own = Profile("mine", lateness=3.0, splits_max=1), Profile("default", cost=7.0)
    plain, tuned = Place(STOCK, [mine]), Place(STOCK, [mine, own])
    assert plain.order().profile == DEFAULT
    assert tuned.order().profile == own
    assert plain.order(sourcing_profile="sourcingProfiles/mine").profile == mine
    weighed = plain.order(sourcing_profile="sourcingProfiles/mine", weights={"parcels": 1}).profile
    assert (weighed.cost, weighed.lateness, weighed.parcels, weighed.splits_max) == (0.0, 0.0, 1.0, 1)


UNKNOWN = [
    ({"lines": [{"sku": "kiwi", "quantity": 1}]}, "SKU_UNKNOWN", {"sku": "kiwi"}),
    ({"service_level": "drone"}, "SERVICE_LEVEL_UNKNOWN", {"service_level": "drone"}),
    ({"location_group": "locationGroups/south"}, "LOCATION_GROUP_UNKNOWN", {"location_group": "locationGroups/south"}),
    ({"locations": ["locations/rome"]}, "LOCATION_UNKNOWN", {"location": "locations/rome"}),
    ({"excluded_locations": ["locations/rome"]}, "LOCATION_UNKNOWN", {"location": "locations/rome"}),
    (
        {"mode": Mode.PICKUP.value, "pickup_location": "locations/rome"},
        "LOCATION_UNKNOWN",
        {"location": "locations/rome"},
    ),
    (
        {"sourcing_profile": "sourcingProfiles/none"},
        "SOURCING_PROFILE_UNKNOWN",
        {"sourcing_profile": "sourcingProfiles/none"},
    ),
]


@pytest.mark.parametrize(("fields", "reason", "metadata"), UNKNOWN)
def test_names_that_are_nowhere_are_told(
    place: Place, fields: dict[str, Any], reason: str, metadata: dict[str, str]
) -> None:
    """NOT_FOUND with the reason of its kind, naming it."""
    with pytest.raises(ApiError) as told:
        place.order(**fields)
    assert (told.value.reason, told.value.metadata) == (reason, metadata)


def test_an_order_that_is_too_large_for_the_network_is_told() -> None:
    """Lines times locations are bounded, because planning holds up everybody else at the gateway."""
    place = Place({f"store-{number}": {} for number in range(2_001)})
    lines = [{"sku": f"sku-{number}", "quantity": 1} for number in range(200)]
    with pytest.raises(ApiError) as told:
        place.order(lines=lines)
    assert (told.value.reason, told.value.metadata) == (
        "BATCH_TOO_LARGE",
        {"field": "order.lines", "count": "400200", "maximum": "400000"},
    )


def test_bad_input_comes_before_unknown_names(place: Place) -> None:
    """All faults together, with those that the caller found before."""
    faults = Faults()
    faults.add("ttl", "too long")
    message = make(pb.SourcingOrder, **{**APPLES, "service_level": "drone", "splits_max": 11, "sourcing_profile": "x"})
    with pytest.raises(ApiError) as told:
        place.planner.to_order(message, faults, NOW_NS, "request.order")
    fields = [violation.field for violation in told.value.violations]
    assert fields == ["ttl", "request.order.splits_max", "request.order.sourcing_profile"]
