from __future__ import annotations

from allocator.core.results import ReserveStatus, State, TransitionResult, TransitionStatus
from tests.unit.core.helpers import (
    NOW,
    TTL,
    S,
    commit,
    do,
    do_with_events,
    expire,
    extend,
    ledger_with,
    release,
    reservation,
    reserve,
    stock,
)


def test_a_hold_ends_exactly_at_its_expiry() -> None:
    """One nanosecond before it is held, at the expiry it is not."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=2))
    assert expire(ledger, NOW + TTL - 1) == []
    assert stock(ledger, "apple").held == 2
    (expired,) = expire(ledger, NOW + TTL)
    assert (expired.reservation, expired.lines) == ("r-q1", (("apple", 2),))
    assert (stock(ledger, "apple").held, stock(ledger, "apple").available) == (0, 5)
    assert reservation(ledger, "q1").state == State.EXPIRED


def test_holds_expire_in_order_of_their_time_then_id() -> None:
    """The order of expiries does not depend on the order of the reserves."""
    ledger = ledger_with({"apple": 9})
    for request_id, ttl_ns in (("b", 20 * S), ("c", 10 * S), ("a", 20 * S)):
        do(ledger, reserve(request_id, apple=1)._replace(ttl_ns=ttl_ns))
    assert [event.reservation for event in expire(ledger, NOW + 60 * S)] == ["r-c", "r-a", "r-b"]


def test_a_command_finds_expired_stock_free_again() -> None:
    """Every command first expires what is due, in the same batch of events."""
    ledger = ledger_with({"apple": 1})
    do(ledger, reserve("q1", apple=1))
    result, events = do_with_events(ledger, reserve("q2", apple=1), NOW + TTL)
    assert result.status == ReserveStatus.HELD
    assert [type(event).__name__ for event in events] == ["Expired", "Reserved"]


def test_a_due_hold_never_commits() -> None:
    """At its expiry a commit is answered with EXPIRED, also when nothing has ticked yet."""
    ledger = ledger_with({"apple": 1})
    do(ledger, reserve("q1", apple=1))
    decided, _ = ledger.decide(commit("q2", of="q1"), NOW + TTL)
    assert isinstance(decided, TransitionResult)
    assert decided.status == TransitionStatus.EXPIRED
    assert do(ledger, commit("q2", of="q1"), NOW + TTL).status == TransitionStatus.EXPIRED
    assert stock(ledger, "apple").committed == 0


def test_the_last_nanosecond_commits() -> None:
    """A hold is never cut short."""
    ledger = ledger_with({"apple": 1})
    do(ledger, reserve("q1", apple=1))
    assert do(ledger, commit("q2", of="q1"), NOW + TTL - 1).status == TransitionStatus.DONE
    assert expire(ledger, NOW + 10 * TTL) == []


def test_an_extended_hold_lives_past_its_first_expiry() -> None:
    """The old time in the queue means nothing any more."""
    ledger = ledger_with({"apple": 1})
    do(ledger, reserve("q1", apple=1))
    do(ledger, extend("q2", of="q1"), NOW + TTL - 1)
    assert expire(ledger, NOW + TTL) == []
    assert len(expire(ledger, NOW + 2 * TTL - 1)) == 1


def test_a_shortened_hold_ends_at_its_new_expiry_once() -> None:
    """After an extension to less time the hold ends early, and only once."""
    ledger = ledger_with({"apple": 1})
    do(ledger, reserve("q1", apple=1))
    do(ledger, extend("q2", of="q1", ttl_ns=S))
    assert len(expire(ledger, NOW + S)) == 1
    assert expire(ledger, NOW + TTL) == []


def test_only_what_is_still_open_expires() -> None:
    """Units released before are not given back again."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=3))
    do(ledger, release("q2", of="q1", apple=1))
    assert expire(ledger, NOW + TTL)[0].lines == (("apple", 2),)
    assert stock(ledger, "apple").available == 5


def test_next_expiry_is_that_of_the_first_hold_due() -> None:
    """The shell sleeps until then: committed and released holds do not wake it."""
    ledger = ledger_with({"apple": 9})
    assert ledger.next_expiry_ns() is None
    for number, ttl_ns in enumerate((S, 2 * S, 3 * S)):
        do(ledger, reserve(f"q{number}", apple=1)._replace(ttl_ns=ttl_ns))
    assert ledger.next_expiry_ns() == NOW + S
    do(ledger, commit("c0", of="q0"))
    do(ledger, release("c1", of="q1"))
    assert ledger.next_expiry_ns() == NOW + 3 * S
