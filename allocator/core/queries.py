"""Questions to the ledger; they change nothing."""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from allocator.core.results import (
    LedgerSummary,
    Quota,
    Reason,
    Rejected,
    ReservationPage,
    StockPage,
    StockView,
    SupplyPage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.commands import GetReservation, GetStock, ListReservations, ListStock, ListSupply, Summarise
    from allocator.core.ledger import StockLedger
    from allocator.core.protocol.headers import Header
    from allocator.core.reservation import Reservation


def get_stock(ledger: StockLedger, query: GetStock) -> StockPage | Rejected:
    """Every component of the named SKUs; an unknown one is an error."""
    rows = []
    for n, sku in enumerate(query.skus):
        i = ledger.stock.index.get(sku)
        if i is None:
            return Rejected(Reason.SKU_UNKNOWN, f"skus[{n}]", f"SKU {sku!r} was never stocked here")
        rows.append(_stock_view(ledger, i))
    return StockPage(tuple(rows), version=ledger.version)


def list_stock(ledger: StockLedger, query: ListStock) -> StockPage:
    """A page of stock."""
    end = min(query.start + query.limit, len(ledger.stock))
    rows = tuple(_stock_view(ledger, i) for i in range(query.start, end))
    return StockPage(rows, end if end < len(ledger.stock) else 0, ledger.version)


def get_reservation(ledger: StockLedger, query: GetReservation) -> ReservationPage | Rejected:
    """One reservation, as a page of one."""
    header = ledger.headers.by_id.get(query.reservation)
    if header is not None:
        view = header.view()
        if query.whole:
            view = view._replace(answer=header.command.answer)
        return ReservationPage((view,), version=ledger.version)
    reservation = ledger.reservations.by_id.get(query.reservation)
    if reservation is None or reservation.home:
        detail = f"reservation {query.reservation!r} is not known here; it may have ended long ago"
        return Rejected(Reason.RESERVATION_UNKNOWN, "name", detail)
    return ReservationPage((reservation.view(),), version=ledger.version)


def list_reservations(ledger: StockLedger, query: ListReservations) -> ReservationPage:
    """A page of reservations by serial."""
    both: Iterable[Reservation | Header] = (r for r in ledger.reservations.by_id.values() if query.here or not r.home)
    if ledger.headers.by_id and not query.here:
        both = merge(both, ledger.headers.by_id.values(), key=lambda r: r.serial)
    matches = (
        r for r in both if r.serial > query.after and query.state in (0, r.state) and query.order in ("", r.order)
    )
    found: list[Reservation | Header] = list(islice(matches, query.limit + 1))
    page = found[: query.limit]
    next_after = page[-1].serial if page and len(found) > len(page) else 0
    return ReservationPage(tuple(r.view() for r in page), next_after, ledger.version)


def list_supply(ledger: StockLedger, query: ListSupply) -> SupplyPage:
    """A page of supplies by serial."""
    matches = (
        supply
        for supply in ledger.supply.by_key.values()
        if supply.serial > query.after and query.sku in ("", supply.sku) and (query.ended or supply.open)
    )
    found = list(islice(matches, query.limit + 1))
    page = found[: query.limit]
    next_after = page[-1].serial if page and len(found) > len(page) else 0
    return SupplyPage(tuple(supply.view() for supply in page), next_after, ledger.version)


def summarise(ledger: StockLedger, query: Summarise) -> LedgerSummary:  # noqa: ARG001  # one shape for all
    """The location at a glance."""
    stocked = int(np.count_nonzero(ledger.stock.column("on_hand")))
    untold = len(ledger.headers.owing) + len(ledger.reservations.telling)
    live = ledger.reservations.live_count + ledger.headers.live_count + untold
    return LedgerSummary(ledger.version, len(ledger.stock), stocked, live, ledger.accepting)


def _stock_view(ledger: StockLedger, i: int) -> StockView:
    stock = ledger.stock
    sku = stock.skus[i]
    quotas = ledger.quotas.by_sku.get(i, {})
    left = stock.free(i) - ledger.quotas.unused_by_others(i, "")
    incoming, supplies = ledger.supply.told_of(i)
    return StockView(
        sku,
        stock.on_hand[i],
        tuple((name, units) for name, units in ledger.dispositions.get(sku, {}).items() if units > 0),
        stock.held[i],
        stock.committed[i],
        stock.safety_stock[i],
        tuple(Quota(channel, quota, reserved) for channel, (quota, reserved) in quotas.items()),
        max(0, left),
        incoming,
        ledger.waiting.units(i),
        supplies,
    )
