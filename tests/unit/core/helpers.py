"""Short words for the tests of the core: a ledger with stock, the commands, and `do`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

from allocator.core.commands import (
    Capacity,
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
    Transition,
    Write,
)
from allocator.core.events import Event, Expired
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S, LedgerLimits
from allocator.core.results import ReservationPage, ReservationView, StockPage, StockView

S = NS_PER_S
HOUR = 3600 * S
NOW = 1_000_000 * S
TTL = 900 * S
EVERYTHING = LedgerLimits()

Act: TypeAlias = Callable[..., Transition]
"""One of `commit`, `extend`, `release` and `fulfil`."""
Answer: TypeAlias = Any
"""What a ledger answers: each test knows which kind it asked for."""
Value: TypeAlias = Any
"""The value of some field of a command."""

_numbers = itertools.count(1)


def ledger_with(stock: dict[str, int], limits: LedgerLimits = EVERYTHING) -> StockLedger:
    """Make a ledger which received this stock a day ago."""
    ledger = StockLedger("here", limits)
    for sku, quantity in stock.items():
        do(ledger, receipt(sku, quantity), NOW - 24 * HOUR)
    return ledger


def do(ledger: StockLedger, command: Write | Movement, now_ns: int = NOW) -> Answer:
    """Execute a command and close the batch; the result only."""
    return do_with_events(ledger, command, now_ns)[0]


def do_with_events(ledger: StockLedger, command: Write | Movement, now_ns: int = NOW) -> tuple[Answer, list[Event]]:
    """Execute a command and close the batch, as the journal would."""
    result, events = ledger.execute(command, now_ns)
    if events:
        ledger.close_batch()
    return result, list(events)


def expire(ledger: StockLedger, now_ns: int) -> list[Expired]:
    """Let time pass; what expired."""
    return [event for event in ledger.tick(now_ns) if isinstance(event, Expired)]


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


def movement(kind: MovementType, sku: str, quantity: int, **others: Value) -> Movement:
    """Tell a movement under a fresh movement id, unless told otherwise."""
    told = {"source": "erp", "movement_id": f"m{next(_numbers)}", "sequence": 0, **others}
    return Movement(sku=sku, type=kind, quantity=quantity, **told)


def receipt(sku: str, quantity: int, **others: Value) -> Movement:
    """Goods came in."""
    return movement(MovementType.RECEIPT, sku, quantity, **others)


def sale(sku: str, quantity: int, **others: Value) -> Movement:
    """Goods were sold over the counter."""
    return movement(MovementType.SALE, sku, quantity, **others)


def damage(sku: str, quantity: int, **others: Value) -> Movement:
    """Goods turned out damaged."""
    return movement(MovementType.DISPOSITION_CHANGE, sku, quantity, disposition="damaged", **others)


def set_count(request_id: str, as_of_ns: int = NOW, **lines: int) -> SetCount:
    """Tell counts as of a time."""
    return SetCount(request_id, tuple(lines.items()), as_of_ns)


def policy(request_id: str, sku: str, **parts: Value) -> SetStockPolicy:
    """Set the policy of one SKU; `quotas` as a dictionary."""
    if "quotas" in parts:
        parts["quotas"] = tuple(parts["quotas"].items())
    return SetStockPolicy(request_id, (PolicyLine(sku, **parts),))


def picks(limit: int, measure: Measure = Measure.UNITS, **others: Value) -> Capacity:
    """So much can be picked per hour."""
    return Capacity(measure, HOUR, limit, **others)


def stock(ledger: StockLedger, sku: str) -> StockView:
    """Every component of one SKU."""
    page = ledger.query(GetStock((sku,)))
    assert isinstance(page, StockPage)
    return page.rows[0]


def reservation(ledger: StockLedger, of: str) -> ReservationView:
    """What was reserved under the request id `of`, as it stands."""
    page = ledger.query(GetReservation(f"r-{of}"))
    assert isinstance(page, ReservationPage)
    return page.rows[0]
