"""Three times as many calls as can be answered: what is answered still, what is refused how, and how it ends."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from bench.http2 import Calls, Crowd
from bench.http2.blocks import RETRY
from bench.http2.connection import DEADLINE_EXCEEDED
from bench.load import Load
from bench.load import run as run_load
from bench.measured import Measured
from bench.overloading import DONE, HOLD, SETTLE, Holds, Memory, Settles, back_s, hold
from bench.pace import ClosedLoop, Steps
from bench.registry import Bench, Figure, Figures, scenario
from bench.reserving import Shop
from bench.scenarios import availability
from bench.service import Service
from bench.stock import receive

REFUSED: Final = "RESOURCE_EXHAUSTED"
KNOWN: Final = (REFUSED, REFUSED + RETRY, DEADLINE_EXCEEDED)
"""What becomes of calls that are not answered."""
BROWSE: Final = "check"
WEIGHTS: Final = (16, 3, 1)
"""Of reads, new holds and what settles: 80, 15 and 5 in 100."""
CHECKED_LINES: Final = 3
KINDS: Final = (BROWSE, HOLD, SETTLE)
WRITES: Final = (HOLD, SETTLE)


class Size(NamedTuple):
    """How big the network and the load are.

    Attributes:
        times: the peak, on schedule.
        connections: of each process, for each of reads, new holds and what settles.
        timeout_s: deadline of each call: who buys or sells waits no longer.
    """

    locations: int = 4
    skus: int = 10_000
    processes: int = 2
    in_flight: int = 256
    connections: int = 8
    times: float = 3
    warm_up_s: float = 1.0
    timeout_s: float = 1.0

    @property
    def shop(self) -> Shop:
        """What there is: plenty of everything."""
        return Shop(self.locations, self.skus, "wanted", scarce_every=0)


@scenario(
    "overload",
    Figure("peak_per_s", "calls answered at most, 256 under way: 80 % checks, 15 % reserves, 5 % of what settles"),
    Figure("offered_per_s", "calls sent on schedule during the overload: 3 times that"),
    Figure("answered_per_s", "of them answered within a second"),
    Figure("ratio_peak", "as a share of the peak", at_least=0.8),
    Figure("ratio_peak_writes", "the same of reserves and what settles alone, which are answered before any check"),
    *(Figure(f"{kind}_answered", f"share of its {kind} calls that were answered") for kind in KINDS[:2]),
    Figure("commits_answered", "share of its commits, releases and fulfilments that were answered", at_least=0.99),
    Figure("answered_p99_ms", "99 in 100 answered calls of the overload were answered within"),
    Figure("refused_per_s", "calls refused during the overload"),
    Figure("refused_p50_ms", "half of them were refused within"),
    Figure("refused_p99_ms", "99 in 100 of them were refused within", at_most=5),
    Figure("timed_out_per_s", "calls of the overload whose deadline, a second, came before any answer"),
    Figure("refused_without_retry_info", "refusals that do not say when to come back", exactly=0),
    Figure("memory_growth_mib", "most memory of gateways and actors meanwhile and after, beyond that before"),
    Figure("held_meanwhile", "reservations made meanwhile and after, which the ledgers keep"),
    Figure("back_s", "after the overload, at half of the peak, until 9 in 10 calls took less than 20 ms again"),
    Figure("late_ms", "99 in 100 calls on schedule were taken up by the generator within"),
    Figure("generator_cpu_share", "CPU time of the generator from the overload on, as a share of one core"),
    Figure("wrong", "settled calls that were not DONE, and checks that missed stock", exactly=0),
    Figure("errors", "calls that ended in another error, before, during and after the overload"),
)
def measure(bench: Bench) -> Figures:
    """The peak of a mix of reads, holds and what settles; then 3 times that on schedule; then half of it."""
    size = Size()
    with Service(bench.folder / "service", size.shop.names(), bench.front) as service:
        return run(bench, service, size)


def run(bench: Bench, service: Service, size: Size) -> Figures:
    """Measure a service with the locations of `size`: each of the three parts for the time given."""
    receive(service.address, size.shop.opening(), bench.tell)
    load = Load(
        service.address,
        partial(crowd, size.shop, service.address),
        ClosedLoop(size.in_flight),
        size.processes,
        size.warm_up_s,
        bench.seconds,
        size.connections,
        size.timeout_s,
    )
    peak = run_load(load, bench.tell)
    rate = peak.requests_per_s
    steps = Steps(((bench.seconds, rate * size.times), (bench.seconds, rate / 2)))
    with Memory(service.processes) as memory:
        flood = run_load(load._replace(pace=steps, warm_up_s=0, seconds=2 * bench.seconds), bench.tell)
    during = Measured(flood.reports, flood.start_ns, bench.seconds)
    goodput = _in_time_per_s(during, size)
    writes = sum(_in_time_per_s(during, size, kind) for kind in WRITES)
    return {
        "peak_per_s": rate,
        "offered_per_s": _sent(during) / bench.seconds,
        "answered_per_s": goodput,
        "ratio_peak": goodput / rate,
        "ratio_peak_writes": writes / sum(peak.rate_per_s(kind) for kind in WRITES),
        **{f"{kind}_answered": _share(during, kind) for kind in KINDS[:2]},
        "commits_answered": _share(during, SETTLE),
        "answered_p99_ms": during.percentile_ms(99),
        **_refused(during),
        "timed_out_per_s": _timed_out(during) / bench.seconds,
        "refused_without_retry_info": peak.outcomes[REFUSED] + flood.outcomes[REFUSED],
        "memory_growth_mib": memory.most_mib - memory.before_mib,
        "held_meanwhile": flood.outcomes["HELD"],
        **_back(bench, flood),
        "late_ms": flood.late_ms(99),
        "generator_cpu_share": flood.generator_cpu_s / (2 * bench.seconds),
        "wrong": sum(_wrong(part) for part in (peak, flood)),
        "errors": sum(part.errors - sum(part.outcomes[known] for known in KNOWN) for part in (peak, flood)),
    }


def crowd(shop: Shop, address: str, number: int) -> Calls:
    """What process `number` sends."""
    held = deque(hold(shop, address))
    carts = availability.Size(locations=shop.locations, skus=shop.skus, lines=CHECKED_LINES)
    checks = availability.Checks(carts, number, shop.sku_names().__getitem__)
    return Crowd(list(zip(WEIGHTS, (checks, Holds(shop, held), Settles(held)), strict=True)), number)


def _back(bench: Bench, flood: Measured) -> Figures:
    after_s = back_s(flood, bench.seconds)
    if after_s is None:
        bench.leave_out(f"latency was not back {bench.seconds:g} s after the overload", "back_s")
        return {}
    return {"back_s": after_s}


def _in_time_per_s(measured: Measured, size: Size, kind: str | None = None) -> float:
    """Calls answered within the time that their callers wait, each second."""
    return int(np.count_nonzero(measured.latencies_ms(kind) <= 1e3 * size.timeout_s)) / measured.seconds


def _sent(measured: Measured, kind: str | None = None) -> int:
    """Calls that were due within the time, whatever became of them."""
    return len(measured.latencies_ms(kind, answered=None))


def _share(measured: Measured, kind: str) -> float:
    return len(measured.latencies_ms(kind)) / _sent(measured, kind)


def _refused(measured: Measured) -> Figures:
    parts = [measured.latencies_ms(outcome=outcome, answered=False) for outcome in (REFUSED, REFUSED + RETRY)]
    refused_ms = np.concatenate(parts)
    p50_ms, p99_ms = np.percentile(refused_ms, (50, 99)) if refused_ms.size else (0.0, 0.0)
    return {
        "refused_per_s": refused_ms.size / measured.seconds,
        "refused_p50_ms": float(p50_ms),
        "refused_p99_ms": float(p99_ms),
    }


def _timed_out(measured: Measured) -> int:
    return len(measured.latencies_ms(outcome=DEADLINE_EXCEEDED, answered=False))


def _wrong(measured: Measured) -> int:
    """Answers that cannot be."""
    settled = sum(
        len(times.done_ns)
        for report in measured.reports
        for (kind, answered, outcome), times in report.times.items()
        if kind == SETTLE and answered and outcome != DONE
    )
    return settled + measured.outcomes["insufficient"]
