from __future__ import annotations

import asyncio
import time
from collections import Counter

import numpy as np
import pytest

from bench.load import _measured, _Report
from bench.pace import ClosedLoop

S = 1_000_000_000


def report(times_s: list[tuple[float, float]], errors: int = 0) -> _Report:
    """A process whose calls were due and done at these times."""
    due, done = (np.array([int(t * S) for t in column], np.int64) for column in zip(*times_s, strict=True))
    return _Report(due, done, Counter(HELD=len(times_s)), errors, None)


def test_what_was_answered_in_time_counts() -> None:
    """Answers of the warm-up and after the end are left out of the rate."""
    calls = [(9.0, 9.5), (9.9, 10.1), (10.5, 10.6), (11.0, 11.2), (11.9, 12.5)]
    assert _measured([report(calls)], 10 * S, 2.0).requests_per_s == 3 / 2


def test_latency_counts_from_when_a_call_was_due() -> None:
    """Those due in time count, also when the answer came after the end."""
    calls = [(9.9, 10.1), (10.5, 10.6), (11.9, 12.5)]
    assert _measured([report(calls)], 10 * S, 2.0).latencies_ms == pytest.approx([100, 600])


def test_processes_are_added_up() -> None:
    """Rate, outcomes and errors of all of them; each tally by itself."""
    measured = _measured([report([(1, 1.5)], errors=1), report([(1, 1.2), (1.3, 1.4)])], S, 1.0)
    assert measured.requests_per_s == 3
    assert measured.outcomes == Counter(HELD=3)
    assert measured.errors == 1
    assert measured.tallies == [None, None]


def test_percentiles_are_those_of_all_calls() -> None:
    """Half of the calls are no slower than the 50th percentile."""
    measured = _measured([report([(1 + i / 200, 1 + i / 200 + i / 1000) for i in range(1, 100)])], S, 1.0)
    assert measured.percentile_ms(50) == pytest.approx(50)


def test_a_load_that_nobody_answered_has_no_latency() -> None:
    """Not a number, instead of a good one."""
    none = _Report(np.array([], np.int64), np.array([], np.int64), Counter(UNAVAILABLE=5), 5, None)
    measured = _measured([none], S, 1.0)
    assert measured.requests_per_s == 0
    assert np.isnan(measured.percentile_ms(99))


@pytest.mark.parametrize(("processes", "part"), [(1, 10), (2, 5), (3, 3), (20, 1)])
def test_a_closed_loop_is_shared_by_processes(processes: int, part: int) -> None:
    """Each has its part, and at least one call."""
    assert ClosedLoop(10).share(processes) == ClosedLoop(part)


async def test_a_closed_loop_keeps_so_many_calls_under_way() -> None:
    """Never more; the next one goes when one is answered, and all are answered at the end."""
    under_way, most, answered = 0, 0, 0
    end_ns = time.monotonic_ns() + S // 50

    async def send(due_ns: int) -> None:
        nonlocal under_way, most, answered
        assert due_ns < end_ns
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        answered += 1

    await ClosedLoop(5).drive(send, end_ns)
    assert (under_way, most) == (0, 5)
    assert answered > 5
