"""Virtual time, chance and what is still to happen: a simulation is one thread that takes the next event."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from random import Random

US = 1_000
MS = 1_000_000
S = 1_000_000_000
START_NS = 1_700_000_000 * S
"""When every simulation begins, ns since 1970 UTC."""

Act = Callable[[], None]


class World:
    """The one source of time and chance.

    Attributes:
        now_ns: true time, which no node knows.
        random: all chance there is; the seed decides everything.
        trace: what happened, if anybody wants to read it.
    """

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        self.seed = seed
        self.now_ns = START_NS
        self.random = Random(seed)
        self.trace: list[str] | None = [] if traced else None
        self._queue: list[tuple[int, int, Act]] = []
        self._numbers = itertools.count()

    def after(self, delay_ns: int, act: Act) -> None:
        """Let `act` happen in `delay_ns`."""
        heapq.heappush(self._queue, (self.now_ns + delay_ns, next(self._numbers), act))

    def run(self, until_ns: int) -> None:
        """Let everything happen that is due by `until_ns`."""
        while self._queue and self._queue[0][0] <= until_ns:
            self.now_ns, _, act = heapq.heappop(self._queue)
            act()
        self.now_ns = until_ns

    def between(self, low_ns: int, high_ns: int) -> int:
        """Some length of time, short ones as likely as ones ten times as long."""
        return int(low_ns * (high_ns / low_ns) ** self.random.random())

    def chance(self, probability: float) -> bool:
        """Whether something happens that does so with this probability."""
        return self.random.random() < probability

    def note(self, who: str, what: str, *things: object) -> None:
        """Add a line to the trace."""
        if self.trace is not None:
            at_s = (self.now_ns - START_NS) / S
            self.trace.append(f"{at_s:10.6f} {who:<10} {what} {' '.join(map(str, things))}")


class Clock:
    """What a node believes the time to be: wrong by an offset and a drift."""

    def __init__(self, world: World, offset_ns: int, drift_ppm: int) -> None:
        self._world = world
        self.offset_ns = offset_ns
        self.drift_ppm = drift_ppm

    def now_ns(self) -> int:
        """The time by this clock, ns since 1970 UTC."""
        elapsed_ns = self._world.now_ns - START_NS
        return START_NS + elapsed_ns + elapsed_ns * self.drift_ppm // 1_000_000 + self.offset_ns
