from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest

from allocator.gateway.methods import Methods
from allocator.gateway.turnstile import PER_TURN, PER_TURN_CROWDED, Turnstile
from allocator.runtime.worth import Worth

RPCS = {Worth.BROWSE: "CheckAvailability", Worth.HOLD: "Reserve", Worth.SETTLE: "CommitReservation"}
NOBODY: Any = None  # calls them
METHODS: Methods = {"allocator.shop": dict.fromkeys(RPCS.values(), NOBODY)}


class Visitors:
    """Calls that come to a turnstile.

    Attributes:
        begun: what each that has begun was worth, in order.
        waits_s: by worth, what was told of waits.
        crowded: whether there is too much to do.
    """

    def __init__(self) -> None:
        self.begun: list[Worth] = []
        self.waits_s: dict[Worth, float] = {}
        self.crowded = False
        self.turnstile = Turnstile(METHODS, self.waits_s.__setitem__, lambda: self.crowded)
        self._tasks: list[asyncio.Task[None]] = []

    def come(self, worth: Worth, count: int) -> None:
        """So many calls at once."""
        self._tasks += [asyncio.ensure_future(self._call(worth)) for _ in range(count)]

    def leave(self, count: int) -> None:
        """The last ones that came give up."""
        for task in self._tasks[-count:]:
            task.cancel()

    async def gone(self) -> None:
        """Return when nobody waits any more."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _call(self, worth: Worth) -> None:
        path = f"/allocator.shop/{RPCS[worth]}"
        if not self.turnstile.enters():
            await self.turnstile.turn(path)
        self.turnstile.entered(path, None)
        self.begun.append(worth)


async def test_few_calls_begin_at_once() -> None:
    """As many as a turn has room for wait for nobody; turn after turn."""
    visitors = Visitors()
    for turn in range(1, 4):
        visitors.come(Worth.BROWSE, PER_TURN)
        await asyncio.sleep(0)
        assert len(visitors.begun) == turn * PER_TURN
        await asyncio.sleep(0)


async def test_what_is_worth_more_goes_first() -> None:
    """Of all that wait: first what settles, then holds, then reads; each in the order of coming."""
    visitors = Visitors()
    for worth in Worth:
        visitors.come(worth, 3 * PER_TURN)
    await visitors.gone()
    waited = visitors.begun[PER_TURN:]  # these came first, and began before anybody else was there
    assert len(waited) == 8 * PER_TURN
    assert waited == sorted(waited, reverse=True)


async def test_no_more_begin_in_one_turn_however_many_come() -> None:
    """Between two turns of the event loop, whoever has waited and whoever comes now together."""
    visitors, seen = Visitors(), [0]
    for _ in range(20):
        visitors.come(Worth.HOLD, 2 * PER_TURN)
        await asyncio.sleep(0)
        seen.append(len(visitors.begun))
    assert max(after - before for before, after in pairwise(seen)) <= 2 * PER_TURN
    await visitors.gone()
    assert len(visitors.begun) == 40 * PER_TURN


async def test_fewer_begin_in_one_turn_while_there_is_too_much_to_do() -> None:
    """And all the same everybody does in the end."""
    visitors, seen = Visitors(), [0]
    visitors.crowded = True
    visitors.come(Worth.BROWSE, 1)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    visitors.come(Worth.HOLD, 10 * PER_TURN_CROWDED)
    while len(visitors.begun) <= 10 * PER_TURN_CROWDED:
        await asyncio.sleep(0)
        seen.append(len(visitors.begun))
    assert max(after - before for before, after in pairwise(seen)) <= 2 * PER_TURN_CROWDED


async def test_who_has_gone_takes_no_place() -> None:
    """A cancelled call is passed over."""
    visitors = Visitors()
    visitors.come(Worth.BROWSE, 3 * PER_TURN)
    await asyncio.sleep(0)
    visitors.leave(PER_TURN)
    await visitors.gone()
    assert len(visitors.begun) == 2 * PER_TURN


async def test_it_tells_how_long_the_first_of_each_worth_has_waited() -> None:
    """Also to another thread; 0 where nobody waits."""
    visitors = Visitors()
    visitors.come(Worth.BROWSE, PER_TURN + 1)
    await asyncio.sleep(0)
    until_s = time.monotonic() + 0.01
    while time.monotonic() < until_s:
        pass
    browse_s, *others_s = visitors.turnstile.waits_s()
    assert browse_s >= 0.01
    assert others_s == [0, 0]
    await visitors.gone()
    assert visitors.turnstile.waits_s() == [0, 0, 0]


@pytest.mark.parametrize(("told", "least_s", "most_s"), [(b"", 0, 0), (b"soon", 0, 0), (None, 0, 0)])
async def test_a_call_without_a_time_has_not_waited(told: bytes | None, least_s: float, most_s: float) -> None:
    """Whatever stands in the header instead of one."""
    assert least_s <= Visitors().turnstile.entered("/allocator.shop/Reserve", told) <= most_s


async def test_a_wait_counts_from_when_the_call_came_to_the_server() -> None:
    """And is told of, for its worth."""
    visitors = Visitors()
    waited_s = visitors.turnstile.entered("/allocator.shop/Reserve", b"%.6f" % (time.time() - 2))
    assert waited_s == pytest.approx(2, abs=0.5)
    assert visitors.waits_s == {Worth.HOLD: waited_s}
