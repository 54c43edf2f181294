"""Reserve: grant units from what is available, all or nothing or in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.checks import check_lines, check_ttl, invalid
from allocator.core.codec import KIND
from allocator.core.commands import Policy, Reserve, merge_lines
from allocator.core.events import Refused, Reserved
from allocator.core.limits import QUANTITY_MAX, TTL_MAX_NS, TTL_MIN_NS
from allocator.core.promising import beyond_stock, check_promise, let_wait, pick_at, with_supply
from allocator.core.repeats import reserve_result, reserved_before
from allocator.core.reservation import Reservation
from allocator.core.results import HeldLine, Reason, Rejected, ReserveResult, ReserveStatus, State

if TYPE_CHECKING:
    from allocator.core.commands import Lines
    from allocator.core.ledger import Decision, StockLedger

RESERVE_KIND = KIND[Reserve]
_POLICIES = (Policy.ALL_OR_NOTHING.value, Policy.PARTIAL.value)
# Plain ints: an attribute of an enum class costs as much as a whole dictionary look-up on this path.
_HELD, _HELD_STATE = ReserveStatus.HELD.value, State.HELD.value


def decide(ledger: StockLedger, command: Reserve, now_ns: int) -> Decision:  # noqa: C901  # a branch for each refusal
    """Grant or refuse a reserve: closed first, then stock, then capacity."""
    known = ledger.reservations.by_id.get(command.reservation)
    if known is not None:
        return reserved_before(known, command), ()
    if command.reservation in ledger.headers.by_id:
        detail = f"request_id {command.request_id!r} was used before: {command.reservation!r} is over several locations"
        return Rejected(Reason.REQUEST_ID_REUSED, "lines", detail), ()
    lines = command.lines
    if len(lines) != 1:
        lines = merge_lines(lines)
    promise_by_ns = command.promise_by_ns
    problem = _problem(ledger, command, lines, now_ns)
    if problem is not None:
        return problem, ()
    in_stock = _lefts(ledger, command, lines)
    if isinstance(in_stock, Rejected):
        return in_stock, ()
    lefts = with_supply(ledger, promise_by_ns, lines, in_stock, now_ns) if promise_by_ns else in_stock
    if not ledger.accepting:
        return _refuse(command, now_ns, ReserveStatus.LOCATION_CLOSED, lines, lefts)
    granted = _grant(command.policy, lines, lefts)
    if not granted:
        return _refuse(command, now_ns, ReserveStatus.INSUFFICIENT_STOCK, lines, lefts)
    waiting = beyond_stock(granted, lines, in_stock) if promise_by_ns else ()
    if ledger.capacity.plan is not None:
        units = sum(quantity for _, quantity in granted)
        refusal = _beyond_capacity(ledger, now_ns, units, pick_at(command, now_ns, waiting))
        if isinstance(refusal, Rejected):
            return refusal, ()
        if refusal is not None:
            return _refuse(command, now_ns, ReserveStatus.NO_CAPACITY, lines, lefts, refusal)
    if granted is not lines or waiting:
        event = Reserved(now_ns, command, () if granted is lines else granted, waiting)
        return reserve_result(event), (event,)
    held = [HeldLine(sku, quantity, quantity, 0) for sku, quantity in lines]
    result = ReserveResult(_HELD, command.reservation, now_ns, now_ns + command.ttl_ns, tuple(held))
    return result, (Reserved(now_ns, command),)


def apply(ledger: StockLedger, event: Reserved) -> None:
    """Hold the granted units."""
    at_ns, command, granted, waiting = event
    lines = granted or command.lines
    if len(lines) != 1 and not granted:
        lines = merge_lines(lines)
    book, stock, quotas, changed = ledger.reservations, ledger.stock, ledger.quotas, ledger.changed
    for sku, quantity in lines:
        i = stock.index[sku]
        stock.held[i] += quantity
        changed.add(i)
        if quotas.by_sku:
            quotas.reserve(i, command.channel, quantity)
    book.serial += 1
    reservation = Reservation(
        command.reservation,
        book.serial,
        _HELD_STATE,
        lines,
        command.channel,
        command.order,
        at_ns,
        at_ns,
        at_ns + (ledger.limits.open_grace_ns if command.home else command.ttl_ns),
        pick_at(command, at_ns, waiting) if waiting else command.pick_at_ns or at_ns,
        None,
        command.home,
        promise_by_ns=command.promise_by_ns,
    )
    book.hold(reservation)
    if waiting:
        let_wait(ledger, reservation, waiting)
    if ledger.capacity.plan is not None:
        ledger.capacity.forget_past(at_ns)
        ledger.capacity.book(reservation)


def _problem(ledger: StockLedger, command: Reserve, lines: Lines, now_ns: int) -> Rejected | None:
    """What is wrong with the command itself; nearly always nothing, which one look tells."""
    if (
        len(command.lines) == 1
        and 0 < lines[0][1] <= QUANTITY_MAX
        and TTL_MIN_NS <= command.ttl_ns <= TTL_MAX_NS
        and command.policy in _POLICIES
        and ledger.reservations.live_count < ledger.limits.reservations_max
        and not command.promise_by_ns
    ):
        return None
    problem = check_lines(command.lines) or check_ttl(command.ttl_ns) or check_promise(command, now_ns)
    if problem is not None:
        return problem
    if lines is not command.lines and (problem := check_lines(lines)) is not None:
        return problem._replace(field="lines", detail=f"lines of one SKU add up to too much: {problem.detail}")
    if command.policy not in _POLICIES:
        return invalid("policy", f"{command.policy}; ALL_OR_NOTHING or PARTIAL are allowed")
    most = ledger.limits.reservations_max
    if ledger.reservations.live_count >= most:
        return Rejected(Reason.TABLE_FULL, "reservations", f"{most} reservations are live here, the most there may be")
    return None


def _beyond_capacity(ledger: StockLedger, now_ns: int, units: int, pick_at_ns: int) -> Rejected | int | None:
    """What the window still takes when `units` are too many for it; None when they fit."""
    book = ledger.capacity
    if book.full(pick_at_ns, now_ns):
        detail = f"{book.windows_max} capacity windows are booked, the most there may be"
        return Rejected(Reason.TABLE_FULL, "pick_time", detail)
    left = book.left(pick_at_ns)
    return max(0, left) if book.cost(units) > left else None


def _lefts(ledger: StockLedger, command: Reserve, lines: Lines) -> list[int] | Rejected:
    """What the channel may take of each line's SKU, possibly negative."""
    stock, quotas = ledger.stock, ledger.quotas
    lefts = []
    for sku, _ in lines:
        i = stock.index.get(sku)
        if i is None and command.elsewhere:
            lefts.append(0)
            continue
        if i is None:
            n = next(n for n, line in enumerate(command.lines) if line[0] == sku)
            return Rejected(Reason.SKU_UNKNOWN, f"lines[{n}].sku", f"SKU {sku!r} was never stocked here")
        left = stock.free(i)
        if quotas.by_sku:
            left -= quotas.unused_by_others(i, command.channel)
        lefts.append(left)
    return lefts


def _grant(policy: int, lines: Lines, lefts: list[int]) -> Lines:
    """The lines to hold: `lines` itself when all fit, nothing when the policy does not allow less."""
    for (_, quantity), left in zip(lines, lefts, strict=True):
        if left < quantity:
            break
    else:
        return lines
    if policy == Policy.ALL_OR_NOTHING:
        return ()
    parts = ((sku, min(quantity, left)) for (sku, quantity), left in zip(lines, lefts, strict=True))
    return tuple((sku, part) for sku, part in parts if part > 0)


def _refuse(  # the parts of one answer
    command: Reserve,
    now_ns: int,
    status: ReserveStatus,
    lines: Lines,
    lefts: list[int],
    capacity_left: int = 0,
) -> Decision:
    held = tuple(HeldLine(sku, quantity, 0, max(0, left)) for (sku, quantity), left in zip(lines, lefts, strict=True))
    result = ReserveResult(status, "", now_ns, 0, held, capacity_left)
    return result, (Refused(now_ns, command, RESERVE_KIND, result),)
