"""The client for threads, against the fake: sourcing, and what holds or moves units at several locations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import grpc
import pytest

from allocator.client import (
    AllocateStatus,
    Assignment,
    AsyncClient,
    Client,
    FulfilmentMode,
    InvalidRequest,
    LineQuantity,
    Position,
    RejectReason,
    Shortfall,
    SourcingFilter,
    SourcingOrder,
    SourcingOutcome,
    SourcingTerm,
    SourcingTermKind,
    SourcingWeights,
    TransferStatus,
)
from allocator.v1.common_pb2 import FULFILMENT_MODE_PICKUP
from tests.unit.client.fake import FakeServer, Fault

ORDER = SourcingOrder({"APPLE": 12, "PEAR": 1}, "standard", Position(53.8, -1.5))
THURSDAY = datetime(2026, 3, 5, 12, tzinfo=UTC)
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def test_a_plan_tells_who_serves_what(client: Client) -> None:
    """By plain ids, with days as dates and every term of the score."""
    result = client.source(ORDER)
    (plan,) = result.plans
    assert (result.ok, result.emptied_by, result.partial) == (True, SourcingFilter.UNSPECIFIED, None)
    assert plan.assignments == (
        Assignment("APPLE", "leeds", 10),
        Assignment("APPLE", "york", 2),
        Assignment("PEAR", "leeds", 1),
    )
    first = plan.parcels[0]
    assert (first.location, first.units, first.lane, first.distance_km) == ("leeds", 11, "van", 42.5)
    assert (first.dispatch_date, first.delivery_date, first.cost_micros) == (
        date(2026, 3, 2),
        date(2026, 3, 3),
        5_000_000,
    )
    assert first.terms == (SourcingTerm(SourcingTermKind.COST, 5.0, 1.0, 5.0),)
    assert (plan.cost_micros, plan.score, plan.delivery_date) == (10_000_000, 10.0, date(2026, 3, 3))


def test_every_field_of_an_order_reaches_the_server(client: Client, fake: FakeServer) -> None:
    """By the contract's names."""
    order = SourcingOrder(
        [("APPLE", 1), ("APPLE", 2)],
        "express",
        Position(51.5, -0.1),
        country_code="GB",
        mode=FulfilmentMode.PICKUP,
        pickup_location="york",
        promise_by=THURSDAY,
        channel="web",
        group="north",
        locations=["leeds", "york"],
        excluded=["hull"],
        profile="mine",
        weights=SourcingWeights(cost=1, parcels=0.5),
        splits_max=4,
        allow_shortfall=True,
        unit_weights_grams={"APPLE": 150},
    )
    client.source(order, plans_max=5, min_versions={"york": 1})
    (request,) = fake.requests("Source")
    asked = request.order
    assert [(line.sku, line.quantity, line.unit_weight_grams) for line in asked.lines] == [
        ("APPLE", 1, 150),
        ("APPLE", 2, 150),
    ]
    assert (asked.destination.latitude, asked.destination.longitude) == (51.5, -0.1)
    assert (asked.service_level, asked.country_code, asked.channel) == ("express", "GB", "web")
    assert (asked.mode, asked.pickup_location) == (FULFILMENT_MODE_PICKUP, "locations/york")
    assert asked.promise_by.ToDatetime(tzinfo=UTC) == THURSDAY
    assert (asked.location_group, asked.sourcing_profile) == ("locationGroups/north", "sourcingProfiles/mine")
    assert list(asked.locations) == ["locations/leeds", "locations/york"]
    assert list(asked.excluded_locations) == ["locations/hull"]
    assert (asked.weights.cost, asked.weights.parcels, asked.weights.lateness) == (1, 0.5, 0)
    assert (asked.splits_max, asked.allow_shortfall) == (4, True)
    assert request.plans_max == 5
    assert [(item.location, item.version) for item in request.min_versions] == [("locations/york", 1)]


def test_what_an_order_does_not_say_is_absent(client: Client, fake: FakeServer) -> None:
    """The server's defaults stay the server's."""
    client.source(SourcingOrder({"APPLE": 1}))
    asked = fake.requests("Source")[0].order
    absent = [asked.HasField(field) for field in ("destination", "promise_by", "weights")]
    assert (absent, asked.pickup_location, asked.sourcing_profile) == ([False] * 3, "", "")


def test_an_order_that_cannot_be_served_tells_why(client: Client) -> None:
    """Which filter emptied the list, or what could be served."""
    nobody, partly = client.source(SourcingOrder({"FIG": 1})), client.source(SourcingOrder({"APPLE": 20}))
    assert (nobody.ok, nobody.emptied_by, nobody.partial) == (False, SourcingFilter.STOCK, None)
    assert partly.partial is not None
    assert (partly.ok, partly.partial.shortfalls) == (False, (Shortfall("APPLE", 6),))


def test_every_location_is_explained(client: Client) -> None:
    """Chosen ones with their terms, others with what they did not pass."""
    result = client.explain_sourcing(SourcingOrder({"PEAR": 1}), min_versions={"york": 1})
    leeds, york = result.verdicts
    assert (result.ok, len(result.plans)) == (True, 1)
    assert (leeds.location, leeds.outcome, leeds.units, leeds.score) == ("leeds", SourcingOutcome.CHOSEN, 1, 5.0)
    assert (leeds.lane, leeds.distance_km, leeds.delivery_date, len(leeds.terms)) == ("van", 42.5, date(2026, 3, 3), 1)
    assert (york.outcome, york.filter, york.detail) == (
        SourcingOutcome.FILTERED,
        SourcingFilter.STOCK,
        "it has none of what is ordered",
    )
    assert (york.score, york.distance_km, york.delivery_date, york.terms) == (None, None, None, ())


def test_an_order_is_allocated(client: Client, fake: FakeServer) -> None:
    """Planned and held in one call, with the caller's reference and time."""
    result = client.allocate(ORDER, ttl_s=60, order_reference="A-1", pickup_window_s=3600)
    assert (result.ok, result.status, result.plans_tried) == (True, AllocateStatus.HELD, 1)
    assert result.reservation is not None
    assert result.plan is not None
    assert [(line.sku, line.location, line.open) for line in result.reservation.lines] == [
        (part.sku, part.location, part.quantity) for part in result.plan.assignments
    ]
    assert (result.reservation.order, result.versions) == ("A-1", {"leeds": 1, "york": 1})
    assert result.reservation.pickup_ends_at is not None
    (request,) = fake.requests("Allocate")
    assert (request.ttl.seconds, request.pickup_window.seconds, len(request.request_id)) == (60, 3600, 32)


def test_an_order_that_cannot_be_allocated_tells_why(client: Client) -> None:
    """A refusal is an answer: nothing is held."""
    short = client.allocate(SourcingOrder({"APPLE": 20}))
    assert (short.ok, short.status, short.reservation) == (False, AllocateStatus.INSUFFICIENT_STOCK, None)
    assert short.partial is not None
    nobody = client.allocate(SourcingOrder({"FIG": 1}))
    assert (nobody.status, nobody.emptied_by) == (AllocateStatus.NO_ELIGIBLE_LOCATION, SourcingFilter.STOCK)
    partly = client.allocate(SourcingOrder({"APPLE": 20}, allow_shortfall=True))
    assert (partly.ok, partly.status) == (True, AllocateStatus.PARTIALLY_HELD)


def test_a_lost_allocate_is_asked_for_again_with_the_same_id(client: Client, fake: FakeServer) -> None:
    """It acts once, however often it is sent."""
    fake.fail("Allocate", Fault(UNAVAILABLE, reason="OUTCOME_UNKNOWN", after=True), Fault(UNAVAILABLE))
    result = client.allocate(ORDER)
    assert (result.ok, result.repeated, client.retries) == (True, True, 2)
    assert len({request.request_id for request in fake.requests("Allocate")}) == 1
    assert len(fake.state.reservations) == 1


def test_a_reservation_moves_to_another_location(client: Client, fake: FakeServer) -> None:
    """All of it, or the lines named; refused when the other has too little."""
    name = client.reserve({"APPLE": 3}, at="leeds").reservation.name  # type: ignore[union-attr]  # it is held
    result = client.transfer_reservation(name, "york")
    assert (result.ok, result.moved) == (True, (LineQuantity("APPLE", "leeds", 3),))
    assert result.versions == {"york": 1}
    back = client.transfer_reservation(name, "leeds", [("APPLE", 1), LineQuantity("PEAR", "york", 2)], at="york")
    assert back.ok
    asked = fake.requests("TransferReservation")[1]
    assert (asked.name, asked.to_location) == (f"reservations/{name}", "locations/leeds")
    assert [(line.sku, line.location, line.quantity) for line in asked.lines] == [
        ("APPLE", "locations/york", 1),
        ("PEAR", "locations/york", 2),
    ]
    large = client.reserve({"APPLE": 7}, at="leeds").reservation.name  # type: ignore[union-attr]  # as above
    refused = client.transfer_reservation(large, "york")
    assert (refused.ok, refused.status) == (False, TransferStatus.INSUFFICIENT_STOCK)


def test_a_location_declines(client: Client, fake: FakeServer) -> None:
    """Others take over what they have; the rest is told."""
    name = client.reserve({"APPLE": 3, "PEAR": 1}, at="leeds").reservation.name  # type: ignore[union-attr]  # it is held
    result = client.reject_assignment(name, "leeds", RejectReason.NOT_IN_STOCK)
    assert result.ok
    assert result.rejected == (LineQuantity("APPLE", "leeds", 3), LineQuantity("PEAR", "leeds", 1))
    assert result.assignments == (Assignment("APPLE", "york", 3),)
    assert result.shortfalls == (Shortfall("PEAR", 1),)
    client.reject_assignment(name, "york", RejectReason.DAMAGED, {"APPLE": 1}, resource=False)
    first, second = fake.requests("RejectAssignment")
    assert (first.location, first.skip_resourcing, len(first.lines)) == ("locations/leeds", False, 0)
    assert (second.skip_resourcing, second.lines[0].location, second.lines[0].quantity) == (True, "locations/york", 1)


def test_lines_of_a_reserve_may_say_where(client: Client, fake: FakeServer) -> None:
    """Those that do not are at the location of the whole; a promise date goes along."""
    client.reserve([("APPLE", 1), LineQuantity("APPLE", "york", 2)], at="leeds", promise_by=THURSDAY, request_id="r")
    (request,) = fake.requests("Reserve")
    assert [(line.sku, line.location, line.quantity) for line in request.lines] == [
        ("APPLE", "locations/leeds", 1),
        ("APPLE", "locations/york", 2),
    ]
    assert request.promise_by.ToDatetime(tzinfo=UTC) == THURSDAY


def test_a_date_without_a_zone_is_refused() -> None:
    """It names no day."""
    with Client() as client, pytest.raises(InvalidRequest, match="promise_by"):
        client.source(replace(ORDER, promise_by=datetime(2026, 3, 5)))  # noqa: DTZ001  # on purpose


async def test_the_same_for_asyncio(fake: FakeServer) -> None:
    """Awaited, with the same results."""
    async with AsyncClient(fake.address) as client:
        assert (await client.source(ORDER)).ok
        assert (await client.explain_sourcing(ORDER)).ok
        held = await client.allocate(SourcingOrder({"APPLE": 2}))
        assert held.reservation is not None
        assert (await client.transfer_reservation(held.reservation.name, "york")).ok
        assert (await client.reject_assignment(held.reservation.name, "york", RejectReason.NO_CAPACITY)).ok
