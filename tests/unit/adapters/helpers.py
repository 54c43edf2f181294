"""Short words for the tests of the adapters: lines of a feed, a core of real ledgers, a source in memory."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from adapters.formats import StockMovement
from adapters.formats.cloudevents import parse_event
from adapters.sources.core import Core, MovementStatus, Outcome
from adapters.sources.port import Batch, MovementSource, Progress, Record, Rejection
from adapters.sources.pump import Pump, PumpCounts
from allocator.core.commands import MovementType
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S
from allocator.core.results import MovementResult

NOW_NS = 1_760_000_000 * NS_PER_S
LOCATION = "london-1"


def event(
    movement_id: str, quantity: object = 1, *, envelope: dict[str, object] | None = None, **data: object
) -> bytes:
    """One line: a receipt of SKU-1 at london-1, unless told otherwise."""
    whole: dict[str, object] = {
        "specversion": "1.0",
        "id": movement_id,
        "source": "//pos/1",
        "type": "stock.movement",
        "partitionkey": LOCATION,
        "data": {"sku": "SKU-1", "type": "receipt", "quantity": quantity, **data},
    }
    return json.dumps(whole | (envelope or {})).encode()


def movement(movement_id: str, quantity: int = 1, **fields: str | int) -> StockMovement:
    """A receipt of SKU-1 at london-1, unless told otherwise."""
    plain = StockMovement(LOCATION, "//pos/1", movement_id, 0, "SKU-1", MovementType.RECEIPT, quantity)
    return StockMovement(**{**plain._asdict(), **fields})


class LedgerCore(Core):
    """Records into real ledgers, a second later with each batch, and fails as it is told.

    Attributes:
        ledgers: by location; others are unknown.
        before, after: errors to raise, one for each call, before or after its movements are recorded; None: none.
        batches: sizes of the batches that came.
    """

    def __init__(self, *locations: str) -> None:
        self.ledgers = {name: StockLedger(name) for name in locations or (LOCATION,)}
        self.before: deque[Exception | None] = deque()
        self.after: deque[Exception | None] = deque()
        self.batches: list[int] = []
        self._now_ns = NOW_NS

    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record a batch; see `Core.record`."""
        self.batches.append(len(movements))
        _raise_next(self.before)
        await asyncio.sleep(0)  # lets others in, as a call would
        self._now_ns += NS_PER_S
        outcomes = [self._record(movement) for movement in movements]
        _raise_next(self.after)
        return outcomes

    def on_hand(self, location: str = LOCATION) -> dict[str, int]:
        """Units by SKU."""
        stock = self.ledgers[location].stock
        return dict(zip(stock.skus, stock.on_hand, strict=True))

    def _record(self, movement: StockMovement) -> Outcome:
        ledger = self.ledgers.get(movement.location)
        if ledger is None:
            return Outcome(MovementStatus.REJECTED, unknown_location=True, reason="LOCATION_UNKNOWN: no such location")
        result, events = ledger.execute(movement.command(), self._now_ns)
        assert isinstance(result, MovementResult)
        if events:
            ledger.close_batch()
        status = list(MovementStatus)[result.status - 1]
        return Outcome(status, reason=f"{result.reason}: {result.detail}" if result.reason else "")


class DeadLetter(NamedTuple):
    """A record that was set aside, as the outside finds it."""

    raw: bytes
    reject_class: str
    by: str
    reason: str


class MemoryFeed:
    """The outside of a `MemorySource`: outlives it."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.committed = 0
        self.dead: list[DeadLetter] = []


class MemoryOptions(BaseModel):
    """A source in memory has no settings."""


class MemorySource(MovementSource):
    """A source of events in memory; positions are counts of records."""

    Options = MemoryOptions

    def __init__(
        self,
        name: str,  # noqa: ARG002  # the port's
        options: MemoryOptions,  # noqa: ARG002  # the port's
        data_dir: Path,  # noqa: ARG002  # the port's
        feed: MemoryFeed | None = None,
    ) -> None:
        self.feed = feed or MemoryFeed()
        self._next = 0
        self._dead: list[DeadLetter] = []

    async def open(self) -> None:
        """Go on after what is committed."""
        self._next = self.feed.committed

    async def fetch(self, limit: int) -> Batch | None:
        """Return the next records."""
        raw = self.feed.raw[self._next : self._next + limit]
        if not raw:
            await asyncio.sleep(0)
            return None
        start, self._next = self._next, self._next + len(raw)
        records = (Record(line, parse_event(n, line), n) for n, line in enumerate(raw, start + 1))
        return Batch(tuple(records), self._next)

    async def commit(self, position: object) -> None:
        """Note the position."""
        assert isinstance(position, int)
        assert position > self.feed.committed, "batches are committed in order"
        self.feed.committed = position
        self.feed.dead += self._dead
        self._dead = []

    async def dead_letter(self, record: Record, rejection: Rejection) -> None:
        """Keep a record."""
        self._dead.append(DeadLetter(record.raw, rejection.reject_class, rejection.by, rejection.reason))

    async def progress(self) -> Progress:
        """Tell how many records wait."""
        return Progress(len(self.feed.raw) - self.feed.committed, {})

    async def close(self) -> None:
        """Nothing to let go of."""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(60):
        while not await condition():  # what is waited for has no event of its own
            await asyncio.sleep(0)


async def pump_all(source: MovementSource, core: Core, *, batch_max: int = 1_000) -> PumpCounts:
    """Open a source, pump until nothing waits, and close it."""
    async with source:
        pump = Pump(source, core, batch_max=batch_max)
        stop = asyncio.Event()
        running = asyncio.create_task(pump.run(stop))

        async def settled() -> bool:
            return running.done() or not (await source.progress()).waiting

        try:
            await until(settled)
        finally:
            stop.set()
            await running
    return pump.counts


def _raise_next(errors: deque[Exception | None]) -> None:
    error = errors.popleft() if errors else None
    if error is not None:
        raise error
