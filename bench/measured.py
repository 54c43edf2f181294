"""What became of a load: rates, latencies and outcomes, of all calls or of some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.http2.log import Key, Times
from bench.pace import NS_PER_S


class Report(NamedTuple):
    """What a load process sends back.

    Attributes:
        times: of its calls, by what became of them.
        taken: of its schedule, if it has one.
        cpu_s: CPU time it used while it drove the load, seconds.
        tally: of its calls.
    """

    times: dict[Key, Times]
    taken: Times
    cpu_s: float
    tally: Any


@dataclass(frozen=True)
class Measured:
    """What became of a load. Calls count as answered when they ended with status OK; refused ones are kept apart.

    Attributes:
        reports: of all processes.
        start_ns: when the time measured began, ns of the machine's monotonic clock.
        seconds: measured.
    """

    reports: Sequence[Report] = field(repr=False)
    start_ns: int
    seconds: float

    @property
    def requests_per_s(self) -> float:
        """Calls of all kinds that were answered within the time measured, each second."""
        return self.rate_per_s()

    @property
    def outcomes(self) -> Counter[str]:
        """How many calls ended how: by the word of the judge, or by their status. Those of the warm-up count."""
        return self._count(answered=None)

    @property
    def errors(self) -> int:
        """How many of all calls, those of the warm-up among them, were not answered with OK."""
        return sum(self._count(answered=False).values())

    @property
    def tallies(self) -> list[Any]:
        """What the processes know of their calls besides."""
        return [report.tally for report in self.reports]

    @property
    def generator_cpu_s(self) -> float:
        """CPU time of all load processes, warm-up included."""
        return sum(report.cpu_s for report in self.reports)

    def rate_per_s(self, kind: str | None = None, outcome: str | None = None, *, answered: bool | None = True) -> float:
        """Calls that ended within the time measured, each second.

        Args:
            kind: of them; all by default.
            outcome: of them; every one by default.
            answered: with OK, or not; None takes both.
        """
        ended = (times.done_ns for times in self._select(kind, outcome, answered))
        return sum(int(np.count_nonzero(self._within(done_ns))) for done_ns in ended) / self.seconds

    def latencies_ms(
        self, kind: str | None = None, outcome: str | None = None, *, answered: bool | None = True
    ) -> NDArray[np.float64]:
        """Of the calls that were due within the time measured and ended: float64, ascending, shape (calls,).

        It takes what `rate_per_s` does.
        """
        chosen = self._select(kind, outcome, answered)
        parts = [(times.done_ns - times.due_ns)[self._within(times.due_ns)] for times in chosen]
        return np.sort(np.concatenate(parts) / 1e6) if parts else np.empty(0)

    def percentile_ms(
        self, percent: float, kind: str | None = None, outcome: str | None = None, *, answered: bool | None = True
    ) -> float:
        """The latency that `percent` of the calls did not exceed; not a number when there were none."""
        return _percentile(self.latencies_ms(kind, outcome, answered=answered), percent)

    def late_ms(self, percent: float) -> float:
        """How late the generator itself came to `percent` of the calls of its schedule at most; 0 without a schedule.

        That is time in which it did something else, or was not given the processor. It is part of the latencies.
        """
        taken = (report.taken for report in self.reports)
        late = [(times.done_ns - times.due_ns)[self._within(times.due_ns)] for times in taken]
        late_ns = np.concatenate(late)
        return _percentile(late_ns / 1e6, percent) if late_ns.size else 0.0

    def _within(self, moments_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        end_ns = self.start_ns + int(self.seconds * NS_PER_S)
        return (moments_ns >= self.start_ns) & (moments_ns < end_ns)

    def _select(self, kind: str | None, outcome: str | None, answered: bool | None) -> Iterator[Times]:  # noqa: FBT001  # of three values
        for report in self.reports:
            for (of_kind, was_answered, with_outcome), times in report.times.items():
                if kind in (None, of_kind) and outcome in (None, with_outcome) and answered in (None, was_answered):
                    yield times

    def _count(self, *, answered: bool | None) -> Counter[str]:
        counts: Counter[str] = Counter()
        for report in self.reports:
            for (_, was_answered, outcome), times in report.times.items():
                if answered in (None, was_answered):
                    counts[outcome] += len(times.done_ns)
        return counts


def _percentile(values: NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(values, percent)) if values.size else float("nan")
