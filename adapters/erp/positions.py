"""A location's ledger, replayed from the journal, for the positions that an ERP gets.

The ledger stays in memory and is replayed further: reading it anew for each refresh would cost the whole stock of a
location every few seconds, this costs what changed. It takes what the location's own process has for it, about 150
bytes per SKU besides its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from adapters.erp.port import Position
from allocator.core import codec
from allocator.core.events import Event
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.journal import JournalReader, Trimmed

READ_MAX: Final = 500
"""Entries read at once."""
_ATTEMPTS_MAX: Final = 5


class LedgerReplica:
    """A ledger that follows the journal.

    Args:
        ledger: to begin with.

    Attributes:
        whole: whether all of its positions are to be put, and not only those that changed.
    """

    def __init__(self, ledger: StockLedger) -> None:
        self.ledger = ledger
        self.whole = True
        self._changed: set[int] = set()

    @property
    def version(self) -> int:
        """The last entry in it."""
        return self.ledger.version

    def follow(self, version: int, events: Sequence[Event]) -> None:
        """Replay an entry, unless it is in the ledger already."""
        if version > self.ledger.version:
            self.ledger.replay(version, events)
            self._changed.update(self.ledger.drain_changes())

    def positions(self) -> Iterator[Position]:
        """Those that changed since `mark_put`, or all."""
        indexes = range(len(self.ledger.stock)) if self.whole else sorted(self._changed)
        return (_position(self.ledger, i) for i in indexes)

    def mark_put(self) -> None:
        """Note that the ERP has the positions."""
        self.whole = False
        self._changed.clear()

    def order_of(self, reservation: str) -> str:
        """The order of a reservation; "" when it has none or is forgotten."""
        book = self.ledger.reservations
        found = book.by_id.get(book.parts.get(reservation, [reservation])[0])
        return found.order if found is not None else ""


def load_ledger(
    reader: JournalReader, shard: str, location: str, *, version_min: int, limits: LedgerLimits
) -> StockLedger:
    """Restore a ledger from its newest snapshot, and replay the journal up to `version_min` if that is later.

    Args:
        reader: of the journal.
        shard: the ledger's log.
        location: whose ledger it is.
        version_min: the least version it is to have; the snapshot's may be greater.
        limits: of its tables, if there is no snapshot to take them from.

    Raises:
        JournalError: the journal cannot be read.
    """
    for attempt in range(_ATTEMPTS_MAX):
        snapshot = reader.latest_snapshot(shard)
        ledger = StockLedger(location, limits) if snapshot is None else StockLedger.restore(snapshot.payload)
        try:
            while ledger.version < version_min:
                for entry in reader.read(shard, ledger.version, min(READ_MAX, version_min - ledger.version)):
                    ledger.replay(entry.version, [event for event, _, _ in codec.unpack_batch(entry.payload)])
        except Trimmed:  # behind a newer snapshot, saved meanwhile
            if attempt == _ATTEMPTS_MAX - 1:
                raise
        else:
            ledger.drain_changes()
            return ledger
    raise AssertionError  # the last attempt returned or raised


def _position(ledger: StockLedger, i: int) -> Position:
    stock = ledger.stock
    return Position(
        stock.skus[i],
        stock.on_hand[i],
        stock.unsellable[i],
        stock.held[i],
        stock.committed[i],
        stock.safety_stock[i],
        max(0, stock.free(i) - ledger.quotas.unused_by_others(i, "")),
    )
