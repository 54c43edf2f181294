from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import grpc
import pytest
from google.rpc import status_pb2
from structlog.testing import capture_logs

from allocator.config import ServerSettings
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls, stream, unary
from allocator.gateway.errors import fault
from tests.support.api import failure_in

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class AbortedError(Exception):
    """A call was aborted."""


class Front:
    """The context of a call on any front: what servicers may use of it, and nothing more."""

    def __init__(self, *metadata: tuple[str, str], left_s: float | None = None) -> None:
        self.metadata = metadata
        self.left_s = left_s
        self.address = "ipv4:127.0.0.1:40000"
        self.trailers: Sequence[tuple[str, str | bytes]] = ()
        self.status: status_pb2.Status | None = None

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """What came with the call."""
        return self.metadata

    def peer(self) -> str:
        """Where it came from."""
        return self.address

    def time_remaining(self) -> float | None:
        """Seconds left."""
        return self.left_s

    def set_trailing_metadata(self, trailers: Sequence[tuple[str, str | bytes]]) -> None:
        """What goes out at the end."""
        self.trailers = trailers

    async def abort_with_status(self, status: grpc.Status) -> None:
        """End the call with an error."""
        self.trailers = cast("Sequence[tuple[str, str | bytes]]", status.trailing_metadata)
        self.status = status_in(self.trailers)
        raise AbortedError


def status_in(trailers: Any) -> status_pb2.Status:  # noqa: ANN401  # which grpc.Status leaves open
    """The rich status among them."""
    return status_pb2.Status.FromString(dict(trailers)["grpc-status-details-bin"])


class Echo:
    """A servicer with one method of each shape."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # pydantic checks them
        self.calls = Calls(ServerSettings(**settings), "7")
        self.seen: list[Call] = []
        self.go = asyncio.Event()

    @unary
    async def GetSaid(self, request: str, call: Call) -> str:  # noqa: N802  # an rpc that reads
        """Answer what was said."""
        self.seen.append(call)
        return request

    @unary
    async def Say(self, request: str, call: Call) -> str:  # noqa: N802  # an rpc
        """Answer what was said."""
        self.seen.append(call)
        if request == "bad":
            raise fault("request", "it is bad")
        if request == "defect":
            raise ZeroDivisionError("secret")
        if request == "wait":
            await self.go.wait()
        return request

    @stream
    async def Repeat(self, request: AsyncIterator[str], call: Call) -> AsyncIterator[str]:  # noqa: N802  # an rpc
        """Answer each, until the caller has enough."""
        self.seen.append(call)
        async for word in self.calls.requests(request):
            yield word


def say(echo: Echo, word: str, front: Front) -> Any:  # noqa: ANN401  # a coroutine of the answer
    """Call `Say` on a front."""
    return echo.Say(word, cast("grpc.aio.ServicerContext[Any, Any]", front))


def repeat(echo: Echo, words: AsyncIterator[str], front: Front) -> AsyncIterator[str]:
    """Call `Repeat` on a front."""
    return echo.Repeat(words, cast("grpc.aio.ServicerContext[Any, Any]", front))


async def spoken(*words: str, then: asyncio.Event | None = None) -> AsyncIterator[str]:
    """A stream of requests, which stays open until `then`."""
    for word in words:
        yield word
    if then is not None:
        await then.wait()


async def test_an_answer_carries_correlation_and_gateway() -> None:
    """The caller's id and trace go on with its commands; the id comes back with the answer."""
    echo, front = Echo(), Front(("x-correlation-id", "mine"), ("traceparent", TRACE))
    assert await say(echo, "hello", front) == "hello"
    assert echo.seen[0].trail == ("mine", TRACE)
    assert dict(front.trailers) == {"x-correlation-id": "mine", "x-allocator-gateway": "7"}


@pytest.mark.parametrize("trace", ["", "00-zz", TRACE.upper(), TRACE + "-more"])
async def test_a_malformed_trace_is_not_carried(trace: str) -> None:
    """What goes into the journal is one, or nothing."""
    echo = Echo()
    await say(echo, "hello", Front(("traceparent", trace)))
    assert echo.seen[0].trail.traceparent == ""


async def test_an_error_becomes_a_rich_status() -> None:
    """With its details and our trailers beside them, and a line in the logs."""
    echo, front = Echo(), Front(("x-correlation-id", "mine"))
    with capture_logs() as lines, pytest.raises(AbortedError):
        await say(echo, "bad", front)
    assert front.status is not None
    assert failure_in(front.status).fields == ["request"]
    assert dict(front.trailers)["x-correlation-id"] == "mine"
    assert [(line["event"], line["reason"], line["log_level"]) for line in lines] == [
        ("call failed", "INVALID", "warning")
    ]


async def test_a_defect_is_logged_and_not_told() -> None:
    """The log has the exception and the id, the caller only the id."""
    echo, front = Echo(), Front()
    with capture_logs() as lines, pytest.raises(AbortedError):
        await say(echo, "defect", front)
    assert front.status is not None
    found = failure_in(front.status)
    assert (found.code, found.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert echo.seen[0].correlation_id in found.message
    assert "secret" not in found.message
    assert isinstance(lines[0]["exc_info"], ZeroDivisionError)
    assert lines[0]["correlation_id"] == echo.seen[0].correlation_id


async def test_a_call_without_a_deadline_gets_the_default() -> None:
    """With one of its own it is the front's to end it."""
    echo, front = Echo(deadline_s=0.01), Front()
    with pytest.raises(AbortedError):
        await say(echo, "wait", front)
    assert front.status is not None
    assert failure_in(front.status).code == grpc.StatusCode.DEADLINE_EXCEEDED
    task = asyncio.ensure_future(say(echo, "wait", Front(left_s=60)))
    while echo.calls.under_way == 0:
        await asyncio.sleep(0)
    echo.go.set()
    assert await task == "wait"


async def test_calls_under_way_are_bounded() -> None:
    """Twice what one queue takes; beyond it a call is refused before it is looked at."""
    echo = Echo(queue_max=1)
    waiting = [asyncio.ensure_future(say(echo, "wait", Front(left_s=60))) for _ in range(2)]
    while echo.calls.under_way < 2:
        await asyncio.sleep(0)
    front = Front()
    with pytest.raises(AbortedError):
        await say(echo, "hello", front)
    assert front.status is not None
    assert failure_in(front.status).reason == "OVERLOADED"
    echo.go.set()
    assert await asyncio.gather(*waiting) == ["wait", "wait"]
    assert await say(echo, "hello", Front()) == "hello"


async def test_streams_under_way_are_bounded() -> None:
    """A stream that ends makes room for another one."""
    echo, end = Echo(streams_max=1), asyncio.Event()
    first = repeat(echo, spoken("a", then=end), Front())
    assert await anext(first) == "a"
    front = Front()
    with pytest.raises(AbortedError):
        await anext(repeat(echo, spoken("a"), front))
    assert front.status is not None
    assert failure_in(front.status).reason == "OVERLOADED"
    end.set()
    assert [word async for word in first] == []
    assert [word async for word in repeat(echo, spoken("a", "b"), Front())] == ["a", "b"]
    assert echo.calls.streams == 0


async def test_draining_refuses_calls_and_ends_streams_that_wait() -> None:
    """Calls under way are finished."""
    echo, front = Echo(), Front()
    under_way = asyncio.ensure_future(say(echo, "wait", Front(left_s=60)))
    open_stream = repeat(echo, spoken("a", then=asyncio.Event()), front)
    assert await anext(open_stream) == "a"
    waiting = asyncio.ensure_future(anext(open_stream))
    while not echo.calls.under_way:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    echo.calls.drain()
    with pytest.raises(AbortedError):
        await waiting
    assert front.status is not None
    assert failure_in(front.status).reason == "DRAINING"
    for begin in (lambda front: say(echo, "hello", front), lambda front: anext(repeat(echo, spoken("a"), front))):
        refused = Front()
        with pytest.raises(AbortedError):
            await begin(refused)
        assert refused.status is not None
        assert failure_in(refused.status).reason == "DRAINING"
    echo.go.set()
    assert await under_way == "wait"


async def test_a_cancelled_call_is_over() -> None:
    """Its caller has gone: nothing is told, and it counts no more."""
    echo, front = Echo(), Front()
    task = asyncio.ensure_future(say(echo, "wait", front))
    while echo.calls.under_way == 0:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (echo.calls.under_way, front.status) == (0, None)


async def test_parts_of_a_call_have_request_ids_of_their_own() -> None:
    """The error of one part tells its own id."""
    call = Call("BatchReserve", cast("grpc.aio.ServicerContext[Any, Any]", Front()))
    parts = [call.part() for _ in range(2)]
    assert parts[0].named("mine") == "mine"
    made = parts[1].named("")
    assert len(made) == 32
    assert (call.request_id, parts[0].request_id, parts[1].request_id) == ("", "mine", made)
    assert {part.correlation_id for part in parts} == {call.correlation_id}


async def test_a_write_is_named_by_its_request_id() -> None:
    """Where the caller gave no other name; it is not told again. A malformed one, or one made here, is."""
    echo, told = Echo(), []
    for headers, request_id in (((), "r-1"), ((), ""), ((), "not one!"), ((("x-correlation-id", "r-1"),), "r-1")):
        call = Call("Say", cast("grpc.aio.ServicerContext[Any, Any]", Front(*headers)))
        made = call.named(request_id)
        name = call.trail.correlation_id
        told.append((name, dict(echo.calls.trailers(call)).get("x-correlation-id", ""), made))
    (named, hidden, _), (_, shown, made), (odd, shown_odd, _), (own, echoed, _) = told
    assert (named, hidden) == ("r-1", "")
    assert shown == made
    assert shown_odd == odd != "not one!"
    assert (own, echoed) == ("r-1", "r-1")


async def refused(work: Any, front: Front) -> str:  # noqa: ANN401  # a coroutine of the answer
    """The reason that a call is refused for."""
    with pytest.raises(AbortedError):
        await work
    assert front.status is not None
    return failure_in(front.status).reason


def said(echo: Echo, front: Front) -> Any:  # noqa: ANN401  # as above
    """Call `GetSaid` on a front."""
    return echo.GetSaid("hello", cast("grpc.aio.ServicerContext[Any, Any]", front))


async def test_reads_leave_room_in_the_table_of_calls() -> None:
    """With three quarters of it taken a read is refused, not looked at and counted; what settles goes through."""
    echo = Echo(queue_max=4)
    waiting = [asyncio.ensure_future(say(echo, "wait", Front(left_s=60))) for _ in range(6)]
    while echo.calls.under_way < 6:
        await asyncio.sleep(0)
    front, seen = Front(), len(echo.seen)
    assert await refused(said(echo, front), front) == "OVERLOADED"
    assert front.status is not None
    assert failure_in(front.status).retry_s > 0
    assert len(echo.seen) == seen
    assert await say(echo, "hello", Front()) == "hello"
    echo.go.set()
    await asyncio.gather(*waiting)
    with capture_logs() as lines:
        echo.calls.tally.report()
    assert lines[0]["refused"] == {"browse OVERLOADED": 1}
    assert await said(echo, Front()) == "hello"


async def test_a_client_is_held_to_its_rate() -> None:
    """By its id, or its address whatever the port; its other kinds of calls and other clients go on."""
    echo = Echo(client_rate_per_s=0.001, client_burst=2)
    for n, name in enumerate(("shop", "shop", "app", "app")):
        assert await said(echo, Front(("x-client-id", name))) == "hello", n
    front = Front(("x-client-id", "shop"))
    assert await refused(said(echo, front), front) == "RATE_LIMITED"
    assert await say(echo, "hello", Front(("x-client-id", "shop"))) == "hello"
    for port in (1, 2, 3):
        front = Front()
        front.address = f"ipv4:10.0.0.1:{port}"
        if port < 3:
            assert await said(echo, front) == "hello"
        else:
            assert await refused(said(echo, front), front) == "RATE_LIMITED"


async def test_correlation_ids_made_here_differ() -> None:
    """Each call has its own, of 32 hexadecimal digits."""
    echo = Echo()
    for _ in range(100):
        await said(echo, Front())
    ids = {call.correlation_id for call in echo.seen}
    assert len(ids) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in ids)
