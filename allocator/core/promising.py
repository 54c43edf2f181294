"""Holding what is expected: the part of a reserve that stock does not cover and the promise date allows to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.checks import invalid
from allocator.core.limits import CLOCK_SKEW_MAX_NS, DAY_NS, PROMISE_HORIZON_MAX_NS
from allocator.core.promise import least_projection

if TYPE_CHECKING:
    from allocator.core.commands import Lines, Reserve
    from allocator.core.ledger import StockLedger
    from allocator.core.reservation import Reservation
    from allocator.core.results import Rejected


def check_promise(command: Reserve, now_ns: int) -> Rejected | None:
    """Whether the promise date, if any, is neither over nor beyond the horizon."""
    ahead_ns = command.promise_by_ns - now_ns if command.promise_by_ns else 0
    if -CLOCK_SKEW_MAX_NS <= ahead_ns <= PROMISE_HORIZON_MAX_NS:
        return None
    most = PROMISE_HORIZON_MAX_NS // DAY_NS
    return invalid("promise_by", f"{ahead_ns / DAY_NS:g} days ahead; from now to {most} days ahead is allowed")


def with_supply(ledger: StockLedger, promise_by_ns: int, lines: Lines, in_stock: list[int], now_ns: int) -> list[int]:
    """What may be held of each line, from stock first and the rest from what is expected by the promise date.

    Args:
        ledger: where.
        promise_by_ns: the date.
        lines: of the reserve, merged.
        in_stock: what the channel may take of each from stock, possibly negative.
        now_ns: now.
    """
    horizon_ns = now_ns + PROMISE_HORIZON_MAX_NS
    totals = []
    for (sku, _), left in zip(lines, in_stock, strict=True):
        i = ledger.stock.index.get(sku, -1)
        supply, waiting = ledger.supply.steps(i), ledger.waiting.steps(i)
        least = least_projection(supply, waiting, promise_by_ns, now_ns, horizon_ns)
        totals.append(max(left, left + least))
    return totals


def beyond_stock(granted: Lines, lines: Lines, in_stock: list[int]) -> Lines:
    """Those of the units granted that stock does not cover."""
    lefts = {sku: max(0, left) for (sku, _), left in zip(lines, in_stock, strict=True)}
    return tuple((sku, units - lefts[sku]) for sku, units in granted if units > lefts[sku])


def let_wait(ledger: StockLedger, reservation: Reservation, waiting: Lines) -> None:
    """Count units of a new reservation, which is held in stock so far, as waiting."""
    for sku, units in waiting:
        i = ledger.stock.index[sku]
        ledger.stock.held[i] -= units
        ledger.quotas.reserve(i, reservation.channel, -units)
        ledger.waiting.add(i, sku, reservation, units)


def pick_at(command: Reserve, at_ns: int, waiting: Lines) -> int:
    """Which capacity window a reserve uses, by a time in it: with units that wait, the one of their promise date."""
    return command.pick_at_ns or (command.promise_by_ns if waiting else at_ns)
