"""What every call goes through, whatever the front: admission, correlation, deadline, errors, counting, draining.

`unary` and `stream` turn a handler `(self, request, call)` into the method of a generated grpcio servicer. Of its
context they use only `abort_with_status`, `invocation_metadata`, `peer`, `time_remaining` and `set_trailing_metadata`,
so that servicers run on every front that has those.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import aclosing, asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

import grpc
import structlog

from allocator.gateway.call import CORRELATION_KEY, Call
from allocator.gateway.deadlines import Deadlines
from allocator.gateway.errors import ApiError, draining, from_exception, internal, to_proto
from allocator.gateway.limits import CALLS_PER_QUEUED_COMMAND
from allocator.gateway.rates import Paced, Rates, client_of
from allocator.gateway.refusals import Ended, Refusals
from allocator.gateway.shedding import Pulse, Shedding, worth_of
from allocator.gateway.tally import Tally
from allocator.runtime.worth import WaitTargets, Worth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from google.rpc import status_pb2

    from allocator.config import ServerSettings

    ServicerContext = grpc.aio.ServicerContext[Any, Any]

GATEWAY_KEY: Final = "x-allocator-gateway"

log = structlog.get_logger("allocator.gateway")


class Calls:
    """The calls of one gateway process.

    Args:
        settings: bounds and the default deadline.
        gateway: which gateway this is; told with every answer.

    Attributes:
        deadlines: of calls that have none of their own.
        shedding: decides which calls are taken on.
        pulse: notices overload; a front may add its `knock`.
        usual_trailers: metadata that goes out with an answer when its caller knows all that it can be found by.
    """

    def __init__(self, settings: ServerSettings, gateway: str = "0") -> None:
        self.deadlines = Deadlines(settings.deadline_s)
        self.tally = Tally()
        self.draining = False
        self.under_way = 0
        self.streams = 0
        self.shedding = Shedding(calls_max(settings), settings.streams_max, waits_of(settings))
        self.pulse = Pulse(self.shedding, lambda: self.under_way > 0)
        rate_per_s = settings.client_rate_per_s
        self._rates = Rates(rate_per_s, settings.client_burst) if rate_per_s else None
        self._told_gateway = (GATEWAY_KEY, gateway)
        self.usual_trailers = (self._told_gateway,)
        self._refusals = Refusals(self.usual_trailers)
        self._waits: set[asyncio.Timeout] = set()

    def drain(self) -> None:
        """Take no more calls, and end the streams where they wait."""
        self.draining = True
        self.pulse.stop()
        now_s = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now_s)

    def surely_takes(self, worth: Worth) -> bool:
        """Whether a call is taken on, however long it has waited; if that is not sure, ask for its `refusal`."""
        if not self.pulse.awake:
            self.pulse.wake()
        shedding = self.shedding
        return (
            self.under_way < shedding.calls_room[worth]
            and shedding.share(worth) >= 1
            and self._rates is None
            and not self.draining
        )

    def refusal(self, worth: Worth, context: ServicerContext, under_way: int, room: tuple[int, ...]) -> Ended | None:
        """Why a call is not taken on, if it is not; nothing of it was looked at but, for rates, its metadata."""
        if not self.pulse.awake:
            self.pulse.wake()
        if self.draining:
            return self._refused(worth, "DRAINING", self._refusals.draining)
        if under_way >= room[worth]:
            return self._refused(worth, "OVERLOADED", self._refusals.full(worth))
        share = self.shedding.share(worth)
        if share < 1 and random.random() >= share:  # noqa: S311  # nobody gains by guessing it
            return self._refused(worth, "OVERLOADED", self._refusals.late(worth))
        if getattr(context, "waited_s", 0.0) > self.shedding.stale_s[worth]:
            return self._refused(worth, "OVERLOADED", self._refusals.late(worth))
        if self._rates is not None:
            wait_s = self._rates.take(_client(context), worth, time.monotonic())
            if wait_s:
                return self._refused(worth, "RATE_LIMITED", self._refusals.rate_limited(wait_s))
        return None

    def refusal_of_call(self, worth: Worth, context: ServicerContext) -> Ended | None:
        """The same, for one with one answer."""
        return self.refusal(worth, context, self.under_way, self.shedding.calls_room)

    def refusal_of_stream(self, worth: Worth, context: ServicerContext) -> Ended | None:
        """The same, for one with a stream of answers."""
        return self.refusal(worth, context, self.streams, self.shedding.streams_room)

    def paced(self, request: Any, worth: Worth, context: ServicerContext) -> Any:  # noqa: ANN401  # one, or a stream
        """A stream of requests no faster than its client may call; flow control holds the client back."""
        if self._rates is None or not hasattr(request, "__aiter__"):
            return request
        return Paced(aiter(request), self._rates, _client(context), worth)

    def trailers(self, call: Call) -> tuple[tuple[str, str], ...]:
        """Metadata that goes out with every answer and every error.

        There is no correlation id where it would find nothing, as for a read that left no trace, or is the caller's own
        request id: trailers that are never the same are a tenth of what a call costs.
        """
        if call.known_to_caller:
            return self.usual_trailers
        return (CORRELATION_KEY, call.correlation_id), self._told_gateway

    def _refused(self, worth: Worth, reason: str, refusal: Ended) -> Ended:
        self.tally.note_refusal(worth.name.lower(), reason)
        return refusal

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
        correlation_id = call.correlation_id
        told = self.error_of(call, error)
        if self.tally.note_error(told.reason):
            log.warning(
                "call failed",
                method=call.method,
                code=told.code.name,
                reason=told.reason,
                message=told.message,
                correlation_id=correlation_id,
                ms=_ms_since(call.started_s),
            )
        await context.abort_with_status(Ended(to_proto(told), self.trailers(call)))
        raise AssertionError("abort_with_status returned")

    def over(self, call: Call) -> None:
        """Count a call that was answered."""
        self.tally.note(call.method, time.monotonic() - call.started_s)
        if call.request_id and log.is_enabled_for(logging.DEBUG):
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


def waits_of(settings: ServerSettings) -> WaitTargets:
    """How long work may wait before calls are refused."""
    return WaitTargets(settings.browse_wait_s, settings.hold_wait_s, settings.settle_wait_s)


class _Served(Protocol):
    """A servicer whose methods are made by `unary` and `stream`."""

    calls: Calls


def _client(context: ServicerContext) -> str:
    return client_of(context.invocation_metadata() or (), context.peer())


S = TypeVar("S", bound=_Served)
Q = TypeVar("Q")
A = TypeVar("A")


def unary(handler: Callable[[S, Q, Call], Awaitable[A]]) -> Callable[[S, Q, ServicerContext], Awaitable[A]]:
    """Make the servicer method of an rpc with one request and one answer."""
    name = handler.__name__
    worth = worth_of(name)

    @wraps(handler)
    async def method(self: S, request: Q, context: ServicerContext) -> A:
        calls = self.calls
        if getattr(context, "begun", None) is None:  # else it was taken on already
            refusal = calls.refusal_of_call(worth, context)
            if refusal is not None:
                await context.abort_with_status(refusal)
        call = Call(name, context, worth)
        calls.under_way += 1
        try:
            work = handler(self, request, call)
            answer = await (work if context.time_remaining() is not None else calls.deadlines.within(work))
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
    worth = worth_of(name)

    @wraps(handler)
    async def method(self: S, request: Q, context: ServicerContext) -> AsyncIterator[A]:
        calls = self.calls
        refusal = calls.refusal_of_stream(worth, context)
        if refusal is not None:
            await context.abort_with_status(refusal)
        call = Call(name, context, worth)
        calls.streams += 1
        try:
            paced = calls.paced(request, worth, context)
            async with aclosing(handler(self, paced, call)) as answers:  # type: ignore[type-var]  # a generator
                async for answer in answers:
                    yield answer
            context.set_trailing_metadata(calls.trailers(call))
        except Exception as error:  # noqa: BLE001  # as above
            await calls.abort(call, context, error)
        finally:
            calls.streams -= 1
        calls.over(call)

    return method


def _ms_since(started_s: float) -> float:
    return round(1e3 * (time.monotonic() - started_s), 2)
