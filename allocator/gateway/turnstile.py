"""`Turnstile`: calls are begun a few at each turn of the event loop, those that are worth most first.

An event loop does everything that is ready before it comes round again. Under a flood that is thousands of calls to
begin, and a write, which comes to its turn several times until it is answered, waits for all of them each time. With
only a few begun per turn the turns stay short, and who has to wait does so here, in an order that we choose.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from allocator.gateway.shedding import worth_of
from allocator.runtime.worth import Worth

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from allocator.gateway.methods import Methods

ARRIVED: Final = b"x-allocator-arrived"
"""Header in which the server notes when a call came to it: seconds since 1970 UTC, with a fraction."""
PACKAGE: Final = "allocator."
"""Of the contract; who asks for health or the contract itself does not wait behind its calls."""
PER_TURN: Final = 256
"""Calls begun in about one turn of the event loop; who has to wait for the next one costs a fifth more."""
PER_TURN_CROWDED: Final = 48
"""The same while there is too much to do: a few milliseconds of work."""
LOOK_S: Final = 0.005
"""How often a wait of a worth is told, seconds."""


class Turnstile:
    """Lets calls in.

    A call first asks whether it `enters`, which costs next to nothing, waits for its `turn` if it does not, and says
    when it has `entered`.

    Args:
        methods: what may be called; a call of the contract is worth what its rpc is.
        waited: hears now and then how long a call of a worth has waited since it came to the server, seconds.
        crowded: whether there is too much to do.
    """

    def __init__(
        self, methods: Methods, waited: Callable[[Worth, float], None], crowded: Callable[[], bool] = lambda: False
    ) -> None:
        self._worths = {
            f"/{service}/{name}": worth_of(name) if service.startswith(PACKAGE) else Worth.SETTLE
            for service, handlers in methods.items()
            for name in handlers
        }
        self._waited = waited
        self._crowded = crowded
        self._look_at_s = [0.0 for _ in Worth]
        self._left = PER_TURN
        self._turning = False
        self._queues: tuple[deque[tuple[float, Future[None]]], ...] = tuple(deque() for _ in Worth)

    def waits_s(self) -> list[float]:
        """How long the first call of each worth has been waiting here, seconds; to be asked from any thread."""
        now_s = time.monotonic()
        return [now_s - _first(queue, now_s) for queue in self._queues]

    def enters(self) -> bool:
        """Whether a call may begin in this turn of the event loop; if so, it counts."""
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._next)
        if not self._left:
            return False
        self._left -= 1
        return True

    async def turn(self, path: str) -> None:
        """Return when it is the turn of a call that did not enter at once."""
        future: Future[None] = asyncio.get_running_loop().create_future()
        self._queues[self._worths[path]].append((time.monotonic(), future))
        await future

    def entered(self, path: str, arrived: bytes | None) -> float:
        """How long a call that begins now has waited since it came, seconds; 0 when nobody noted that."""
        now_s = time.time()
        waited_s = now_s - _seconds(arrived, now_s)
        worth = self._worths[path]
        look_s = time.monotonic()
        if look_s >= self._look_at_s[worth]:
            self._look_at_s[worth] = look_s + LOOK_S
            self._waited(worth, waited_s)
        return waited_s

    def passed(self, path: str, arrived: bytes | None, now_s: float) -> None:
        """Do as `entered` for a call that is answered at `now_s`, monotonic seconds: one is looked at now and then."""
        if now_s >= self._look_at_s[self._worths[path]]:
            self.entered(path, arrived)

    def gives_back(self) -> None:
        """A call that entered has to enter once more."""
        self._left += 1

    def _next(self) -> None:
        """A new turn: those who wait come before those who come now."""
        room = self._left = PER_TURN_CROWDED if self._crowded() else PER_TURN
        for queue in reversed(self._queues):
            while queue and self._left:
                _, future = queue.popleft()
                if not future.done():  # else the server ends
                    future.set_result(None)
                    self._left -= 1
        self._turning = self._left < room
        if self._turning:
            asyncio.get_running_loop().call_soon(self._next)


def _first(queue: deque[tuple[float, Future[None]]], now_s: float) -> float:
    try:
        return queue[0][0]
    except IndexError:  # also when another thread took it between two looks
        return now_s


def _seconds(told: bytes | None, now_s: float) -> float:
    try:
        return now_s if told is None else float(told)
    except ValueError:
        return now_s
