"""gRPC over ASGI: serves the handlers of any generated grpcio async servicer under an ASGI server with trailers.

Unary calls and the three streaming shapes, metadata both ways, deadlines, cancellation, status and rich error details
in trailers, gzip and deflate, message size limits; flow control is the server's, in both directions. The server has to
offer the extension `http.response.trailers` over HTTP/2, as Envoy does with Python inside (package `pyvoy`).
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from http import HTTPStatus
from types import coroutine
from typing import TYPE_CHECKING, Any, Final

import grpc
import structlog

from allocator.gateway import framing
from allocator.gateway.asgi_context import CONTENT_TYPE, START, Context
from allocator.gateway.begun import Begun
from allocator.gateway.framing import FrameError
from allocator.gateway.glance import glances_of
from allocator.gateway.lookout import Lookout
from allocator.gateway.turnstile import ARRIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator

    from allocator.gateway.asgi_context import Send
    from allocator.gateway.asgi_incoming import Event, Receive
    from allocator.gateway.glance import Glance
    from allocator.gateway.methods import Methods
    from allocator.gateway.turnstile import Turnstile

IDENTITY: Final = b"identity"
MESSAGE_BYTES: Final = 16 * 2**20

log = structlog.get_logger("allocator.gateway")


class GrpcApplication:
    """An ASGI application that serves gRPC methods.

    Args:
        methods: what is served, see `methods_of`.
        message_bytes: size of the largest message either way, bytes.
        turnstile: where calls wait for their turn, if they do.

    Attributes:
        open: calls under way that are not answered at a glance.
    """

    def __init__(
        self, methods: Methods, message_bytes: int = MESSAGE_BYTES, turnstile: Turnstile | None = None
    ) -> None:
        self._handlers = {
            f"/{service}/{name}": handler for service, handlers in methods.items() for name, handler in handlers.items()
        }
        self._glances = glances_of(methods, turnstile, message_bytes)
        self._message_bytes = message_bytes
        self._turnstile = turnstile
        self._lookout = Lookout()
        self.open = 0

    def __call__(self, scope: Event, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Serve one call."""
        glance = self._glances.get(scope["path"])
        if glance is None or (said := glance.headers(scope["headers"])) is None:
            return self._answer(scope, receive, send)
        return self._glance(glance, said, scope, receive, send)

    async def _glance(  # of ASGI, and two more
        self, glance: Glance, said: dict[bytes, bytes], scope: Event, receive: Receive, send: Send
    ) -> None:
        first = await receive()
        seen, begun = glance(said, first, receive), None
        if isinstance(seen, Begun):
            begun = seen
            seen = await self._wait(glance, begun)
        if seen is None:
            if begun is None or not begun.gone:
                await self._answer(scope, _again(first, receive), send, begun)
            return
        body, tail = seen
        try:
            await send(START)
            await send(body)
            await send(tail)
        except OSError as error:
            if not _has_gone(error):
                raise

    async def _wait(self, glance: Glance, begun: Begun) -> tuple[Event, Event] | None:
        self.open += 1
        self._lookout.add(begun)
        try:
            return await glance.answer(begun)
        finally:
            self.open -= 1
            self._lookout.discard(begun)

    async def _answer(self, scope: Event, receive: Receive, send: Send, begun: Begun | None = None) -> None:
        handler = self._handlers.get(scope["path"])
        if handler is None:
            await _no_such_method(scope["path"], send)
            return
        context = Context(scope, receive, send, handler, self._message_bytes, begun)
        if not framing.is_grpc(context.headers.get(b"content-type", b"")):
            await _refuse(send, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, [])
            return
        self.open += 1
        try:
            if begun is None and (turnstile := self._turnstile) is not None:
                if not turnstile.enters():
                    await turnstile.turn(scope["path"])
                    if context.time_remaining() == 0:
                        raise FrameError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
                context.waited_s = turnstile.entered(scope["path"], context.headers.get(ARRIVED))
            await self._serve(handler, context)
        except asyncio.CancelledError:
            if not await _end_cancelled(context):
                raise
        except Exception as error:  # noqa: BLE001  # the seam: whatever it was becomes a status
            await _end_failed(context, error, scope["path"])
        finally:
            self.open -= 1
            self._lookout.discard(context)
            context.close()

    async def _serve(self, handler: Any, context: Context) -> None:  # noqa: ANN401  # grpcio's named tuple
        encoding = context.headers.get(b"grpc-encoding", IDENTITY)
        if encoding != IDENTITY and not framing.compresses(encoding):
            message = f"grpc-encoding {encoding.decode('ascii', 'replace')!r} is not known here"
            raise FrameError(grpc.StatusCode.UNIMPLEMENTED, message, (framing.ACCEPTED,))
        begin = handler.unary_unary
        if begin is None:
            await self._stream(handler, context)
            return
        work: Coroutine[Any, Any, Any] = begin(await context.only_request(), context)
        try:
            waits_for = work.send(None)
        except StopIteration as done:  # it never waited: there is no need to watch its deadline and its caller
            answer = done.value
        else:
            self._watch(context)
            answer = await _rest_of(work, waits_for)
        await context.answer(answer)

    async def _stream(self, handler: Any, context: Context) -> None:  # noqa: ANN401  # grpcio's named tuple
        request: Any = _Requests(context) if handler.request_streaming else await context.only_request()
        self._watch(context)
        if not handler.response_streaming:
            await context.answer(await handler.stream_unary(request, context))
            return
        begin: Any = handler.stream_stream if handler.request_streaming else handler.unary_stream
        answers = begin(request, context)
        if hasattr(answers, "__aiter__"):
            async with aclosing(answers):
                async for answer in answers:
                    await context.write(answer)
        else:  # a handler that writes by itself
            await answers
        await context.end()

    def _watch(self, context: Context) -> None:
        context.watch(asyncio.current_task())
        self._lookout.add(context)


class _Requests:
    """The requests of a caller's stream."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def __aiter__(self) -> _Requests:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401  # a message of the method
        request = await self._context.read()
        if request is grpc.aio.EOF:
            raise StopAsyncIteration
        return request


@coroutine
def _rest_of(work: Coroutine[Any, Any, Any], waits_for: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401  # as a task
    """Go on with `work`, which was run up to where it waits for something."""
    step: Callable[[Any], Any]
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:  # noqa: BLE001  # a cancellation, for one: it is the handler's to deal with
            step, value = work.throw, error
        else:
            step, value = work.send, sent
        try:
            waits_for = step(value)
        except StopIteration as done:
            return done.value


async def _end_cancelled(context: Context) -> bool:
    """After a cancellation by the caller, who has gone, or by its deadline, or by the handler's own doing.

    Returns:
        Whether it was one of them; else it is the server that ends.
    """
    task = asyncio.current_task()
    assert task is not None
    if context.cancelled():
        task.uncancel()
    elif task.cancelling():
        return False
    else:
        context.fail(grpc.StatusCode.CANCELLED, "the handler was cancelled")
    if context.expired:
        context.fail(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")
    if not context.abandoned:
        await context.end()
    return True


async def _end_failed(context: Context, error: Exception, path: str) -> None:
    if isinstance(error, FrameError):
        context.fail(error.code, error.message, error.trailing)
    elif _has_gone(error):
        return
    elif not context.aborted:
        log.error("defect", path=path, exc_info=error)
        said = context.code()  # as on grpc.aio: generated methods that nobody overrides say UNIMPLEMENTED, and raise
        code = said if said and said is not grpc.StatusCode.OK else grpc.StatusCode.UNKNOWN
        context.fail(code, f"Unexpected {type(error)}: {error}", context.trailing_metadata())
    try:
        await context.end()
    except FrameError as odd:  # metadata that cannot go out, beside an error
        context.fail(odd.code, odd.message)
        await context.end()


def _has_gone(error: Exception) -> bool:
    """Whether the caller went while it was answered."""
    return isinstance(error, OSError) and type(error).__name__ == "ClientDisconnectedError"


def _again(first: Event, receive: Receive) -> Receive:
    """`receive` from before its first event."""
    taken = [first]

    async def received() -> Event:
        return taken.pop() if taken else await receive()

    return received


async def _refuse(send: Send, status: int, headers: framing.Headers) -> None:
    """Answer with nothing but headers."""
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _no_such_method(path: str, send: Send) -> None:
    status = framing.status_headers(grpc.StatusCode.UNIMPLEMENTED, f"Method not found: {path}")
    await _refuse(send, HTTPStatus.OK, [CONTENT_TYPE, *status])
