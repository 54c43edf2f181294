"""When a load generator sends: in a closed loop the next call waits for an answer, in an open loop for its time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

NS_PER_S: Final = 1_000_000_000
FEW: Final = 8


class Schedule(ABC):
    """When the calls of one process are due. It has no clock: time is an argument, ns of the monotonic clock."""

    scheduled: bool
    """Whether calls are due at times of their own; else they are due when there is a place for them."""

    @abstractmethod
    def take(self, now_ns: int, under_way: int) -> Sequence[int]:
        """The times at which calls were due that have not been taken yet, in order, while so many are under way."""

    @abstractmethod
    def wait_ns(self, now_ns: int) -> int | None:
        """How long until a call is due; None when an answer has to come first."""

    def pause_ns(self, ended: int) -> int:
        """How long not to look for answers after a look that found so many."""
        del ended
        return 0


class Pace(ABC):
    """Decides when calls are due. Latency counts from then, whenever they could be sent."""

    @abstractmethod
    def schedule(self, number: int, processes: int, begin_ns: int, end_ns: int) -> Schedule:
        """The part of process `number` of so many, from the begin until before the end."""


@dataclass(frozen=True)
class ClosedLoop(Pace):
    """So many calls under way at any time. It measures what can be done at most, not what a crowd would feel.

    Attributes:
        in_flight: calls under way.
        pause_ms: between looks for answers when they come in one by one. A look costs more than an answer, and what the
            generator takes of the machine the service cannot have; the latencies are longer by up to this.
    """

    in_flight: int
    pause_ms: float = 0.5

    def __str__(self) -> str:
        return f"{self.in_flight} calls in flight"

    def schedule(self, number: int, processes: int, begin_ns: int, end_ns: int) -> Schedule:
        """An even part of the calls, at least one."""
        del begin_ns
        part = self.in_flight // processes + (number < self.in_flight % processes)
        return _Places(max(1, part), int(self.pause_ms * 1e6), end_ns)


@dataclass(frozen=True)
class OpenLoop(Pace):
    """A crowd that does not wait: call i is due at i / rate, whatever became of the others.

    What is late is sent at once, and its latency counts from when it was due, so that a service which stalls is not
    asked less and does not look better for it.

    Attributes:
        rate_per_s: calls each second, of all processes together.
        pause_ms: between looks at the time and for answers, for a process with more than one call in that time. Waking
            up for each takes more of the machine than the calls themselves; the latencies are longer by up to this.
    """

    rate_per_s: float
    pause_ms: float = 0.5

    def __str__(self) -> str:
        return f"{self.rate_per_s:,.0f} calls/s on schedule"

    def schedule(self, number: int, processes: int, begin_ns: int, end_ns: int) -> Schedule:
        """Every call of the common schedule whose number is `number` modulo `processes`."""
        return _Times(self.rate_per_s, number, processes, begin_ns, end_ns, int(self.pause_ms * 1e6))


@dataclass(frozen=True)
class Steps(Pace):
    """Open loops one after the other, without a pause between them.

    Attributes:
        steps: seconds and calls each second, of all processes together; the first begins with the warm-up.
        pause_ms: as in `OpenLoop`.
    """

    steps: tuple[tuple[float, float], ...]
    pause_ms: float = 0.5

    def __str__(self) -> str:
        return ", then ".join(f"{rate_per_s:,.0f} calls/s for {seconds:g} s" for seconds, rate_per_s in self.steps)

    def schedule(self, number: int, processes: int, begin_ns: int, end_ns: int) -> Schedule:
        """The part of the process of each step; the last ends when the load does, at the latest."""
        parts: list[Schedule] = []
        for seconds, rate_per_s in self.steps:
            until_ns = min(begin_ns + int(seconds * NS_PER_S), end_ns)
            parts.append(_Times(rate_per_s, number, processes, begin_ns, until_ns, int(self.pause_ms * 1e6)))
            begin_ns = until_ns
        return _InTurn(parts)


class _Places(Schedule):
    """A number of places; a call is due when one is free."""

    scheduled = False

    def __init__(self, places: int, pause_ns: int, end_ns: int) -> None:
        self._places = places
        self._pause_ns = pause_ns
        self._end_ns = end_ns

    def take(self, now_ns: int, under_way: int) -> Sequence[int]:
        """One call, due now, for each free place."""
        return [now_ns] * (self._places - under_way) if now_ns < self._end_ns else ()

    def wait_ns(self, now_ns: int) -> int | None:
        """An answer frees the next place."""
        del now_ns
        return None

    def pause_ns(self, ended: int) -> int:
        """A pause when less than an eighth of the places became free."""
        return self._pause_ns if ended * FEW < self._places else 0


class _Times(Schedule):
    """Times set beforehand."""

    scheduled = True

    def __init__(
        self, rate_per_s: float, number: int, processes: int, begin_ns: int, end_ns: int, pause_ns: int
    ) -> None:
        self._rate_per_s = rate_per_s
        self._pause_ns = pause_ns if rate_per_s / processes * pause_ns > NS_PER_S else 0
        self._next = number
        self._step = processes
        self._begin_ns = begin_ns
        self._end_ns = end_ns

    def take(self, now_ns: int, under_way: int) -> Sequence[int]:
        """Every call whose time has come."""
        del under_way
        due: list[int] = []
        while (time_ns := self._time_ns()) <= now_ns and time_ns < self._end_ns:
            due.append(time_ns)
            self._next += self._step
        return due

    def wait_ns(self, now_ns: int) -> int | None:
        """Until the next call, or None after the last."""
        time_ns = self._time_ns()
        return max(0, time_ns - now_ns) if time_ns < self._end_ns else None

    def pause_ns(self, ended: int) -> int:
        """The same after each look."""
        del ended
        return self._pause_ns

    def _time_ns(self) -> int:
        return self._begin_ns + int(self._next * NS_PER_S / self._rate_per_s)


class _InTurn(Schedule):
    """Schedules one after the other."""

    scheduled = True

    def __init__(self, parts: Sequence[Schedule]) -> None:
        self._parts = parts

    def take(self, now_ns: int, under_way: int) -> Sequence[int]:
        """Every call whose time has come."""
        return [time_ns for part in self._parts for time_ns in part.take(now_ns, under_way)]

    def wait_ns(self, now_ns: int) -> int | None:
        """Until the next call, or None after the last."""
        waits = (part.wait_ns(now_ns) for part in self._parts)
        return next((wait_ns for wait_ns in waits if wait_ns is not None), None)

    def pause_ns(self, ended: int) -> int:
        """The longest of its parts'."""
        return max(part.pause_ns(ended) for part in self._parts)
