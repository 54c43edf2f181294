from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapters.errors import AdapterError, BatchInvalidError, CoreUnavailableError
from adapters.formats import StockMovement
from adapters.sources.core import Core, MovementStatus, Outcome
from adapters.sources.pump import Pump
from tests.unit.adapters.helpers import (
    DeadLetter,
    LedgerCore,
    MemoryFeed,
    MemoryOptions,
    MemorySource,
    event,
    pump_all,
    until,
)


def fed_with(*raw: bytes) -> MemorySource:
    """A source with these messages."""
    feed = MemoryFeed()
    feed.raw += raw
    return MemorySource("feed", MemoryOptions(), Path(), feed)


class GatedCore(LedgerCore):
    """Answers a batch only once its gate is open.

    Attributes:
        gates: one for each call, in the order of calls; others are open.
        waiting: how many calls wait now.
    """

    def __init__(self, gates: int) -> None:
        super().__init__()
        self.gates = [asyncio.Event() for _ in range(gates)]
        self.waiting = 0

    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record a batch, then wait for the gate."""
        number = len(self.batches)
        outcomes = await super().record(movements)
        if number < len(self.gates):
            self.waiting += 1
            await self.gates[number].wait()
            self.waiting -= 1
        return outcomes


class PickyCore(LedgerCore):
    """Turns every batch with a poisonous movement away, as a server does with a message it cannot read."""

    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record a batch, unless it is poisonous."""
        if any(movement.reference == "poison" for movement in movements):
            raise BatchInvalidError("movements[3].reference: cannot be read")
        return await super().record(movements)


async def test_every_movement_is_recorded_and_committed() -> None:
    """In batches of the size that is asked for."""
    source, core = fed_with(*(event(f"m{n}") for n in range(7))), LedgerCore()
    counts = await pump_all(source, core, batch_max=3)
    assert core.on_hand() == {"SKU-1": 7}
    assert core.batches == [3, 3, 1]
    assert source.feed.committed == 7
    assert counts.applied == 7


async def test_positions_are_committed_in_order_whichever_batch_is_recorded_first() -> None:
    """A position is only committed when everything before it is durable."""
    source, core = fed_with(*(event(f"m{n}") for n in range(3))), GatedCore(1)
    stop = asyncio.Event()
    running = asyncio.create_task(Pump(source, core, batch_max=1, in_flight_max=3).run(stop))

    async def others_are_recorded() -> bool:
        return core.waiting == 1 and core.on_hand() == {"SKU-1": 3}

    await until(others_are_recorded)
    assert source.feed.committed == 0
    core.gates[0].set()
    stop.set()
    await running
    assert source.feed.committed == 3


async def test_no_more_batches_are_under_way_than_allowed() -> None:
    """The next one is fetched when the oldest is committed."""
    source, core = fed_with(*(event(f"m{n}") for n in range(5))), GatedCore(5)
    stop = asyncio.Event()
    running = asyncio.create_task(Pump(source, core, batch_max=1, in_flight_max=2).run(stop))

    async def two_wait() -> bool:
        return core.waiting == 2

    await until(two_wait)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(core.batches) == 2
    for gate in core.gates:
        gate.set()
    stop.set()
    await running


async def test_a_refused_movement_is_set_aside_with_its_class() -> None:
    """By the format or by the core; the others are recorded."""
    raw = [
        event("a"),
        b"?",
        event("b", quantity=0),
        event("c", envelope={"partitionkey": "nowhere"}),
        event("d"),
        event("a"),
    ]
    source, core = fed_with(*raw), LedgerCore()
    counts = await pump_all(source, core)
    assert core.on_hand() == {"SKU-1": 2}
    assert [(dead.raw, dead.reject_class, dead.by) for dead in source.feed.dead] == [
        (b"?", "unreadable", "format"),
        (raw[2], "refused", "core"),
        (raw[3], "unknown_location", "core"),
    ]
    assert "quantity 0 is not allowed" in source.feed.dead[1].reason
    assert (counts.applied, counts.duplicates, counts.unreadable) == (2, 1, 1)
    assert (counts.refused, counts.unknown_location) == (1, 1)


class StoppedCore(LedgerCore):
    """Has one location that stands still."""

    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record a batch, but for that location."""
        outcomes = iter(await super().record([row for row in movements if row.location != "york-3"]))
        stopped = Outcome(MovementStatus.REJECTED, reason="LOCATION_STOPPED: entry 7", location_stopped=True)
        return [stopped if row.location == "york-3" else next(outcomes) for row in movements]


async def test_a_location_that_stands_still_does_not_hold_up_the_feed() -> None:
    """What is for it is set aside in a class of its own, to be dropped again once it is mended."""
    raw = [event("a"), event("b", envelope={"partitionkey": "york-3"}), event("c")]
    source, core = fed_with(*raw), StoppedCore()
    counts = await pump_all(source, core)
    assert core.on_hand() == {"SKU-1": 2}
    assert source.feed.dead == [DeadLetter(raw[1], "location_stopped", "core", "LOCATION_STOPPED: entry 7")]
    assert (counts.applied, counts.location_stopped, counts.retries) == (2, 1, 0)
    assert source.feed.committed == 3


async def test_a_movement_that_no_batch_can_hold_is_found_and_set_aside() -> None:
    """Instead of holding up the source for ever, or taking its neighbours with it."""
    raw = [event(f"m{n}", reference="poison" if n in {3, 4} else "") for n in range(9)]
    source, core = fed_with(*raw), PickyCore()
    await pump_all(source, core)
    assert core.on_hand() == {"SKU-1": 7}
    assert source.feed.dead == [
        DeadLetter(raw[n], "refused", "core", "movements[3].reference: cannot be read") for n in (3, 4)
    ]


async def test_a_batch_without_movements_does_not_bother_the_core() -> None:
    """It is settled at once."""
    source, core = fed_with(b"?", b"!"), LedgerCore()
    await pump_all(source, core)
    assert core.batches == []
    assert source.feed.committed == 2


async def test_what_the_core_asks_to_wait_is_waited() -> None:
    """The batch comes again after it."""
    source, core = fed_with(event("a")), LedgerCore()
    core.before += [CoreUnavailableError("overloaded", 0.2)]
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert (await pump_all(source, core)).retries == 1
    assert loop.time() - began_s >= 0.2
    assert core.on_hand() == {"SKU-1": 1}


@pytest.mark.parametrize("batch_max", [1, 2, 3, 100])
async def test_a_count_without_a_time_keeps_its_place(batch_max: int) -> None:
    """It is true only between the movements before and after it, whatever is under way."""
    raw = [event(f"a{n}") for n in range(3)]
    raw += [event("count", 10, type="count")]
    raw += [event(f"b{n}") for n in range(3)]
    source, core = fed_with(*raw), LedgerCore()
    core.before += [None, CoreUnavailableError("slow"), None, CoreUnavailableError("slow"), None]
    await pump_all(source, core, batch_max=batch_max)
    assert core.on_hand() == {"SKU-1": 13}


async def test_a_pump_that_is_stopped_finishes_what_is_under_way() -> None:
    """What is fetched is recorded and committed first."""
    source, core = fed_with(*(event(f"m{n}") for n in range(2))), GatedCore(1)
    stop = asyncio.Event()
    running = asyncio.create_task(Pump(source, core).run(stop))

    async def one_waits() -> bool:
        return core.waiting == 1

    await until(one_waits)
    stop.set()
    core.gates[0].set()
    await running
    assert source.feed.committed == 2


async def test_a_pump_that_cannot_finish_stops_all_the_same() -> None:
    """Nothing is committed then, so that it comes again."""
    source, core = fed_with(event("a")), GatedCore(1)
    stop = asyncio.Event()
    running = asyncio.create_task(Pump(source, core, drain_s=0.01).run(stop))

    async def one_waits() -> bool:
        return core.waiting == 1

    await until(one_waits)
    stop.set()
    await running
    assert source.feed.committed == 0


async def test_a_pump_that_is_stopped_before_it_begins_does_nothing() -> None:
    """It returns."""
    source, core = fed_with(event("a")), LedgerCore()
    stop = asyncio.Event()
    stop.set()
    await Pump(source, core).run(stop)
    assert source.feed.committed == 0


class BrokenSource(MemorySource):
    """Cannot commit."""

    async def commit(self, position: object) -> None:  # noqa: ARG002  # the port's
        """Fail."""
        raise OSError(28, "No space left on device")


async def test_a_source_that_fails_ends_the_pump_with_its_error() -> None:
    """Whoever runs the pump opens the source again."""
    source = BrokenSource("feed", MemoryOptions(), Path())
    source.feed.raw.append(event("a"))
    with pytest.raises(OSError, match="No space left"):
        await Pump(source, LedgerCore()).run(asyncio.Event())


class SilentCore(Core):
    """Answers with less than it was asked."""

    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:  # noqa: ARG002  # the port's
        """Answer nothing."""
        return []


async def test_an_answer_that_does_not_fit_is_an_error_and_commits_nothing() -> None:
    """A defect must not look like a recorded movement."""
    source = fed_with(event("a"))
    with pytest.raises(AdapterError, match="0 outcomes of 1 movements"):
        await Pump(source, SilentCore()).run(asyncio.Event())
    assert source.feed.committed == 0
