from __future__ import annotations

from allocator.core.commands import Capacity, Configure, Measure
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.results import Reason, ReserveStatus
from tests.unit.core.helpers import (
    HOUR,
    NOW,
    TTL,
    commit,
    do,
    fulfil,
    ledger_with,
    partial,
    picks,
    release,
    reserve,
    stock,
)

HELD, NO_CAPACITY = ReserveStatus.HELD, ReserveStatus.NO_CAPACITY


def picking(capacity: Capacity) -> StockLedger:
    """A ledger with plenty of stock and this capacity."""
    ledger = ledger_with({"apple": 100, "fig": 100})
    do(ledger, Configure("c0", capacity=capacity))
    return ledger


def test_capacity_limits_the_units_of_a_window() -> None:
    """Units over all SKUs count; a refusal tells what is left and holds nothing."""
    ledger = picking(picks(10))
    assert do(ledger, reserve("q1", apple=3, fig=4)).status == HELD
    result = do(ledger, reserve("q2", apple=4))
    assert (result.status, result.capacity_left, result.expires_ns) == (NO_CAPACITY, 3, 0)
    assert stock(ledger, "apple").held == 3
    assert do(ledger, reserve("q3", apple=3)).status == HELD


def test_capacity_may_count_orders() -> None:
    """Measured in orders a big one counts as much as a small one."""
    ledger = picking(picks(2, Measure.ORDERS))
    seen = [do(ledger, reserve(f"q{n}", apple=20)).status for n in range(3)]
    assert seen == [HELD, HELD, NO_CAPACITY]


def test_each_window_has_its_own_capacity() -> None:
    """The pick time chooses the window; without one it is the window of now."""
    ledger = picking(picks(5))
    do(ledger, reserve("q1", apple=5))
    assert do(ledger, reserve("q2", apple=1)).status == NO_CAPACITY
    assert do(ledger, reserve("q3", apple=5)._replace(pick_at_ns=NOW + HOUR)).status == HELD
    do(ledger, commit("q4", of="q3"))
    assert do(ledger, reserve("q5", apple=1), NOW + HOUR).status == NO_CAPACITY


def test_windows_start_at_whole_multiples() -> None:
    """Windows are counted from 1970 UTC, not from the first order."""
    ledger = picking(picks(5))
    start = NOW - NOW % HOUR
    do(ledger, reserve("q1", apple=5)._replace(pick_at_ns=start + HOUR - 1))
    assert do(ledger, reserve("q2", apple=1)._replace(pick_at_ns=start)).status == NO_CAPACITY
    assert do(ledger, reserve("q3", apple=1)._replace(pick_at_ns=start + HOUR)).status == HELD


def test_an_override_sets_one_window_apart() -> None:
    """On a holiday the limit may be another one."""
    start = NOW - NOW % HOUR
    ledger = picking(picks(5, overrides=((start, 1),)))
    result = do(ledger, reserve("q1", apple=2))
    assert (result.status, result.capacity_left) == (NO_CAPACITY, 1)
    assert do(ledger, reserve("q2", apple=2)._replace(pick_at_ns=start + HOUR)).status == HELD


def test_released_units_free_capacity() -> None:
    """Capacity is given back with the stock, line by line."""
    ledger = picking(picks(5))
    do(ledger, reserve("q1", apple=5))
    do(ledger, release("q2", of="q1", apple=2))
    assert do(ledger, reserve("q3", apple=3)).capacity_left == 2
    assert do(ledger, reserve("q4", apple=2)).status == HELD


def test_expired_holds_free_capacity() -> None:
    """An expiry gives back what it booked."""
    ledger = picking(picks(5))
    do(ledger, reserve("q1", apple=5)._replace(pick_at_ns=NOW + TTL))
    assert do(ledger, reserve("q2", apple=5), NOW + TTL).status == HELD


def test_fulfilled_units_have_used_their_capacity() -> None:
    """What was picked was picked: the window stays full."""
    ledger = picking(picks(5))
    do(ledger, reserve("q1", apple=5))
    do(ledger, commit("q2", of="q1"))
    do(ledger, fulfil("q3", of="q1"))
    assert do(ledger, reserve("q4", apple=1)).status == NO_CAPACITY


def test_an_order_counts_until_it_is_wholly_given_back() -> None:
    """Measured in orders a partial release frees nothing."""
    ledger = picking(picks(1, Measure.ORDERS))
    do(ledger, reserve("q1", apple=2))
    do(ledger, release("q2", of="q1", apple=1))
    assert do(ledger, reserve("q3", apple=1)).status == NO_CAPACITY
    do(ledger, release("q4", of="q1"))
    assert do(ledger, reserve("q5", apple=1)).status == HELD


def test_stock_comes_before_capacity() -> None:
    """With both short the answer is about stock."""
    ledger = picking(picks(5))
    assert do(ledger, reserve("q1", apple=101)).status == ReserveStatus.INSUFFICIENT_STOCK


def test_capacity_is_not_taken_in_part() -> None:
    """A partial reserve books the units it got as a whole, or nothing."""
    ledger = picking(picks(5))
    do(ledger, reserve("q0", apple=95)._replace(pick_at_ns=NOW + HOUR))  # refused: over the limit of its window
    assert do(ledger, partial("q1", apple=6)).status == NO_CAPACITY
    ledger = ledger_with({"apple": 4})
    do(ledger, Configure("c0", capacity=picks(5)))
    assert do(ledger, partial("q1", apple=6)).status == ReserveStatus.PARTIALLY_HELD
    assert do(ledger, reserve("q2", apple=1)).status == ReserveStatus.INSUFFICIENT_STOCK


def test_a_closed_window_takes_nothing() -> None:
    """A limit of 0 is a limit."""
    ledger = picking(picks(0))
    result = do(ledger, reserve("q1", apple=1))
    assert (result.status, result.capacity_left) == (NO_CAPACITY, 0)


def test_reservations_made_before_capacity_was_set_count() -> None:
    """The pickers have to pick those as well."""
    ledger = ledger_with({"apple": 100})
    do(ledger, reserve("q1", apple=4))
    do(ledger, Configure("c1", capacity=picks(5)))
    assert do(ledger, reserve("q2", apple=2)).capacity_left == 1
    do(ledger, release("q3", of="q1"))
    do(ledger, Configure("c2", capacity=picks(1, Measure.ORDERS)))
    assert do(ledger, reserve("q4", apple=2)).status == HELD
    assert do(ledger, reserve("q5", apple=2)).status == NO_CAPACITY


def test_lowering_the_limit_leaves_nothing_but_no_debt() -> None:
    """More booked than the new limit: nothing left, and never less than nothing."""
    ledger = picking(picks(5))
    do(ledger, reserve("q1", apple=5))
    do(ledger, Configure("c1", capacity=picks(2)))
    assert do(ledger, reserve("q2", apple=1)).capacity_left == 0


def test_only_so_many_windows_can_be_booked() -> None:
    """Going over the maximum is an error, and never forgets what is booked."""
    ledger = ledger_with({"apple": 100}, LedgerLimits(windows_max=2))
    do(ledger, Configure("c0", capacity=picks(5)))
    for n in range(2):
        assert do(ledger, reserve(f"q{n}", apple=5)._replace(pick_at_ns=NOW + n * HOUR)).status == HELD
    later = reserve("q2", apple=1)._replace(pick_at_ns=NOW + 2 * HOUR)
    assert do(ledger, later).reason == Reason.TABLE_FULL
    assert do(ledger, reserve("q3", apple=1)).capacity_left == 0
    do(ledger, release("q4", of="q1"))
    assert do(ledger, later).status == HELD
    ledger.check_invariants()


def test_past_windows_make_room_for_new_ones() -> None:
    """What can no longer be picked need not be remembered."""
    ledger = ledger_with({"apple": 100}, LedgerLimits(windows_max=1))
    do(ledger, Configure("c0", capacity=picks(5)))
    for n in range(3):
        now_ns = NOW + n * HOUR
        assert do(ledger, reserve(f"q{n}", apple=5), now_ns).status == HELD
        do(ledger, commit(f"c{n}", of=f"q{n}"), now_ns)
    ledger.check_invariants()


def test_a_forgotten_window_may_be_booked_again() -> None:
    """A pick time in the past is of no use, and does no harm."""
    ledger = ledger_with({"apple": 100}, LedgerLimits(windows_max=2))
    do(ledger, Configure("c0", capacity=picks(5)))
    for n in range(3):
        do(ledger, reserve(f"q{n}", apple=5), NOW + n * HOUR)
        do(ledger, commit(f"c-{n}", of=f"q{n}"), NOW + n * HOUR)
    do(ledger, reserve("q3", apple=1)._replace(pick_at_ns=NOW), NOW + 2 * HOUR)
    ledger.check_invariants()


def test_clearing_capacity_lifts_the_limit() -> None:
    """Without capacity only stock counts."""
    ledger = picking(picks(1))
    do(ledger, Configure("c1", clear_capacity=True))
    assert do(ledger, reserve("q1", apple=50)).status == HELD


def test_a_setting_left_out_stays() -> None:
    """Closing a location does not touch its capacity."""
    ledger = picking(picks(1))
    do(ledger, Configure("c1", accepting=False))
    do(ledger, Configure("c2", accepting=True))
    assert do(ledger, reserve("q1", apple=2)).status == NO_CAPACITY
