from __future__ import annotations

import pytest

from allocator.core.commands import Capacity, Configure, Measure, MovementType, Reserve
from allocator.core.protocol.answers import Heard
from allocator.core.protocol.coordinator import Wanted
from allocator.core.protocol.types import ASK_GRACE_NS, DROPPED, VOID, Amend, Done, Fate, Follow, Move
from allocator.core.results import Reason, ReserveStatus, State
from tests.unit.core.helpers import HOUR, NOW, TTL, S, movement
from tests.unit.core.protocol.helpers import (
    HOME,
    NAME,
    TERMS,
    THERE,
    Locations,
    commit,
    committed,
    extend,
    fulfil,
    opened,
    release,
    reserve,
    two,
    view,
)


def ship(at: Locations, sku: str, units: int, kind: MovementType = MovementType.SHIPMENT) -> None:
    """Tell that units of the reservation left the other location."""
    at.say(THERE, movement(kind, sku, units, reservation=NAME))


def settle_all(at: Locations) -> None:
    """Let everybody say what they have to say."""
    for _ in range(3):
        at.wait(2)
        for location in at.ledgers:
            at.run_errands(location)


def test_a_part_does_not_expire_by_itself() -> None:
    """Past its time it holds on, and asks."""
    at = two()
    hold = f"{NAME}~x"
    at.say(THERE, Reserve(hold, hold, (("fig", 2),), TTL, home=HOME))
    at.wait(10 * TTL / S)
    assert at.stock(THERE, "fig").held == 2
    at.run_errands(THERE)
    assert at.stock(THERE, "fig").held == 0  # nobody had opened it
    at.check()


def test_a_part_holds_on_while_its_home_is_away() -> None:
    """Unreachable means keep holding: undersell, never oversell."""
    at = opened()
    at.lost = lambda location, _: location == HOME
    for _ in range(10):
        at.wait(TTL / S)
        at.run_errands(THERE)
    assert at.stock(THERE, "fig").held == 2


def test_a_part_asks_again_after_the_end_it_was_told() -> None:
    """It allows for clocks that differ, and learns of an extension."""
    at = opened()
    at.wait(60)
    at.run_errands(THERE)
    assert at.part(THERE).expires_ns == NOW + TTL + ASK_GRACE_NS
    at.decide(extend("e1", 2 * TTL))
    at.wait(TTL / S + 10)
    at.run_errands(THERE)
    assert at.part(THERE).expires_ns == at.header().expires_ns + ASK_GRACE_NS
    assert at.stock(THERE, "fig").held == 2


def test_following_twice_changes_nothing() -> None:
    """Messages may be repeated: the second one is heard and not journaled."""
    at = opened()
    result = at.say(HOME, release("r1", ("fig", 1, THERE)))
    (follow,) = (follow for location, follow in result.owed if location == THERE)
    at.say(THERE, follow)
    version = at.ledgers[THERE].version
    assert at.say(THERE, follow) == Heard()
    assert (at.ledgers[THERE].version, at.stock(THERE, "fig").held) == (version, 1)


def test_an_older_message_after_a_newer_one_changes_nothing() -> None:
    """Messages may be reordered: states are told, not steps."""
    at = opened()
    told = [
        dict(at.say(HOME, command).owed)[THERE]
        for command in (release("r1", ("fig", 1, THERE)), commit(), fulfil("f1", ("fig", 1, THERE)))
    ]
    at.say(THERE, told[2])
    after = at.stock(THERE, "fig"), at.stock(THERE, "apple")
    assert (after[0].on_hand, after[0].held, after[1].committed) == (4, 0, 1)
    for follow in (told[1], told[0], told[2]):
        at.say(THERE, follow)
    assert (at.stock(THERE, "fig"), at.stock(THERE, "apple")) == after
    at.check()


def test_a_dropped_part_goes_back_unless_its_home_has_spoken() -> None:
    """The gateway that made it gives it up; a late word of it cannot undo what the home told since."""
    at = opened()
    hold = at.part(THERE).id
    at.wait(60)
    at.run_errands(THERE)
    at.say(THERE, Follow(hold, DROPPED, State.RELEASED))
    assert at.stock(THERE, "fig").held == 2


def test_following_an_unknown_part_is_heard() -> None:
    """It has ended long ago: nothing is done, and the answer is journaled, so that no process of old can give it."""
    at = two()
    version, before = at.ledgers[THERE].version, at.stock(THERE, "fig")
    assert at.say(THERE, Follow("x~1", 3, State.COMMITTED)) == Heard()
    assert (at.ledgers[THERE].version, at.stock(THERE, "fig")) == (version + 1, before)
    at.check()


def test_a_plain_reservation_does_not_follow() -> None:
    """Only parts have a home elsewhere."""
    at = two()
    at.say(THERE, Reserve("p", "plain", (("fig", 1),), TTL))
    at.say(THERE, Follow("plain", 5, State.RELEASED))
    assert at.stock(THERE, "fig").held == 1


def test_a_shipment_is_told_to_the_home() -> None:
    """The home counts the units as fulfilled, and the part stops telling."""
    at = committed()
    ship(at, "fig", 1)
    assert at.ledgers[THERE].reservations.telling
    settle_all(at)
    assert next(part for part in at.header().parts.values() if part.location == THERE).done["fig"] == [1, 0, 0, 0]
    assert not at.ledgers[THERE].reservations.telling
    assert at.stock(THERE, "fig").on_hand == 4
    at.check()


def test_a_shipment_and_a_fulfil_are_two_facts() -> None:
    """Units that the home lets go while a shipment is not told yet leave besides."""
    at = committed()
    ship(at, "fig", 1)
    at.decide(fulfil("f1", ("fig", 1, THERE)))
    settle_all(at)
    stock = at.stock(THERE, "fig")
    assert (stock.on_hand, stock.committed) == (3, 0)
    at.check()


@pytest.mark.parametrize("fate", [Fate.RELEASED, Fate.LOST, Fate.DAMAGED])
def test_what_has_left_cannot_be_given_back(fate: Fate) -> None:
    """A movement that the home did not know of comes first, and both agree on what is left for the rest."""
    at = committed()
    ship(at, "fig", 1)
    part = at.part(THERE)
    at.spread(at.say(HOME, Amend("m1", NAME, (Move(part.id, "fig", 2, fate),))))
    settle_all(at)
    there = next(part for part in at.header().parts.values() if part.location == THERE)
    assert there.done["fig"][Fate.FULFILLED] == 1
    assert there.done["fig"][fate] == 1
    assert part.so_far("fig") == Done("fig", *there.done["fig"], moved=1)  # type: ignore[misc]  # four of them
    assert at.stock(THERE, "fig").committed == 0
    at.check()


def test_the_location_tells_how_it_ended_when_both_were_too_much() -> None:
    """The home released, the location shipped, the home lost: what happened there first is what counts."""
    at = committed()
    hold = at.part(THERE).id
    at.decide(release("r1", ("fig", 1, THERE)))
    ship(at, "fig", 1)
    at.spread(at.say(HOME, Amend("m1", NAME, (Move(hold, "fig", 1, Fate.LOST),))))
    settle_all(at)
    there = next(part for part in at.header().parts.values() if part.location == THERE)
    assert there.done["fig"] == [1, 1, 0, 0]
    assert at.stock(THERE, "fig").on_hand == 4
    at.check()


def test_a_home_that_knows_nothing_ends_the_telling() -> None:
    """It never will know, so there is nobody to tell; what has left has left, and the rest goes back."""
    at = two()
    hold = f"{NAME}~x"
    at.say(THERE, Reserve(hold, hold, (("fig", 2),), TTL, home=HOME))
    ship(at, "fig", 1)
    settle_all(at)
    assert not at.ledgers[THERE].reservations.telling
    stock = at.stock(THERE, "fig")
    assert (stock.held, stock.on_hand) == (0, 4)
    at.check()


def test_telling_survives_a_restart() -> None:
    """It is part of the snapshot and of the journal."""
    at = committed()
    ship(at, "fig", 2)
    at.restart(THERE)
    at.restart(HOME)
    settle_all(at)
    assert next(part for part in at.header().parts.values() if part.location == THERE).moved == {"fig": 2}
    at.check()


def test_a_shipment_serves_the_reservation_before_parts_nobody_concluded() -> None:
    """While a transfer is being held where the reservation is, its own units are the ones that leave."""
    at = two()
    at.say(HOME, Reserve("p1", NAME, (("apple", 2),), TTL))
    at.say(HOME, Reserve(f"{NAME}~x", f"{NAME}~x", (("apple", 2),), TTL, home=HOME))
    at.say(HOME, movement(MovementType.SHIPMENT, "apple", 2, reservation=NAME))
    book = at.ledgers[HOME].reservations
    assert (book.by_id[NAME].state, book.by_id[f"{NAME}~x"].open_of("apple")) == (State.FULFILLED, 2)


def test_a_full_location_takes_nothing_more_into_that_window() -> None:
    """A location that declined for want of hands is not asked again for the same hours."""
    at = committed()
    at.say(THERE, Configure("cap", capacity=Capacity(Measure.UNITS, HOUR, 100)))
    at.spread(at.say(HOME, Amend("m1", NAME, full=(at.part(THERE).id,))))
    result = at.say(THERE, Reserve("p", "p", (("fig", 1),), TTL))
    assert result.status == ReserveStatus.NO_CAPACITY
    at.check()


def test_a_sku_that_a_location_never_had_is_short_there() -> None:
    """The network knows the SKU, so it is a refusal and not an error; by itself the location does not know it."""
    at = two()
    name = f"{NAME}~x"
    command = Reserve(name, name, (("kiwi", 1),), TTL, home=HOME, elsewhere=True)
    assert at.say(THERE, command).status == ReserveStatus.INSUFFICIENT_STOCK
    plain = Reserve("p", "p", (("kiwi", 1),), TTL)
    assert at.say(THERE, plain).reason == Reason.SKU_UNKNOWN


def test_void_ends_a_part() -> None:
    """All of it goes back."""
    at = opened()
    at.say(THERE, Follow(at.part(THERE).id, VOID, State.RELEASED))
    assert at.stock(THERE, "fig").held == 0


def test_a_home_at_the_same_location_is_a_participant_like_any_other() -> None:
    """It follows itself."""
    at = two()
    reserve(at, [Wanted(HOME, (("apple", 2),))])
    at.decide(commit())
    assert at.stock(HOME, "apple").committed == 2
    at.check()


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.DAMAGED])
def test_units_declined_though_they_waited_wait_no_longer_at_home(fate: Fate) -> None:
    """The home cannot know that nothing was in stock, so it is told, and lets go what has come since."""
    at = Locations(leeds={}, york={"apple": 0})
    at.say(THERE, movement(MovementType.SUPPLY, "apple", 10, supply="po-1", expect_ns=NOW + HOUR))
    wanted = [Wanted(THERE, (("apple", 5),))]
    reserve(at, wanted, terms=TERMS._replace(promise_by_ns=NOW + 2 * HOUR))
    at.decide(commit())
    at.spread(at.say(HOME, Amend("m1", NAME, (Move(at.part(THERE).id, "apple", 1, fate),))))
    at.say(THERE, movement(MovementType.RECEIPT, "apple", 3, supply="po-1"))
    settle_all(at)
    assert [line.waiting for line in view(at).lines] == [at.part(THERE).waiting_of("apple")]
    at.check()
