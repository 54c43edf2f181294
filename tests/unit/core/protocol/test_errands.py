from __future__ import annotations

from itertools import pairwise

import pytest

from allocator.core.commands import Reserve
from allocator.core.protocol.answers import Heard
from allocator.core.protocol.errands import ERRANDS_MAX, REPEAT_MAX_NS, Errand, Errands, carried
from allocator.core.protocol.types import Ask, Confirm, Follow
from allocator.core.results import Reason, Rejected, State
from tests.unit.core.helpers import NOW, TTL, S, movement
from tests.unit.core.protocol.helpers import HOME, NAME, THERE, Locations, commit, committed, opened, two


def test_news_wait_a_moment_for_the_gateway() -> None:
    """It carries them first; what it did not get done comes up a second later."""
    at = opened()
    at.say(HOME, commit())
    assert at.run_errands(HOME) == 0
    at.wait(1)
    assert at.run_errands(HOME) == 2
    assert not at.ledgers[HOME].headers.owing
    at.wait(60)
    assert at.run_errands(HOME) == 0


def test_an_unanswered_errand_comes_up_again_less_and_less_often() -> None:
    """The pauses double up to a maximum, and it never ends."""
    at = opened()
    at.say(HOME, commit())
    at.lost = lambda location, _: location == THERE
    tries = []
    for second in range(200):
        at.wait(1)
        if at.run_errands(HOME):
            tries.append(second)
    pauses = [after - before for before, after in pairwise(tries)]
    assert pauses[:6] == [1, 2, 4, 8, 16, 30]
    assert set(pauses[5:]) == {REPEAT_MAX_NS // S}


def test_a_restart_forgets_when_and_not_what() -> None:
    """Everything outstanding comes up again, from the ledger's own state."""
    at = opened()
    at.say(HOME, commit())
    at.restart(HOME)
    at.wait(1)
    at.run_errands(HOME)
    at.wait(1)
    at.run_errands(HOME)
    assert at.stock(THERE, "fig").committed == 2
    at.check()


def test_a_part_asks_at_once_when_its_time_has_come() -> None:
    """There is nobody to wait for."""
    at = opened()
    at.wait(31)
    due = Errands().due(at.ledgers[THERE], at.now_ns)
    assert due == [Errand(HOME, Ask(NAME, at.part(THERE).id, THERE))]


def test_a_shipment_is_told_at_once() -> None:
    """With all that became of the SKU."""
    at = committed()
    at.say(THERE, movement(9, "fig", 1, reservation=NAME))  # type: ignore[arg-type]  # a shipment
    (errand,) = Errands().due(at.ledgers[THERE], at.now_ns)
    assert isinstance(errand.message, Ask)
    ((sku, fulfilled, *_, moved),) = errand.message.told
    assert (sku, fulfilled, moved) == ("fig", 1, 1)


@pytest.mark.parametrize("answer", [Heard(), Rejected(Reason.LOCATION_UNKNOWN, "location", "")])
def test_an_answered_follow_is_confirmed(answer: Heard | Rejected) -> None:
    """A location that left the network holds nothing any more, so it has followed."""
    errand = Errand(THERE, Follow("r~1", 3, State.COMMITTED))
    assert carried(errand, answer) == (Confirm("r", "r~1", 3),)


@pytest.mark.parametrize("answer", [None, Rejected(Reason.RECOVERING, "location", "")])
def test_an_unanswered_follow_is_not(answer: Rejected | None) -> None:
    """It stays owed."""
    assert carried(Errand(THERE, Follow("r~1", 3, State.COMMITTED)), answer) == ()


@pytest.mark.parametrize("answer", [None, Rejected(Reason.LOCATION_UNKNOWN, "location", ""), Heard()])
def test_an_unanswered_ask_changes_nothing(answer: Heard | Rejected | None) -> None:
    """Unreachable means keep holding, even if the home seems to have left."""
    assert carried(Errand(HOME, Ask("r", "r~1", THERE)), answer) == ()


def test_an_answered_ask_is_followed() -> None:
    """The answer is what to follow."""
    follow = Follow("r~1", 3, State.COMMITTED)
    assert carried(Errand(HOME, Ask("r", "r~1", THERE)), Heard(follow)) == (follow,)


def test_one_round_is_bounded() -> None:
    """The others come up when these are answered."""
    at = Locations(leeds={}, york={"fig": 2 * ERRANDS_MAX})
    for number in range(ERRANDS_MAX + 10):
        hold = f"r{number}~x"
        at.say(THERE, Reserve(hold, hold, (("fig", 1),), TTL, home=HOME))
    at.wait(31)
    assert at.run_errands(THERE) == ERRANDS_MAX
    assert at.run_errands(THERE) == 10
    assert at.run_errands(THERE) == 0


def test_nothing_to_say_is_nothing_due() -> None:
    """A ledger without parts or headers has no errands."""
    assert Errands().due(two().ledgers[HOME], NOW + TTL) == []
