"""Stock policy of SKUs (safety stock, quotas, disposition moves) and settings of the location itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.checks import invalid
from allocator.core.commands import Configure, Measure, PolicyLine, SetStockPolicy
from allocator.core.events import Configured, PolicySet
from allocator.core.limits import DISPOSITIONS_PER_SKU_MAX, LINES_MAX, NS_PER_S, QUANTITY_MAX, QUOTAS_PER_SKU_MAX
from allocator.core.moving import shift_disposition, too_many_dispositions, unsellable_gain
from allocator.core.results import Done, Reason, Rejected
from allocator.core.shortages import as_result, shortage_after

if TYPE_CHECKING:
    from allocator.core.ledger import Decision, StockLedger

WINDOW_MIN_NS = 60 * NS_PER_S
WINDOW_MAX_NS = 7 * 24 * 3600 * NS_PER_S


def decide_policy(ledger: StockLedger, command: SetStockPolicy, now_ns: int) -> Decision:
    """Take all lines or none."""
    problem = _policy_problem(ledger, command)
    if problem is not None:
        return problem, ()
    found = (
        shortage_after(
            ledger,
            line.sku,
            now_ns,
            gained=-unsellable_gain(ledger, line.sku, _shifts(line)),
            lines=len(command.lines),
        )
        for line in command.lines
        if line.moves
    )
    events = tuple(event for event in found if event is not None)
    shortages = tuple(map(as_result, events))
    return Done(shortages=shortages), (PolicySet(now_ns, command, shortages), *events)


def apply_policy(ledger: StockLedger, event: PolicySet) -> None:
    """Make the policy so."""
    for line in event.command.lines:
        i = ledger.stock.add(line.sku)
        if line.safety_stock is not None:
            ledger.stock.safety_stock[i] = line.safety_stock
        if line.quotas is not None:
            quotas = {channel: (quota, 0) for channel, quota in line.quotas if quota}
            for reservation in ledger.reservations.holding(line.sku):
                if reservation.channel in quotas:
                    quota, reserved = quotas[reservation.channel]
                    quotas[reservation.channel] = (quota, reserved + reservation.stock_of(line.sku))
            ledger.quotas.replace(i, quotas)
        for disposition, units in _shifts(line):
            shift_disposition(ledger, line.sku, disposition, units)
        ledger.touch(i)


def decide_configure(ledger: StockLedger, command: Configure, now_ns: int) -> Decision:  # noqa: ARG001  # one shape for all deciders
    """Open or close the location, set or clear its capacity."""
    problem = _capacity_problem(command)
    return (problem, ()) if problem is not None else (Done(), (Configured(now_ns, command),))


def apply_configured(ledger: StockLedger, event: Configured) -> None:
    """Make the settings so."""
    command = event.command
    if command.accepting is not None:
        ledger.accepting = command.accepting
    if command.capacity is not None or command.clear_capacity:
        ledger.capacity.replan(command.capacity, ledger.reservations.by_id.values())


def _shifts(line: PolicyLine) -> tuple[tuple[str, int], ...]:
    shifts = []
    for source, target, quantity in line.moves:
        shifts += [(source, -quantity), (target, quantity)]
    return tuple(shift for shift in shifts if shift[0])


def _policy_problem(ledger: StockLedger, command: SetStockPolicy) -> Rejected | None:
    if not 0 < len(command.lines) <= LINES_MAX:
        return invalid("lines", f"{len(command.lines)} lines; 1 to {LINES_MAX} are allowed")
    seen: set[str] = set()
    for n, line in enumerate(command.lines):
        if line.sku in seen:
            return invalid(f"lines[{n}].sku", f"SKU {line.sku!r} stands there twice")
        seen.add(line.sku)
        problem = _line_problem(line, f"lines[{n}]") or _disposition_problem(ledger, line, f"lines[{n}]")
        if problem is not None:
            return problem
    new = seen.difference(ledger.stock.index)
    if new and not command.allow_missing:
        n = next(n for n, line in enumerate(command.lines) if line.sku in new)
        detail = f"SKU {command.lines[n].sku!r} was never stocked here; allow_missing registers it"
        return Rejected(Reason.SKU_UNKNOWN, f"lines[{n}].sku", detail)
    if len(ledger.stock) + len(new) > ledger.limits.skus_max:
        return Rejected(Reason.TABLE_FULL, "lines", f"{ledger.limits.skus_max} SKUs are the most there may be here")
    return None


def _disposition_problem(ledger: StockLedger, line: PolicyLine, field: str) -> Rejected | None:
    if too_many_dispositions(ledger, line.sku, _shifts(line)):
        detail = f"{DISPOSITIONS_PER_SKU_MAX} dispositions of one SKU are the most there may be"
        return Rejected(Reason.TABLE_FULL, f"{field}.disposition_moves", detail)
    return None


def _line_problem(line: PolicyLine, field: str) -> Rejected | None:
    if line.safety_stock is not None and not 0 <= line.safety_stock <= QUANTITY_MAX:
        return invalid(f"{field}.safety_stock", f"{line.safety_stock}; 0 to {QUANTITY_MAX} are allowed")
    quotas = line.quotas or ()
    if len(quotas) > QUOTAS_PER_SKU_MAX or len(dict(quotas)) < len(quotas):
        return invalid(f"{field}.quotas", f"at most {QUOTAS_PER_SKU_MAX} quotas, each channel once")
    for channel, quota in quotas:
        if not channel or not 0 <= quota <= QUANTITY_MAX:
            return invalid(f"{field}.quotas", f"channel {channel!r}: {quota}; a named channel and 0 to {QUANTITY_MAX}")
    for source, target, quantity in line.moves:
        if source == target or not 0 < quantity <= QUANTITY_MAX:
            return invalid(f"{field}.disposition_moves", f"{source!r} to {target!r}: {quantity}; two dispositions, > 0")
    return None


def _capacity_problem(command: Configure) -> Rejected | None:
    plan = command.capacity
    if plan is None:
        return None
    if command.clear_capacity:
        return invalid("capacity", "set it or clear it, not both")
    if plan.measure not in (Measure.UNITS, Measure.ORDERS):
        return invalid("measure", f"{plan.measure}; UNITS or ORDERS are allowed")
    if not WINDOW_MIN_NS <= plan.window_ns <= WINDOW_MAX_NS:
        return invalid("window", f"{plan.window_ns / NS_PER_S:g} s; 60 s to 604800 s (7 days) are allowed")
    for start_ns, limit in (*plan.overrides, (0, plan.limit)):
        if not 0 <= limit <= QUANTITY_MAX or start_ns % plan.window_ns:
            return invalid("limit", f"{limit} at {start_ns} ns; 0 to {QUANTITY_MAX}, and overrides at window starts")
    return None
