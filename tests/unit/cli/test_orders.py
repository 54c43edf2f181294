from __future__ import annotations

import grpc
import pytest

from tests.unit.cli.conftest import Command
from tests.unit.client.fake import FakeServer, Fault, retry_info


def test_a_cart_is_checked_for_a_date(allocator: Command, fake: FakeServer) -> None:
    """The end of the day that is named; what is no date is told."""
    assert allocator("check", "APPLE=2", "--promise-by", "2026-03-05T12:00:00+00:00").code == 0
    assert fake.requests("CheckAvailability")[0].promise_by.seconds == 1_772_712_000
    ran = allocator("check", "APPLE=2", "--promise-by", "soon")
    assert (ran.code, "is not a date" in ran.err) == (2, True)


def test_a_cart_that_can_be_promised(allocator: Command) -> None:
    """A table for people, exit code 0."""
    ran = allocator("check", "APPLE=11", "PEAR=1")
    assert ran.code == 0
    assert "leeds 10, york 4" in ran.out


def test_a_cart_that_cannot_be_promised(allocator: Command) -> None:
    """Exit code 1; JSON has the fields of the client's result."""
    ran = allocator("check", "APPLE=11", "--location", "york", "--json")
    assert ran.code == 1
    assert ran.json["ok"] is False
    assert ran.json["lines"] == [
        {"sku": "APPLE", "requested": 11, "sufficient": False, "total": 4, "quantities": {"york": 4}}
    ]
    assert set(ran.json) == {"ok", "lines", "versions", "ages_s"}


def test_an_order_goes_its_way(allocator: Command, fake: FakeServer) -> None:
    """Reserve, extend, commit, fulfil a part, release the rest."""
    held = allocator("reserve", "APPLE=3", "--at", "leeds", "--ttl", "1h30m", "--order", "A-1", "--json")
    assert (held.code, held.json["status"], held.json["ok"]) == (0, "HELD", True)
    name = held.json["reservation"]["name"]
    assert fake.requests("Reserve")[0].ttl.seconds == 5_400
    assert fake.requests("Reserve")[0].request_id == held.json["request_id"]
    assert allocator("extend", name, "--ttl", "90").code == 0
    assert allocator("commit", name).code == 0
    part = allocator("fulfil", name, "APPLE=1", "--json")
    assert part.json["moved"] == [{"sku": "APPLE", "location": "leeds", "quantity": 1}]
    last = allocator("release", name, "--reason", "cancelled")
    assert (last.code, last.out.splitlines()[-1]) == (0, "Done.")
    assert fake.requests("ReleaseReservation")[0].reason == "cancelled"


def test_a_hold_says_how_to_go_on(allocator: Command) -> None:
    """The newcomer is told the name and the next command."""
    ran = allocator("reserve", "APPLE=3", "--at", "leeds", "--request-id", "r-1")
    assert "Held as home-r-1 until" in ran.out
    assert "allocator commit home-r-1" in ran.out
    again = allocator("reserve", "APPLE=3", "--at", "leeds", "--request-id", "r-1")
    assert "Held by an earlier request with this id as home-r-1" in again.out


def test_a_refusal_says_what_is_left(allocator: Command) -> None:
    """Exit code 1, nothing on stderr: it is an answer."""
    ran = allocator("reserve", "APPLE=5", "--at", "york")
    assert (ran.code, ran.err) == (1, "")
    assert "Refused, nothing is held: insufficient stock." in ran.out
    partly = allocator("reserve", "APPLE=5", "--at", "york", "--partial", "--json")
    assert (partly.code, partly.json["status"]) == (0, "PARTIALLY_HELD")


def test_a_refused_transition_changes_nothing(allocator: Command) -> None:
    """And says why."""
    name = allocator("reserve", "APPLE=1", "--at", "york", "--json").json["reservation"]["name"]
    ran = allocator("fulfil", name)
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "Refused, nothing changed: not committed.")


def test_reservations_are_shown_and_listed(allocator: Command) -> None:
    """One by name, many by what they are."""
    for number in range(3):
        allocator("reserve", "APPLE=1", "--at", "leeds", "--request-id", f"r-{number}", "--order", f"A-{number}")
    allocator("commit", "home-r-1")
    assert allocator("reservations", "home-r-1").out.startswith("home-r-1: committed at leeds, order A-1")
    assert allocator("reservations", "home-r-1", "--json").json["state"] == "COMMITTED"
    held = allocator("reservations", "--state", "held", "--location", "leeds", "--json").rows
    assert [one["name"] for one in held] == ["home-r-0", "home-r-2"]
    table = allocator("reservations", "--limit", "2")
    assert "There is more than these 2: see --limit." in table.out
    assert len(allocator("reservations", "--limit", "2", "--json").rows) == 2


@pytest.mark.parametrize("text", ["APPLE", "APPLE=", "=2", "APPLE=x", "APPLE=-1", "APPLE=1.5", "APPLE=٣"])
def test_a_line_that_is_none_is_wrong_usage(allocator: Command, text: str) -> None:
    """Exit code 2 and one line that shows how it is written."""
    ran = allocator("reserve", text, "--at", "leeds")
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "is not SKU=QTY, such as APPLE=2" in ran.err


@pytest.mark.parametrize("text", ["soon", "15", "90s", "1.5h", "1h30m", "m", "1h soon"])
def test_lengths_of_time(allocator: Command, fake: FakeServer, text: str) -> None:
    """Units, or plain seconds; anything else is wrong usage."""
    seconds = {"15": 15, "90s": 90, "1.5h": 5_400, "1h30m": 5_400}.get(text)
    ran = allocator("reserve", "APPLE=1", "--at", "leeds", "--ttl", text)
    assert ran.code == (2 if seconds is None else 0)
    assert [request.ttl.seconds for request in fake.requests("Reserve")] == ([] if seconds is None else [seconds])


def test_an_unknown_state_is_wrong_usage(allocator: Command) -> None:
    """With the states there are."""
    ran = allocator("reservations", "--state", "open")
    assert ran.code == 2
    assert "'open' is not one of held, committed, fulfilled, released, expired" in ran.err


def test_an_unknown_sku_says_where_to_look(allocator: Command) -> None:
    """Exit code 1 and one line on stderr."""
    ran = allocator("reserve", "FIG=1", "--at", "leeds")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("allocator: SKU_UNKNOWN: SKU 'FIG' was never stocked")
    assert "`allocator stock LOCATION`" in ran.err
    assert ran.err.count("\n") == 1


def test_an_overloaded_service_says_when_to_come_back(allocator: Command, fake: FakeServer) -> None:
    """The wait is longer than the call may take, so the caller is told."""
    fault = Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, reason="OVERLOADED", details=[retry_info(90)])
    fake.fail("Reserve", fault)
    assert "try again in 90 s" in allocator("reserve", "APPLE=1", "--at", "leeds").err


def test_a_service_that_is_not_there(command: Command) -> None:
    """One line says what to start or where to look."""
    ran = command("--address", "127.0.0.1:1", "--timeout", "0.2", "check", "APPLE=1")
    assert ran.code == 1
    assert ran.err.count("\n") == 1
    assert "does the service run at 127.0.0.1:1? Start it with `allocator serve`" in ran.err


def test_an_unknown_outcome_names_the_request_id(allocator: Command, fake: FakeServer) -> None:
    """So that the caller can learn it."""
    fake.fail("Reserve", *[Fault(grpc.StatusCode.UNAVAILABLE, reason="OUTCOME_UNKNOWN")] * 9)
    ran = allocator("reserve", "APPLE=1", "--at", "leeds", "--request-id", "r-1")
    assert "repeat it with request id r-1" in ran.err
