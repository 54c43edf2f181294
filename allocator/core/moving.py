"""Movements: physical stock facts, recorded whatever they do to the promises made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core import supplying
from allocator.core.commands import Movement, MovementType
from allocator.core.events import Moved
from allocator.core.limits import CLOCK_SKEW_MAX_NS, DISPOSITIONS_PER_SKU_MAX, QUANTITY_MAX, SOURCES_MAX
from allocator.core.results import MovementResult, MovementStatus, State
from allocator.core.shortages import as_result, shortage_after
from allocator.core.transitions import close_if_done, take_out

if TYPE_CHECKING:
    from allocator.core.ledger import Decision, StockLedger

_SIGN = {
    MovementType.RECEIPT: 1,
    MovementType.RETURN: 1,
    MovementType.TRANSFER_IN: 1,
    MovementType.ADJUSTMENT: 1,
    MovementType.SALE: -1,
    MovementType.SHIPMENT: -1,
    MovementType.TRANSFER_OUT: -1,
    MovementType.DISPOSITION_CHANGE: 0,
    MovementType.COUNT: 0,
    MovementType.SUPPLY: 0,
}
_MAY_BE_NONE = (MovementType.COUNT, MovementType.SUPPLY)
_NEVER_COUNTED = (MovementType.COUNT, MovementType.DISPOSITION_CHANGE, MovementType.SUPPLY)
_SERVING = (MovementType.SALE, MovementType.SHIPMENT)
_IN_OR_OUT = {kind.value: sign for kind, sign in _SIGN.items() if sign and kind != MovementType.ADJUSTMENT}
# Plain ints: an attribute of an enum class costs as much as a whole dictionary look-up on this path.
_COUNT, _APPLIED = MovementType.COUNT.value, MovementStatus.APPLIED.value


def decide(ledger: StockLedger, movement: Movement, now_ns: int) -> Decision:
    """Record a movement; it is turned away only when malformed, a duplicate, or a count nobody can work out."""
    decision = _plain(ledger, movement, now_ns)
    if decision is not None:
        return decision
    problem = _problem(ledger, movement, now_ns)
    if problem:
        return _answer(ledger, movement, MovementStatus.REJECTED, 0, *problem), ()
    if ledger.movements.seen(movement):
        return _answer(ledger, movement, MovementStatus.DUPLICATE, 0), ()
    sku = movement.sku
    if movement.type == MovementType.COUNT:
        refusal = count_refusal(ledger, sku, occurred(movement, now_ns))
        if refusal:
            detail = "an older count than what is known can no longer be worked out"
            return _answer(ledger, movement, MovementStatus.REJECTED, 0, refusal, detail), ()
    late = is_late(ledger, movement, now_ns) or supplying.is_late(ledger, movement, occurred(movement, now_ns))
    delta = 0 if late else _delta(ledger, movement, now_ns)
    served = _served(ledger, movement, now_ns)
    gained = delta - _unsellable_gain(ledger, movement)
    in_stock = _in_stock(ledger, movement, served)
    shortage = shortage_after(ledger, sku, now_ns, gained=gained, served=in_stock, served_id=movement.reservation)
    status = MovementStatus.LATE_APPLIED if late else MovementStatus.APPLIED
    result = _answer(ledger, movement, status, delta)
    moved = Moved(now_ns, movement, delta, served)
    if shortage is None:
        return result, (moved,)
    return result._replace(shortage=as_result(shortage)), (moved, shortage)


def _plain(ledger: StockLedger, movement: Movement, now_ns: int) -> Decision | None:
    """What nearly every movement is: units in or out, new, on time, of a stocked SKU; None for all others."""
    (source, movement_id, sequence, sku, kind, quantity, disposition, from_disposition, reservation, occurred_ns,
     _, _, _, _, supply, expect_ns, final, supply_kind) = movement  # fmt: skip
    sign, stock = _IN_OR_OUT.get(kind), ledger.stock
    i = stock.index.get(sku)
    if (
        sign is None
        or i is None
        or not 0 < quantity <= QUANTITY_MAX
        or disposition or from_disposition or reservation or supply or expect_ns or final or supply_kind or sequence
        or not source or not movement_id or (source, movement_id) in ledger.movements.ids
        or occurred_ns > now_ns
        or (stock.counted_ns and (occurred_ns or now_ns) <= stock.counted_ns[i])
    ):  # fmt: skip
        return None
    delta = sign * quantity
    if delta < 0 and stock.missing(i) > delta:  # it may leave too little
        return None
    result = MovementResult(_APPLIED, sku, stock.on_hand[i] + delta)
    return result, (Moved(now_ns, movement, delta, 0),)


def apply(ledger: StockLedger, event: Moved) -> None:
    """Make a movement so."""
    at_ns, movement, delta, served = event
    sku = movement.sku
    stock = ledger.stock
    i = stock.add(sku)
    if served:
        reservation = ledger.reservations.serving(movement.reservation, sku)
        assert reservation is not None
        take_out(ledger, reservation, i, served, reservation.open_of(sku))
        if reservation.home:
            reservation.note_moved(sku, served)
            ledger.reservations.tell(reservation)
        close_if_done(ledger, reservation, at_ns, State.RELEASED)
    stock.on_hand[i] += delta
    if movement.disposition or movement.from_disposition:
        for disposition, units in disposition_changes(movement):
            shift_disposition(ledger, sku, disposition, units)
    ledger.movements.note(movement, at_ns)
    occurred_ns = occurred(movement, at_ns)
    if movement.type == _COUNT:
        ledger.stock.note_count(i, occurred_ns)
    if delta:
        ledger.movements.add_delta(sku, occurred_ns, delta, ledger.version + 1, at_ns)
    if movement.supply:
        supplying.apply_movement(ledger, i, movement, occurred_ns)
    ledger.touch(i)


def shift_disposition(ledger: StockLedger, sku: str, disposition: str, units: int) -> None:
    """Add `units` to a disposition of `sku`; one below zero counts as none until the rest of the story arrives."""
    raw = ledger.dispositions.setdefault(sku, {})
    before = raw.get(disposition, 0)
    after = before + units
    i = ledger.stock.index[sku]
    ledger.stock.unsellable[i] += max(0, after) - max(0, before)
    if after:
        raw[disposition] = after
    else:
        raw.pop(disposition, None)
        if not raw:
            del ledger.dispositions[sku]


def disposition_changes(movement: Movement) -> tuple[tuple[str, int], ...]:
    """Signed units by disposition that a movement shifts."""
    quantity = movement.quantity
    if movement.type == MovementType.DISPOSITION_CHANGE:
        pairs = ((movement.from_disposition, -quantity), (movement.disposition, quantity))
        return tuple(pair for pair in pairs if pair[0])
    if movement.disposition:
        return ((movement.disposition, _SIGN[MovementType(movement.type)] * quantity),)
    return ()


def too_many_dispositions(ledger: StockLedger, sku: str, changes: tuple[tuple[str, int], ...]) -> bool:
    """Whether `changes` would give `sku` more dispositions than there may be."""
    if not changes:
        return False
    names = {name for name, _ in changes}.union(ledger.dispositions.get(sku, ()))
    return len(names) > DISPOSITIONS_PER_SKU_MAX


def unsellable_gain(ledger: StockLedger, sku: str, changes: tuple[tuple[str, int], ...]) -> int:
    """What `changes` by disposition add to the unsellable units of `sku`."""
    raw = dict(ledger.dispositions.get(sku, {}))
    gain = 0
    for disposition, units in changes:
        before = raw.get(disposition, 0)
        raw[disposition] = before + units
        gain += max(0, before + units) - max(0, before)
    return gain


def count_refusal(ledger: StockLedger, sku: str, as_of_ns: int) -> str:
    """Why a count of `sku` as of `as_of_ns` cannot be applied; "" when it can."""
    if as_of_ns < ledger.movements.floor_ns:
        return "COUNT_TOO_OLD"
    return "COUNT_SUPERSEDED" if as_of_ns < ledger.stock.watermark_ns(sku) else ""


def is_late(ledger: StockLedger, movement: Movement, now_ns: int) -> bool:
    """Whether the SKU's newest count has this movement in it already."""
    counted = movement.type not in _NEVER_COUNTED
    watermark_ns = ledger.stock.watermark_ns(movement.sku)
    if not movement.occurred_ns:  # it happens now, after whatever was told before it
        return counted and now_ns < watermark_ns
    return counted and occurred(movement, now_ns) <= watermark_ns


def occurred(movement: Movement, now_ns: int) -> int:
    """When the movement occurred, ns; by a clock a little ahead of ours it is now."""
    return min(movement.occurred_ns, now_ns) or now_ns


def _delta(ledger: StockLedger, movement: Movement, now_ns: int) -> int:
    if movement.type != MovementType.COUNT:
        return _SIGN[MovementType(movement.type)] * movement.quantity
    i = ledger.stock.index.get(movement.sku)
    on_hand = 0 if i is None else ledger.stock.on_hand[i]
    return movement.quantity + ledger.movements.on_top_of(movement.sku, occurred(movement, now_ns)) - on_hand


def _served(ledger: StockLedger, movement: Movement, now_ns: int) -> int:
    """Units of the movement that its reservation has open (a hold past its end has none)."""
    if not movement.reservation or movement.type not in _SERVING:
        return 0
    reservation = ledger.reservations.serving(movement.reservation, movement.sku)
    if reservation is None:
        return 0
    if not reservation.home and reservation.state == State.HELD and reservation.expires_ns <= now_ns:
        return 0
    return min(movement.quantity, reservation.open_of(movement.sku))


def _in_stock(ledger: StockLedger, movement: Movement, served: int) -> int:
    """Those of the units served that their reservation holds in stock; they leave first."""
    reservation = ledger.reservations.serving(movement.reservation, movement.sku) if served else None
    return min(served, reservation.stock_of(movement.sku)) if reservation is not None else 0


def _unsellable_gain(ledger: StockLedger, movement: Movement) -> int:
    changes = disposition_changes(movement)
    return unsellable_gain(ledger, movement.sku, changes) if changes else 0


def _answer(
    ledger: StockLedger,
    movement: Movement,
    status: MovementStatus,
    delta: int,
    reason: str = "",
    detail: str = "",
) -> MovementResult:
    i = ledger.stock.index.get(movement.sku)
    on_hand = delta if i is None else ledger.stock.on_hand[i] + delta
    return MovementResult(status, movement.sku, on_hand, reason, detail)


def _problem(ledger: StockLedger, movement: Movement, now_ns: int) -> tuple[str, str] | None:
    """What is wrong with the movement itself, as (reason, detail)."""
    kind, quantity = movement.type, movement.quantity
    if kind not in _SIGN:
        return "INVALID", f"type {kind} is not a movement type"
    if not movement.source or not movement.movement_id or movement.sequence < 0:
        return "INVALID", "source and movement_id are required, and sequence is not negative"
    size = abs(quantity) if kind == MovementType.ADJUSTMENT else quantity
    if not (0 if kind in _MAY_BE_NONE else 1) <= size <= QUANTITY_MAX:
        return (
            "INVALID",
            f"quantity {quantity} is not allowed for this type; at most {QUANTITY_MAX} units, no zero",
        )
    return _shape_problem(ledger, movement, now_ns)


def _shape_problem(ledger: StockLedger, movement: Movement, now_ns: int) -> tuple[str, str] | None:
    kind = movement.type
    if kind == MovementType.DISPOSITION_CHANGE:
        if movement.disposition == movement.from_disposition:
            return "INVALID", "a disposition change needs two different dispositions"
    elif movement.from_disposition:
        return "INVALID", "from_disposition is for disposition changes only"
    if kind == MovementType.COUNT and movement.disposition:
        return "INVALID", "a count is of all units on hand, without a disposition"
    if movement.occurred_ns > now_ns + CLOCK_SKEW_MAX_NS:
        return "INVALID", "occurred_time is in the future"
    if too_many_dispositions(ledger, movement.sku, disposition_changes(movement)):
        return "TABLE_FULL", f"{DISPOSITIONS_PER_SKU_MAX} dispositions of one SKU are the most there may be"
    sequences = ledger.movements.sequences
    if movement.sequence and movement.source not in sequences and len(sequences) >= SOURCES_MAX:
        return "TABLE_FULL", f"{SOURCES_MAX} sources number their movements here, the most there may be"
    if movement.sku not in ledger.stock.index and len(ledger.stock) >= ledger.limits.skus_max:
        return "TABLE_FULL", f"{ledger.limits.skus_max} SKUs are stocked here, the most there may be"
    return supplying.movement_problem(ledger, movement)
