"""Calls that are answered at a glance: the usual call of an rpc that need not wait.

What other calls need, in case they wait or go wrong (a context, a name, a deadline, a task to cancel), is more work
than such an answer. So a servicer may offer a glance beside its method: `at_a_glance`. A call in which anything is
unusual takes the long way, where all of that is; what it is told is the same on both, but that the long way refuses a
call which has waited too long, which would be no less work here.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from allocator.gateway import framing
from allocator.gateway.asgi_outcome import tail_of
from allocator.gateway.call import CORRELATION_KEY, TRACE_KEY
from allocator.gateway.shedding import worth_of
from allocator.gateway.turnstile import ARRIVED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from allocator.gateway.asgi_incoming import Event
    from allocator.gateway.calls import Calls
    from allocator.gateway.methods import Methods
    from allocator.gateway.turnstile import Turnstile

    Glancer = Callable[[Any, bytes], Sequence[bytes] | None]
    """Of a servicer and a serialised request: the serialised answer in pieces; None when it takes a closer look."""

_CONTENT_TYPE: Final = b"content-type"
_ENCODING: Final = b"grpc-encoding"
_CORRELATION: Final = CORRELATION_KEY.encode()
_TRACE: Final = TRACE_KEY.encode()

F = TypeVar("F", bound="Callable[..., Any]")


class _Served(Protocol):
    calls: Calls


def at_a_glance(glancer: Glancer) -> Callable[[F], F]:
    """Offer `glancer` beside a servicer's method made by `unary`, which says the same and more."""

    def offer(method: F) -> F:
        method.glancer = glancer  # type: ignore[attr-defined]  # functions take any attribute
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

    def __call__(self, said: Mapping[bytes, bytes], event: Event) -> tuple[Event, Event] | None:
        """Answer a call of which so much has come; None when it takes the long way.

        Returns:
            Body and trailers, as ASGI wants them.
        """
        data = framing.only_message(event, self._message_bytes)
        calls, turnstile = self._calls, self._turnstile
        if data is None or not calls.surely_takes(self._worth):
            return None
        began_s = time.monotonic()
        if turnstile is not None:
            if not turnstile.enters():
                return None
            turnstile.passed(self._path, said.get(ARRIVED), began_s)
        answer = self._look(data)
        if answer is None or (size := sum(map(len, answer))) > self._message_bytes:
            if turnstile is not None:
                turnstile.gives_back()
            return None
        calls.tally.note(self._name, time.monotonic() - began_s)
        body = b"".join((framing.prefix(size), *answer))
        return {"type": "http.response.body", "body": body, "more_body": False}, self._tail
