from __future__ import annotations

from allocator.core.commands import MovementType
from allocator.core.events import ShortageFound
from allocator.core.ledger import StockLedger
from allocator.core.limits import AT_RISK_MAX
from allocator.core.results import Shortage, State
from tests.unit.core.helpers import (
    NOW,
    S,
    commit,
    damage,
    do,
    do_with_events,
    fulfil,
    ledger_with,
    movement,
    policy,
    receipt,
    reservation,
    reserve,
    sale,
    set_count,
    stock,
)


def promised(*quantities: int, on_hand: int = 10) -> StockLedger:
    """Ten apples, with holds a, b, c ... of these quantities."""
    ledger = ledger_with({"apple": on_hand})
    for name, quantity in zip("abcdefgh", quantities, strict=False):
        do(ledger, reserve(name, apple=quantity))
    return ledger


def test_a_sale_over_what_is_promised_reports_a_shortage() -> None:
    """The movement counts, and the answer and an event tell what is missing for whom."""
    ledger = promised(6, 3)
    result, events = do_with_events(ledger, sale("apple", 3))
    assert result.shortage == Shortage("apple", 2, ("r-b",), 2)
    assert [event for event in events if isinstance(event, ShortageFound)] == [
        ShortageFound(NOW, "apple", 2, ("r-b",), 2)
    ]
    assert (stock(ledger, "apple").on_hand, stock(ledger, "apple").available) == (7, 0)


def test_no_shortage_while_everything_promised_is_there() -> None:
    """Down to the last promised unit all is well."""
    assert do(promised(6, 3), sale("apple", 1)).shortage is None


def test_as_many_are_named_as_cover_what_is_missing() -> None:
    """The newest first."""
    ledger = promised(2, 2, 2, 2)
    assert do(ledger, sale("apple", 4)).shortage == Shortage("apple", 2, ("r-d",), 4)
    assert do(ledger, sale("apple", 1)).shortage == Shortage("apple", 3, ("r-d", "r-c"), 4)


def test_holds_are_at_risk_before_commitments() -> None:
    """A placed order is put at risk only when the holds do not cover it."""
    ledger = promised(3, 3, 3)
    do(ledger, commit("q1", of="c"))
    assert do(ledger, sale("apple", 2)).shortage == Shortage("apple", 1, ("r-b",), 3)
    assert do(ledger, sale("apple", 6)).shortage == Shortage("apple", 7, ("r-b", "r-a", "r-c"), 3)


def test_only_reservations_of_the_sku_are_at_risk() -> None:
    """Reservations of other SKUs, and what is fulfilled already, have nothing to lose."""
    ledger = promised(3, 3)
    do(ledger, receipt("fig", 5))
    do(ledger, reserve("figs", fig=2))
    do(ledger, commit("q1", of="b"))
    do(ledger, fulfil("q2", of="b"))
    assert do(ledger, sale("apple", 5)).shortage == Shortage("apple", 1, ("r-a",), 1)


def test_a_shortage_names_only_so_many() -> None:
    """Beyond the maximum it tells how many there are in all."""
    ledger = ledger_with({"apple": AT_RISK_MAX + 5})
    for number in range(AT_RISK_MAX + 5):
        do(ledger, reserve(f"q{number}", apple=1))
    shortage = do(ledger, movement(MovementType.COUNT, "apple", 0)).shortage
    assert (shortage.missing, shortage.at_risk) == (AT_RISK_MAX + 5, AT_RISK_MAX + 5)
    assert len(shortage.reservations) == AT_RISK_MAX
    assert shortage.reservations[0] == f"r-q{AT_RISK_MAX + 4}"


def test_a_count_reports_a_shortage_for_each_line() -> None:
    """A count that finds too little says so, SKU by SKU."""
    ledger = ledger_with({"apple": 5, "fig": 5, "pear": 5})
    do(ledger, reserve("a", apple=3, fig=3, pear=3))
    result = do(ledger, set_count("q1", apple=1, fig=4, pear=2))
    assert result.shortages == (Shortage("apple", 2, ("r-a",), 1), Shortage("pear", 1, ("r-a",), 1))


def test_damage_reports_a_shortage() -> None:
    """Broken units cannot be given to anybody, though they are on hand."""
    assert do(promised(8), damage("apple", 3)).shortage == Shortage("apple", 1, ("r-a",), 1)


def test_a_policy_moving_units_out_of_sale_reports_a_shortage() -> None:
    """As if a movement had found them damaged."""
    ledger = promised(8)
    result, events = do_with_events(ledger, policy("p1", "apple", moves=(("", "damaged", 3),)))
    assert result.shortages == (Shortage("apple", 1, ("r-a",), 1),)
    assert ShortageFound(NOW, "apple", 1, ("r-a",), 1) in events


def test_safety_stock_and_quotas_cause_no_shortage() -> None:
    """They are about new promises, not about the goods."""
    ledger = promised(8)
    _, events = do_with_events(ledger, policy("p1", "apple", safety_stock=9, quotas={"web": 9}))
    assert not any(isinstance(event, ShortageFound) for event in events)


def test_nothing_promised_is_no_shortage() -> None:
    """Stock below zero is an error of books; nobody is at risk."""
    ledger = ledger_with({"apple": 1})
    assert do(ledger, sale("apple", 3)).shortage is None
    assert do(ledger, sale("fig", 1)).shortage is None
    _, events = do_with_events(ledger, policy("p1", "apple", moves=(("", "damaged", 3),)))
    assert not any(isinstance(event, ShortageFound) for event in events)


def test_good_news_is_no_shortage() -> None:
    """A receipt that covers the gap in part does not report what is still missing."""
    ledger = promised(8)
    do(ledger, sale("apple", 6))
    assert do(ledger, receipt("apple", 1)).shortage is None


def test_a_sale_that_fulfils_is_no_shortage() -> None:
    """Units promised and gone together leave the others whole."""
    ledger = promised(6, 4)
    assert do(ledger, sale("apple", 6, reservation="r-a")).shortage is None
    assert do(ledger, sale("apple", 1)).shortage == Shortage("apple", 1, ("r-b",), 1)


def test_a_sale_beyond_what_it_fulfils_is_a_shortage_of_the_others() -> None:
    """Whoever got the goods is not at risk any more."""
    ledger = promised(6, 4)
    assert do(ledger, sale("apple", 7, reservation="r-a")).shortage == Shortage("apple", 1, ("r-b",), 1)


def test_a_late_sale_is_no_shortage() -> None:
    """The count which knew it already has told."""
    ledger = promised(6)
    assert do(ledger, set_count("q1", apple=5)).shortages != ()
    assert do(ledger, sale("apple", 2, occurred_ns=NOW - S)).shortage is None


def test_a_shortage_changes_no_reservation() -> None:
    """Who is to be re-sourced is decided elsewhere."""
    ledger = promised(6, 3)
    do(ledger, sale("apple", 9))
    assert stock(ledger, "apple").held == 9
    assert reservation(ledger, "b").state == State.HELD
    ledger.check_invariants()
