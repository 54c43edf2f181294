"""Invariants of a ledger, recomputed from its reservations: for tests, audits and start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allocator.core.errors import BrokenInvariantError
from allocator.core.results import State

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allocator.core.ledger import StockLedger


def check(ledger: StockLedger) -> None:
    """Raise `BrokenInvariantError` naming the first SKU or counter that disagrees with the reservations."""
    for name, state in (("held", State.HELD), ("committed", State.COMMITTED)):
        _compare(ledger, name, _reserved(ledger, state))
    _compare(ledger, "unsellable", _unsellable(ledger))
    _check_quotas(ledger)
    _check_capacity(ledger)
    _check_waiting(ledger)
    live = sum(r.live for r in ledger.reservations.by_id.values())
    if live != ledger.reservations.live_count:
        raise _broken(ledger, f"{live} reservations are live, the counter says {ledger.reservations.live_count}")


def version_gap(ledger: StockLedger, version: int) -> BrokenInvariantError:
    """The error of a replay whose versions do not follow on each other."""
    return _broken(ledger, f"batch {version} was replayed where {ledger.version} was due")


def _reserved(ledger: StockLedger, state: State) -> NDArray[np.int64]:
    """Units in stock by SKU index of reservations in `state`: int64, shape (SKUs,)."""
    index = ledger.stock.index
    pairs = [
        (index[sku], units)
        for r in ledger.reservations.by_id.values()
        if r.state == state
        for sku, units in r.stock_lines()
    ]
    totals = np.zeros(len(ledger.stock), dtype=np.int64)
    if pairs:
        where, units = np.array(pairs, dtype=np.int64).T
        np.add.at(totals, where, units)
    return totals


def _unsellable(ledger: StockLedger) -> NDArray[np.int64]:
    totals = np.zeros(len(ledger.stock), dtype=np.int64)
    for sku, raw in ledger.dispositions.items():
        totals[ledger.stock.index[sku]] = sum(max(0, units) for units in raw.values())
    return totals


def _compare(ledger: StockLedger, name: str, expected: NDArray[np.int64]) -> None:
    counter = ledger.stock.column(name)
    wrong = np.flatnonzero(counter != expected)
    if wrong.size:
        i = int(wrong[0])
        sku = ledger.stock.skus[i]
        raise _broken(ledger, f"{name} of {sku} is {counter[i]}, its parts add up to {expected[i]} ({wrong.size} SKUs)")


def _check_quotas(ledger: StockLedger) -> None:
    for i, entry in ledger.quotas.by_sku.items():
        sku = ledger.stock.skus[i]
        for channel, (_, reserved) in entry.items():
            found = sum(r.stock_of(sku) for r in ledger.reservations.holding(sku) if r.channel == channel)
            if found != reserved:
                raise _broken(ledger, f"quota of {channel} on {sku}: {reserved} counted as reserved, {found} are")


def _check_capacity(ledger: StockLedger) -> None:
    """Bookings are at least what the known reservations use (forgotten ones may have used more)."""
    book = ledger.capacity
    if book.plan is None:
        return
    uses: dict[int, int] = {}
    for r in ledger.reservations.by_id.values():
        window = book.window(r.pick_at_ns)
        uses[window] = uses.get(window, 0) + book.use_of(r)
    for window, booked in book.used.items():
        if window + book.plan.window_ns <= ledger.clock_ns:
            continue  # over, and perhaps forgotten and booked again since
        if uses.get(window, 0) > booked:
            raise _broken(ledger, f"capacity window {window}: {booked} booked, reservations use {uses[window]}")


def _check_waiting(ledger: StockLedger) -> None:
    """Waiting units are open ones of live reservations, and add up to what is known by SKU and by date."""
    book, index = ledger.waiting, ledger.stock.index
    found: dict[int, dict[str, int]] = {}
    dates: dict[int, dict[int, int]] = {}
    for r in ledger.reservations.by_id.values():
        for sku, units in (r.waiting or {}).items():
            i = index[sku]
            if not 0 < units <= r.open_of(sku):
                raise _broken(ledger, f"{units} units of {sku} wait in {r.id}, {r.open_of(sku)} are open")
            found.setdefault(i, {})[r.id] = units
            by_date = dates.setdefault(i, {})
            by_date[r.promise_by_ns] = by_date.get(r.promise_by_ns, 0) + units
    known = {i: list(holders) for i, holders in book.by_sku.items() if holders}
    if known != {i: list(holders) for i, holders in found.items()}:
        raise _broken(ledger, "who waits for a SKU disagrees with the reservations")
    if {i: by_date for i, by_date in book.dates.items() if by_date} != dates:
        raise _broken(ledger, "waiting units by promise date disagree with the reservations")


def _broken(ledger: StockLedger, what: str) -> BrokenInvariantError:
    return BrokenInvariantError(f"location {ledger.location}, version {ledger.version}: {what}")
