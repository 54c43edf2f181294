from __future__ import annotations

from typing import TypeVar

from allocator.core.commands import Configure, ListReservations, ListStock, Query, Summarise
from allocator.core.ledger import StockLedger
from allocator.core.results import LedgerSummary, ReservationPage, State, StockPage
from tests.unit.core.helpers import commit, do, ledger_with, release, reserve, sale

Page = TypeVar("Page", StockPage, ReservationPage, LedgerSummary)


def ask(ledger: StockLedger, query: Query, kind: type[Page]) -> Page:
    """The answer, which must be of this kind."""
    answer = ledger.query(query)
    assert isinstance(answer, kind)
    return answer


def test_stock_pages_follow_on_each_other() -> None:
    """In the order SKUs were first stocked, until next_start is 0."""
    ledger = ledger_with({"pear": 1, "apple": 2, "fig": 3})
    first = ask(ledger, ListStock(0, 2), StockPage)
    assert ([row.sku for row in first.rows], first.next_start) == (["pear", "apple"], 2)
    last = ask(ledger, ListStock(first.next_start, 2), StockPage)
    assert ([row.sku for row in last.rows], last.next_start) == (["fig"], 0)
    assert ask(ledger, ListStock(0, 3), StockPage).next_start == 0
    assert ask(ledger, ListStock(9, 3), StockPage).rows == ()


def test_reservation_pages_follow_on_each_other() -> None:
    """In the order they were made, the ended ones among them, until next_after is 0."""
    ledger = ledger_with({"apple": 9})
    for n in range(3):
        do(ledger, reserve(f"q{n}", apple=1))
    do(ledger, release("q3", of="q1"))
    first = ask(ledger, ListReservations(0, 2), ReservationPage)
    assert [row.reservation for row in first.rows] == ["r-q0", "r-q1"]
    last = ask(ledger, ListReservations(first.next_after, 2), ReservationPage)
    assert ([row.reservation for row in last.rows], last.next_after) == (["r-q2"], 0)


def test_reservations_are_found_by_state_and_order() -> None:
    """Both filters hold at once; none of them given lists all."""
    ledger = ledger_with({"apple": 9})
    for n, order in enumerate(("o1", "o1", "o2")):
        do(ledger, reserve(f"q{n}", apple=1)._replace(order=order))
    do(ledger, commit("q3", of="q1"))
    found = ask(ledger, ListReservations(0, 9, State.COMMITTED, "o1"), ReservationPage)
    assert [row.reservation for row in found.rows] == ["r-q1"]
    assert len(ask(ledger, ListReservations(0, 9, 0, "o1"), ReservationPage).rows) == 2
    assert ask(ledger, ListReservations(0, 9, State.EXPIRED), ReservationPage).rows == ()


def test_answers_carry_the_version_they_are_based_on() -> None:
    """A reader can tell whether its own write is in the answer."""
    ledger = ledger_with({"apple": 9})
    do(ledger, reserve("q1", apple=1))
    assert ask(ledger, ListStock(0, 9), StockPage).version == ledger.version == 2
    assert ask(ledger, ListReservations(0, 9), ReservationPage).version == 2


def test_a_location_can_be_seen_at_a_glance() -> None:
    """SKUs known, SKUs with units, live reservations, and whether it takes new ones."""
    ledger = ledger_with({"apple": 9, "fig": 1})
    do(ledger, sale("fig", 1))
    do(ledger, reserve("q1", apple=1))
    do(ledger, Configure("c1", accepting=False))
    assert ask(ledger, Summarise(), LedgerSummary) == LedgerSummary(5, 2, 1, 1, accepting=False)


def test_asking_changes_nothing() -> None:
    """No question moves a counter, a clock or a version."""
    ledger = ledger_with({"apple": 9})
    do(ledger, reserve("q1", apple=1))
    before = ledger.snapshot()
    for query in (ListStock(0, 9), ListReservations(0, 0), ListReservations(0, 9), Summarise()):
        ledger.query(query)
    assert ledger.snapshot() == before
