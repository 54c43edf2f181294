"""The load client against a real server of grpcio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import pytest

from bench.echo import record
from bench.errors import BenchError
from bench.http2 import Call, Calls, Client, Crowd, Kind, Log
from bench.pace import Schedule

PATH = "/shop.Stock/Check"
PLACES = 8

Context = grpc.aio.ServicerContext[bytes, bytes]
Handler = Callable[[bytes, Context], Awaitable[bytes]]


class Some(Schedule):
    """So many calls, a few of them at a time."""

    scheduled = False

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self, now_ns: int, under_way: int) -> Sequence[int]:
        """A call for each free place."""
        count = min(self._left, PLACES - under_way)
        self._left -= count
        return [now_ns] * count

    def wait_ns(self, now_ns: int) -> int | None:
        """Answers make room."""
        del now_ns
        return None


class Requests(Calls):
    """The same request again and again, with its number as the note."""

    def __init__(self, message: bytes = b"request", path: str = PATH, **kind: Any) -> None:  # noqa: ANN401  # of a Kind
        self._kind = Kind("check", path, **kind)
        self._message = message
        self.sent = 0

    def next(self) -> Call:
        """The next one."""
        self.sent += 1
        return Call(self._kind, self._message, self.sent)


class Server:
    """A server of one method that a test writes.

    Attributes:
        address: where it answers.
        handler: of the method.
    """

    def __init__(self) -> None:
        self.address = "127.0.0.1:0"
        self.handler: Handler = echo
        self.servers: list[grpc.aio.Server] = []

    async def start(self, *options: tuple[str, int]) -> grpc.aio.Server:
        """One more server at the address."""
        server = grpc.aio.server(options=(("grpc.so_reuseport", 1), ("grpc.max_receive_message_length", -1), *options))

        async def handle(request: bytes, context: Context) -> bytes:
            return await self.handler(request, context)

        methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Check": grpc.unary_unary_rpc_method_handler(handle)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Stock", methods),))
        self.address = f"127.0.0.1:{server.add_insecure_port(self.address)}"
        await server.start()
        self.servers.append(server)
        return server


async def echo(request: bytes, _: Context) -> bytes:
    """What was asked."""
    return request


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server that has started, and echoes."""
    server = Server()
    await server.start()
    yield server
    for one in server.servers:
        await one.stop(None)


async def sent(server: Server, calls: Calls, count: int, timeout_s: float = 30.0) -> dict[tuple[bool, str], int]:
    """Send so many calls; returns how many were answered or not, and how."""

    def drive() -> Log:
        client = Client(server.address, 2, timeout_s, lanes=len(calls.apart())).connect()
        try:
            return client.drive(calls, Some(count))
        finally:
            client.close()

    log = await asyncio.to_thread(drive)
    return {key[1:]: len(times.done_ns) for key, times in log.times().items()}


async def test_answers_are_judged_with_the_note_of_their_call(server: Server) -> None:
    """Every call has its own; more of them than there are places."""
    notes: list[int] = []

    def judge(answer: bytes, note: int) -> str:
        notes.append(note)
        return answer.decode()

    assert await sent(server, Requests(judge=judge), 100) == {(True, "request"): 100}
    assert sorted(notes) == list(range(1, 101))


async def test_answers_that_nobody_reads_are_ok(server: Server) -> None:
    """Their status is all that counts; metadata goes with each call."""

    async def with_metadata(request: bytes, context: Context) -> bytes:
        assert ("x-client", "one") in tuple(context.invocation_metadata() or ())
        return request

    server.handler = with_metadata
    assert await sent(server, Requests(metadata=(("x-client", "one"),)), 50) == {(True, "OK"): 50}


async def test_errors_are_counted_by_status(server: Server) -> None:
    """Every other call is refused, with details that differ."""

    async def refuse(request: bytes, context: Context) -> bytes:
        calls.append(request)
        if len(calls) % 2:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"call {len(calls)}: {'x' * 500}")
        return request

    calls: list[bytes] = []
    server.handler = refuse
    assert await sent(server, Requests(), 40) == {(True, "OK"): 20, (False, "RESOURCE_EXHAUSTED"): 20}


async def test_a_method_that_is_not_there_is_told(server: Server) -> None:
    """By the server."""
    assert await sent(server, Requests(path="/shop.Stock/None"), 3) == {(False, "UNIMPLEMENTED"): 3}


async def test_messages_far_larger_than_windows_arrive_whole(server: Server) -> None:
    """Several of them at once, on the same connections."""
    message = bytes(range(256)) * 4_000 * 5
    outcomes = await sent(server, Requests(message, judge=lambda answer, _: str(answer == message)), 12)
    assert outcomes == {(True, "True"): 12}


async def test_no_more_calls_are_under_way_than_the_server_allows(server: Server) -> None:
    """The others wait for a place."""
    under_way, most = 0, 0

    async def count(request: bytes, _: Context) -> bytes:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _turn in range(5):
            await asyncio.sleep(0)
        under_way -= 1
        return request

    server.address = "127.0.0.1:0"  # a port of its own, the first server is still there
    await server.start(("grpc.max_concurrent_streams", 2))
    server.handler = count
    outcomes = await sent(server, Requests(), 60)
    assert sum(outcomes.values()) == 60
    # grpcio counts a call for a moment longer than its answer takes, and may refuse the next one; h2, which counts as
    # the RFC does, refuses none (test_http2_connection).
    assert outcomes.keys() <= {(True, "OK"), (False, "UNAVAILABLE")}
    assert 0 < most <= 4  # two connections


async def test_a_call_that_is_not_answered_ends_at_its_deadline(server: Server) -> None:
    """The generator does not wait longer than it told the server."""

    async def never(_: bytes, __: Context) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    server.handler = never
    assert await sent(server, Requests(), 3, timeout_s=0.3) == {(False, "DEADLINE_EXCEEDED"): 3}


async def test_a_server_that_goes_away_is_left_for_the_next_one(server: Server) -> None:
    """It answers what it took; calls it did not take are told, and the rest go over new connections."""
    stopping: list[asyncio.Task[None]] = []
    calls = 0

    async def count(request: bytes, _: Context) -> bytes:
        nonlocal calls
        calls += 1
        if calls == 20:
            await server.start()
            stopping.append(asyncio.create_task(server.servers[0].stop(5)))
        return request

    server.handler = count
    outcomes = await sent(server, Requests(), 200)
    await stopping[0]
    assert sum(outcomes.values()) == 200
    assert outcomes.keys() <= {(True, "OK"), (False, "UNAVAILABLE"), (False, "CANCELLED")}  # grpcio resets some
    assert outcomes[True, "OK"] >= 200 - 2 * PLACES


async def test_a_server_that_is_gone_fails_the_calls_it_had(server: Server) -> None:
    """They are unavailable; those that find nobody any more end at their deadline."""

    async def last(_: bytes, __: Context) -> bytes:
        stopping.append(asyncio.create_task(server.servers[0].stop(None)))
        await asyncio.Event().wait()
        raise AssertionError

    stopping: list[asyncio.Task[None]] = []
    server.handler = last
    outcomes = await sent(server, Requests(), PLACES + 3, timeout_s=0.5)
    assert sum(outcomes.values()) == PLACES + 3
    assert not any(answered for answered, _ in outcomes)


async def test_nobody_at_an_address_is_told() -> None:
    """Before anything is sent."""
    with pytest.raises(BenchError, match=r"nobody answers at 127\.0\.0\.1:1"):
        Client("127.0.0.1:1", 1, 1).connect()


async def test_the_answers_of_a_service_are_recorded_for_an_echo(server: Server) -> None:
    """One for each path; an error is no answer to echo."""
    judged: list[int] = []

    def judge(_: bytes, note: int) -> str:
        judged.append(note)
        return "fine"

    assert await asyncio.to_thread(record, server.address, Requests(b"asked", judge=judge), 3) == {PATH: b"asked"}
    assert judged == [1, 2, 3]
    with pytest.raises(BenchError, match="UNIMPLEMENTED"):
        await asyncio.to_thread(record, server.address, Requests(path="/shop.Stock/None"), 1)


async def test_calls_apart_have_connections_and_queues_of_their_own(server: Server) -> None:
    """While one caller's calls fill his connections, another's are answered."""
    seen: list[bytes] = []
    full = asyncio.Event()

    async def hold(request: bytes, _: Context) -> bytes:
        seen.append(request)
        if request == b"slow":
            await full.wait()
        elif seen.count(b"quick") == PLACES // 2:  # then the other places may all be taken by slow ones
            full.set()
        return request

    await server.servers.pop().stop(None)
    server.handler = hold
    await server.start(("grpc.max_concurrent_streams", 1))
    slow, quick = Requests(b"slow"), Requests(b"quick")
    crowd = Crowd([(1, slow), (1, quick)], seed=3)
    outcomes = await sent(server, crowd, 20)
    assert full.is_set()
    assert sum(outcomes.values()) == 20
    assert outcomes.keys() <= {(True, "OK"), (False, "UNAVAILABLE")}  # as above
    assert (slow.sent, quick.sent) == (10, 10)
