from __future__ import annotations

import pytest

from allocator.core.ledger import StockLedger
from allocator.core.results import Reason, ReservationLine, State, TransitionStatus
from tests.unit.core.helpers import (
    NOW,
    TTL,
    Act,
    S,
    commit,
    do,
    extend,
    fulfil,
    ledger_with,
    release,
    reservation,
    reserve,
    stock,
)


@pytest.fixture
def held() -> StockLedger:
    """A ledger with three apples and two figs held under q1."""
    ledger = ledger_with({"apple": 5, "fig": 5})
    do(ledger, reserve("q1", apple=3, fig=2))
    return ledger


@pytest.fixture
def committed(held: StockLedger) -> StockLedger:
    """The same, committed."""
    do(held, commit("q2", of="q1"))
    return held


def test_commit_makes_held_committed(committed: StockLedger) -> None:
    """Committed units stay promised and no longer expire."""
    row = stock(committed, "apple")
    assert (row.held, row.committed, row.available) == (0, 3, 2)
    view = reservation(committed, "q1")
    assert (view.state, view.expires_ns) == (State.COMMITTED, 0)
    assert committed.next_expiry_ns() is None


def test_commit_twice_is_done_both_times(committed: StockLedger) -> None:
    """A second commit under another request id finds it done."""
    result = do(committed, commit("q3", of="q1"))
    assert (result.status, result.lines, result.repeated) == (TransitionStatus.DONE, (), False)


def test_extend_counts_from_now(held: StockLedger) -> None:
    """An extended hold ends the new ttl after the extension."""
    result = do(held, extend("q2", of="q1"), NOW + 10 * S)
    assert (result.status, result.view.expires_ns) == (TransitionStatus.DONE, NOW + 10 * S + TTL)
    assert held.next_expiry_ns() == NOW + 10 * S + TTL


def test_extend_can_shorten(held: StockLedger) -> None:
    """The ttl is counted from now, also when the hold had longer to go."""
    do(held, extend("q2", of="q1", ttl_ns=S))
    assert held.next_expiry_ns() == NOW + S


def test_extend_of_a_committed_one_says_so(committed: StockLedger) -> None:
    """What is committed needs no more time."""
    assert do(committed, extend("q3", of="q1")).status == TransitionStatus.COMMITTED
    assert reservation(committed, "q1").expires_ns == 0


def test_release_gives_everything_back(held: StockLedger) -> None:
    """Without lines all that is open is given back, and the reservation ends."""
    result = do(held, release("q2", of="q1"))
    assert (result.status, result.lines) == (TransitionStatus.DONE, (("apple", 3), ("fig", 2)))
    assert result.view.state == State.RELEASED
    assert (stock(held, "apple").available, stock(held, "fig").available) == (5, 5)


def test_release_of_some_lines_keeps_the_rest(held: StockLedger) -> None:
    """Named units go back; the reservation lives on with the others."""
    result = do(held, release("q2", of="q1", fig=2, apple=1))
    assert result.lines == (("apple", 1), ("fig", 2))
    assert reservation(held, "q1").state == State.HELD
    assert reservation(held, "q1").lines == (ReservationLine("apple", 3, 0, 1), ReservationLine("fig", 2, 0, 2))
    assert do(held, release("q3", of="q1")).lines == (("apple", 2),)


def test_release_of_a_committed_one_is_done(committed: StockLedger) -> None:
    """A cancelled order gives its units back."""
    assert do(committed, release("q3", of="q1")).view.state == State.RELEASED
    assert (stock(committed, "apple").committed, stock(committed, "apple").available) == (0, 5)


def test_fulfil_takes_the_units_out(committed: StockLedger) -> None:
    """Fulfilled units leave on_hand and committed together, so available stays."""
    result = do(committed, fulfil("q3", of="q1"))
    assert (result.status, result.lines) == (TransitionStatus.DONE, (("apple", 3), ("fig", 2)))
    assert result.view.state == State.FULFILLED
    row = stock(committed, "apple")
    assert (row.on_hand, row.committed, row.available) == (2, 0, 2)


def test_fulfil_of_some_lines_keeps_the_rest(committed: StockLedger) -> None:
    """A partial shipment leaves the rest committed."""
    do(committed, fulfil("q3", of="q1", apple=1))
    assert reservation(committed, "q1").state == State.COMMITTED
    assert (stock(committed, "apple").on_hand, stock(committed, "apple").committed) == (4, 2)


def test_fulfilled_in_part_and_released_for_the_rest_ends_fulfilled(committed: StockLedger) -> None:
    """A reservation of which anything was fulfilled ends as FULFILLED."""
    do(committed, fulfil("q3", of="q1", apple=1))
    assert do(committed, release("q4", of="q1")).view.state == State.FULFILLED


def test_fulfil_needs_a_commit(held: StockLedger) -> None:
    """Goods of a hold do not leave before the order is placed."""
    assert do(held, fulfil("q2", of="q1")).status == TransitionStatus.NOT_COMMITTED
    assert stock(held, "apple").on_hand == 5


@pytest.mark.parametrize("lines", [{"apple": 4}, {"apple": 1, "fig": 3}, {"pear": 1}])
@pytest.mark.parametrize("take", [release, fulfil])
def test_more_than_is_open_is_refused_whole(committed: StockLedger, take: Act, lines: dict[str, int]) -> None:
    """One line over what is open, or not in the reservation at all, and nothing moves."""
    before = stock(committed, "apple"), stock(committed, "fig"), reservation(committed, "q1")
    result = do(committed, take("q3", of="q1", **lines))
    assert (result.status, result.lines) == (TransitionStatus.LINES_EXCEED_OPEN, ())
    assert (stock(committed, "apple"), stock(committed, "fig"), reservation(committed, "q1")) == before


def test_units_already_released_cannot_be_fulfilled(committed: StockLedger) -> None:
    """Open is what is neither fulfilled nor released."""
    do(committed, release("q3", of="q1", apple=2))
    assert do(committed, fulfil("q4", of="q1", apple=2)).status == TransitionStatus.LINES_EXCEED_OPEN
    assert do(committed, fulfil("q5", of="q1", apple=1)).status == TransitionStatus.DONE


@pytest.mark.parametrize("act", [commit, extend, release, fulfil])
@pytest.mark.parametrize(("end", "status"), [("release", 3), ("fulfil", 4), ("expire", 2)])
def test_what_ended_stays_ended(act: Act, end: str, status: int) -> None:
    """Whatever is asked of an ended reservation is answered with how it ended."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=3))
    later = NOW + TTL if end == "expire" else NOW
    if end == "release":
        do(ledger, release("q2", of="q1"))
    elif end == "fulfil":
        do(ledger, commit("q2", of="q1"))
        do(ledger, fulfil("q3", of="q1"))
    result = do(ledger, act("q4", of="q1"), later)
    assert (result.status, result.lines) == (TransitionStatus(status), ())
    assert stock(ledger, "apple").available == (2 if end == "fulfil" else 5)
    ledger.check_invariants()


@pytest.mark.parametrize("act", [commit, extend, release, fulfil])
def test_an_unknown_reservation_is_an_error(act: Act) -> None:
    """There is nothing to answer about a reservation nobody made."""
    result = do(ledger_with({"apple": 5}), act("q1", of="nobody"))
    assert (result.reason, result.field) == (Reason.RESERVATION_UNKNOWN, "name")


def test_the_answer_shows_the_reservation_after_the_change(held: StockLedger) -> None:
    """The view in an answer is of after the command, with the time of it."""
    result = do(held, release("q2", of="q1", apple=1), NOW + S)
    assert result.view == reservation(held, "q1")
    assert result.view.updated_ns == NOW + S
