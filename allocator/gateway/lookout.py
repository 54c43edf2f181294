"""`Lookout`: looks after calls that wait, for their deadlines and for callers who go.

With one timer for all of them: most calls are over before anybody has to look, and a timer for each would cost them
more than all the rest of the waiting.
"""

from __future__ import annotations

import asyncio
import time
from math import inf
from typing import Final, Protocol

import structlog

LOOK_FIRST_S: Final = 0.25
LOOK_LAST_S: Final = 4.0
"""How long after a look a waiting call is looked at again: doubled each time up to this."""
LOOK_LEAST_S: Final = 0.005
"""Deadlines that are over within so much are looked at together: each look goes through all who wait."""

log = structlog.get_logger("allocator.gateway")


class Waiting(Protocol):
    """A call that waits.

    Attributes:
        until_s: monotonic time of its deadline, seconds; infinite when there is none, or none any more.
        looks_at_s: monotonic time of the next look for its caller.
    """

    until_s: float
    looks_at_s: float

    def look(self, now_s: float) -> None:
        """End it if its time is over, and see whether its caller is still there."""


class Lookout:
    """Looks at those who wait: when the time of one is over, and every `LOOK_FIRST_S` at those whose look is due."""

    def __init__(self) -> None:
        self._waiting: set[Waiting] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at_s = inf

    def add(self, waiting: Waiting) -> None:
        """Look after a call from now on."""
        self._waiting.add(waiting)
        if self._timer is None or waiting.until_s < self._looks_at_s:
            self._look_by(waiting.until_s)

    def discard(self, waiting: Waiting) -> None:
        """Look after it no more, if anybody did."""
        self._waiting.discard(waiting)

    def _look_by(self, until_s: float) -> None:
        now_s = time.monotonic()
        at_s = min(max(until_s, now_s + LOOK_LEAST_S), now_s + LOOK_FIRST_S)
        if at_s >= self._looks_at_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at_s = at_s
        self._timer = asyncio.get_running_loop().call_later(at_s - now_s, self._look)

    def _look(self) -> None:
        self._timer, self._looks_at_s = None, inf
        now_s = time.monotonic()
        for waiting in tuple(self._waiting):
            if waiting.looks_at_s <= now_s or waiting.until_s <= now_s:
                try:
                    waiting.look(now_s)
                except Exception:  # the others have deadlines too
                    log.exception("defect")
        if self._waiting:
            self._look_by(min(waiting.until_s for waiting in self._waiting))
