from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

import grpc
import pytest
import structlog

from allocator.gateway import framing
from tests.unit.gateway.asgi_wire import HEADERS, MESSAGE_BYTES, Wire, answered, echo, unary


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """What fails here fails on purpose."""
    structlog.reset_defaults()


async def test_an_answer_has_headers_a_message_and_trailers() -> None:
    """In three events."""
    wire = unary(echo)
    status = await answered(wire, framing.frame(b"hi"))
    assert [event["type"].rpartition(".")[2] for event in wire.sent] == ["start", "body", "trailers"]
    assert wire.sent[1]["body"] == framing.frame(b"hi")
    assert status == {b"grpc-status": b"0"}


@pytest.mark.parametrize(
    ("chunks", "code"),
    [
        ((b"",), grpc.StatusCode.INTERNAL),
        ((b"\x00\x00\x00\x00\x05hi",), grpc.StatusCode.INTERNAL),
        ((b"\x00\x00", b"\x00\x00"), grpc.StatusCode.INTERNAL),
        ((b"\x01\x00\x00\x00\x02hi",), grpc.StatusCode.INTERNAL),
        ((framing.frame(bytes(MESSAGE_BYTES + 1)),), grpc.StatusCode.RESOURCE_EXHAUSTED),
        ((b"\x00\x00", b"\x10\x00\x00", b"..."), grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_a_request_that_is_none_ends_in_an_error(chunks: tuple[bytes, ...], code: grpc.StatusCode) -> None:
    """No message, a part of one, one that says it is compressed and not how, and one over the limit."""
    assert (await answered(unary(echo), *chunks))[b"grpc-status"] == b"%d" % code.value[0]


async def test_an_unknown_compression_is_told_those_that_are_known() -> None:
    """So that a client can go on with another."""
    wire = unary(echo, headers=(*HEADERS, (b"grpc-encoding", b"zstd")))
    status = await answered(wire, framing.frame(b"hi"))
    assert status[b"grpc-status"] == b"12"
    assert status[b"grpc-accept-encoding"] == b"identity,deflate,gzip"


async def test_what_is_not_grpc_is_refused() -> None:
    """By its content type, before anything is read."""
    for content_type in (b"application/json", b"application/grpc-web"):
        wire = unary(echo, headers=((b"content-type", content_type),))
        await wire.run()
        assert wire.sent[0]["status"] == 415


async def test_metadata_that_cannot_go_out_ends_the_call_all_the_same() -> None:
    """With an answer, with an error, before an answer: INTERNAL, and never no end."""
    odd = (("after", "line\nbreak"),)

    async def with_answer(request: bytes, context: Any) -> bytes:  # noqa: ANN401  # of either server
        context.set_trailing_metadata(odd)
        return request

    async def with_error(request: bytes, context: Any) -> bytes:  # noqa: ANN401  # as above
        await context.abort(grpc.StatusCode.ABORTED, "no", odd)
        return request

    async def before(request: bytes, context: Any) -> bytes:  # noqa: ANN401  # as above
        await context.send_initial_metadata(odd)
        return request

    for handler in (with_answer, with_error, before):
        status = await answered(unary(handler), framing.frame(b"hi"))
        assert status == {
            b"content-type": b"application/grpc",
            b"grpc-status": b"13",
            b"grpc-message": b"Invalid metadata",
        }


async def test_a_callback_that_fails_does_not_keep_others_from_being_told() -> None:
    """Each is told of the end, with the context."""
    told: list[bool] = []

    async def handler(request: bytes, context: Any) -> bytes:  # noqa: ANN401  # of either server
        context.add_done_callback(lambda _: 1 // 0)
        context.add_done_callback(lambda its: told.append(its.done()))
        return request

    assert (await answered(unary(handler), framing.frame(b"hi")))[b"grpc-status"] == b"0"
    assert told == [True]


async def never(*_: Any) -> bytes:  # noqa: ANN401  # a handler's
    """Wait for ever."""
    await asyncio.Event().wait()
    return b"never"


@pytest.mark.parametrize(
    "chunks", [(framing.frame(b"a"),), (framing.frame(b"a"), b""), (framing.frame(b"a"), b"", b"")]
)
async def test_a_caller_that_goes_is_seen_however_it_ended_its_request(chunks: tuple[bytes, ...]) -> None:
    """Also when the end of its request came as an empty chunk of its own."""
    wire = unary(never)
    for number, chunk in enumerate(chunks):
        wire.says(chunk, more=number < len(chunks) - 1)
    call = wire.run()
    wire.goes()
    async with asyncio.timeout(60):
        await call
    assert wire.sent == []


async def test_a_caller_that_goes_is_seen_behind_requests_that_nobody_read() -> None:
    """They are kept, within bounds, and read later: none is lost."""
    read, seen = asyncio.Event(), asyncio.Event()
    got: list[bytes] = []

    async def handler(requests: AsyncIterator[bytes], context: Any) -> bytes:  # noqa: ANN401  # of either server
        await read.wait()
        with suppress(asyncio.CancelledError):
            got.extend([request async for request in requests])
        seen.set()
        return await never()

    wire = Wire(handler, grpc.stream_unary_rpc_method_handler)
    for number in range(5):
        wire.says(framing.frame(b"%d" % number), more=True)
    call = wire.run()
    while not wire._events.empty():  # noqa: SLF001  # the looks take them
        await asyncio.sleep(0.01)
    read.set()
    wire.says(b"")
    await seen.wait()
    assert got == [b"0", b"1", b"2", b"3", b"4"]
    wire.goes()
    async with asyncio.timeout(60):
        await call


async def test_a_deadline_is_told_and_what_a_handler_does_then_is_not_disturbed() -> None:
    """It is cancelled once: by the deadline, and not again when the caller has gone."""
    cleaning, cleaned = asyncio.Event(), asyncio.Event()

    async def handler(request: bytes, context: Any) -> bytes:  # noqa: ANN401  # of either server
        try:
            await never()
        finally:
            cleaning.set()
            while not context.abandoned:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0)
            cleaned.set()
        return request

    wire = unary(handler, headers=(*HEADERS, (b"grpc-timeout", b"10m")))
    wire.says(framing.frame(b"hi"))
    call = wire.run()
    await cleaning.wait()
    wire.goes()
    await call
    assert cleaned.is_set()


async def test_a_deadline_ends_a_call_with_its_status() -> None:
    """While it waits."""
    wire = unary(never, headers=(*HEADERS, (b"grpc-timeout", b"10m")))
    assert (await answered(wire, framing.frame(b"hi")))[b"grpc-status"] == b"4"


async def test_a_handler_that_cancels_itself_ends_its_call() -> None:
    """CANCELLED; grpcio leaves such a caller without an answer."""

    async def handler(request: bytes, context: Any) -> bytes:  # noqa: ANN401  # of either server
        raise asyncio.CancelledError

    assert (await answered(unary(handler), framing.frame(b"hi")))[b"grpc-status"] == b"1"


async def test_a_cancelled_server_does_not_answer() -> None:
    """Its end is not the caller's doing, and goes up."""
    wire = unary(never)
    wire.says(framing.frame(b"hi"))
    call = wire.run()
    while wire.app.open == 0:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert wire.app.open == 0


async def test_nothing_is_left_of_a_call() -> None:
    """No task, no timer that fires, no context that is looked after."""

    async def handler(request: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: ANN401  # of either server
        for _ in range(100):
            yield bytes(900)
            await asyncio.sleep(0)

    before = asyncio.all_tasks()
    wire = Wire(handler, grpc.unary_stream_rpc_method_handler)
    assert (await answered(wire, framing.frame(b"hi")))[b"grpc-status"] == b"0"
    while asyncio.all_tasks() != before:
        await asyncio.sleep(0.01)
    body = b"".join(event["body"] for event in wire.sent if "body" in event)
    assert body == framing.frame(bytes(900)) * 100


async def test_a_write_after_the_end_is_refused() -> None:
    """By the handler's own task, after an abort it swallowed."""
    errors: list[type[BaseException]] = []

    async def handler(request: bytes, context: Any) -> None:  # noqa: ANN401  # of either server
        await context.write(b"1")
        with suppress(grpc.aio.AbortError):
            await context.abort(grpc.StatusCode.ABORTED, "enough")
        late = (context.write(b"2"), context.send_initial_metadata(()), context.abort(grpc.StatusCode.OK))
        errors.extend([await failed(each) for each in late])
        context.set_code(grpc.StatusCode.OK)
        context.set_details("fine")

    wire = Wire(handler, grpc.unary_stream_rpc_method_handler)
    status = await answered(wire, framing.frame(b"hi"))
    assert errors == [grpc.aio.UsageError] * 3
    assert status == {b"grpc-status": b"10", b"grpc-message": b"enough"}


async def failed(work: Awaitable[object]) -> type[BaseException]:
    """What it ends in."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # told
        await work
    return caught.type
