"""Shortages: when a physical fact leaves less than is promised, which reservations are at risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.events import ShortageFound
from allocator.core.limits import AT_RISK_MAX, LINES_MAX
from allocator.core.protocol.types import reservation_of
from allocator.core.results import Shortage, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocator.core.ledger import StockLedger
    from allocator.core.reservation import Reservation


def shortage_after(  # noqa: PLR0913  # one change, told by its parts
    ledger: StockLedger,
    sku: str,
    now_ns: int,
    *,
    gained: int,
    served: int = 0,
    served_id: str = "",
    lines: int = 1,
) -> ShortageFound | None:
    """The shortage of `sku` once its sellable stock has changed by `gained` units, if that lowered it too far.

    `served` units of reservation `served_id` leave with the same movement and are not promised any more. The more
    `lines` the command has, the fewer reservations each of its shortages names.
    """
    most = max(1, min(AT_RISK_MAX, LINES_MAX // lines))
    i = ledger.stock.index.get(sku)
    missing = 0 if i is None else ledger.stock.missing(i) - gained - served
    promised = 0 if i is None else ledger.stock.held[i] + ledger.stock.committed[i] - served
    if gained >= 0 or missing <= 0 or not promised:
        return None
    named: list[str] = []
    covered = 0
    served_one = ledger.reservations.serving(served_id, sku) if served else None
    for reservation in _newest_first(ledger, sku):
        if covered >= missing or len(named) == most:
            break
        units = reservation.stock_of(sku) - (served if reservation is served_one else 0)
        if units > 0:
            named.append(reservation_of(reservation.id))
            covered += units
    waiting = ledger.waiting.by_sku.get(i, {}) if i is not None else {}  # those with nothing in stock do not count
    count = len(ledger.reservations.by_sku.get(sku, ())) - sum(not r.stock_of(sku) for r in waiting.values())
    if served_one is not None and served_one.stock_of(sku) == served:
        count -= 1
    return ShortageFound(now_ns, sku, missing, tuple(named), count)


def as_result(event: ShortageFound) -> Shortage:
    """The shortage as it is told to the caller."""
    return Shortage(event.sku, event.missing, event.reservations, event.at_risk)


def _newest_first(ledger: StockLedger, sku: str) -> Iterator[Reservation]:
    """Live reservations of `sku`, held before committed, newest first."""
    book = ledger.reservations
    for state in (State.HELD, State.COMMITTED):
        for key in reversed(book.by_sku.get(sku, {})):
            if book.by_id[key].state == state:
                yield book.by_id[key]
