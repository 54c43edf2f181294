from __future__ import annotations

from allocator.core.commands import Configure
from allocator.core.results import HeldLine, ReserveResult, ReserveStatus, State
from tests.unit.core.helpers import (
    NOW,
    TTL,
    S,
    do,
    ledger_with,
    partial,
    policy,
    reservation,
    reserve,
    stock,
)


def test_a_reserve_holds_what_is_available() -> None:
    """Held units leave what is available, and the hold ends after its ttl."""
    ledger = ledger_with({"apple": 5})
    result = do(ledger, reserve("q1", apple=2))
    assert (result.status, result.reservation) == (ReserveStatus.HELD, "r-q1")
    assert (result.created_ns, result.expires_ns) == (NOW, NOW + TTL)
    assert result.lines == (HeldLine("apple", 2, 2, 0),)
    assert (stock(ledger, "apple").held, stock(ledger, "apple").available) == (2, 3)


def test_the_last_units_can_be_held() -> None:
    """A reserve of exactly what is available goes through, and the next one does not."""
    ledger = ledger_with({"apple": 5})
    assert do(ledger, reserve("q1", apple=5)).status == ReserveStatus.HELD
    assert do(ledger, reserve("q2", apple=1)).status == ReserveStatus.INSUFFICIENT_STOCK


def test_all_or_nothing_refuses_the_whole_when_one_line_is_short() -> None:
    """The refusal lists every line with what is available, also the one that would have fitted."""
    ledger = ledger_with({"apple": 5, "fig": 1})
    result = do(ledger, reserve("q1", apple=2, fig=3))
    assert (result.status, result.expires_ns) == (ReserveStatus.INSUFFICIENT_STOCK, 0)
    assert result.lines == (HeldLine("apple", 2, 0, 5), HeldLine("fig", 3, 0, 1))
    assert stock(ledger, "apple").held == 0


def test_partial_holds_what_there_is() -> None:
    """A short line is held as far as stock goes; a line without stock is not in the reservation."""
    ledger = ledger_with({"apple": 5, "fig": 1, "pear": 0 + 1})
    do(ledger, reserve("q0", pear=1))
    result = do(ledger, partial("q1", apple=2, fig=3, pear=1))
    assert result.status == ReserveStatus.PARTIALLY_HELD
    assert result.lines == (HeldLine("apple", 2, 2, 0), HeldLine("fig", 3, 1, 1), HeldLine("pear", 1, 0, 0))
    assert [(line.sku, line.quantity) for line in reservation(ledger, "q1").lines] == [("apple", 2), ("fig", 1)]


def test_partial_of_enough_stock_is_simply_held() -> None:
    """PARTIAL is told only when something is missing."""
    ledger = ledger_with({"apple": 5})
    assert do(ledger, partial("q1", apple=5)).status == ReserveStatus.HELD


def test_partial_of_nothing_is_refused() -> None:
    """When no line has a unit there is no reservation, only the refusal."""
    ledger = ledger_with({"apple": 1})
    do(ledger, reserve("q1", apple=1))
    result = do(ledger, partial("q2", apple=1))
    assert (result.status, result.lines) == (ReserveStatus.INSUFFICIENT_STOCK, (HeldLine("apple", 1, 0, 0),))


def test_lines_of_one_sku_are_summed_before_the_check() -> None:
    """Twice three apples are six apples."""
    ledger = ledger_with({"apple": 5})
    twice = reserve("q1")._replace(lines=(("apple", 3), ("apple", 3)))
    result = do(ledger, twice)
    assert result.status == ReserveStatus.INSUFFICIENT_STOCK
    assert result.lines == (HeldLine("apple", 6, 0, 5),)
    fits = twice._replace(request_id="q2", reservation="r-q2", lines=(("apple", 3), ("apple", 2)))
    assert do(ledger, fits).lines == (HeldLine("apple", 5, 5, 0),)


def test_lines_stay_in_the_order_asked() -> None:
    """The answer and the reservation list the lines as the request did."""
    ledger = ledger_with({"apple": 5, "fig": 5, "pear": 5})
    result = do(ledger, reserve("q1", pear=1, apple=1, fig=1))
    assert [line.sku for line in result.lines] == ["pear", "apple", "fig"]
    assert [line.sku for line in reservation(ledger, "q1").lines] == ["pear", "apple", "fig"]


def test_safety_stock_is_never_promised() -> None:
    """Available is what lies above the safety stock, and 0 when nothing does."""
    ledger = ledger_with({"apple": 5})
    do(ledger, policy("p1", "apple", safety_stock=4))
    assert do(ledger, reserve("q1", apple=2)).lines == (HeldLine("apple", 2, 0, 1),)
    do(ledger, policy("p2", "apple", safety_stock=40))
    assert do(ledger, reserve("q2", apple=1)).lines == (HeldLine("apple", 1, 0, 0),)
    assert stock(ledger, "apple").available == 0


def test_a_closed_location_holds_nothing_new() -> None:
    """LOCATION_CLOSED comes before every other refusal, and opening again ends it."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=1))
    do(ledger, Configure("c1", accepting=False))
    assert do(ledger, reserve("q2", apple=50)).status == ReserveStatus.LOCATION_CLOSED
    assert reservation(ledger, "q1").state == State.HELD
    do(ledger, Configure("c2", accepting=True))
    assert do(ledger, reserve("q3", apple=1)).status == ReserveStatus.HELD


def test_a_reservation_tells_its_channel_order_and_serial() -> None:
    """What the caller said comes back, with the order in which reservations were made."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=1))
    do(ledger, reserve("q2", apple=1)._replace(channel="web", order="o-9"))
    view = reservation(ledger, "q2")
    assert (view.channel, view.order, view.state) == ("web", "o-9", State.HELD)
    assert view.serial > reservation(ledger, "q1").serial
    assert (view.created_ns, view.updated_ns, view.expires_ns) == (NOW, NOW, NOW + TTL)


def test_deciding_changes_nothing() -> None:
    """`decide` only says what would happen; `apply` makes it so."""
    ledger = ledger_with({"apple": 5})
    before = ledger.snapshot()
    result, events = ledger.decide(reserve("q1", apple=2), NOW)
    assert isinstance(result, ReserveResult)
    assert (result.status, ledger.snapshot()) == (ReserveStatus.HELD, before)
    for event in events:
        ledger.apply(event)
    assert reservation(ledger, "q1").state == State.HELD


def test_time_does_not_go_back() -> None:
    """A clock set back does not make holds older than what was already seen."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=1), NOW)
    assert do(ledger, reserve("q2", apple=1), NOW - 60 * S).created_ns == NOW


def test_the_change_feed_names_the_skus_that_changed_once() -> None:
    """`drain_changes` gives the sorted positions of changed SKUs, then nothing until something changes again."""
    ledger = ledger_with({"apple": 5, "fig": 5, "pear": 5})
    assert ledger.drain_changes() == [0, 1, 2]
    do(ledger, reserve("q1", pear=1, apple=1))
    do(ledger, reserve("q2", pear=1))
    assert ledger.drain_changes() == [0, 2]
    assert ledger.drain_changes() == []
