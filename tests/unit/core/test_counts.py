from __future__ import annotations

from allocator.core.commands import Movement, MovementType
from allocator.core.limits import CLOCK_SKEW_MAX_NS, LedgerLimits
from allocator.core.results import CountLine, CountStatus, MovementStatus, Reason
from tests.unit.core.helpers import (
    HOUR,
    NOW,
    S,
    commit,
    do,
    do_with_events,
    fulfil,
    ledger_with,
    movement,
    receipt,
    reserve,
    sale,
    set_count,
    stock,
)


def counted(sku: str, quantity: int, as_of_ns: int = 0) -> Movement:
    """Tell a count as a movement."""
    return movement(MovementType.COUNT, sku, quantity, occurred_ns=as_of_ns)


def test_a_count_sets_on_hand_and_tells_the_drift() -> None:
    """Each line tells what was thought and what is now true."""
    ledger = ledger_with({"apple": 10, "fig": 5})
    result = do(ledger, set_count("q1", apple=8, fig=5))
    assert (result.status, result.shortages) == (CountStatus.APPLIED, ())
    assert result.lines == (CountLine("apple", 8, 10, 8), CountLine("fig", 5, 5, 5))
    assert stock(ledger, "apple").on_hand == 8


def test_movements_after_the_count_are_put_back_on_top() -> None:
    """Only what occurred after the watermark is added; what occurred up to it is in the count."""
    ledger = ledger_with({"apple": 10})
    for seconds, quantity in ((-2, 1), (0, 1), (1, 3)):
        do(ledger, sale("apple", quantity, occurred_ns=NOW + seconds * S), NOW + 2 * S)
    result = do(ledger, set_count("q1", as_of_ns=NOW, apple=20), NOW + 3 * S)
    assert result.lines == (CountLine("apple", 20, 5, 17),)


def test_movements_of_other_skus_are_not_put_on_top() -> None:
    """A count of one SKU is not touched by another's movements."""
    ledger = ledger_with({"apple": 10, "fig": 10})
    do(ledger, sale("fig", 3, occurred_ns=NOW + S), NOW + S)
    assert do(ledger, set_count("q1", apple=4), NOW + S).lines[0].after == 4


def test_fulfilments_after_the_count_are_put_back_on_top() -> None:
    """Units that left with an order after the watermark are gone from the count too."""
    ledger = ledger_with({"apple": 10})
    do(ledger, reserve("q1", apple=4))
    do(ledger, commit("q2", of="q1"))
    do(ledger, fulfil("q3", of="q1"), NOW + S)
    assert do(ledger, set_count("q4", as_of_ns=NOW, apple=10), NOW + 2 * S).lines[0].after == 6


def test_counting_again_starts_from_the_new_count() -> None:
    """An earlier count is not a movement to be put on top of a later one."""
    ledger = ledger_with({"apple": 10})
    do(ledger, set_count("q1", as_of_ns=NOW - 2 * S, apple=50))
    do(ledger, sale("apple", 1, occurred_ns=NOW - S))
    assert do(ledger, set_count("q2", as_of_ns=NOW - 2 * S, apple=7)).lines[0].after == 6
    assert do(ledger, set_count("q3", as_of_ns=NOW, apple=7)).lines[0].after == 7


def test_reservations_stay_when_counted() -> None:
    """A count finds goods, not promises."""
    ledger = ledger_with({"apple": 10})
    do(ledger, reserve("q1", apple=4))
    do(ledger, set_count("q2", apple=6))
    row = stock(ledger, "apple")
    assert (row.on_hand, row.held, row.available) == (6, 4, 2)


def test_a_dry_run_tells_the_drift_and_changes_nothing() -> None:
    """validate_only answers with the lines, is not remembered, and may be followed by the real one."""
    ledger = ledger_with({"apple": 10})
    dry = set_count("q1", apple=8)._replace(validate_only=True)
    before = ledger.snapshot()
    result, events = do_with_events(ledger, dry)
    assert (result.status, events, ledger.snapshot()) == (CountStatus.VALIDATED, [], before)
    assert result.lines == (CountLine("apple", 8, 10, 8),)
    assert do(ledger, dry._replace(validate_only=False)).status == CountStatus.APPLIED


def test_a_count_older_than_the_newest_count_is_superseded() -> None:
    """Counts arriving out of order do not undo newer ones; the same time again may correct."""
    ledger = ledger_with({"apple": 10, "fig": 10})
    do(ledger, set_count("q1", apple=8))
    result = do(ledger, set_count("q2", as_of_ns=NOW - 1, fig=1, apple=1))
    assert result.status == CountStatus.COUNT_SUPERSEDED
    assert (stock(ledger, "apple").on_hand, stock(ledger, "fig").on_hand) == (8, 10)
    assert do(ledger, set_count("q3", as_of_ns=NOW, apple=9)).status == CountStatus.APPLIED


def test_a_count_reaching_behind_the_forgotten_is_too_old() -> None:
    """When movements after the watermark are forgotten nobody can put them back on top."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(movements_max=2))
    for seconds in (1, 2, 3):
        do(ledger, sale("apple", 1, occurred_ns=NOW + seconds * S), NOW + seconds * S)
    too_old = set_count("q1", as_of_ns=NOW, apple=5)
    assert do(ledger, too_old, NOW + 4 * S).status == CountStatus.COUNT_TOO_OLD
    assert stock(ledger, "apple").on_hand == 7
    fits = set_count("q2", as_of_ns=NOW + S, apple=5)
    assert do(ledger, fits, NOW + 4 * S).lines[0].after == 3


def test_the_newest_of_the_forgotten_decides_what_is_too_old() -> None:
    """Movements are forgotten in the order they came, which need not be the order they happened."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(movements_max=1))
    for seconds in (5, 1, 9):
        do(ledger, sale("apple", 1, occurred_ns=NOW + seconds * S), NOW + 10 * S)
    late = set_count("q1", as_of_ns=NOW + 3 * S, apple=5)
    assert do(ledger, late, NOW + 10 * S).status == CountStatus.COUNT_TOO_OLD
    assert do(ledger, set_count("q2", as_of_ns=NOW + 5 * S, apple=5), NOW + 10 * S).lines[0].after == 4


def test_an_expected_version_guards_against_changes_in_between() -> None:
    """A count made from a stale reading is refused when a counted SKU changed since."""
    ledger = ledger_with({"apple": 10, "fig": 10})
    read = ledger.version
    do(ledger, sale("fig", 1))
    unchanged = set_count("q1", apple=8)._replace(expected_version=read)
    assert do(ledger, unchanged).status == CountStatus.APPLIED
    changed = set_count("q2", fig=8)._replace(expected_version=read)
    assert do(ledger, changed).status == CountStatus.VERSION_MISMATCH
    assert do(ledger, changed._replace(request_id="q3", expected_version=read + 1)).status == CountStatus.APPLIED


def test_a_reserve_in_between_does_not_count_as_a_change() -> None:
    """The expected version looks at on_hand, not at promises."""
    ledger = ledger_with({"apple": 10})
    read = ledger.version
    do(ledger, reserve("q1", apple=1))
    assert do(ledger, set_count("q2", apple=8)._replace(expected_version=read)).status == CountStatus.APPLIED


def test_a_version_mismatch_comes_before_a_superseded_count() -> None:
    """Refusals of a count have an order."""
    ledger = ledger_with({"apple": 10})
    do(ledger, set_count("q1", apple=8))
    both = set_count("q2", as_of_ns=NOW - 1, apple=1)._replace(expected_version=1)
    assert do(ledger, both).status == CountStatus.VERSION_MISMATCH


def test_a_count_of_an_unknown_sku_is_an_error() -> None:
    """SetCount names the line and changes nothing."""
    ledger = ledger_with({"apple": 10})
    result = do(ledger, set_count("q1", apple=1, kiwi=1))
    assert (result.reason, result.field) == (Reason.SKU_UNKNOWN, "lines[1].sku")
    assert stock(ledger, "apple").on_hand == 10


def test_a_count_from_the_future_is_an_error() -> None:
    """Clocks may differ a little, but nobody has counted tomorrow's stock."""
    ledger = ledger_with({"apple": 10})
    ahead = NOW + CLOCK_SKEW_MAX_NS
    assert do(ledger, set_count("q1", as_of_ns=ahead + 1, apple=1)).reason == Reason.INVALID
    result = do(ledger, counted("apple", 1, ahead + 1))
    assert (result.status, result.reason) == (MovementStatus.REJECTED, "INVALID")
    assert do(ledger, set_count("q1", as_of_ns=ahead, apple=1)).status == CountStatus.APPLIED


def test_a_count_by_a_clock_ahead_of_ours_swallows_no_movement() -> None:
    """What happens here after the count came in is not in the count, whatever time the count says."""
    ledger = ledger_with({"apple": 10, "fig": 10})
    do(ledger, set_count("q1", as_of_ns=NOW + CLOCK_SKEW_MAX_NS, apple=10))
    do(ledger, counted("fig", 10, NOW + CLOCK_SKEW_MAX_NS))
    assert do(ledger, sale("apple", 4), NOW + S).on_hand == 6
    assert do(ledger, sale("fig", 4), NOW + S).on_hand == 6


def test_a_count_movement_works_like_a_count() -> None:
    """It sets on_hand as of its time, with later movements on top, and registers the SKU."""
    ledger = ledger_with({"apple": 10})
    do(ledger, receipt("apple", 2, occurred_ns=NOW))
    assert do(ledger, counted("apple", 5, NOW - S)).on_hand == 7
    assert do(ledger, counted("kiwi", 0)).on_hand == 0
    assert stock(ledger, "kiwi").on_hand == 0


def test_a_superseded_count_movement_is_rejected_with_the_reason() -> None:
    """It changes nothing and is not remembered."""
    ledger = ledger_with({"apple": 10})
    do(ledger, set_count("q1", apple=8))
    late = counted("apple", 1, NOW - HOUR)
    for _ in range(2):
        result = do(ledger, late)
        assert (result.status, result.reason, result.on_hand) == (MovementStatus.REJECTED, "COUNT_SUPERSEDED", 8)


def test_a_count_movement_behind_the_forgotten_is_rejected_with_the_reason() -> None:
    """As for SetCount, what was forgotten cannot be put back on top."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(movements_max=1))
    do(ledger, sale("apple", 1, occurred_ns=NOW))
    do(ledger, sale("apple", 1, occurred_ns=NOW))
    assert do(ledger, counted("apple", 1, NOW - 1)).reason == "COUNT_TOO_OLD"


def test_a_sale_told_after_a_count_in_the_same_moment_lowers_on_hand() -> None:
    """What has no time of its own happens when it is told, so after the count that was told before it."""
    ledger = ledger_with({"apple": 10})
    do(ledger, counted("apple", 8))
    assert do(ledger, sale("apple", 3)).status == MovementStatus.APPLIED
    assert stock(ledger, "apple").on_hand == 5
