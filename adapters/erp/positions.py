"""A location's ledger, replayed from the journal, for the positions that an ERP gets.

The ledger stays in memory and goes on from there: reading it anew for each refresh would cost the whole stock of a
location every few seconds, this costs what changed. It takes what the location's own process has for stock, about
150 bytes per SKU besides its name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adapters.erp.port import Position
from allocator.core.events import Event
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.journal import JournalReader, Trimmed
from allocator.core import codec


class LedgerReplica:
    """A ledger that follows the journal.

    Attributes:
        ledger: as of its version.
    """

    def __init__(self, ledger: StockLedger) -> None:
        self.ledger = ledger
        self._changed: set[int] = set()
        self._whole = True
