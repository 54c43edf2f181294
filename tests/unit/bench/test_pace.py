"""Schedules, driven by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.pace import ClosedLoop, OpenLoop, Steps

S = 1_000_000_000
MS = 1_000_000


@pytest.mark.parametrize(("processes", "parts"), [(1, [10]), (2, [5, 5]), (3, [4, 3, 3]), (12, [1] * 12)])
def test_a_closed_loop_is_shared_by_processes(processes: int, parts: list[int]) -> None:
    """Evenly, and each has at least one call."""
    schedules = [ClosedLoop(10).schedule(number, processes, 0, S) for number in range(processes)]
    assert [len(schedule.take(0, 0)) for schedule in schedules] == parts


def test_a_closed_loop_fills_the_free_places_until_the_end() -> None:
    """Each call is due at the moment its place is free; an answer has to come before the next one."""
    schedule = ClosedLoop(4).schedule(0, 1, 0, S)
    assert list(schedule.take(7, 0)) == [7, 7, 7, 7]
    assert schedule.wait_ns(7) is None
    assert list(schedule.take(8, 4)) == []
    assert list(schedule.take(S - 1, 3)) == [S - 1]
    assert list(schedule.take(S, 0)) == []


def test_a_closed_loop_pauses_when_answers_come_one_by_one() -> None:
    """Less than an eighth of the places; with few places it never does."""
    schedule = ClosedLoop(64, pause_ms=2).schedule(0, 1, 0, S)
    assert [schedule.pause_ns(ended) for ended in (1, 7, 8)] == [2 * MS, 2 * MS, 0]
    assert ClosedLoop(1).schedule(0, 1, 0, S).pause_ns(1) == 0


def test_an_open_loop_is_exact_whenever_it_is_asked() -> None:
    """Call i is due at i / rate; a generator that was away gets all that it missed, with the times they were due."""
    schedule = OpenLoop(1_000).schedule(0, 1, 5 * S, 5 * S + 6 * MS)
    assert list(schedule.take(5 * S - 1, 0)) == []
    assert schedule.wait_ns(5 * S - 1) == 1
    assert list(schedule.take(5 * S, 0)) == [5 * S]
    assert schedule.wait_ns(5 * S) == MS
    assert list(schedule.take(5 * S + 3 * MS, 900)) == [5 * S + MS, 5 * S + 2 * MS, 5 * S + 3 * MS]
    assert list(schedule.take(6 * S, 0)) == [5 * S + 4 * MS, 5 * S + 5 * MS]
    assert schedule.wait_ns(6 * S) is None


@given(
    rate=st.floats(1, 100_000),
    processes=st.integers(1, 5),
    steps=st.lists(st.integers(0, 10 * MS), max_size=20),
)
def test_processes_share_one_schedule(rate: float, processes: int, steps: list[int]) -> None:
    """Together they send every call of it once, at its time, however often each of them looks."""
    end_ns = S // 50
    due: list[int] = []
    for number in range(processes):
        schedule, now_ns = OpenLoop(rate).schedule(number, processes, 0, end_ns), 0
        for step in [*steps, end_ns]:
            now_ns += step
            taken = schedule.take(now_ns, 0)
            assert all(time_ns <= now_ns for time_ns in taken)
            due += taken
    expected = [time_ns for i in range(int(rate / 50) + 2) if (time_ns := int(i * S / rate)) < end_ns]
    assert sorted(due) == expected


def test_a_pace_is_told_as_people_say_it() -> None:
    """While they wait."""
    assert (str(ClosedLoop(5)), str(OpenLoop(12_000))) == ("5 calls in flight", "12,000 calls/s on schedule")


def test_steps_follow_each_other_without_a_pause() -> None:
    """Ten calls at one rate, then five at another, the last of them before the end; each has its time."""
    schedule = Steps(((1, 10), (1, 5))).schedule(0, 1, 0, 2 * S)
    assert schedule.take(0, 0) == [0]
    assert schedule.wait_ns(0) == 100 * MS
    assert schedule.take(S, 0) == [*range(100 * MS, S, 100 * MS), S]
    assert schedule.wait_ns(S) == 200 * MS
    assert schedule.take(3 * S, 0) == [*range(1200 * MS, 2 * S, 200 * MS)]
    assert schedule.wait_ns(3 * S) is None
    assert schedule.scheduled


def test_a_fast_schedule_pauses_between_looks() -> None:
    """With more than a call in the time of a pause; a slow one is looked at whenever something is due."""
    assert OpenLoop(6_000, pause_ms=0.5).schedule(0, 2, 0, S).pause_ns(1) == MS // 2
    assert OpenLoop(1_000, pause_ms=0.5).schedule(0, 2, 0, S).pause_ns(1) == 0
    assert Steps(((1.0, 6_000), (1.0, 10)), pause_ms=0.5).schedule(0, 1, 0, 2 * S).pause_ns(0) == MS // 2
