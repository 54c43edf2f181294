from __future__ import annotations

from datetime import UTC, datetime

import pytest

from allocator.v1 import reservation_pb2 as r
from allocator.v1.common_pb2 import FULFILMENT_MODE_PICKUP, FULFILMENT_MODE_SHIP_FROM_STORE
from tests.unit.cli.conftest import Command
from tests.unit.client.fake import FakeServer

APPLES = ["APPLE=12", "--service", "standard", "--to", "53.80,-1.55"]


def test_a_plan_is_shown(allocator: Command) -> None:
    """What comes from where, what it costs and when it is there."""
    ran = allocator("source", *APPLES)
    assert ran.code == 0
    assert "Plan 1: cost 10.00, score 10.000" in ran.out
    assert all(word in ran.out for word in ("leeds", "APPLE 10", "york", "APPLE 2", "van", "2026-03-03"))
    assert allocator("source", *APPLES, "--json").json["plans"][0]["cost_micros"] == 10_000_000


def test_every_option_of_an_order_reaches_the_server(allocator: Command, fake: FakeServer) -> None:
    """Places by name, dates at their end, weights by term."""
    allocator(
        *("source", "APPLE=1", "PEAR=2", "--mode", "ship-from-store", "--service", "express", "--to", "51.5,-0.1"),
        *(
            "--country",
            "GB",
            "--promise-by",
            "2026-03-05",
            "--channel",
            "web",
            "--group",
            "north",
            "--location",
            "york",
        ),
        *("--location", "leeds", "--exclude", "hull", "--profile", "mine", "--weight", "cost=1", "--weight"),
        *("stock-cover=0.5", "--unit-weight", "APPLE=150", "--splits", "2", "--shortfall", "--plans", "4"),
    )
    (request,) = fake.requests("Source")
    asked = request.order
    assert [(line.sku, line.quantity, line.unit_weight_grams) for line in asked.lines] == [
        ("APPLE", 1, 150),
        ("PEAR", 2, 0),
    ]
    assert (asked.mode, asked.service_level, asked.country_code) == (FULFILMENT_MODE_SHIP_FROM_STORE, "express", "GB")
    assert (asked.destination.latitude, asked.destination.longitude) == (51.5, -0.1)
    assert asked.promise_by.ToDatetime(tzinfo=UTC) == datetime(2026, 3, 5, 23, 59, 59).astimezone()
    assert (asked.channel, asked.location_group, asked.sourcing_profile) == (
        "web",
        "locationGroups/north",
        "sourcingProfiles/mine",
    )
    assert list(asked.locations) == ["locations/york", "locations/leeds"]
    assert list(asked.excluded_locations) == ["locations/hull"]
    assert (asked.weights.cost, asked.weights.stock_cover, asked.weights.parcels) == (1.0, 0.5, 0.0)
    assert (asked.splits_max, asked.allow_shortfall, request.plans_max) == (2, True, 4)


def test_a_pickup_names_its_place(allocator: Command, fake: FakeServer) -> None:
    """It needs no service level."""
    allocator("allocate", "APPLE=1", "--mode", "pickup", "--pickup-at", "york", "--pickup-window", "3d")
    (request,) = fake.requests("Allocate")
    assert (request.order.mode, request.order.pickup_location) == (FULFILMENT_MODE_PICKUP, "locations/york")
    assert request.pickup_window.seconds == 3 * 86_400


def test_an_order_that_cannot_be_served_tells_why(allocator: Command) -> None:
    """Exit code 1, and what could be served."""
    nobody, partly = allocator("source", "FIG=1"), allocator("source", "APPLE=20")
    assert (nobody.code, nobody.err) == (1, "")
    assert "No location can serve it: stock leaves none." in nobody.out
    assert partly.code == 1
    assert "Nobody has APPLE 6." in partly.out
    assert "--shortfall takes what there is" in partly.out


def test_every_location_is_explained(allocator: Command) -> None:
    """With each term of its score, or what it did not pass."""
    ran = allocator("explain", "PEAR=1", "--service", "standard")
    assert ran.code == 0
    assert all(word in ran.out for word in ("chosen", "filtered: stock", "it has none of what is ordered", "5.000"))
    verdicts = allocator("explain", "PEAR=1", "--json").json["verdicts"]
    assert [(verdict["location"], verdict["outcome"]) for verdict in verdicts] == [
        ("leeds", "CHOSEN"),
        ("york", "FILTERED"),
    ]
    assert allocator("explain", "FIG=1").code == 1


def test_an_order_is_allocated(allocator: Command, fake: FakeServer) -> None:
    """The plan is shown, and how to go on."""
    ran = allocator("allocate", *APPLES, "--order", "A-1", "--ttl", "30m", "--request-id", "r-1")
    assert ran.code == 0
    assert "Plan: cost 10.00" in ran.out
    assert "Held as home-r-1 until" in ran.out
    assert "allocator commit home-r-1" in ran.out
    (request,) = fake.requests("Allocate")
    assert (request.order_reference, request.ttl.seconds, request.request_id) == ("A-1", 1_800, "r-1")
    again = allocator("allocate", *APPLES, "--order", "A-1", "--ttl", "30m", "--request-id", "r-1")
    assert "Held by an earlier request with this id as home-r-1" in again.out


def test_an_order_that_cannot_be_allocated_holds_nothing(allocator: Command) -> None:
    """Exit code 1 and the reason; JSON has the request's id either way."""
    nobody = allocator("allocate", "FIG=1")
    assert (nobody.code, nobody.err) == (1, "")
    assert "Refused, nothing is held: no eligible location; stock leaves none." in nobody.out
    short = allocator("allocate", "APPLE=20", "--json")
    assert (short.code, short.json["status"], len(short.json["request_id"])) == (1, "INSUFFICIENT_STOCK", 32)
    assert "Refused, nothing is held: insufficient stock." in allocator("allocate", "APPLE=20").out


def test_units_move_to_another_location(allocator: Command, fake: FakeServer) -> None:
    """All of them, or those named with or without their place."""
    name = allocator("reserve", "APPLE=3", "--at", "leeds", "--json").json["reservation"]["name"]
    ran = allocator("transfer", name, "--to", "york")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "Moved: APPLE 3 at leeds.")
    allocator("transfer", name, "APPLE=1@york", "PEAR=2", "--to", "leeds", "--at", "hull")
    asked = fake.requests("TransferReservation")[1]
    assert [(line.sku, line.quantity, line.location) for line in asked.lines] == [
        ("APPLE", 1, "locations/york"),
        ("PEAR", 2, "locations/hull"),
    ]
    large = allocator("reserve", "APPLE=7", "--at", "leeds", "--json").json["reservation"]["name"]
    refused = allocator("transfer", large, "--to", "york")
    assert (refused.code, refused.out.splitlines()[-1]) == (1, "Refused: insufficient stock.")


def test_a_location_declines(allocator: Command, fake: FakeServer) -> None:
    """Who takes over is told, and what nobody takes over."""
    name = allocator("reserve", "APPLE=3", "PEAR=1", "--at", "leeds", "--json").json["reservation"]["name"]
    ran = allocator("reject", name, "--at", "leeds", "--reason", "not-in-stock")
    assert ran.code == 0
    assert "Declined: APPLE 3 at leeds, PEAR 1 at leeds." in ran.out
    assert "Taken over: APPLE 3 at york." in ran.out
    assert "Nobody took over PEAR 1; it is not reserved any more." in ran.out
    assert allocator("reject", name, "--at", "york", "--reason", "damaged", "--give-up", "--json").code == 0
    first, second = fake.requests("RejectAssignment")
    assert (first.reason, first.skip_resourcing) == (r.REJECT_REASON_NOT_IN_STOCK, False)
    assert (second.reason, second.skip_resourcing) == (r.REJECT_REASON_DAMAGED, True)


def test_lines_of_a_reserve_may_say_where(allocator: Command, fake: FakeServer) -> None:
    """With --at for those that do not, and a date for what is expected."""
    allocator("reserve", "APPLE=1@york", "APPLE=2", "--at", "leeds", "--promise-by", "2026-03-05T18:00+00:00")
    (request,) = fake.requests("Reserve")
    assert [(line.sku, line.quantity, line.location) for line in request.lines] == [
        ("APPLE", 1, "locations/york"),
        ("APPLE", 2, "locations/leeds"),
    ]
    assert request.promise_by.ToDatetime(tzinfo=UTC) == datetime(2026, 3, 5, 18, tzinfo=UTC)
    assert allocator("reserve", "APPLE=1@york", "--json").code == 0


def test_what_waits_is_shown(allocator: Command, fake: FakeServer) -> None:
    """Units that wait for supply, and a pickup for its customer."""
    allocator("allocate", "APPLE=1", "--mode", "pickup", "--pickup-window", "3d", "--request-id", "r-1")
    plain = allocator("reservations", "home-r-1").out
    assert "waits for pickup until 2023-" in plain
    assert "waiting" not in plain
    fake.state.reservations["reservations/home-r-1"].lines[0].waiting = 1
    assert "waiting" in allocator("reservations", "home-r-1").out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["source", "APPLE=1", "--to", "here"], "'here' is not LAT,LON, such as 53.80,-1.55"),
        (["source", "APPLE=1", "--to", "1"], "'1' is not LAT,LON"),
        (["source", "APPLE=1", "--mode", "fly"], "'fly' is not one of ship, pickup, ship-from-store"),
        (["source", "APPLE=1", "--promise-by", "thursday"], "'thursday' is not a date"),
        (["source", "APPLE=1", "--weight", "beauty=1"], "'beauty=1' is not TERM=WEIGHT"),
        (["source", "APPLE=1", "--weight", "cost"], "'cost' is not TERM=WEIGHT"),
        (["source", "APPLE=1", "--unit-weight", "APPLE"], "'APPLE' is not SKU=GRAMS"),
        (["source", "APPLE=1@york"], "is not SKU=QTY"),
        (["reject", "NAME", "--at", "york", "--reason", "rain"], "'rain' is not one of not-in-stock, damaged"),
        (["reserve", "APPLE=1"], "'APPLE=1' does not say where, as APPLE=1@LOCATION would"),
    ],
)
def test_wrong_usage_is_told_with_an_example(allocator: Command, words: list[str], told: str) -> None:
    """Exit code 2, before anything is sent."""
    ran = allocator(*words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
