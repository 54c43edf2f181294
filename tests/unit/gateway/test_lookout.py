"""One timer for all calls that wait."""

from __future__ import annotations

import asyncio
import time
from math import inf

import pytest
import structlog

from allocator.gateway.lookout import LOOK_FIRST_S, LOOK_LEAST_S, Lookout


class Waiting:
    """Notes when it is looked at."""

    def __init__(self, until_s: float = inf, looks_at_s: float = inf) -> None:
        self.until_s = until_s
        self.looks_at_s = looks_at_s
        self.looked = asyncio.Event()
        self.looks: list[float] = []

    def look(self, now_s: float) -> None:
        """Note it; once is enough."""
        self.until_s = self.looks_at_s = inf
        self.looks.append(now_s)
        self.looked.set()


async def test_a_deadline_is_looked_at_when_it_is_over() -> None:
    """Not before, not much later, whoever came first and whatever others wait for."""
    lookout, now_s = Lookout(), time.monotonic()
    patient, late, early, gone = Waiting(), Waiting(now_s + 0.06), Waiting(now_s + 0.03), Waiting(now_s + 0.01)
    for waiting in (patient, late, early, gone):
        lookout.add(waiting)
    lookout.discard(gone)
    for waiting in (early, late):
        until_s = waiting.until_s
        assert lookout._looks_at_s <= max(until_s, now_s + LOOK_LEAST_S)  # noqa: SLF001  # nothing else tells
        await waiting.looked.wait()
        assert waiting.looks[0] >= until_s
    assert patient.looks == gone.looks == []


async def test_callers_are_looked_for_now_and_then() -> None:
    """Those whose look is due, at the next round; who came while nobody waited starts it again."""
    lookout, now_s = Lookout(), time.monotonic()
    for _ in range(2):
        due, later = Waiting(looks_at_s=now_s), Waiting(looks_at_s=now_s + 60)
        lookout.add(due)
        lookout.add(later)
        await due.looked.wait()
        assert (len(due.looks), later.looks) == (1, [])
        lookout.discard(due)
        lookout.discard(later)
        while lookout._timer is not None:  # noqa: SLF001  # nobody is left to tell
            await asyncio.sleep(0.01)


async def test_a_deadline_that_is_over_already_is_looked_at_soon() -> None:
    """And does not keep the timer busy afterwards; those that are over within a moment are looked at together."""
    lookout, now_s = Lookout(), time.monotonic()
    over, soon = Waiting(until_s=now_s - 1), Waiting(until_s=now_s + LOOK_LEAST_S / 2)
    lookout.add(over)
    lookout.add(soon)
    await over.looked.wait()
    assert over.looks == soon.looks
    assert lookout._looks_at_s > now_s + LOOK_FIRST_S  # noqa: SLF001  # nothing else tells


async def test_a_look_that_fails_leaves_the_others_theirs(capsys: pytest.CaptureFixture[str]) -> None:
    """In the same round and in those to come."""

    class Failing(Waiting):
        def look(self, now_s: float) -> None:
            super().look(now_s)
            raise ZeroDivisionError

    structlog.reset_defaults()
    lookout, now_s = Lookout(), time.monotonic()
    failing, early, late = Failing(now_s), Waiting(now_s), Waiting(now_s + 0.02)
    for waiting in (failing, early, late):
        lookout.add(waiting)
    await early.looked.wait()
    await late.looked.wait()
    assert failing.looks == early.looks
    assert "ZeroDivisionError" in capsys.readouterr().out
