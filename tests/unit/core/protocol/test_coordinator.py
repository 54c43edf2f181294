from __future__ import annotations

from collections.abc import Callable

import pytest

from allocator.core.commands import Commit, Configure, Reserve
from allocator.core.limits import LedgerLimits
from allocator.core.protocol.answers import OpenResult, OpenStatus
from allocator.core.protocol.coordinator import ATTEMPTS_MAX, Wanted, carry, placed, transition
from allocator.core.protocol.types import Ask, Follow, Open
from allocator.core.results import Reason, Rejected, TransitionResult
from tests.unit.core.helpers import TTL
from tests.unit.core.protocol.helpers import (
    BOTH,
    HOME,
    NAME,
    TERMS,
    THERE,
    Locations,
    Spoken,
    commit,
    opened,
    partly,
    reserve,
    two,
)

TOO_MUCH = (Wanted(HOME, (("apple", 2),)), Wanted(THERE, (("apple", 50),)))


def held(at: Locations) -> int:
    """Units held anywhere."""
    return sum(sum(ledger.stock.held) for ledger in at.ledgers.values())


def to(location: str, kind: type) -> Callable[[str, Spoken], bool]:
    """Lose messages of a kind to a location."""
    return lambda where, message: where == location and isinstance(message, kind)


def test_all_or_nothing_over_all_locations() -> None:
    """One location that is short refuses the whole, and what the others held is given back."""
    at = two()
    concluded = reserve(at, TOO_MUCH)
    assert isinstance(concluded.result, OpenResult)
    assert concluded.result.status == OpenStatus.REFUSED
    assert held(at) == 0
    at.check()


def test_the_next_plan_is_tried() -> None:
    """A refused plan is given back before the next one is held, so both may want the same units."""
    at = two()
    concluded = reserve(at, TOO_MUCH, [Wanted(HOME, (("apple", 5),))])
    assert isinstance(concluded.result, OpenResult)
    assert placed(concluded.result.parts) == (("apple", 5, HOME),)
    assert held(at) == 5


def test_a_partial_reserve_takes_what_there_is() -> None:
    """Lines that are short are held in part; a location with nothing has no part."""
    at = two()
    terms, wanted = partly((HOME, (("apple", 9), ("fig", 9))), (THERE, (("kiwi", 1),)))
    result = reserve(at, wanted, terms=terms).result
    assert isinstance(result, OpenResult)
    assert placed(result.parts) == (("apple", 5, HOME), ("fig", 1, HOME))


def test_a_partial_reserve_of_nothing_is_refused() -> None:
    """Nothing held is not a reservation."""
    at = two()
    terms, wanted = partly((HOME, (("kiwi", 9),)))
    assert reserve(at, wanted, terms=terms).result == OpenResult(OpenStatus.REFUSED, NAME)


def test_a_lost_hold_ends_the_call_unanswered() -> None:
    """Nobody knows whether it was held, so it is given up, and nothing is opened or remembered."""
    at = two()
    at.lost = to(THERE, Reserve)
    concluded = reserve(at)
    assert (concluded.result, concluded.error) == (None, None)
    assert held(at) == 0
    at.lost = lambda *_: False
    assert isinstance(reserve(at, attempt="u").result, OpenResult)


def test_a_sourced_call_passes_over_a_location_that_is_away() -> None:
    """The caller leaves the locations to us, so another plan does as well."""
    at = two()
    at.lost = to(THERE, Reserve)
    concluded = reserve(at, BOTH, [Wanted(HOME, (("apple", 1),))], terms=TERMS._replace(sourced=True))
    assert isinstance(concluded.result, OpenResult)
    assert concluded.result.status == OpenStatus.OPENED


def test_an_error_of_a_location_is_told_with_its_place() -> None:
    """A malformed line is not a refusal; what others held is given back."""
    at = two()
    concluded = reserve(at, [BOTH[0], Wanted(THERE, (("apple", -1),))])
    assert concluded.error is not None
    location, rejected = concluded.error
    assert (location, rejected.reason, rejected.field) == (THERE, Reason.INVALID, "lines[0].quantity")
    assert held(at) == 0


def test_a_lost_open_gives_nothing_back() -> None:
    """It may have been opened: the parts stay until they have asked."""
    at = two()
    at.lost = to(HOME, Open)
    concluded = reserve(at)
    assert (concluded.result, concluded.error) == (None, None)
    assert held(at) == 5
    at.lost = lambda *_: False
    at.wait(40)
    for location in at.ledgers:
        at.run_errands(location)
    assert held(at) == 0


def test_an_open_that_was_made_after_all_is_found_by_the_retry() -> None:
    """Its answer was lost; the retry gets it, and its own parts go back."""
    at = two()
    reserve(at)
    result = reserve(at, attempt="u").result
    assert isinstance(result, OpenResult)
    assert (result.repeated, held(at)) == (True, 5)


def test_an_error_of_the_home_does_not_undo_what_it_has_opened() -> None:
    """The same message may have come twice: taken once, and turned away by a home that was recovering then."""
    at = two()
    say = at.say

    def twice(location: str, message: Spoken) -> Spoken:
        answer = say(location, message)
        return Rejected(Reason.RECOVERING, "location", "") if isinstance(message, Open) else answer

    at.say = twice  # type: ignore[method-assign]  # the network's doing
    concluded = reserve(at)
    assert concluded.error is not None
    assert held(at) == 5
    assert at.decide(commit()).status == 1
    at.check()


def test_an_error_of_the_home_gives_everything_up_through_the_home() -> None:
    """It has not opened it and never will, so the parts go back at once."""
    at = two(LedgerLimits(reservations_max=1))
    at.say(HOME, Reserve("x", "x", (("fig", 1),), TTL))
    concluded = reserve(at, [Wanted(THERE, (("fig", 1),))])
    assert concluded.error is not None
    assert concluded.error[1].reason == Reason.TABLE_FULL
    assert at.stock(THERE, "fig").held == 0
    at.check()


def test_a_part_given_up_meanwhile_is_held_anew() -> None:
    """The home had told it that nobody opened it; the same plan is held under another id."""
    at = two()
    say = at.say

    def asked_before(location: str, message: Spoken) -> Spoken:
        if isinstance(message, Open) and "t0" in message.parts[0].hold:
            say(HOME, Ask(NAME, message.parts[0].hold, HOME))
        return say(location, message)

    at.say = asked_before  # type: ignore[method-assign]  # somebody else's doing
    result = reserve(at).result
    assert isinstance(result, OpenResult)
    assert all("t1" in part.hold for part in result.parts)
    assert held(at) == 5
    at.check()


def test_no_call_tries_for_ever() -> None:
    """After so many plans it is refused."""
    at = two()
    concluded = reserve(at, *([[Wanted(HOME, (("apple", 50),))]] * (ATTEMPTS_MAX + 5)))
    assert concluded.result == OpenResult(OpenStatus.REFUSED, NAME)
    assert sum(isinstance(message, Reserve) for _, message in at.said) == ATTEMPTS_MAX


def test_a_closed_location_refuses_the_whole() -> None:
    """It takes no new reserves, parts among them."""
    at = two()
    at.say(THERE, Configure("c", accepting=False))
    assert reserve(at).result == OpenResult(OpenStatus.REFUSED, NAME)
    assert held(at) == 0


def test_only_those_that_followed_are_confirmed() -> None:
    """Lost news and errors are left to the home."""
    at = opened()
    result = at.say(HOME, commit())
    at.lost = to(THERE, Follow)
    (confirm,) = at.converse(carry(result.owed))
    assert confirm.hold == next(follow.hold for location, follow in result.owed if location == HOME)


def test_nothing_owed_is_nothing_said() -> None:
    """No round of calls, no confirmations."""
    at = two()
    assert at.converse(carry(())) == ()
    assert at.said == []


@pytest.mark.parametrize("lost", [True, False])
def test_a_transition_is_the_homes_answer(*, lost: bool) -> None:
    """Or none when it was lost."""
    at = opened()
    at.lost = lambda *_: lost
    answer = at.converse(transition(HOME, Commit("c1", NAME)))
    assert answer is None if lost else isinstance(answer, TransitionResult)
