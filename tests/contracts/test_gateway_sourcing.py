from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import grpc
import pytest

from allocator.core.network.types import Kind, Location
from allocator.v1 import network_pb2 as n
from allocator.v1 import sourcing_pb2 as s
from allocator.v1.common_pb2 import (
    FULFILMENT_MODE_PICKUP,
    FULFILMENT_MODE_SHIP,
    FULFILMENT_MODE_SHIP_FROM_STORE,
    LocationVersion,
)
from tests.support.api import DC, LOCATIONS, STORE_1, STORE_2, Api, failure, make, nothing_changes
from tests.support.gateway import LocalService, Serve, fresh

pytest_plugins = ("tests.support.gateway_fixtures",)

LEEDS = {"latitude": 53.80, "longitude": -1.55}
PLACED = {
    "actor-0000": (
        Location("closed", kind=Kind.STORE, open=False),
        Location("far", kind=Kind.STORE, position=(48.86, 2.35), priority=9),
    ),
    "actor-0001": (Location("near", kind=Kind.STORE, position=(53.96, -1.08), channels=("web",)),),
}


@pytest.fixture
def level(api: Api) -> str:
    """A service level of its own, with one lane from everywhere at 5 a parcel."""
    return lane(api)


def lane(api: Api, service_level: str = "", **fields: object) -> str:
    """A new lane, of a service level of its own unless one is given."""
    level = service_level or fresh("level")
    row = {"service_level": level, "parcel_micros": 5_000_000, **fields}
    api.network.CreateLane(make(n.CreateLaneRequest, lane_id=fresh("lane"), lane=row))
    return level


def order(*lines: tuple[str, int], level: str, **fields: object) -> dict[str, object]:
    """An order that is shipped from stores."""
    rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    return {"lines": rows, "mode": FULFILMENT_MODE_SHIP_FROM_STORE, "service_level": level, **fields}


def source(api: Api, asked: dict[str, object], **fields: object) -> s.SourceResponse:
    """Source an order."""
    return api.sourcing.Source(make(s.SourceRequest, order=asked, **fields))


def explain(api: Api, asked: dict[str, object]) -> s.ExplainSourcingResponse:
    """Explain how an order is sourced."""
    return api.sourcing.ExplainSourcing(make(s.ExplainSourcingRequest, order=asked))


def assigned(plan: s.SourcingPlan) -> Sequence[tuple[str, str, int]]:
    """What comes from where."""
    return [(part.sku, part.location, part.quantity) for part in plan.assignments]


def seconds_from_now(seconds: int) -> dict[str, int]:
    """A time on the wire."""
    return {"seconds": int(time.time()) + seconds}


def test_one_location_that_has_it_all_is_the_best_plan(api: Api, level: str) -> None:
    """Two parcels cost more than one, so the place that has both lines comes first; nothing is held."""
    apple, pear = api.stocked(10, DC), api.stocked(10, STORE_2)
    api.receive(apple, 10, STORE_1)
    api.receive(pear, 10, STORE_1)
    response = source(api, order((apple, 2), (pear, 1), level=level))
    assert assigned(response.plans[0]) == [(apple, STORE_1, 2), (pear, STORE_1, 1)]
    assert response.plans[0].cost_micros == 5_000_000
    assert assigned(response.plans[1]) == [(apple, DC, 2), (pear, STORE_2, 1)]
    assert not response.HasField("partial")
    assert [api.available(apple, at) for at in LOCATIONS] == [10, 10, 0]


def test_as_many_plans_as_asked_for(api: Api, level: str) -> None:
    """Three unless said, each with other locations."""
    apple = api.stocked(5, DC)
    api.receive(apple, 5, STORE_1)
    api.receive(apple, 5, STORE_2)
    asked = order((apple, 1), level=level)
    for plans_max, count in ((0, 3), (1, 1), (10, 3)):
        plans = source(api, asked, plans_max=plans_max).plans
        assert len({plan.parcels[0].location for plan in plans}) == len(plans) == count


def test_what_cannot_be_served_whole_is_told_in_part(api: Api, level: str) -> None:
    """Without plans, unless the order allows a shortfall."""
    apple = api.stocked(3, DC)
    short = source(api, order((apple, 5), level=level))
    assert (len(short.plans), short.emptied_by) == (0, s.SOURCING_FILTER_UNSPECIFIED)
    assert assigned(short.partial) == [(apple, DC, 3)]
    allowed = source(api, order((apple, 5), level=level, allow_shortfall=True))
    assert [(part.sku, part.quantity) for part in allowed.plans[0].shortfalls] == [(apple, 2)]


def test_a_plan_reads_the_writes_of_its_gateway(api: Api, level: str) -> None:
    """What was reserved a moment ago is not planned with."""
    apple = api.stocked(3, DC)
    api.held((apple, 2))
    assert assigned(source(api, order((apple, 1), level=level)).plans[0]) == [(apple, DC, 1)]
    assert not source(api, order((apple, 2), level=level)).plans


def test_a_plan_waits_for_the_versions_it_asks_for(serve: Serve) -> None:
    """With `min_versions` of a write through one gateway, another one plans once it has that state."""
    service = serve()
    with service.channel(0) as first:
        writer = Api(first)
        apple, level = writer.stocked(1), lane(writer)
        service.add_gateway()
        with service.channel(1) as second:
            reader = Api(second)
            written = writer.receive(apple, 5).versions
            asked = order((apple, 6), level=level)
            assert assigned(source(reader, asked, min_versions=written).plans[0]) == [(apple, DC, 6)]
            ahead = [LocationVersion(location=DC, version=10**9)]
            for method, request in (
                (reader.sourcing.Source, make(s.SourceRequest, min_versions=ahead)),
                (reader.sourcing.ExplainSourcing, make(s.ExplainSourcingRequest, min_versions=ahead)),
            ):
                assert failure(method, request, timeout=0.3).reason == "VERSION_NOT_REACHED"


def test_every_location_is_explained(serve: Serve) -> None:
    """In the order of priority and name, with why: chosen, better by others, or which filter."""
    service = serve(placed=PLACED)
    with service.channel() as channel:
        api = Api(channel)
        level, apple = lane(api, km_micros=10_000, transit=[{"distance_max_km": 100, "days": 1}, {"days": 3}]), fresh()
        for location in ("near", "far", "closed"):
            api.receive(apple, 5, f"locations/{location}")
        response = explain(api, order((apple, 2), level=level, destination=LEEDS, channel="web"))
        closed, near, far = response.verdicts
        assert [verdict.location for verdict in response.verdicts] == [
            "locations/closed",
            "locations/near",
            "locations/far",
        ]
        assert (closed.outcome, closed.filter) == (s.SOURCING_OUTCOME_FILTERED, s.SOURCING_FILTER_OPEN)
        assert (near.outcome, far.outcome) == (s.SOURCING_OUTCOME_CHOSEN, s.SOURCING_OUTCOME_OUTSCORED)
        assert 34 < near.distance_km < 37
        assert near.score < far.score
        assert not closed.HasField("score")
        assert near.score == pytest.approx(sum(term.weighted for term in near.terms))
        assert near.score == pytest.approx(response.plans[0].score)
        assert [verdict.units for verdict in response.verdicts] == [0, 2, 2]
        assert all(verdict.detail for verdict in response.verdicts)
        cost = next(term for term in near.terms if term.kind == s.SOURCING_TERM_KIND_COST)
        assert cost.raw == pytest.approx(5 + near.distance_km * 0.01)
        assert response.plans[0].parcels[0].distance_km == near.distance_km


EMPTIED: list[tuple[dict[str, Any], int]] = [
    ({"location_group": "locationGroups/none"}, s.SOURCING_FILTER_GROUP),
    ({"excluded_locations": list(LOCATIONS)}, s.SOURCING_FILTER_GROUP),
    ({"mode": FULFILMENT_MODE_SHIP}, s.SOURCING_FILTER_MODE),
    ({"country_code": "FR"}, s.SOURCING_FILTER_SERVICE_LEVEL),
    ({"country_code": "GB", "promise_by": 3600}, s.SOURCING_FILTER_PROMISE),
    ({"country_code": "GB", "locations": [STORE_2]}, s.SOURCING_FILTER_STOCK),
    ({"country_code": "GB", "sourcing_profile": "fresh"}, s.SOURCING_FILTER_FRESHNESS),
]


@pytest.mark.parametrize(("fields", "emptied_by"), EMPTIED)
def test_the_filter_that_emptied_the_list_is_told(api: Api, fields: dict[str, Any], emptied_by: int) -> None:
    """It is the one that the last location did not pass: a status, not an error."""
    apple = api.stocked(5, STORE_1)
    level = lane(api, countries=["GB"], transit=[{"days": 5}])
    if "promise_by" in fields:
        fields = {**fields, "promise_by": seconds_from_now(fields["promise_by"])}
    if "sourcing_profile" in fields:
        fields = {**fields, "sourcing_profile": profile(api, age_max={"nanos": 1})}
    asked = order((apple, 1), level=level, **fields)
    response, explained = source(api, asked), explain(api, asked)
    assert (len(response.plans), response.emptied_by) == (0, emptied_by)
    assert not response.HasField("partial")
    assert explained.emptied_by == emptied_by
    assert {verdict.outcome for verdict in explained.verdicts} == {s.SOURCING_OUTCOME_FILTERED}


def profile(api: Api, **fields: object) -> str:
    """A new sourcing profile."""
    made = fresh("profile")
    row = {"cost": 1.0, **fields}
    request = make(n.CreateSourcingProfileRequest, sourcing_profile_id=made, sourcing_profile=row)
    api.network.CreateSourcingProfile(request)
    return f"sourcingProfiles/{made}"


def test_channel_capacity_and_closing_count_at_once(serve: Serve) -> None:
    """What changes at a location changes the next plan."""
    service = serve(placed=PLACED)
    with service.channel() as channel:
        api = Api(channel)
        level, apple = lane(api), fresh()
        for location in ("near", "closed"):
            api.receive(apple, 5, f"locations/{location}")
        asked = order((apple, 1), level=level, channel="web")
        assert source(api, asked).plans
        assert emptied_by(service, order((apple, 1), level=level, channel="shop")) == s.SOURCING_FILTER_STOCK
        only_near = order((apple, 1), level=level, channel="shop", locations=["locations/near"])
        assert emptied_by(service, only_near) == s.SOURCING_FILTER_CHANNEL
        nothing = {"measure": n.CAPACITY_MEASURE_UNITS, "window": {"seconds": 86_400}, "limit": 0}
        api.network.SetCapacity(make(n.SetCapacityRequest, location="locations/near", capacity=nothing))
        near = {**asked, "locations": ["locations/near"]}
        assert emptied_by(service, near) == s.SOURCING_FILTER_CAPACITY
        closing = {"name": "locations/near", "state": n.LOCATION_STATE_CLOSED}
        api.network.UpdateLocation(make(n.UpdateLocationRequest, location=closing, update_mask={"paths": ["state"]}))
        assert emptied_by(service, near) == s.SOURCING_FILTER_OPEN


def emptied_by(service: LocalService, asked: dict[str, object]) -> int:
    """The filter that no location passes."""
    with service.channel() as channel:
        return source(Api(channel), asked).emptied_by


def test_a_pickup_is_in_one_place(api: Api) -> None:
    """The named one, or the best of those that hand over; nothing is transported."""
    apple = api.stocked(5, STORE_1)
    api.receive(apple, 5, STORE_2)
    asked = {"lines": [{"sku": apple, "quantity": 2}], "mode": FULFILMENT_MODE_PICKUP}
    (plan,) = source(api, {**asked, "pickup_location": STORE_2}).plans
    assert (plan.parcels[0].location, plan.parcels[0].lane, plan.cost_micros) == (STORE_2, "", 0)
    assert len(source(api, asked).plans) == 2
    assert not source(api, {**asked, "lines": [{"sku": apple, "quantity": 6}]}).plans


def test_weights_of_the_order_decide(api: Api) -> None:
    """Cost alone prefers the cheap lane of the store, priority alone the first location."""
    apple = api.stocked(5, STORE_1)
    api.receive(apple, 5, STORE_2)
    level = lane(api, origin_location=STORE_1, parcel_micros=9_000_000)
    lane(api, level, origin_location=STORE_2, parcel_micros=1_000_000)
    asked = order((apple, 1), level=level)
    cheap = source(api, {**asked, "weights": {"cost": 1}}).plans[0].parcels[0]
    assert (cheap.location, cheap.cost_micros, cheap.score) == (STORE_2, 1_000_000, 1.0)
    even = source(api, {**asked, "weights": {"parcels": 2}}).plans[0].parcels[0]
    assert (even.location, even.score) == (STORE_1, 2.0)


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"lines": []}, ["order.lines"]),
    ({"service_level": ""}, ["order.service_level"]),
    (
        {"destination": {"latitude": 91, "longitude": 181}},
        ["order.destination.latitude", "order.destination.longitude"],
    ),
    ({"weights": {"cost": -1}}, ["order.weights.cost"]),
    ({"weights": {"cost": float("nan")}}, ["order.weights.cost"]),
    ({"weights": {}}, ["order.weights"]),
    ({"splits_max": 11}, ["order.splits_max"]),
    ({"splits_max": -1}, ["order.splits_max"]),
    ({"pickup_location": STORE_1}, ["order.pickup_location"]),
    ({"promise_by": {"seconds": 1_000_000}}, ["order.promise_by"]),
    ({"promise_by": {"seconds": 7_000_000_000}}, ["order.promise_by"]),
    ({"sourcing_profile": "mine"}, ["order.sourcing_profile"]),
]


@pytest.mark.parametrize(("fields", "violations"), WRONG)
def test_bad_input_names_each_fault(api: Api, level: str, fields: dict[str, Any], violations: list[str]) -> None:
    """INVALID_ARGUMENT from Source and ExplainSourcing alike, and nothing changes."""
    asked = {**order((api.stocked(1), 1), level=level), **fields}
    for call in (source, explain):
        with nothing_changes(api):
            found = failure(call, api, asked)
        assert (found.code, found.reason, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID", violations)


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"lines": [{"sku": "never-seen", "quantity": 1}]}, "SKU_UNKNOWN"),
    ({"service_level": "teleport"}, "SERVICE_LEVEL_UNKNOWN"),
    ({"location_group": "locationGroups/mars"}, "LOCATION_GROUP_UNKNOWN"),
    ({"locations": ["locations/mars"]}, "LOCATION_UNKNOWN"),
    ({"excluded_locations": ["locations/mars"]}, "LOCATION_UNKNOWN"),
    ({"mode": FULFILMENT_MODE_PICKUP, "pickup_location": "locations/mars"}, "LOCATION_UNKNOWN"),
    ({"sourcing_profile": "sourcingProfiles/mars"}, "SOURCING_PROFILE_UNKNOWN"),
]


@pytest.mark.parametrize(("fields", "reason"), UNKNOWN)
def test_unknown_names_are_told(api: Api, level: str, fields: dict[str, Any], reason: str) -> None:
    """NOT_FOUND with the reason of its kind."""
    asked = {**order((api.stocked(1), 1), level=level), **fields}
    found = failure(source, api, asked)
    assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, reason)


def test_a_request_without_an_order_is_told(api: Api) -> None:
    """With the other faults beside it."""
    assert failure(api.sourcing.Source, make(s.SourceRequest, plans_max=11)).fields == ["plans_max", "order"]
    assert failure(api.sourcing.ExplainSourcing, make(s.ExplainSourcingRequest)).fields == ["order"]


def test_too_many_lines_are_told(api: Api, level: str) -> None:
    """BATCH_TOO_LARGE with the maximum."""
    found = failure(source, api, order(*[(f"sku-{number}", 1) for number in range(201)], level=level))
    assert (found.reason, found.metadata) == (
        "BATCH_TOO_LARGE",
        {"field": "order.lines", "count": "201", "maximum": "200"},
    )
