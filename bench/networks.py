"""Stock of a big network, written into the journals of a service before it starts, as its actors would leave them."""

from __future__ import annotations

import time
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn

from allocator.core import codec
from allocator.core.commands import Movement, MovementType
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.stock import StockColumns
from allocator.journal.store import JournalSettings, JournalStore
from allocator.logs import configure_logs
from allocator.runtime.folding import beside
from allocator.runtime.host import LedgerHost
from allocator.runtime.hosted import LOCATION_PREFIX, Hosted
from bench.errors import BenchError

UNIT: Final = "actor-0000"
"""What the only actor of a service writes; with more of them the service copies at its first start."""
NEVER: Final = 2**62


def write_stock(service_folder: Path, stock: Mapping[str, range], units: int) -> None:
    """Stock a service: at each location so many units of the SKUs of a range, see `sku_name`.

    Receipts of millions of SKUs over the API take minutes. Here each location executes one, so that it has a history,
    then its columns are filled as receipts would fill them, and a snapshot keeps that. What is missing is what ledgers
    remember of movements to tell repeats, which is bounded and does not grow with the SKUs.
    """
    configure_logs("error")
    folder = service_folder / "data" / "journal"
    folder.mkdir(parents=True)
    with JournalStore(str(folder)) as store:
        store.assign({UNIT: [LOCATION_PREFIX + location for location in stock]})
        with store.writer(UNIT) as journal:
            for location, skus in stock.items():
                item = Hosted(location, LedgerLimits())
                item.recover(journal)
                host = LedgerHost(journal, [item], time.time_ns, _die, NEVER, beside(JournalSettings(str(folder))))
                _fill(host, item, list(map(sku_name, skus)), units)
                host.snapshot_all()


def sku_name(i: int) -> str:
    """SKU number i."""
    return f"SKU-{i:08d}"


def _fill(host: LedgerHost, item: Hosted, skus: Sequence[str], units: int) -> None:
    receipt = Movement("bench", "opening", 0, skus[0], int(MovementType.RECEIPT), units)
    host.execute(codec.pack(({}, [(item.name, codec.tagged(receipt), "", "")])))
    ledger = item.machine
    assert isinstance(ledger, StockLedger)
    ledger.stock = StockColumns(skus)
    ledger.stock.on_hand = array("q", [units]) * len(skus)
    ledger.check_invariants()


def _die(reason: str) -> NoReturn:
    raise BenchError(reason)
