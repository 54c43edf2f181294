"""Locations with a real journal behind them, and an ERP in memory that follows it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

from adapters.erp.exporter import Exporter
from adapters.erp.follower import SHARD_PREFIX
from adapters.erp.port import ErpOptions, ErpTarget, Position, Posting, Refusal
from adapters.errors import TargetUnavailableError
from allocator.core import codec
from allocator.core.commands import ListStock, Movement, MovementType
from allocator.core.commands import Write as Command
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S, LedgerLimits
from allocator.core.protocol.answers import Outcome
from allocator.core.results import Result, StockPage
from allocator.journal import Entry, Journal, JournalStore, Snapshot, Write
from tests.unit.adapters.helpers import LOCATION, NOW_NS

LIMITS = LedgerLimits()
Change = Command | Movement


class Locations:
    """Ledgers that journal what they do, one entry for each batch.

    Attributes:
        ledgers: by location.
        now_ns: their clock.
    """

    def __init__(self, store: JournalStore) -> None:
        self.journal: Journal = store.writer("unit")
        self.ledgers: dict[str, StockLedger] = {}
        self.now_ns = NOW_NS
        self._epochs: dict[str, int] = {}

    def do(
        self, *commands: Change, location: str = LOCATION, call: tuple[str, str] = ("", "")
    ) -> list[Result | Outcome]:
        """Execute commands in one batch, journal their events, and return the results."""
        ledger = self.ledgers.get(location) or self._open(location)
        results: list[Result | Outcome] = []
        records: list[codec.Record] = []
        for command in commands:
            result, events = ledger.execute(command, self.now_ns)
            results.append(result)
            records += [(event, *call) for event in events]
        if records:
            version = ledger.close_batch()
            self.append(location, version, codec.pack_batch(records))
        return results

    def append(self, location: str, version: int, payload: bytes) -> None:
        """Add an entry to the journal of a location."""
        shard = SHARD_PREFIX + location
        self.journal.append([Write(shard, self._epochs[location], Entry(version, payload))])

    def save(self, location: str = LOCATION) -> None:
        """Save a snapshot and cut behind it."""
        ledger, shard = self.ledgers[location], SHARD_PREFIX + location
        self.journal.save_snapshot(shard, self._epochs[location], Snapshot(ledger.version, ledger.snapshot()))
        self.journal.cut(shard)

    def positions(self, location: str = LOCATION) -> dict[str, Position]:
        """What an ERP should know, told by the ledger's own query."""
        ledger = self.ledgers[location]
        page = ledger.query(ListStock(0, 1_000))
        assert isinstance(page, StockPage)
        return {
            row.sku: Position(
                row.sku,
                row.on_hand,
                sum(units for _, units in row.unsellable),
                row.held,
                row.committed,
                row.safety_stock,
                row.available,
            )
            for row in page.rows
        }

    def _open(self, location: str) -> StockLedger:
        self._epochs[location] = self.journal.open(SHARD_PREFIX + location).epoch
        ledger = self.ledgers[location] = StockLedger(location)
        return ledger


class ErpMemory:
    """The database of a `MemoryErp`: outlives it.

    Attributes:
        failing: raised at the next call, once.
        forbidden: SKUs it does not know.
    """

    def __init__(self) -> None:
        self.cursors: dict[str, int] = {}
        self.postings: list[Posting] = []
        self.set_aside: list[Posting] = []
        self.positions: dict[str, dict[str, Position]] = {}
        self.positions_versions: dict[str, int] = {}
        self.failing: Exception | None = None
        self.forbidden: set[str] = set()


class MemoryErp(ErpTarget):
    """An ERP in memory."""

    Options = ErpOptions

    def __init__(
        self,
        name: str,  # noqa: ARG002  # the port's
        options: ErpOptions,  # noqa: ARG002  # the port's
        data_dir: Path,  # noqa: ARG002  # the port's
        memory: ErpMemory | None = None,
    ) -> None:
        self.memory = memory or ErpMemory()

    def open(self) -> None:
        """Nothing to connect to."""
        self._may_fail()

    def cursor(self, location: str) -> int:
        """Return how far it is."""
        self._may_fail()
        return self.memory.cursors.get(location, 0)

    def post(self, location: str, version: int, postings: Sequence[Posting], posted_ns: int) -> tuple[Refusal, ...]:
        """Post what follows the cursor."""
        self._may_fail()
        assert posted_ns > 0
        cursor = self.memory.cursors.get(location, 0)
        new = [posting for posting in postings if posting.version > cursor]
        refused = [posting for posting in new if posting.sku in self.memory.forbidden]
        self.memory.postings += [posting for posting in new if posting not in refused]
        self.memory.set_aside += refused
        self.memory.cursors[location] = max(cursor, version)
        return tuple(Refusal(posting.posting_id, f"unknown product {posting.sku}") for posting in refused)

    def put_positions(
        self, location: str, version: int, positions: Iterable[Position], *, whole: bool
    ) -> tuple[Refusal, ...]:
        """Replace positions."""
        self._may_fail()
        if version < self.memory.positions_versions.get(location, 0):
            return ()
        known = {} if whole else dict(self.memory.positions.get(location, {}))
        self.memory.positions[location] = known | {position.sku: position for position in positions}
        self.memory.positions_versions[location] = version
        return ()

    def close(self) -> None:
        """Nothing to let go of."""

    def _may_fail(self) -> None:
        failing, self.memory.failing = self.memory.failing, None
        if failing is not None:
            raise failing


class Following:
    """An exporter as one process has it, driven round by round.

    Attributes:
        now_ns: its clock; each look is a second later, so that positions are due.
    """

    def __init__(self, store: JournalStore, target: ErpTarget, name: str = "erp", *, positions: bool = True) -> None:
        self.now_ns = NOW_NS
        options = ErpOptions(poll_s=0.001, positions=positions, positions_s=0)
        self.exporter = Exporter(name, target, store, options=options, limits=LIMITS, clock_ns=self._tick)
        store.register_cursor(name)
        self._reader = store.reader()

    def round(self) -> bool:
        """Look at every location once."""
        return self.exporter.round(self._reader, threading.Event())

    def catch_up(self) -> None:
        """Look until there is no more, whatever fails on the way."""
        more = True
        while more:
            try:
                more = self.round()
            except TargetUnavailableError:
                more = True

    def close(self) -> None:
        """End the process."""
        self._reader.close()

    def _tick(self) -> int:
        self.now_ns += NS_PER_S
        return self.now_ns


def receipt(sku: str, quantity: int, movement_id: str, disposition: str = "") -> Movement:
    """Goods that came in."""
    return Movement("//wms/1", movement_id, 0, sku, MovementType.RECEIPT, quantity, disposition)
