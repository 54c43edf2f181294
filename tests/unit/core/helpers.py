"""Short words for the tests of the core: a ledger with stock, the commands, and `do`."""

from __future__ import annotations

import itertools
from typing import Any

from allocator.core.commands import Capacity as Capacity
from allocator.core.commands import (
    Command,
    Commit,
    Extend,
    Fulfil,
    GetReservation,
    GetStock,
    Measure,
    Movement,
    MovementType,
    Policy,
    PolicyLine,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
)
from allocator.core.commands import Configure as Configure
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S, LedgerLimits
from allocator.core.results import ReservationView, StockView

S = NS_PER_S
HOUR = 3600 * S
NOW = 1_000_000 * S
TTL = 900 * S
EVERYTHING = LedgerLimits()

_numbers = itertools.count(1)


def ledger_with(stock: dict[str, int], limits: LedgerLimits = EVERYTHING) -> StockLedger:
    """Make a ledger which received this stock a day ago."""
    ledger = StockLedger("here", limits)
    for sku, quantity in stock.items():
        do(ledger, receipt(sku, quantity), NOW - 24 * HOUR)
    return ledger


def do(ledger: StockLedger, command: Command, now_ns: int = NOW) -> Any:
    """Execute a command and close the batch; the result only."""
    return do_with_events(ledger, command, now_ns)[0]


def do_with_events(ledger: StockLedger, command: Any, now_ns: int = NOW) -> tuple[Any, list[Any]]:
    """Execute a command and close the batch, as the journal would."""
    result, events = ledger.execute(command, now_ns)
    if events:
        ledger.close_batch()
    return result, list(events)


def reserve(request_id: str, **lines: int) -> Reserve:
    """Ask to hold units, all or nothing; change it with `_replace`."""
    return Reserve(request_id, f"r-{request_id}", tuple(lines.items()), TTL)


def partial(request_id: str, **lines: int) -> Reserve:
    """Ask to hold what there is."""
    return reserve(request_id, **lines)._replace(policy=Policy.PARTIAL)


def commit(request_id: str, of: str) -> Commit:
    """Commit what was reserved under the request id `of`."""
    return Commit(request_id, f"r-{of}")


def extend(request_id: str, of: str, ttl_ns: int = TTL) -> Extend:
    """Extend what was reserved under the request id `of`."""
    return Extend(request_id, f"r-{of}", ttl_ns)


def release(request_id: str, of: str, **lines: int) -> Release:
    """Release what was reserved under the request id `of`."""
    return Release(request_id, f"r-{of}", tuple(lines.items()))


def fulfil(request_id: str, of: str, **lines: int) -> Fulfil:
    """Fulfil what was reserved under the request id `of`."""
    return Fulfil(request_id, f"r-{of}", tuple(lines.items()))


def movement(kind: MovementType, sku: str, quantity: int, **others: Any) -> Movement:
    """Tell a movement under a fresh movement id, unless told otherwise."""
    told = {"source": "erp", "movement_id": f"m{next(_numbers)}", "sequence": 0, **others}
    return Movement(sku=sku, type=kind, quantity=quantity, **told)


def receipt(sku: str, quantity: int, **others: Any) -> Movement:
    """Goods came in."""
    return movement(MovementType.RECEIPT, sku, quantity, **others)


def sale(sku: str, quantity: int, **others: Any) -> Movement:
    """Goods were sold over the counter."""
    return movement(MovementType.SALE, sku, quantity, **others)


def damage(sku: str, quantity: int, **others: Any) -> Movement:
    """Goods turned out damaged."""
    return movement(MovementType.DISPOSITION_CHANGE, sku, quantity, disposition="damaged", **others)


def set_count(request_id: str, as_of_ns: int = NOW, **lines: int) -> SetCount:
    """Tell counts as of a time."""
    return SetCount(request_id, tuple(lines.items()), as_of_ns)


def policy(request_id: str, sku: str, **parts: Any) -> SetStockPolicy:
    """Set the policy of one SKU; `quotas` as a dictionary."""
    if "quotas" in parts:
        parts["quotas"] = tuple(parts["quotas"].items())
    return SetStockPolicy(request_id, (PolicyLine(sku, **parts),))


def picks(limit: int, measure: Measure = Measure.UNITS, **others: Any) -> Capacity:
    """So much can be picked per hour."""
    return Capacity(measure, HOUR, limit, **others)


def stock(ledger: StockLedger, sku: str) -> StockView:
    """Every component of one SKU."""
    page: Any = ledger.query(GetStock((sku,)))
    row: StockView = page.rows[0]
    return row


def reservation(ledger: StockLedger, of: str) -> ReservationView:
    """What was reserved under the request id `of`, as it stands."""
    page: Any = ledger.query(GetReservation(f"r-{of}"))
    view: ReservationView = page.rows[0]
    return view
