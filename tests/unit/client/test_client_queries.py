"""The stream of checks, of both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import grpc
import pytest

from allocator.client import (
    AsyncClient,
    Check,
    CheckResult,
    Client,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RequestError,
    Unavailable,
)
from tests.unit.client.fake import FakeServer, Fault, retry_info

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def wanted(count: int) -> list[Check]:
    """Checks that each want one apple more than the one before: 10 of them are in Leeds."""
    return [Check({"APPLE": number + 1}, locations=["leeds"]) for number in range(count)]


def told(results: list[CheckResult | RequestError]) -> list[int]:
    """Units each asked for; an error is none."""
    return [result.lines[0].requested if isinstance(result, CheckResult) else 0 for result in results]


def test_checks_are_answered_in_order(client: Client, fake: FakeServer) -> None:
    """One answer for each, over one connection, however many are under way."""
    for in_flight in (1, 7, 1_024):
        results = list(client.query(wanted(20), in_flight=in_flight))
        assert told(results) == list(range(1, 21))
        assert [result.ok for result in results if isinstance(result, CheckResult)] == [True] * 10 + [False] * 10
    assert len(fake.requests("QueryAvailability")) == 3


def test_a_bad_check_is_answered_with_its_error(client: Client) -> None:
    """Of the server, or of a check that cannot be sent at all; the stream goes on."""
    nowhere, endless = Check({"APPLE": 1}, locations=["mars"]), Check({"APPLE": 1 << 80})
    timeless = Check({"APPLE": 1}, promise_by=datetime(2030, 1, 1))  # noqa: DTZ001  # that is what is wrong with it
    checks = [*wanted(1), nowhere, endless, timeless, *wanted(2)]
    first, far, large, late, *others = client.query(checks, in_flight=3)
    assert isinstance(far, NotFound)
    assert (far.reason, far.metadata, far.outcome_unknown) == ("LOCATION_UNKNOWN", {"location": "mars"}, False)
    assert isinstance(large, InvalidRequest)
    assert isinstance(late, InvalidRequest)
    assert told([first, *others]) == [1, 1, 2]


def test_unanswered_checks_are_asked_again(client: Client, fake: FakeServer) -> None:
    """After a connection that broke, a server that drains, and one that was too busy to begin."""
    fake.fail(
        "QueryAvailability",
        Fault(UNAVAILABLE, after=True),
        Fault(UNAVAILABLE, reason="DRAINING"),
        Fault(EXHAUSTED, reason="OVERLOADED", details=[retry_info(0.01)]),
    )
    assert told(list(client.query(wanted(9), in_flight=4))) == list(range(1, 10))
    assert (client.retries, len(fake.requests("QueryAvailability"))) == (3, 4)


def test_no_more_checks_are_taken_than_may_be_under_way(client: Client) -> None:
    """A producer is never far ahead of its answers."""
    taken: list[int] = []

    def produce() -> Iterator[Check]:
        for number, check in enumerate(wanted(10)):
            taken.append(number)
            yield check

    ahead = [len(taken) - done for done, _ in enumerate(client.query(produce(), in_flight=3))]
    assert ahead == [3] * 8 + [2, 1]


def test_a_stream_that_cannot_go_on_ends_in_its_error(client: Client, fake: FakeServer) -> None:
    """A service that stays away, or a caller without rights."""
    fake.fail("QueryAvailability", *[Fault(UNAVAILABLE)] * 2)
    with pytest.raises(Unavailable) as caught:
        list(client.with_options(retries_max=1).query(wanted(3)))
    assert (caught.value.details.attempts, caught.value.outcome_unknown) == (2, False)
    fake.fail("QueryAvailability", Fault(grpc.StatusCode.PERMISSION_DENIED))
    with pytest.raises(PermissionDenied):
        list(client.query(wanted(3)))


def test_a_window_that_cannot_be_is_refused(client: Client) -> None:
    """At once, before anything is asked."""
    for in_flight in (0, 1_025):
        with pytest.raises(InvalidRequest, match="in_flight: 1 to 1024"):
            client.query(wanted(1), in_flight=in_flight)


def test_a_stream_that_is_left_early_ends(client: Client) -> None:
    """And the client goes on."""
    stream = client.query(wanted(100))
    assert isinstance(next(stream), CheckResult)
    stream.close()
    assert client.check({"APPLE": 1}).ok


async def test_the_client_for_asyncio_does_the_same(fake: FakeServer) -> None:
    """From an async producer or a plain one, through breaks, with errors in their places."""

    async def produce() -> AsyncIterator[Check]:
        for check in [*wanted(2), Check({"APPLE": 1}, locations=["mars"]), Check({"APPLE": 1 << 80}), *wanted(2)]:
            yield check

    async with AsyncClient(fake.address) as client:
        fake.fail("QueryAvailability", Fault(UNAVAILABLE, after=True), Fault(UNAVAILABLE, reason="DRAINING"))
        assert told([result async for result in client.query(produce(), in_flight=3)]) == [1, 2, 0, 0, 1, 2]
        assert told([result async for result in client.query(wanted(5))]) == [1, 2, 3, 4, 5]
        assert client.retries == 2
        left = client.query(wanted(100))
        assert isinstance(await anext(left), CheckResult)
        await left.aclose()
        assert (await client.check({"APPLE": 1})).ok
