"""The loop from a source to the core: several batches under way, positions committed in order, nothing dropped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog

from adapters.errors import AdapterError, BatchInvalidError, CoreUnavailableError
from adapters.formats import FormatError, RejectClass, RejectedBy, StockMovement
from adapters.sources.core import Core, MovementStatus, Outcome
from adapters.sources.port import Batch, MovementSource, Record, Rejection
from allocator.core.commands import MovementType

BATCH_MAX: Final = 1_000
"""Records of one batch."""
IN_FLIGHT_MAX: Final = 4
"""Batches fetched and not committed. Movements commute: they need no order, but for counts without a time."""
DRAIN_S: Final = 10.0
"""How long what is under way may take once the pump is told to stop; what is left comes again after a restart."""
RETRY_MIN_S: Final = 0.1
RETRY_MAX_S: Final = 10.0

log = structlog.get_logger("adapters.pump")


@dataclass(slots=True)
class PumpCounts:
    """What became of the records since the pump started.

    Attributes:
        applied: recorded, those that a later count has already among them.
        duplicates: recorded before.
        unreadable, unknown_location, location_stopped, refused: set aside, by class.
        retries: batches sent again.
    """

    applied: int = 0
    duplicates: int = 0
    unreadable: int = 0
    unknown_location: int = 0
    location_stopped: int = 0
    refused: int = 0
    retries: int = 0

    def settle(self, rejection: Rejection) -> None:
        """Count one record that was set aside."""
        name = rejection.reject_class.value
        setattr(self, name, getattr(self, name) + 1)


class _Settled(NamedTuple):
    """A batch whose movements are durable, and what has to be set aside of it."""

    position: object
    rejections: list[tuple[Record, Rejection]]


class Pump:
    """Feeds a source's movements to the core.

    Args:
        source: open; its owner closes it.
        core: records the movements.
        batch_max: records fetched at once.
        in_flight_max: batches fetched and not committed.
        drain_s: see `DRAIN_S`.
        counts: to go on counting in.
    """

    def __init__(
        self,
        source: MovementSource,
        core: Core,
        *,
        batch_max: int = BATCH_MAX,
        in_flight_max: int = IN_FLIGHT_MAX,
        drain_s: float = DRAIN_S,
        counts: PumpCounts | None = None,
    ) -> None:
        self._source, self._core = source, core
        self._batch_max, self._drain_s = batch_max, drain_s
        self._room = asyncio.Semaphore(in_flight_max)
        self.counts = counts or PumpCounts()

    async def run(self, stop: asyncio.Event) -> None:
        """Pump until `stop` is set, then finish what is under way.

        Raises:
            AllocatorError, OSError: the source failed.
        """
        working = asyncio.create_task(self._work(stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            done, _ = await asyncio.wait({working}, timeout=self._drain_s)
            if done:
                working.result()
            else:
                log.warning("stopped before all was recorded; the rest comes again after a restart")
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _work(self, stop: asyncio.Event) -> None:
        batches: asyncio.Queue[asyncio.Task[_Settled] | None] = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._fetch(stop, batches, group))
                group.create_task(self._commit(batches))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _fetch(
        self, stop: asyncio.Event, batches: asyncio.Queue[asyncio.Task[_Settled] | None], group: asyncio.TaskGroup
    ) -> None:
        recording: set[asyncio.Task[_Settled]] = set()
        while not stop.is_set():
            await self._room.acquire()
            batch = await self._source.fetch(self._batch_max)
            if batch is None:
                self._room.release()
                continue
            alone = _has_open_count(batch)
            if alone and recording:
                await asyncio.wait(recording)
            task = group.create_task(self._deliver(batch))
            batches.put_nowait(task)
            recording.add(task)
            task.add_done_callback(recording.discard)
            if alone:
                await asyncio.wait(recording)
        batches.put_nowait(None)

    async def _commit(self, batches: asyncio.Queue[asyncio.Task[_Settled] | None]) -> None:
        """Commit batches in the order they were fetched, whichever is recorded first."""
        while (task := await batches.get()) is not None:
            position, rejections = await task
            for record, rejection in rejections:
                await self._source.dead_letter(record, rejection)
                self.counts.settle(rejection)
            await self._source.commit(position)
            self._room.release()

    async def _deliver(self, batch: Batch) -> _Settled:
        movements = [record.outcome for record in batch.records if isinstance(record.outcome, StockMovement)]
        outcomes = [outcome for group in _groups(movements) for outcome in await self._record(group)]
        if len(outcomes) != len(movements):
            raise AdapterError(f"the core told {len(outcomes)} outcomes of {len(movements)} movements")
        each = iter(outcomes)
        rejections = []
        for record in batch.records:
            rejection = self._judge(record, each)
            if rejection is not None:
                rejections.append((record, rejection))
        if rejections:
            first, rejection = rejections[0]
            log.warning("set aside", records=len(rejections), place=str(first.place), reason=rejection.reason)
        return _Settled(batch.position, rejections)

    def _judge(self, record: Record, outcomes: Iterator[Outcome]) -> Rejection | None:
        """Count what became of a record, or tell why it is set aside."""
        if isinstance(record.outcome, FormatError):
            return Rejection(RejectClass.UNREADABLE, RejectedBy.FORMAT, str(record.outcome))
        outcome = next(outcomes)
        if outcome.status is MovementStatus.REJECTED:
            return Rejection(outcome.reject_class, RejectedBy.CORE, outcome.reason)
        if outcome.status is MovementStatus.DUPLICATE:
            self.counts.duplicates += 1
        else:
            self.counts.applied += 1
        return None

    async def _record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record movements, however long that takes; one that no batch can hold is rejected by itself."""
        delay_s = RETRY_MIN_S
        while True:
            try:
                return await self._core.record(movements)
            except BatchInvalidError as error:
                if len(movements) == 1:
                    return [Outcome(MovementStatus.REJECTED, reason=str(error))]
                half = len(movements) // 2
                return [*await self._record(movements[:half]), *await self._record(movements[half:])]
            except CoreUnavailableError as error:
                self.counts.retries += 1
                log.warning("will try again", movements=len(movements), wait_s=delay_s, error=str(error))
                await asyncio.sleep(max(delay_s, error.retry_after_s))
                delay_s = min(2 * delay_s, RETRY_MAX_S)


def _groups(movements: Sequence[StockMovement]) -> Iterator[Sequence[StockMovement]]:
    """Cut movements after counts without a time: what is recorded together happens at one time, and is counted."""
    start = 0
    for n in range(1, len(movements)):
        if _is_open_count(movements[n - 1]) and not _is_open_count(movements[n]):
            yield movements[start:n]
            start = n
    if movements:
        yield movements[start:]


def _has_open_count(batch: Batch) -> bool:
    return any(isinstance(record.outcome, StockMovement) and _is_open_count(record.outcome) for record in batch.records)


def _is_open_count(movement: StockMovement) -> bool:
    """Whether it is a count without a time: it is true only in its place among the movements around it."""
    return movement.type is MovementType.COUNT and not movement.occurred_ns
