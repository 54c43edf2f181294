"""A call that was begun at a glance and waits for its answer."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from allocator.gateway.asgi_incoming import Incoming
from allocator.gateway.framing import Unframer
from allocator.gateway.lookout import LOOK_FIRST_S, LOOK_LAST_S

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from allocator.gateway.asgi_incoming import Receive


class Work(Protocol):
    """What a servicer began.

    Attributes:
        answer: comes; to cancel it is to say that nobody waits for it.
    """

    answer: asyncio.Future[Any]


class Begun:
    """A call that was begun at a glance and waits for its answer, under a `Lookout`.

    Args:
        work: what was begun.
        receive: of ASGI.
        began_s: monotonic time, seconds.
        over_s: monotonic time of the deadline, seconds.

    Attributes:
        work: what was begun.
        began_s: monotonic time, seconds.
        over_s: monotonic time of the deadline, seconds.
        gone: whether the caller has gone.
        on_gone: who else is told so.
        incoming: what comes from the caller, once somebody has looked.
        until_s, looks_at_s: see `Waiting`.
    """

    __slots__ = (
        "_look_s",
        "_receive",
        "began_s",
        "gone",
        "incoming",
        "looks_at_s",
        "on_gone",
        "over_s",
        "until_s",
        "work",
    )

    def __init__(self, work: Work, receive: Receive, began_s: float, over_s: float) -> None:
        self.work = work
        self.began_s = began_s
        self.over_s = self.until_s = over_s
        self.gone = False
        self.on_gone: Callable[[], None] | None = None
        self.incoming: Incoming | None = None
        self.looks_at_s = began_s + LOOK_FIRST_S
        self._look_s = LOOK_FIRST_S
        self._receive = receive

    def look(self, now_s: float) -> None:
        """End it when its time is over, and see whether the caller is still there."""
        if now_s >= self.until_s:
            self.until_s = inf
            if not self.work.answer.done():
                self.work.answer.set_exception(TimeoutError())
            return
        self._look_s = min(2 * self._look_s, LOOK_LAST_S)
        self.looks_at_s = now_s + self._look_s
        if self.incoming is None:
            self.incoming = Incoming(self._receive, Unframer(b"", 0), self._abandon)
        self.incoming.look()

    def _abandon(self) -> None:
        self.gone = True
        self.work.answer.cancel()
        if self.on_gone is not None:
            self.on_gone()
