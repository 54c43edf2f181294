"""Movements and counts of the reference model."""

from __future__ import annotations

from copy import deepcopy

from allocator.core.commands import Movement, MovementType, SetCount
from allocator.core.limits import LedgerLimits
from allocator.core.results import (
    CountLine,
    CountResult,
    CountStatus,
    MovementResult,
    MovementStatus,
    Reason,
    Rejected,
)
from tests.unit.core.reference_books import Books
from tests.unit.core.reference_state import SeenMovement, trim

SEQUENCES_REMEMBERED = 4096
INCOMING = (MovementType.RECEIPT, MovementType.RETURN, MovementType.TRANSFER_IN, MovementType.ADJUSTMENT)
SOLD = (MovementType.SALE, MovementType.SHIPMENT)


def movement(books: Books, told: Movement, now: int) -> MovementResult:
    """Take in a movement."""
    sku, occurred_ns = told.sku, min(told.occurred_ns or now, now)
    if sku not in books.skus and len(books.skus) >= books.limits.skus_max:
        return MovementResult(MovementStatus.REJECTED, sku, 0, Reason.TABLE_FULL.name)
    if _seen(books, told):
        return MovementResult(MovementStatus.DUPLICATE, sku, books.on_hand(sku))
    refusal = _count_refusal(books, sku, occurred_ns) if told.type == MovementType.COUNT else None
    if refusal:
        return MovementResult(MovementStatus.REJECTED, sku, books.on_hand(sku), refusal.name)
    books.register(sku)
    before = books.sellable(sku)
    status = _move(books, told, occurred_ns, now)
    _fulfil_by(books, told, now)
    _mark_seen(books, told, books.limits, now)
    shortage = books.note_shortage(sku, before)
    return MovementResult(status, sku, books.on_hand(sku), shortage=shortage)


def _move(books: Books, told: Movement, occurred_ns: int, now: int) -> MovementStatus:
    signed = told.quantity if told.type in INCOMING else -told.quantity
    if told.type == MovementType.DISPOSITION_CHANGE:
        books.move_disposition(told.sku, told.from_disposition, told.disposition, told.quantity)
        return MovementStatus.APPLIED
    if told.type == MovementType.COUNT:
        _count(books, told.sku, _after_count(books, told.sku, told.quantity, occurred_ns), occurred_ns, now)
        return MovementStatus.APPLIED
    books.move_disposition(told.sku, "", told.disposition, signed)
    watermark_ns = books.watermarks.get(told.sku, 0)
    if occurred_ns < watermark_ns or (occurred_ns == watermark_ns and told.occurred_ns):
        return MovementStatus.LATE_APPLIED
    books.change_on_hand(told.sku, signed, occurred_ns, now)
    return MovementStatus.APPLIED


def _fulfil_by(books: Books, told: Movement, now: int) -> None:
    found = books.find(told.reservation) if told.type in SOLD else None
    if found is None or not found.live:
        return
    units = min(found.open(told.sku), told.quantity)
    if units:
        books.fulfil(found, told.sku, units)
        books.close_if_done(found, now)


def _seen(books: Books, told: Movement) -> bool:
    if told.sequence == 0:
        key = (told.source, told.movement_id)
        return any((seen.source, seen.movement_id) == key for seen in books.movement_ids)
    window = sorted(books.sequences.get(told.source, ()))[-SEQUENCES_REMEMBERED:]
    too_old = len(window) == SEQUENCES_REMEMBERED and told.sequence < window[0]
    return too_old or told.sequence in window


def _mark_seen(books: Books, told: Movement, limits: LedgerLimits, now: int) -> None:
    books.clock_ns = now
    if told.sequence:
        books.sequences.setdefault(told.source, set()).add(told.sequence)
        return
    books.movement_ids.append(SeenMovement(now, told.source, told.movement_id))
    trim(books.movement_ids, limits.movement_ids_max, limits.movements_age_ns, now)


def set_count(books: Books, command: SetCount, now: int) -> CountResult | Rejected:
    """Set on_hand to what was counted and what happened since."""
    for position, (sku, _) in enumerate(command.lines):
        if sku not in books.skus:
            return Rejected(Reason.SKU_UNKNOWN, f"lines[{position}].sku", "")
    as_of_ns = min(command.as_of_ns, now)
    refusal = _set_count_refusal(books, command, as_of_ns)
    if refusal:
        return CountResult(refusal, ())
    lines = tuple(
        CountLine(sku, counted, books.on_hand(sku), _after_count(books, sku, counted, as_of_ns))
        for sku, counted in command.lines
    )
    if command.validate_only:
        would_be = deepcopy(books)
        _apply_counts(would_be, lines, as_of_ns, now)
        return CountResult(CountStatus.VALIDATED, lines, tuple(would_be.shortages))
    _apply_counts(books, lines, as_of_ns, now)
    return CountResult(CountStatus.APPLIED, lines, tuple(books.shortages))


def _apply_counts(books: Books, lines: tuple[CountLine, ...], as_of_ns: int, now: int) -> None:
    for line in lines:
        before = books.sellable(line.sku)
        _count(books, line.sku, line.after, as_of_ns, now)
        books.note_shortage(line.sku, before)


def _after_count(books: Books, sku: str, counted: int, as_of_ns: int) -> int:
    return counted + sum(c.delta for c in books.recent if c.sku == sku and c.occurred_ns > as_of_ns)


def _count(books: Books, sku: str, after: int, as_of_ns: int, now: int) -> None:
    books.change_on_hand(sku, after - books.on_hand(sku), as_of_ns, now)
    books.watermarks[sku] = as_of_ns


def _set_count_refusal(books: Books, command: SetCount, as_of_ns: int) -> CountStatus | None:
    skus = [sku for sku, _ in command.lines]
    newest = max((c.version for c in books.changes if c.sku in skus), default=0)
    if 0 < command.expected_version < max(newest, books.floor_version):
        return CountStatus.VERSION_MISMATCH
    refusals = [_count_refusal(books, sku, as_of_ns) for sku in skus]
    return min((refusal for refusal in refusals if refusal), default=None)


def _count_refusal(books: Books, sku: str, as_of_ns: int) -> CountStatus | None:
    if as_of_ns < books.floor_ns:
        return CountStatus.COUNT_TOO_OLD
    if as_of_ns < books.watermarks.get(sku, 0):
        return CountStatus.COUNT_SUPERSEDED
    return None
