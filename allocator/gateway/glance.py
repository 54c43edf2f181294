"""Calls that are answered, or begun, at a glance: the usual call of an rpc that is called most.

What other calls need, in case something goes wrong (a context, a name, a deadline, a task to cancel), is more work
than such an answer. So a servicer may offer a glance beside its method: `at_a_glance`. A call in which anything is
unusual takes the long way, where all of that is; what it is told is the same on both, but that the long way refuses a
read which has waited too long, which would be no less work here.

One that has to wait for its answer is begun at a glance, and takes the rest of the long way when the answer is unusual.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

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
        data = self._taken(said, event, began_s)
        seen = None if data is None else self._seen(data)
        if seen is None:
            return None
        if self._finish is None:
            return self._told(b"".join(seen), began_s)
        self._calls.under_way += 1
        return Begun(seen, receive, began_s, began_s + self._time_s(said))

    async def answer(self, begun: Begun) -> tuple[Event, Event] | None:
        """Wait for the answer; None when the rest of the long way is to tell it, or nobody is there to be told."""
        try:
            await begun.work.answer
        except asyncio.CancelledError:
            if not begun.gone:
                raise
            return None
        except Exception:  # noqa: BLE001  # the long way tells it
            return None
        finally:
            self._calls.under_way -= 1
        assert self._finish is not None
        answer = self._finish(begun.work)
        return None if answer is None else self._told(answer, begun.began_s)

    def _taken(self, said: Mapping[bytes, bytes], event: Event, now_s: float) -> bytes | None:
        """The request of a call that may begin now; None when it takes the long way."""
        data = framing.only_message(event, self._message_bytes)
        if data is None or not self._calls.surely_takes(self._worth):
            return None
        turnstile = self._turnstile
        if turnstile is not None:
            # While there is too much to do, what has waited too long is refused before it begins, on the long way.
            if (turnstile.crowded and self._finish is not None) or not turnstile.enters():
                return None
            turnstile.passed(self._path, said.get(ARRIVED), now_s)
        return data

    def _seen(self, data: bytes) -> Any:  # noqa: ANN401  # what the glancer returns
        """What the servicer sees at a glance."""
        try:
            seen = self._look(data)
        except Exception:  # noqa: BLE001  # whatever it is, it is met again on the long way, and told
            seen = None
        if seen is None and self._turnstile is not None:
            self._turnstile.gives_back()
        return seen

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
