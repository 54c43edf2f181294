from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import MovementType
from allocator.core.protocol.coordinator import Wanted
from allocator.core.protocol.types import Amend, Fate, Move
from allocator.core.results import State, TransitionStatus
from tests.unit.core.helpers import HOUR, NOW, movement, receipt
from tests.unit.core.protocol.helpers import HOME, TERMS, THERE, Locations, commit, fulfil, release, reserve, view

DAY = 24 * HOUR


def waiting(*, commits: bool = True) -> Locations:
    """Two apples at each location, and six of a reservation at each: four wait for the ten that come on day 3."""
    at = Locations(leeds={"apple": 2}, york={"apple": 2})
    for place in (HOME, THERE):
        at.say(place, movement(MovementType.SUPPLY, "apple", 10, supply="po-1", expect_ns=NOW + 3 * DAY))
    terms = TERMS._replace(promise_by_ns=NOW + 4 * DAY)
    wanted = [Wanted(place, (("apple", 6),)) for place in (HOME, THERE)]
    assert reserve(at, wanted, terms=terms).result is not None
    if commits:
        at.decide(commit())
    return at


def settled(at: Locations, seconds: int = 40) -> None:
    """Let every location say what it has to say."""
    for _ in range(3):
        at.wait(seconds)
        for place in at.ledgers:
            at.run_errands(place)


def waits(at: Locations) -> list[int]:
    """Units that wait by location, as the home tells it."""
    return [line.waiting for line in view(at).lines]


def came(at: Locations, quantity: int, place: str = THERE) -> None:
    """Units of the supply came."""
    at.say(place, receipt("apple", quantity, supply="po-1"))


def test_a_home_tells_what_waits_at_its_participants() -> None:
    """From the beginning, and after they told that units wait no longer."""
    at = waiting()
    assert waits(at) == [4, 4]
    came(at, 3)
    assert list(at.ledgers[THERE].reservations.filling) == [at.part(THERE).id]
    settled(at)
    assert waits(at) == [4, 1]
    assert not at.ledgers[THERE].reservations.filling
    assert at.stock(THERE, "apple").committed == 5
    at.check()


def test_a_fill_is_told_after_lost_messages_and_restarts() -> None:
    """It is part of the snapshot, and comes up until the home has it."""
    at = waiting()
    came(at, 4)
    at.lost = lambda location, _: location == HOME
    settled(at)
    at.lost = lambda _location, _message: False
    at.restart(THERE)
    settled(at)
    assert waits(at) == [4, 0]
    at.restart(HOME)
    assert waits(at) == [4, 0]
    at.check()


def test_a_fill_does_not_ask_for_a_header_that_is_being_opened() -> None:
    """The home does not know the part yet, and would give it up; the part asks when its time has come."""
    at = waiting(commits=False)
    came(at, 4)
    at.wait(5)
    assert at.run_errands(THERE) == 0
    settled(at)
    assert waits(at) == [4, 0]


def test_a_fulfilment_leaves_what_waits() -> None:
    """All that is open means all that is in stock; the rest is filled and fulfilled later."""
    at = waiting()
    done = at.decide(fulfil("f1"))
    assert sorted(done.placed) == [("apple", 2, HOME), ("apple", 2, THERE)]
    assert at.say(HOME, fulfil("f2", ("apple", 1, THERE))).status == TransitionStatus.LINES_EXCEED_OPEN
    assert at.say(HOME, fulfil("f3")).status == TransitionStatus.LINES_EXCEED_OPEN
    for place in (HOME, THERE):
        came(at, 4, place)
    settled(at)
    at.decide(fulfil("f4"))
    assert view(at).state == State.FULFILLED
    assert [at.stock(place, "apple").on_hand for place in (HOME, THERE)] == [0, 0]
    at.check()


def test_a_release_takes_what_waits_first() -> None:
    """At the participant, and in what the home tells."""
    at = waiting()
    at.decide(release("r1", ("apple", 3, THERE)))
    assert waits(at) == [4, 1]
    assert (at.stock(THERE, "apple").committed, at.stock(THERE, "apple").waiting) == (2, 1)
    at.decide(release("r2", ("apple", 2, THERE)))
    assert waits(at) == [4, 0]
    assert at.stock(THERE, "apple").committed == 1
    at.check()


def test_units_that_a_location_has_not_are_not_those_that_wait() -> None:
    """A location declines units in stock: what waits there goes on waiting."""
    at = waiting()
    hold = at.part(THERE).id
    at.spread(at.say(HOME, Amend("m1", TERMS.reservation, (Move(hold, "apple", 2, Fate.LOST),))))
    assert (at.stock(THERE, "apple").on_hand, at.stock(THERE, "apple").waiting) == (0, 4)
    assert waits(at) == [4, 4]
    at.check()


steps = st.lists(st.tuples(st.sampled_from(("came", "release", "fulfil", "errands")), st.integers(1, 4)), max_size=10)


@given(steps)
def test_home_and_participant_agree_once_all_is_told(moves: list[tuple[str, int]]) -> None:
    """Until then the home thinks that rather more units wait, so that it never fulfils what is not there."""
    at = waiting()
    for number, (move, units) in enumerate(moves):
        if move == "came":
            came(at, units)
        elif move == "errands":
            settled(at)
        else:
            act = release if move == "release" else fulfil
            at.decide(act(f"{move}{number}", ("apple", units, THERE)))
        part = at.part(THERE)
        assert view(at).lines[1].waiting >= part.waiting_of("apple")
        assert at.stock(THERE, "apple").on_hand >= 0
    settled(at)
    assert view(at).lines[1].waiting == at.part(THERE).waiting_of("apple")
    at.check()
