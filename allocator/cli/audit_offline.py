"""The audit of a journal: every ledger rebuilt, its counters recomputed, on hand recounted from the movements."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from allocator.cli.findings import Finding
from allocator.cli.journals import batches, rebuild
from allocator.core.errors import AllocatorError, BrokenInvariantError
from allocator.core.events import Counted, Fulfilled, Moved
from allocator.core.ledger import StockLedger
from allocator.core.protocol.types import Followed
from allocator.journal import JournalUnavailable, Trimmed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allocator.cli.journals import Archive
    from allocator.core.events import Event


def audit_shard(opened: Archive, location: str, shard: str) -> Finding:
    """Rebuild a ledger and check it; damage is drift too.

    Raises:
        JournalUnavailable: the journal cannot be read at all.
    """
    try:
        ledger = rebuild(opened, location, shard)
    except JournalUnavailable:
        raise
    except AllocatorError as error:
        return Finding(location, 0, 0, 0, checked="", drift=(str(error),))
    drift = [] if (problem := _broken(ledger)) is None else [problem]
    whole = opened.reader.status(shard).first_available == 1
    if whole:
        try:
            drift += _recount(opened, shard, ledger)
        except Trimmed:
            whole = False  # The service cut its log meanwhile.
    return Finding(
        location,
        ledger.version,
        len(ledger.stock),
        ledger.reservations.live_count,
        checked="counters, whole log" if whole else "counters",
        drift=tuple(drift),
        shortages=tuple(_shortages(ledger)),
    )


def counted_on_hand(batches_of_events: Iterable[tuple[int, Iterable[Event]]]) -> Counter[str]:
    """On hand by SKU as the events alone have it: what moved, what was counted, what was fulfilled."""
    units: Counter[str] = Counter()
    for _, events in batches_of_events:
        for event in events:
            if isinstance(event, Moved):
                units[event.movement.sku] += event.delta
            elif isinstance(event, Counted):
                units.update({line.sku: line.after - line.before for line in event.result.lines})
            elif isinstance(event, Fulfilled):
                units.subtract(dict(event.lines))
            elif isinstance(event, Followed):
                units.subtract(dict(event.fulfilled))
                units.subtract(dict(event.lost))
    return units


def _recount(opened: Archive, shard: str, ledger: StockLedger) -> list[str]:
    """What the whole log says otherwise: on hand SKU by SKU, and the replay from its first entry byte by byte."""
    again = StockLedger(ledger.location, ledger.limits)
    try:
        expected = counted_on_hand(_replayed(again, batches(opened.reader, shard, 0, ledger.version)))
    except BrokenInvariantError as error:
        return [str(error)]
    drift = [
        f"{sku}: on hand is {units}, its movements add up to {expected[sku]}"
        for sku, units in zip(ledger.stock.skus, ledger.stock.on_hand, strict=True)
        if units != expected[sku]
    ]
    if again.snapshot() != ledger.snapshot():
        drift.append("a replay of the whole log differs from the snapshot with its tail")
    return drift


def _replayed(
    ledger: StockLedger, batches_of_events: Iterable[tuple[int, list[Event]]]
) -> Iterator[tuple[int, list[Event]]]:
    for version, events in batches_of_events:
        ledger.replay(version, events)
        yield version, events


def _broken(ledger: StockLedger) -> str | None:
    try:
        ledger.check_invariants()
    except BrokenInvariantError as error:
        return str(error)
    return None


def _shortages(ledger: StockLedger) -> Iterator[str]:
    for i, sku in enumerate(ledger.stock.skus):
        missing = ledger.stock.missing(i)
        if missing > 0:
            yield f"{sku}: {missing} promised and not there"
