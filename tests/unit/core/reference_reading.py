"""Questions to the reference model."""

from __future__ import annotations

from allocator.core.commands import GetReservation, GetStock, ListReservations, ListStock, ListSupply, Query, Summarise
from allocator.core.results import (
    LedgerSummary,
    Quota,
    Reason,
    Rejected,
    ReservationPage,
    State,
    StockPage,
    StockView,
)
from tests.unit.core.reference_books import Books


def answer(books: Books, query: Query) -> StockPage | ReservationPage | LedgerSummary | Rejected:
    """Answer a question."""
    if isinstance(query, Summarise):
        return _summarise(books)
    if isinstance(query, GetStock):
        return StockPage(tuple(_stock(books, sku) for sku in query.skus), version=books.version)
    if isinstance(query, ListStock):
        end = query.start + query.limit
        rows = tuple(_stock(books, sku) for sku in books.skus[query.start : end])
        return StockPage(rows, end if end < len(books.skus) else 0, books.version)
    if isinstance(query, GetReservation):
        found = books.find(query.reservation)
        if found is None:
            return Rejected(Reason.RESERVATION_UNKNOWN, "name", "")
        return ReservationPage((found.view(),), version=books.version)
    assert not isinstance(query, ListSupply)  # which has a reference of its own
    return _list_reservations(books, query)


def _list_reservations(books: Books, query: ListReservations) -> ReservationPage:
    rows = [
        r.view()
        for r in books.reservations
        if not r.forgotten
        and r.serial > query.after
        and query.state in {0, r.state}
        and query.order in {"", r.command.order}
    ]
    page = tuple(rows[: query.limit])
    return ReservationPage(page, page[-1].serial if len(rows) > len(page) else 0, books.version)


def _summarise(books: Books) -> LedgerSummary:
    stocked = [sku for sku in books.skus if books.on_hand(sku)]
    live = [r for r in books.reservations if r.live]
    return LedgerSummary(books.version, len(books.skus), len(stocked), len(live), books.accepting)


def _stock(books: Books, sku: str) -> StockView:
    return StockView(
        sku,
        books.on_hand(sku),
        tuple(books.by_disposition(sku).items()),
        books.reserved(sku, State.HELD),
        books.reserved(sku, State.COMMITTED),
        books.safety_stock[sku],
        tuple(Quota(channel, q, books.reserved_for(sku, channel)) for channel, q in books.quotas[sku].items()),
        books.available(sku, ""),
    )
