"""What every call goes through, whatever the front: correlation, deadline, errors, counting, draining.

`unary` and `stream` turn a handler `(self, request, call)` into the method of a generated grpcio servicer. Of its
context they use only `abort_with_status`, `invocation_metadata`, `time_remaining` and `set_trailing_metadata`, so that
servicers run on every front that has those.
"""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import aclosing, asynccontextmanager
from copy import copy
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar
from uuid import uuid4

import grpc
import structlog
from grpc_status import rpc_status

from allocator.gateway.errors import ApiError, draining, from_exception, internal, overloaded, to_proto
from allocator.gateway.limits import CALLS_PER_QUEUED_COMMAND, CORRELATION_ID_LENGTH_MAX
from allocator.gateway.tally import Tally
from allocator.runtime.batcher import Context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.rpc import status_pb2

    from allocator.config import ServerSettings

    ServicerContext = grpc.aio.ServicerContext[Any, Any]

CORRELATION_KEY: Final = "x-correlation-id"
TRACE_KEY: Final = "traceparent"
GATEWAY_KEY: Final = "x-allocator-gateway"

_CORRELATION_ID: Final = re.compile(rf"[!-~]{{1,{CORRELATION_ID_LENGTH_MAX}}}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

log = structlog.get_logger("allocator.gateway")


class Call:
    """One call under way.

    Attributes:
        method: name of the rpc.
        correlation_id: names the call in logs, journal and postings; the caller's, or made here.
        trail: what follows its commands to the ledgers.
        request_id: of a write; "" until it is known.
        started_s: monotonic time, seconds.
    """

    __slots__ = ("_context", "correlation_id", "method", "request_id", "started_s", "trail")

    def __init__(self, method: str, context: ServicerContext) -> None:
        self.method = method
        self.started_s = time.monotonic()
        self.request_id = ""
        self._context: ServicerContext | None = context
        correlation_id = traceparent = ""
        for key, value in context.invocation_metadata() or ():
            if key == CORRELATION_KEY and _CORRELATION_ID.fullmatch(str(value)):
                correlation_id = str(value)
            elif key == TRACE_KEY and _TRACEPARENT.fullmatch(str(value)):
                traceparent = str(value)
        self.correlation_id = correlation_id or uuid4().hex
        self.trail = Context(self.correlation_id, traceparent)

    def named(self, request_id: str) -> str:
        """The caller's request id, or a fresh one; errors of this call tell it."""
        self.request_id = request_id or uuid4().hex
        return self.request_id

    def part(self) -> Call:
        """One of several writes in this call: it has a request id of its own."""
        part = copy(self)
        part.request_id = ""
        return part

    def detached(self) -> Call:
        """The call as work that goes on after its answer sees it: there is no deadline any more."""
        detached = copy(self)
        detached._context = None  # noqa: SLF001  # one of us
        return detached

    def time_left_s(self) -> float | None:
        """Seconds until the caller's deadline; None when there is none."""
        return self._context.time_remaining() if self._context is not None else None


class Calls:
    """The calls of one gateway process.

    Args:
        settings: bounds and the default deadline.
        gateway: which gateway this is; told with every answer.
    """

    def __init__(self, settings: ServerSettings, gateway: str = "0") -> None:
        self.deadline_s = settings.deadline_s
        self.tally = Tally()
        self.draining = False
        self.under_way = 0
        self.streams = 0
        self._gateway = gateway
        self._calls_max = calls_max(settings)
        self._streams_max = settings.streams_max
        self._waits: set[asyncio.Timeout] = set()

    def drain(self) -> None:
        """Take no more calls, and end the streams where they wait."""
        self.draining = True
        now_s = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now_s)

    def admit(self) -> None:
        """Refuse a call when draining or when too many are under way."""
        if self.draining:
            raise draining()
        if self.under_way > self._calls_max:
            raise overloaded(f"{self._calls_max} calls are under way here; try again shortly")

    def admit_stream(self) -> None:
        """Refuse a stream when draining or when too many are open."""
        self.admit()
        if self.streams > self._streams_max:
            raise overloaded(f"{self._streams_max} streams are open here; try again later")

    def trailers(self, call: Call) -> tuple[tuple[str, str], ...]:
        """Metadata that goes out with every answer and every error."""
        return (CORRELATION_KEY, call.correlation_id), (GATEWAY_KEY, self._gateway)

    def error_of(self, call: Call, error: Exception) -> ApiError:
        """What the caller is told about `error`; a defect is logged with its traceback and told without."""
        told = from_exception(error, call.request_id)
        if told is None:
            log.error("defect", method=call.method, correlation_id=call.correlation_id, exc_info=error)
            told = internal(call.correlation_id)
        return told

    def told_inside(self, call: Call, error: Exception) -> status_pb2.Status:
        """`error` as it is told inside an answer: of one part of a batch, or one request of a stream."""
        told = self.error_of(call, error)
        self.tally.note_error(told.reason)
        return to_proto(told)

    async def abort(self, call: Call, context: ServicerContext, error: Exception) -> NoReturn:
        """End `call` with what `error` means to the caller."""
        told = self.error_of(call, error)
        if self.tally.note_error(told.reason):
            log.warning(
                "call failed",
                method=call.method,
                code=told.code.name,
                reason=told.reason,
                message=told.message,
                correlation_id=call.correlation_id,
                ms=_ms_since(call.started_s),
            )
        await context.abort_with_status(_Ended(to_proto(told), self.trailers(call)))
        raise AssertionError("abort_with_status returned")

    def over(self, call: Call) -> None:
        """Count a call that was answered."""
        self.tally.note(call.method, time.monotonic() - call.started_s)
        if call.request_id:
            log.debug("write", method=call.method, request_id=call.request_id,
                      correlation_id=call.correlation_id, ms=_ms_since(call.started_s))  # fmt: skip

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """Around the places where a stream waits for its caller or for news; draining ends it there."""
        if self.draining:
            raise draining()
        try:
            async with asyncio.timeout(None) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except TimeoutError:
            raise draining() from None

    async def requests(self, incoming: AsyncIterator[Q]) -> AsyncIterator[Q]:
        """The requests of a stream, until the caller ends it."""
        iterator = aiter(incoming)
        while True:
            async with self.waiting():
                request = await anext(iterator, None)
            if request is None:
                return
            yield request


def calls_max(settings: ServerSettings) -> int:
    """Calls under way at most in one gateway."""
    return CALLS_PER_QUEUED_COMMAND * settings.queue_max


class _Served(Protocol):
    """A servicer whose methods are made by `unary` and `stream`."""

    calls: Calls


class _Ended(grpc.Status):
    """A rich status with our trailers beside it."""

    def __init__(self, status: status_pb2.Status, trailers: tuple[tuple[str, str], ...]) -> None:
        rich = rpc_status.to_status(status)
        self.code = rich.code
        self.details = rich.details
        self.trailing_metadata = (*rich.trailing_metadata, *trailers)


S = TypeVar("S", bound=_Served)
Q = TypeVar("Q")
A = TypeVar("A")


def unary(handler: Callable[[S, Q, Call], Awaitable[A]]) -> Callable[[S, Q, ServicerContext], Awaitable[A]]:
    """Make the servicer method of an rpc with one request and one answer."""
    name = handler.__name__

    @wraps(handler)
    async def method(self: S, request: Q, context: ServicerContext) -> A:
        calls = self.calls
        call = Call(name, context)
        calls.under_way += 1
        try:
            calls.admit()
            if context.time_remaining() is None:
                async with asyncio.timeout(calls.deadline_s):
                    answer = await handler(self, request, call)
            else:
                answer = await handler(self, request, call)
        except Exception as error:  # noqa: BLE001  # the seam: whatever it was becomes a status
            await calls.abort(call, context, error)
        finally:
            calls.under_way -= 1
        context.set_trailing_metadata(calls.trailers(call))
        calls.over(call)
        return answer

    return method


def stream(
    handler: Callable[[S, Q, Call], AsyncIterator[A]],
) -> Callable[[S, Q, ServicerContext], AsyncIterator[A]]:
    """Make the servicer method of an rpc with a stream of answers; `Q` may be a stream of requests."""
    name = handler.__name__

    @wraps(handler)
    async def method(self: S, request: Q, context: ServicerContext) -> AsyncIterator[A]:
        calls = self.calls
        call = Call(name, context)
        calls.streams += 1
        try:
            calls.admit_stream()
            context.set_trailing_metadata(calls.trailers(call))
            async with aclosing(handler(self, request, call)) as answers:  # type: ignore[type-var]  # a generator
                async for answer in answers:
                    yield answer
        except Exception as error:  # noqa: BLE001  # as above
            await calls.abort(call, context, error)
        finally:
            calls.streams -= 1
        calls.over(call)

    return method


def _ms_since(started_s: float) -> float:
    return round(1e3 * (time.monotonic() - started_s), 2)
