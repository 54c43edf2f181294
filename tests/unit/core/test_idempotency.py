from __future__ import annotations

import pytest

from allocator.core.commands import Commit, Configure, Write
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.results import Done, Reason, ReserveStatus, State, TransitionStatus
from tests.unit.core.helpers import (
    NOW,
    S,
    Value,
    commit,
    do,
    do_with_events,
    extend,
    fulfil,
    ledger_with,
    partial,
    policy,
    receipt,
    release,
    reservation,
    reserve,
    set_count,
    stock,
)

COMMANDS: list[Write] = [
    reserve("q", apple=2),
    reserve("q", apple=99),
    partial("q", apple=99),
    commit("q", of="q0"),
    extend("q", of="q0"),
    release("q", of="q0", apple=1),
    fulfil("q", of="q0"),
    set_count("q", apple=4),
    set_count("q", as_of_ns=1, apple=4),
    policy("q", "apple", safety_stock=1),
    Configure("q", accepting=False),
]


@pytest.fixture
def ledger() -> StockLedger:
    """A ledger with ten apples of which two are held under q0."""
    ledger = ledger_with({"apple": 10})
    do(ledger, reserve("q0", apple=2))
    return ledger


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
def test_a_repeat_gets_the_first_answer_and_does_nothing(ledger: StockLedger, command: Write) -> None:
    """Every writing command, done or refused, acts once and answers the same again."""
    first = do(ledger, command)
    before = ledger.snapshot()
    again, events = do_with_events(ledger, command, NOW + 60 * S)
    assert (again, events) == (first._replace(repeated=True), [])
    assert ledger.snapshot() == before


def test_a_repeat_tells_the_shortages_of_the_first_time() -> None:
    """Whoever lost the first answer still has to know who is at risk."""
    ledger = ledger_with({"apple": 2, "fig": 2})
    do(ledger, reserve("q0", apple=2, fig=2))
    broken = policy("q1", "apple", moves=(("", "damaged", 1),))
    for command in (broken, set_count("q2", fig=1)):
        first = do(ledger, command)
        assert len(first.shortages) == 1
        assert do(ledger, command) == first._replace(repeated=True)


def test_a_refusal_is_remembered(ledger: StockLedger) -> None:
    """A retry of a refused reserve is refused, also when stock has come since."""
    refused = do(ledger, reserve("q1", apple=20))
    do(ledger, receipt("apple", 50))
    assert do(ledger, reserve("q1", apple=20)) == refused._replace(repeated=True)
    assert do(ledger, reserve("q2", apple=20)).status == ReserveStatus.HELD


def test_an_error_is_not_remembered(ledger: StockLedger) -> None:
    """What was not decided at all may be tried again once it can be."""
    assert do(ledger, reserve("q1", kiwi=1)).reason == Reason.SKU_UNKNOWN
    do(ledger, receipt("kiwi", 1))
    result = do(ledger, reserve("q1", kiwi=1))
    assert (result.status, result.repeated) == (ReserveStatus.HELD, False)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"lines": (("apple", 3),)}, "lines"),
        ({"ttl_ns": S}, "ttl_ns"),
        ({"channel": "web", "order": "o1"}, "channel"),
        ({"policy": 2}, "policy"),
        ({"order": "o1"}, "order"),
        ({"pick_at_ns": NOW}, "pick_at_ns"),
        ({"ttl_ns": S, "lines": (("apple", 3),)}, "lines"),
    ],
)
def test_the_same_id_with_other_content_names_the_first_differing_field(
    ledger: StockLedger, changed: dict[str, Value], field: str
) -> None:
    """Reusing a request id is an error and changes nothing."""
    do(ledger, reserve("q1", apple=2))
    before = ledger.snapshot()
    result = do(ledger, reserve("q1", apple=2)._replace(**changed))
    assert (result.reason, result.field) == (Reason.REQUEST_ID_REUSED, field)
    assert ledger.snapshot() == before


def test_the_same_id_for_another_kind_of_command_names_the_method(ledger: StockLedger) -> None:
    """A request id belongs to one request."""
    do(ledger, release("q1", of="q0", apple=1))
    result = do(ledger, fulfil("q1", of="q0", apple=1))
    assert (result.reason, result.field) == (Reason.REQUEST_ID_REUSED, "method")


def test_a_repeat_shows_the_reservation_as_it_is_now(ledger: StockLedger) -> None:
    """The outcome is that of the first time, the view is of today."""
    do(ledger, commit("q1", of="q0"))
    do(ledger, release("q2", of="q0"))
    again = do(ledger, commit("q1", of="q0"))
    assert (again.status, again.repeated, again.view.state) == (TransitionStatus.DONE, True, State.RELEASED)


def test_a_repeat_of_a_forgotten_reservation_has_no_view() -> None:
    """The answer outlives the reservation it was about."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(closed_max=1))
    for name in ("a", "b"):
        do(ledger, reserve(name, apple=1))
        do(ledger, release(f"release-{name}", of=name))
    again = do(ledger, release("release-a", of="a"))
    assert (again.status, again.lines, again.view) == (TransitionStatus.DONE, (("apple", 1),), None)


def test_a_repeat_comes_before_every_other_check(ledger: StockLedger) -> None:
    """A malformed command under a used id is a reused id first."""
    do(ledger, reserve("q1", apple=2))
    assert do(ledger, reserve("q1", kiwi=-1)).reason == Reason.REQUEST_ID_REUSED


def test_only_so_many_request_ids_are_remembered() -> None:
    """The oldest is forgotten first, and then acts anew."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(requests_max=2))
    for number in range(3):
        do(ledger, policy(f"p{number}", "apple", safety_stock=number))
    assert do(ledger, policy("p2", "apple", safety_stock=2)) == Done(repeated=True)
    assert do(ledger, policy("p1", "apple", safety_stock=1)) == Done(repeated=True)
    assert do(ledger, policy("p0", "apple", safety_stock=0)) == Done(repeated=False)
    assert stock(ledger, "apple").safety_stock == 0


def test_request_ids_are_remembered_only_so_long() -> None:
    """Age counts as well as number."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(requests_age_ns=60 * S))
    first = policy("p1", "apple", safety_stock=1)
    do(ledger, first)
    do(ledger, policy("p2", "apple", safety_stock=2), NOW + 59 * S)
    assert do(ledger, first, NOW + 59 * S).repeated
    do(ledger, policy("p3", "apple", safety_stock=3), NOW + 62 * S)
    assert not do(ledger, first, NOW + 62 * S).repeated


def test_a_reserve_forgotten_by_id_is_known_by_its_reservation() -> None:
    """A very late retry finds the hold it made, and does not hold twice."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(requests_max=1))
    do(ledger, reserve("q1", apple=2))
    do(ledger, policy("p1", "apple", safety_stock=1))
    again = do(ledger, reserve("q1", apple=2))
    assert (again.status, again.reservation, again.repeated) == (ReserveStatus.HELD, "r-q1", True)
    assert stock(ledger, "apple").held == 2


def test_a_reservation_known_without_its_request_still_tells_a_reuse() -> None:
    """What the reservation remembers is compared; the order of lines is not part of it."""
    ledger = ledger_with({"apple": 10, "fig": 1}, LedgerLimits(requests_max=0))
    do(ledger, partial("q1", apple=2, fig=2))
    assert do(ledger, partial("q1", fig=2, apple=2)).status == ReserveStatus.PARTIALLY_HELD
    for changed, field in (
        (partial("q1", apple=1, fig=2), "lines"),
        (partial("q1", apple=2), "lines"),
        (reserve("q1", apple=2, fig=2), "lines"),
        (partial("q1", apple=2, fig=2)._replace(channel="web"), "channel"),
        (partial("q1", apple=2, fig=2)._replace(order="o9"), "order"),
    ):
        result = do(ledger, changed)
        assert (result.reason, result.field) == (Reason.REQUEST_ID_REUSED, field)
    do(ledger, release("q2", of="q1", fig=1))
    do(ledger, reserve("q3", apple=1, fig=1))
    assert do(ledger, reserve("q3", fig=1, apple=1)).status == ReserveStatus.HELD


def test_nothing_may_be_remembered() -> None:
    """Tables of size 0 forget at once."""
    forgetful = LedgerLimits(requests_max=0, closed_max=0, movements_max=0, movement_ids_max=0)
    ledger = ledger_with({"apple": 10}, forgetful)
    do(ledger, reserve("q1", apple=2))
    do(ledger, release("q2", of="q1"))
    assert do(ledger, release("q2", of="q1")).reason == Reason.RESERVATION_UNKNOWN
    assert StockLedger.restore(ledger.snapshot()).snapshot() == ledger.snapshot()


def test_ended_reservations_are_kept_only_so_many() -> None:
    """The one that ended first is forgotten first; live ones never are."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(closed_max=1))
    for name in ("live", "a", "b"):
        do(ledger, reserve(name, apple=1))
    for name in ("b", "a"):
        do(ledger, release(f"release-{name}", of=name))
    assert reservation(ledger, "live").state == State.HELD
    assert reservation(ledger, "a").state == State.RELEASED
    assert do(ledger, Commit("q9", "r-b")).reason == Reason.RESERVATION_UNKNOWN


def test_ended_reservations_are_kept_only_so_long() -> None:
    """After the age an ended reservation goes when the next one ends."""
    ledger = ledger_with({"apple": 10}, LedgerLimits(closed_age_ns=60 * S))
    for name in ("a", "b"):
        do(ledger, reserve(name, apple=1))
    do(ledger, release("q1", of="a"))
    do(ledger, release("q2", of="b"), NOW + 61 * S)
    assert do(ledger, Commit("q3", "r-a"), NOW + 61 * S).reason == Reason.RESERVATION_UNKNOWN
    assert reservation(ledger, "b").state == State.RELEASED
