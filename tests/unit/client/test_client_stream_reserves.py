"""The stream of reserves, of both clients: each happens once or not at all, whatever becomes of the connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest

from allocator.client import (
    AsyncClient,
    Client,
    InvalidRequest,
    NotFound,
    Overloaded,
    RequestError,
    RequestIdReused,
    Reserve,
    ReserveResult,
    ReserveStatus,
    Unavailable,
)
from tests.unit.client.fake import FakeServer, Fault, retry_info

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def orders(count: int, at: str = "leeds") -> list[Reserve]:
    """Reserves of one apple each: 10 are in Leeds, 4 in York."""
    return [Reserve({"APPLE": 1}, at=at, order=f"A-{number}") for number in range(count)]


def held(results: list[ReserveResult | RequestError]) -> list[str]:
    """The orders that hold something, in the order they were answered."""
    found = [result.reservation for result in results if isinstance(result, ReserveResult)]
    return [reservation.order for reservation in found if reservation is not None]


def kept(fake: FakeServer) -> list[str]:
    """The orders that the server holds something for."""
    return sorted(reservation.order for reservation in fake.state.reservations.values())


@pytest.mark.parametrize("in_flight", [1, 3, 1_024])
def test_each_reserve_is_answered_in_order(client: Client, fake: FakeServer, in_flight: int) -> None:
    """Held while there is stock, then refused; over one connection, however many are under way."""
    results = list(client.stream_reserves(orders(12), in_flight=in_flight))
    assert held(results) == [f"A-{number}" for number in range(10)]
    assert {result.status for result in results[10:] if isinstance(result, ReserveResult)} == {
        ReserveStatus.INSUFFICIENT_STOCK
    }
    assert len(fake.requests("StreamReserve")) == 1


def test_a_reserve_that_ends_in_an_error_does_not_touch_the_others(client: Client) -> None:
    """An unknown SKU, an id that is taken, a number that no message holds."""
    first, fig, again, large, last = client.stream_reserves(
        [
            Reserve({"APPLE": 1}, at="leeds", request_id="mine"),
            Reserve({"FIG": 1}, at="leeds", request_id="fig"),
            Reserve({"APPLE": 2}, at="leeds", request_id="mine"),
            Reserve({"APPLE": 1 << 80}, at="leeds"),
            Reserve({"APPLE": 3}, at="leeds"),
        ]
    )
    assert isinstance(fig, NotFound)
    assert (fig.reason, fig.request_id) == ("SKU_UNKNOWN", "fig")
    assert isinstance(again, RequestIdReused)
    assert isinstance(large, InvalidRequest)
    assert [result.ok for result in (first, last) if isinstance(result, ReserveResult)] == [True, True]


def test_what_has_no_answer_is_sent_again_with_the_same_ids(client: Client, fake: FakeServer) -> None:
    """Some of it happened before the connection broke; nothing happens twice, and no id is used for two."""
    fake.fail(
        "StreamReserve",
        Fault(UNAVAILABLE, after=True),
        Fault(UNAVAILABLE, reason="DRAINING"),
        Fault(EXHAUSTED, reason="RATE_LIMITED", details=[retry_info(0.01)]),
        Fault(UNAVAILABLE, after=True),
    )
    results = list(client.stream_reserves(orders(9), in_flight=4))
    assert held(results) == kept(fake) == [f"A-{number}" for number in range(9)]
    assert any(result.repeated for result in results if isinstance(result, ReserveResult))
    assert (client.retries, len(fake.state.answers)) == (4, 9)


def test_every_reserve_has_an_id(client: Client, fake: FakeServer) -> None:
    """The caller's, or one that the client makes."""
    list(client.stream_reserves([*orders(2), Reserve({"APPLE": 1}, at="york", request_id="mine")]))
    lengths = Counter(len(request_id) for request_id in fake.state.answers)
    assert ("mine" in fake.state.answers, lengths) == (True, {32: 2, 4: 1})


def test_no_more_reserves_are_taken_than_may_be_under_way(client: Client) -> None:
    """And a window that cannot be is refused before anything is held."""
    taken: list[int] = []

    def produce() -> Iterator[Reserve]:
        for number, reserve in enumerate(orders(6)):
            taken.append(number)
            yield reserve

    ahead = [len(taken) - done for done, _ in enumerate(client.stream_reserves(produce(), in_flight=2))]
    assert ahead == [2] * 5 + [1]
    for in_flight in (0, 1_025):
        with pytest.raises(InvalidRequest, match="in_flight: 1 to 1024"):
            client.stream_reserves(orders(1), in_flight=in_flight)


def test_the_end_of_a_stream_names_what_may_have_happened(client: Client, fake: FakeServer) -> None:
    """The oldest without an answer, by its id: the same reserve again tells what became of it."""
    fake.fail("StreamReserve", Fault(UNAVAILABLE, after=True), Fault(UNAVAILABLE, reason="DRAINING"))
    mine = [Reserve({"APPLE": 1}, at="york", request_id=f"mine-{number}") for number in range(3)]
    stream = client.with_options(retries_max=1).stream_reserves(mine)
    with pytest.raises(Unavailable, match="repeat it with request id mine-0") as caught:
        list(stream)
    assert (caught.value.outcome_unknown, caught.value.request_id) == (True, "mine-0")
    again = list(client.stream_reserves(mine))
    assert [result.ok for result in again if isinstance(result, ReserveResult)] == [True] * 3
    assert len(fake.state.reservations) == 3


def test_a_stream_that_never_began_did_nothing(client: Client, fake: FakeServer) -> None:
    """A server that is too busy says when to come back, and no outcome is unknown."""
    fake.fail("StreamReserve", Fault(EXHAUSTED, reason="OVERLOADED", details=[retry_info(60)]))
    with pytest.raises(Overloaded) as caught:
        list(client.stream_reserves(orders(3)))
    assert (caught.value.retry_after_s, caught.value.outcome_unknown) == (60, False)
    assert not fake.state.reservations


async def test_the_client_for_asyncio_does_the_same(fake: FakeServer) -> None:
    """From an async producer or a plain one, through breaks, each once."""

    async def produce() -> AsyncIterator[Reserve]:
        for reserve in orders(6):
            yield reserve

    async with AsyncClient(fake.address) as client:
        fake.fail("StreamReserve", Fault(UNAVAILABLE, after=True), Fault(UNAVAILABLE, reason="DRAINING"))
        results = [result async for result in client.stream_reserves(produce(), in_flight=3)]
        assert held(results) == kept(fake) == [f"A-{number}" for number in range(6)]
        plain = [result async for result in client.stream_reserves(orders(5, "york"))]
        assert [result.ok for result in plain if isinstance(result, ReserveResult)] == [True] * 4 + [False]
        fake.fail("StreamReserve", Fault(UNAVAILABLE, after=True))
        with pytest.raises(Unavailable) as caught:
            _ = [result async for result in client.with_options(retries_max=0).stream_reserves(orders(1))]
        assert caught.value.outcome_unknown
