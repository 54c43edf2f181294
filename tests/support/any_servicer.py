"""A servicer that is not of our contract, with messages of plain bytes, on either server.

`main` with FRONT PORT FOLDER as arguments serves until it is killed. What a client sees of it has to be
the same on both: whatever grpcio allows in a servicer, the ASGI front allows.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import structlog

from allocator.config import ServerSettings, TlsSettings
from allocator.gateway.asgi import GrpcApplication
from allocator.gateway.envoy import become_envoy, envoy_config
from allocator.gateway.methods import Methods

SERVICE = "tests.Any"
MESSAGE_BYTES = 16 * 2**20
Context = Any
"""Of grpcio, or of the ASGI front: that they are alike is what is tested."""

ended: list[str] = []
"""Which handlers have ended, and how."""


class OddError(Exception):
    """What a servicer may fail with."""


async def echo(request: bytes, context: Context) -> bytes:
    """Answer the request."""
    return request


async def twice(request: bytes, context: Context) -> bytes:
    """Answer after a while."""
    await asyncio.sleep(0)
    return request + request


async def metadata(request: bytes, context: Context) -> bytes:
    """Tell the metadata that came."""
    told = [(key, list(value) if isinstance(value, bytes) else value) for key, value in context.invocation_metadata()]
    return json.dumps(sorted(entry for entry in told if entry[0] != "user-agent")).encode()


async def both_ways(request: bytes, context: Context) -> bytes:
    """Metadata before and after the answer, text and bytes."""
    await context.send_initial_metadata((("before", "1"), ("before-bin", b"\x00\xff"), ("twice", "a"), ("twice", "b")))
    context.set_trailing_metadata((("after", "2"), ("after-bin", b"\xfe"), ("raw", b"bytes")))
    return request


async def aborts(request: bytes, context: Context) -> bytes:
    """End in an error, with details and metadata."""
    await context.abort(grpc.StatusCode.ABORTED, "wrong: 100 % \u20ac\n", (("why", "so"), ("why-bin", b"\x01")))
    return b"never"


async def aborts_before(request: bytes, context: Context) -> bytes:
    """Details and metadata that were set before hold for an abort that has none."""
    context.set_details("said before")
    context.set_trailing_metadata((("set", "before"),))
    await context.abort(grpc.StatusCode.NOT_FOUND)
    return b"never"


async def aborts_unheard(request: bytes, context: Context) -> bytes:
    """An abort whose exception is swallowed."""
    try:
        await context.abort(grpc.StatusCode.ABORTED, "this it is")
    except Exception:  # noqa: BLE001  # that is what some servicers do
        return b"an answer after all"
    return b"never"


async def aborts_by_number(request: bytes, context: Context) -> bytes:
    """A code may be a number."""
    await context.abort(grpc.StatusCode.DATA_LOSS.value[0], "by number")
    return b"never"


async def sets_code(request: bytes, context: Context) -> bytes:
    """An answer, and a code that says that it is none."""
    context.set_code(grpc.StatusCode.FAILED_PRECONDITION)
    context.set_details("not yet")
    context.set_trailing_metadata((("after", "2"),))
    return b"unseen"


async def details_only(request: bytes, context: Context) -> bytes:
    """Details without a code."""
    context.set_details("all is well")
    return request


async def raises(request: bytes, context: Context) -> bytes:
    """Fail."""
    raise OddError("so it is")


async def raises_with_code(request: bytes, context: Context) -> bytes:
    """Fail after saying how."""
    context.set_code(grpc.StatusCode.ALREADY_EXISTS)
    context.set_trailing_metadata((("after", "2"),))
    raise OddError("again")


async def cancels_itself(request: bytes, context: Context) -> bytes:
    """Fail as if it was cancelled, which nobody did."""
    raise asyncio.CancelledError


async def answers_nothing(request: bytes, context: Context) -> bytes | None:
    """Forget to answer."""
    return None


async def odd_metadata(request: bytes, context: Context) -> bytes:
    """Metadata that HTTP/2 does not have."""
    context.set_trailing_metadata((("after", "line\nbreak"),))
    return request


async def compresses(request: bytes, context: Context) -> bytes:
    """A compressed answer."""
    context.set_compression(grpc.Compression.Gzip)
    return b"a" * 10_000


async def compresses_too_late(request: bytes, context: Context) -> bytes:
    """After the headers have gone nobody could tell the client."""
    await context.send_initial_metadata(())
    context.set_compression(grpc.Compression.Gzip)
    return b"a" * 10_000


async def knows_its_call(request: bytes, context: Context) -> bytes:
    """What a context tells of itself."""
    left_s = context.time_remaining()
    told = {
        "left": left_s is not None and 0 < left_s < 100,
        "peer": context.peer().rsplit(":", 1)[0],
        "code": context.code() in {None, 0, grpc.StatusCode.OK},
        "details": context.details() or "",
        "identities": context.peer_identities(),
        "cancelled": context.cancelled(),
        "done": context.done(),
    }
    return json.dumps(told).encode()


async def tells_its_end(request: bytes, context: Context) -> bytes:
    """Have the end of the call told."""
    context.add_done_callback(lambda _: ended.append("done"))
    return request


async def too_much(request: bytes, context: Context) -> bytes:
    """An answer over the limit."""
    return bytes(MESSAGE_BYTES + 1)


async def waits(request: bytes, context: Context) -> bytes:
    """Wait for ever."""
    try:
        await asyncio.Event().wait()
    finally:
        ended.append(request.decode())
    return b"never"


async def endings(request: bytes, context: Context) -> bytes:
    """Wait until a handler has ended that was named so."""
    while request.decode() not in ended:
        await asyncio.sleep(0.005)
    return request


async def count(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """Yield so many answers."""
    for number in range(int(request)):
        yield b"%d" % number


async def writes(request: bytes, context: Context) -> None:
    """The same, written."""
    await context.send_initial_metadata((("before", "1"),))
    for number in range(int(request)):
        await context.write(b"%d" % number)
    context.set_trailing_metadata((("after", "2"),))


async def fails_after(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """Fail when some answers are out."""
    for number in range(int(request)):
        yield b"%d" % number
    context.set_trailing_metadata((("after", "2"),))
    raise OddError("too far")


async def aborts_after(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """End in an error when some answers are out."""
    for number in range(int(request)):
        yield b"%d" % number
    await context.abort(grpc.StatusCode.OUT_OF_RANGE, "no more")


async def too_much_after(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """An answer over the limit after one within it."""
    yield b"fine"
    yield bytes(MESSAGE_BYTES + 1)


async def compressed_stream(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """Compressed answers, one of them not."""
    context.set_compression(grpc.Compression.Deflate)
    yield b"a" * 10_000
    context.disable_next_message_compression()
    yield b"b" * 10_000
    yield b""


async def watches(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """One answer, and then nothing until the client goes."""
    try:
        yield b"first"
        await asyncio.Event().wait()
    finally:
        ended.append(request.decode())


async def joined(requests: AsyncIterator[bytes], context: Context) -> bytes:
    """All requests in one answer."""
    return b",".join([request async for request in requests])


async def reads(_: AsyncIterator[bytes], context: Context) -> bytes:
    """The same, read one by one."""
    parts: list[bytes] = []
    while (request := await context.read()) is not grpc.aio.EOF:
        parts.append(request)
    return b",".join(parts)


async def first_only(requests: AsyncIterator[bytes], context: Context) -> bytes:
    """Answer without hearing the client out."""
    return await anext(requests)


async def echoes(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """Answer each request as it comes."""
    async for request in requests:
        yield request


async def greets(requests: AsyncIterator[bytes], context: Context) -> None:
    """Headers before anything was asked, then an answer to each request."""
    await context.send_initial_metadata((("hello", "there"),))
    async for request in requests:
        await context.write(request)


async def ends_early(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """Answer the first request and end, whatever else the client would say."""
    yield await anext(requests)


async def ignores_requests(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """Answer once, and read nothing but the first request until the client goes."""
    name = (await anext(requests)).decode()
    try:
        yield b"here"
        await asyncio.Event().wait()
    finally:
        ended.append(name)


async def reads_aside(requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
    """Requests are read by a task of their own; the handler waits for something else."""
    name = (await anext(requests)).decode()
    reader = asyncio.ensure_future(anext(requests, None))
    try:
        yield b"here"
        await asyncio.Event().wait()
    finally:
        reader.cancel()
        ended.append(name)


async def sums_slowly(requests: AsyncIterator[bytes], context: Context) -> bytes:
    """Begin to read when `go` has ended, and count bytes."""
    name = (await anext(requests)).decode()
    while name not in ended:
        await asyncio.sleep(0.005)
    total = 0
    async for request in requests:
        total += len(request)
    return b"%d" % total


async def ends(request: bytes, context: Context) -> bytes:
    """Have `endings` and `sums_slowly` go on."""
    ended.append(request.decode())
    return request


async def flood(request: bytes, context: Context) -> AsyncIterator[bytes]:
    """So many answers of 64 KiB; how many were written is told by `flooded`."""
    name = request.decode()
    written[name] = 0
    for _ in range(FLOOD):
        yield bytes(2**16)
        written[name] += 1


async def flooded(request: bytes, context: Context) -> bytes:
    """How many answers of a flood were written, once it stands still."""
    name, before = request.decode(), -1
    while written[name] != before:
        before = written[name]
        await asyncio.sleep(0.2)
    return b"%d" % before


FLOOD = 4_000
written: dict[str, int] = {}

UNARY: tuple[Callable[[bytes, Context], Awaitable[Any]], ...] = (
    echo, twice, metadata, both_ways, aborts, aborts_before, aborts_unheard, aborts_by_number, sets_code, details_only,
    raises, raises_with_code, cancels_itself, answers_nothing, odd_metadata, compresses, compresses_too_late,
    knows_its_call, tells_its_end, too_much, waits, endings, ends, flooded,
)  # fmt: skip
STREAMED: tuple[Callable[[bytes, Context], Any], ...] = (
    count, writes, fails_after, aborts_after, too_much_after, compressed_stream, watches, flood,
)  # fmt: skip
COLLECTING: tuple[Callable[[Any, Context], Any], ...] = (joined, reads, first_only, sums_slowly)
CONVERSING: tuple[Callable[[Any, Context], Any], ...] = (echoes, greets, ends_early, ignores_requests, reads_aside)


def methods() -> Methods:
    """All of them; what is not bytes is refused, as a message of another type would be."""
    coders: Any = {"request_deserializer": bytes, "response_serializer": _as_it_is}
    kinds: tuple[tuple[Any, Any], ...] = (
        (grpc.unary_unary_rpc_method_handler, UNARY),
        (grpc.unary_stream_rpc_method_handler, STREAMED),
        (grpc.stream_unary_rpc_method_handler, COLLECTING),
        (grpc.stream_stream_rpc_method_handler, CONVERSING),
    )
    return {SERVICE: {method.__name__: kind(method, **coders) for kind, these in kinds for method in these}}


class Application:
    """The servicer under an ASGI server."""

    _asgi_single_callable = True

    def __init__(self) -> None:
        self._serve = GrpcApplication(methods(), MESSAGE_BYTES)

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:  # noqa: ANN401  # of ASGI
        """Serve one call."""
        return self._live(receive, send) if scope["type"] == "lifespan" else self._serve(scope, receive, send)

    @staticmethod
    async def _live(receive: Any, send: Any) -> None:  # noqa: ANN401  # of ASGI
        structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # what fails here fails on purpose
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})


def _as_it_is(answer: bytes) -> bytes:
    """As grpcio: what is not bytes cannot go out."""
    if not isinstance(answer, bytes):
        raise TypeError(f"Cannot convert {type(answer).__name__} to bytes")
    return answer


async def _serve_grpcio(port: int) -> None:
    logging.disable()  # what fails here fails on purpose
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES), ("grpc.max_send_message_length", MESSAGE_BYTES)]
    )
    for service, handlers in methods().items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    """Serve."""
    front, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if front == "grpcio":
        asyncio.run(_serve_grpcio(port))
    server = ServerSettings(port=port, message_mb=MESSAGE_BYTES // 2**20)
    become_envoy(envoy_config(server, TlsSettings(), folder, "tests.support.any_servicer:application"), {})


application = Application()
