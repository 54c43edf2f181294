"""Supplies told by the API and by movements: announced, replaced, received, ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.checks import invalid
from allocator.core.commands import MovementType, SetSupply, SupplyKind, SupplyLine
from allocator.core.events import SupplySet
from allocator.core.limits import LINES_MAX, QUANTITY_MAX, SUPPLIES_PER_SKU_MAX
from allocator.core.results import Done, Reason, Rejected

if TYPE_CHECKING:
    from allocator.core.commands import Movement
    from allocator.core.ledger import Decision, StockLedger

RECEIVING = (MovementType.RECEIPT, MovementType.TRANSFER_IN)
_KINDS = (0, *(kind.value for kind in SupplyKind))


def decide(ledger: StockLedger, command: SetSupply, now_ns: int) -> Decision:
    """Take all lines or none."""
    problem = _problem(ledger, command)
    return (problem, ()) if problem is not None else (Done(), (SupplySet(now_ns, command),))


def apply(ledger: StockLedger, event: SupplySet) -> None:
    """Make the announcements so."""
    for line in event.command.lines:
        i = ledger.stock.add(line.sku)
        ledger.supply.announce(i, line, event.at_ns)
        ledger.waiting.stir(i, line.supply)
        ledger.touch(i)


def apply_movement(ledger: StockLedger, i: int, movement: Movement, occurred_ns: int) -> None:
    """Take over what a movement tells of a supply; an announcement older than what is known changes nothing."""
    book, line = ledger.supply, _line_of(movement)
    if movement.type != MovementType.SUPPLY:
        book.receive(i, line, occurred_ns, final=movement.final)
    elif not book.is_older(line.supply, line.sku, occurred_ns):
        book.announce(i, line, occurred_ns)
    ledger.waiting.stir(i, line.supply)


def is_late(ledger: StockLedger, movement: Movement, occurred_ns: int) -> bool:
    """Whether `movement` announces a supply of which something newer is known."""
    announces = movement.type == MovementType.SUPPLY
    return announces and ledger.supply.is_older(movement.supply, movement.sku, occurred_ns)


def movement_problem(ledger: StockLedger, movement: Movement) -> tuple[str, str] | None:
    """What is wrong with the parts of a movement that tell of a supply, as (reason, detail)."""
    kind = movement.type
    if kind == MovementType.SUPPLY:
        return _announcement_problem(ledger, movement)
    if movement.expect_ns or movement.supply_kind:
        return "INVALID", "expect_time and supply_kind are for SUPPLY only"
    if (movement.supply or movement.final) and kind not in RECEIVING:
        return "INVALID", "supply and final are for SUPPLY, RECEIPT and TRANSFER_IN only"
    if movement.final and not movement.supply:
        return "INVALID", "final needs the supply that it ends"
    return None


def _announcement_problem(ledger: StockLedger, movement: Movement) -> tuple[str, str] | None:
    if not movement.supply:
        return "INVALID", "supply must name what is expected"
    if movement.final or movement.disposition:
        return "INVALID", "final and disposition are not for SUPPLY"
    problem = _line_problem(_line_of(movement)) or _room_problem(ledger, (_line_of(movement),))
    return (Reason(problem.reason).name, f"{problem.field}: {problem.detail}") if problem is not None else None


def _line_of(movement: Movement) -> SupplyLine:
    return SupplyLine(movement.supply, movement.sku, movement.quantity, movement.expect_ns, movement.supply_kind)


def _problem(ledger: StockLedger, command: SetSupply) -> Rejected | None:
    lines = command.lines
    if not 0 < len(lines) <= LINES_MAX:
        return invalid("lines", f"{len(lines)} lines; 1 to {LINES_MAX} are allowed")
    seen: set[tuple[str, str]] = set()
    for n, line in enumerate(lines):
        if (line.supply, line.sku) in seen:
            return invalid(f"lines[{n}].sku", f"SKU {line.sku!r} stands there twice for supply {line.supply!r}")
        seen.add((line.supply, line.sku))
        problem = _line_problem(line)
        if problem is not None:
            return problem._replace(field=f"lines[{n}].{problem.field}")
    new = {line.sku for line in lines}.difference(ledger.stock.index)
    if len(ledger.stock) + len(new) > ledger.limits.skus_max:
        return Rejected(Reason.TABLE_FULL, "lines", f"{ledger.limits.skus_max} SKUs are the most there may be here")
    return _room_problem(ledger, lines)


def _line_problem(line: SupplyLine) -> Rejected | None:
    if not line.supply:
        return invalid("supply", "it must be set")
    if not 0 <= line.quantity <= QUANTITY_MAX:
        return invalid("quantity", f"{line.quantity}; 0 to {QUANTITY_MAX} are allowed")
    if line.expect_ns <= 0 and line.quantity:
        return invalid("expect_time", "it must be set for units that are expected")
    if line.kind not in _KINDS:
        return invalid("kind", f"{line.kind}; PURCHASE_ORDER or TRANSFER are allowed")
    return None


def _room_problem(ledger: StockLedger, lines: tuple[SupplyLine, ...]) -> Rejected | None:
    """Whether there are too many supplies in all, or open ones of one SKU."""
    book = ledger.supply
    opened: dict[str, int] = {}
    for line in lines:
        holders = book.by_sku.get(ledger.stock.index.get(line.sku, -1), {})
        if line.quantity and (line.supply, line.sku) not in holders:
            opened[line.sku] = opened.get(line.sku, 0) + 1
            if len(holders) + opened[line.sku] > SUPPLIES_PER_SKU_MAX:
                detail = f"{SUPPLIES_PER_SKU_MAX} open supplies of SKU {line.sku!r} are the most there may be"
                return Rejected(Reason.TABLE_FULL, "supply", detail)
    if sum(opened.values()) > book.room():
        detail = f"{book.supplies_max} open supplies are the most there may be here"
        return Rejected(Reason.TABLE_FULL, "supply", detail)
    return None
