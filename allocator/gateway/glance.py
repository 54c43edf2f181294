"""Calls that are answered, or begun, at a glance: the usual call of an rpc that is called most.

What other calls need, in case something goes wrong (a context, a name, a deadline, a task to cancel), is more work
than such an answer. So a servicer may offer a glance beside its method: `at_a_glance`. A call in which anything is
unusual takes the long way, where all of that is; what it is told is the same on both, but that a read which has waited
too long is answered here, as to refuse it would be no less work.

One that has to wait for its answer is begun at a glance, and takes the rest of the long way when the answer is unusual.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import structlog

from allocator.gateway import framing
from allocator.gateway.asgi_outcome import tail_of
from allocator.gateway.begun import Begun
from allocator.gateway.call import CORRELATION_KEY, TRACE_KEY
from allocator.gateway.shedding import worth_of
from allocator.gateway.turnstile import ARRIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from allocator.gateway.asgi_incoming import Event, Receive
    from allocator.gateway.begun import Work
    from allocator.gateway.calls import Calls
    from allocator.gateway.methods import Methods
    from allocator.gateway.turnstile import Turnstile

    Glancer = Callable[[Any, bytes], Any]
    """Of a servicer and a serialised request; None when it takes a closer look.

    The serialised answer in pieces; where there is a `Finisher`, work that was begun, see `Begun`.
    """
    Finisher = Callable[[Any, Any], bytes | None]
    """Of a servicer and what it began, which is done: the serialised answer; None when it takes a closer look."""

_CONTENT_TYPE: Final = b"content-type"
_ENCODING: Final = b"grpc-encoding"
_CORRELATION: Final = CORRELATION_KEY.encode()
_TRACE: Final = TRACE_KEY.encode()
_TIMEOUT: Final = b"grpc-timeout"

log = structlog.get_logger("allocator.gateway")

F = TypeVar("F", bound="Callable[..., Any]")


class _Served(Protocol):
    calls: Calls


def at_a_glance(glancer: Glancer, finisher: Finisher | None = None) -> Callable[[F], F]:
    """Offer `glancer` beside a servicer's method made by `unary`, which says the same and more."""

    def offer(method: F) -> F:
        method.glancer, method.finisher = glancer, finisher  # type: ignore[attr-defined]  # functions take any
        return method

    return offer


def glances_of(methods: Methods, turnstile: Turnstile | None, message_bytes: int) -> dict[str, Glance]:
    """The glances that servicers offer, by path."""
    return {
        f"/{service}/{name}": Glance(f"/{service}/{name}", handler.unary_unary, turnstile, message_bytes)
        for service, handlers in methods.items()
        for name, handler in handlers.items()
        if hasattr(handler.unary_unary, "glancer")
    }


class Glance:
    """The short way of one rpc.

    Args:
        path: of the rpc.
        method: of a servicer that offers a glance.
        turnstile: where calls wait for their turn, if they do.
        message_bytes: size of the largest message either way, bytes.
    """

    def __init__(self, path: str, method: Any, turnstile: Turnstile | None, message_bytes: int) -> None:  # noqa: ANN401  # a bound one
        servicer: _Served = method.__self__
        self._path = path
        self._name = path.rpartition("/")[2]
        self._worth = worth_of(self._name)
        self._look = method.glancer.__get__(servicer)
        self._finish: Callable[[Work], bytes | None] | None = method.finisher and method.finisher.__get__(servicer)
        self._calls = servicer.calls
        self._turnstile = turnstile
        self._message_bytes = message_bytes
        self._tail = tail_of(servicer.calls.usual_trailers)
        self._debugging = log.is_enabled_for(logging.DEBUG)  # the long way has a line for each write

    def headers(self, told: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes] | None:
        """The headers of a call that ask for nothing but an answer; None for those of one that takes the long way."""
        said = dict(told)
        if said.get(_CONTENT_TYPE) != framing.CONTENT_TYPE or _ENCODING in said:
            return None
        return None if _CORRELATION in said or _TRACE in said else said

    def __call__(
        self, said: Mapping[bytes, bytes], event: Event, receive: Receive
    ) -> tuple[Event, Event] | Begun | None:
        """Answer or begin a call of which so much has come; None when it takes the long way.

        Returns:
            Body and trailers, as ASGI wants them, or what is to be waited for.
        """
        began_s = time.monotonic()
        data = framing.only_message(event, self._message_bytes)
        if data is None or not self._calls.surely_takes(self._worth) or not self._enters(said, began_s):
            return None
        told = self._begun(data, said, receive, began_s) if self._finish else self._answered(data, began_s)
        if told is None and self._turnstile is not None:
            self._turnstile.gives_back()
        return told

    async def answer(self, begun: Begun) -> tuple[Event, Event] | None:
        """Wait for the answer; None when the rest of the long way is to tell it, or nobody is there to be told."""
        assert self._finish is not None
        try:
            await begun.work.answer
            message = self._finish(begun.work)
        except asyncio.CancelledError:
            if not begun.gone:
                raise
            return None
        except Exception:  # noqa: BLE001  # the long way tells it
            return None
        finally:
            self._calls.under_way -= 1
        return None if message is None or self._debugging else self._told(message, begun.began_s)

    def _enters(self, said: Mapping[bytes, bytes], now_s: float) -> bool:
        """Whether it is the turn of a call, and it has not waited too long for what it is worth."""
        turnstile = self._turnstile
        if turnstile is None:
            return True
        if not turnstile.enters():
            return False
        if self._finish is None:
            turnstile.passed(self._path, said.get(ARRIVED), now_s)
        elif turnstile.entered(self._path, said.get(ARRIVED)) > self._calls.shedding.stale_s[self._worth]:
            turnstile.gives_back()
            return False
        return True

    def _answered(self, data: bytes, began_s: float) -> tuple[Event, Event] | None:
        try:
            answer = self._look(data)
        except Exception:  # noqa: BLE001  # whatever it is, it is met again on the long way, and told
            return None
        return None if answer is None else self._told(b"".join(answer), began_s)

    def _begun(self, data: bytes, said: Mapping[bytes, bytes], receive: Receive, began_s: float) -> Begun | None:
        try:
            work = self._look(data)
        except Exception:  # noqa: BLE001  # as above
            return None
        if work is None:
            return None
        self._calls.under_way += 1
        return Begun(work, receive, began_s, began_s + self._time_s(said))

    def _told(self, message: bytes, began_s: float) -> tuple[Event, Event] | None:
        """Body and trailers of an answer, as ASGI wants them; None when it is too large."""
        size = len(message)
        if size > self._message_bytes:
            return None
        self._calls.tally.note(self._name, time.monotonic() - began_s)
        return {"type": "http.response.body", "body": framing.prefix(size) + message, "more_body": False}, self._tail

    def _time_s(self, said: Mapping[bytes, bytes]) -> float:
        timeout = said.get(_TIMEOUT)
        timeout_s = None if timeout is None else framing.timeout_s(timeout)
        return self._calls.deadlines.after_s if timeout_s is None else timeout_s
