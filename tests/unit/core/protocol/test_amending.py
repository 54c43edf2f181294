from __future__ import annotations

import pytest

from allocator.core.commands import Reserve
from allocator.core.protocol.answers import AmendResult, OpenResult
from allocator.core.protocol.coordinator import Wanted
from allocator.core.protocol.types import Amend, Fate, Move, Open, PartSpec
from allocator.core.results import State, TransitionStatus
from tests.unit.core.helpers import TTL, S
from tests.unit.core.protocol.helpers import (
    HOME,
    NAME,
    THERE,
    Locations,
    amend,
    commit,
    committed,
    fulfil,
    release,
    reserve,
    two,
    view,
)


def test_parts_move_to_another_location() -> None:
    """Units leave one part and come into another, at the state of the whole."""
    at = committed()
    hold = next(part.hold for part in at.header().parts.values() if part.location == HOME)
    moved = amend(at, Amend("m1", NAME, (Move(hold, "apple", 2),)), Wanted(THERE, (("apple", 2),)))
    assert isinstance(moved.result, AmendResult)
    at.spread(moved.result)
    assert (at.stock(HOME, "apple").committed, at.stock(THERE, "apple").committed) == (0, 3)
    assert view(at).state == State.COMMITTED
    at.check()


def test_a_refused_move_is_remembered_and_gives_its_part_back() -> None:
    """More than is open cannot be moved, however often it is asked."""
    at = committed()
    hold = next(iter(at.header().parts))
    command = Amend("m1", NAME, (Move(hold, "apple", 9),))
    for attempt in ("a", "b"):
        result = amend(at, command, Wanted(THERE, (("apple", 2),)), attempt=attempt).result
        assert isinstance(result, AmendResult)
        assert result.status == TransitionStatus.LINES_EXCEED_OPEN
    assert at.stock(THERE, "apple").committed == 1
    assert at.stock(THERE, "apple").held == 0


@pytest.mark.parametrize(
    ("fate", "on_hand", "damaged", "available"),
    [(Fate.LOST, 3, 0, 2), (Fate.DAMAGED, 5, 2, 2), (Fate.RELEASED, 5, 0, 4)],
)
def test_a_declined_part_corrects_the_stock_by_its_reason(
    fate: Fate, on_hand: int, damaged: int, available: int
) -> None:
    """Lost units are not there, damaged ones not for sale, and others are available again."""
    at = committed()
    at.decide(release("r1", ("apple", 1, THERE)))
    at.decide(release("r2", ("apple", 2, HOME)))
    name = "home-q2"
    result = reserve(at, [Wanted(HOME, (("apple", 1),)), Wanted(THERE, (("apple", 3),))], attempt="v")
    assert isinstance(result.result, OpenResult)
    assert result.result.repeated  # one request id is one reservation
    at.say(HOME, Open("q2", name, _held(at, name), TTL))
    hold = f"{name}~x"
    at.spread(at.say(HOME, Amend("m1", name, (Move(hold, "apple", 2, fate),))))
    stock = at.stock(THERE, "apple")
    assert (stock.on_hand, sum(units for _, units in stock.unsellable), stock.available) == (
        on_hand,
        damaged,
        available,
    )
    at.check()


def _held(at: Locations, name: str) -> tuple[PartSpec, ...]:
    """A part of three apples there."""
    hold = f"{name}~x"
    at.say(THERE, Reserve(hold, hold, (("apple", 3),), TTL, home=HOME))
    return (PartSpec(hold, THERE, (("apple", 3),)),)


def test_a_reservation_of_one_location_becomes_one_over_several() -> None:
    """Its home goes on deciding, its own units are its first part, and a repeat of the reserve gets its answer."""
    at = two()
    name = "home-plain"
    command = Reserve("p1", name, (("apple", 3),), TTL, "web", order="o7")
    at.say(HOME, command)
    moved = amend(at, Amend("m1", name, (Move(name, "apple", 1),)), Wanted(THERE, (("apple", 1),)))
    assert isinstance(moved.result, AmendResult)
    at.spread(moved.result)
    assert (at.stock(HOME, "apple").held, at.stock(THERE, "apple").held) == (2, 1)
    assert [(line.location, line.quantity - line.released) for line in view(at, name).lines] == [(HOME, 2), (THERE, 1)]
    assert at.say(HOME, command).repeated
    at.wait(TTL / S)
    assert view(at, name).state == State.EXPIRED
    at.check()


def test_what_was_done_before_stays_when_it_becomes_one_over_several() -> None:
    """Fulfilled and released units of the plain reservation are those of its first part."""
    at = two()
    name = "home-plain"
    at.say(HOME, Reserve("p1", name, (("apple", 4),), TTL))
    at.say(HOME, commit("c1")._replace(reservation=name))
    at.say(HOME, fulfil("f1")._replace(reservation=name, lines=(("apple", 1),)))
    at.say(HOME, release("r1")._replace(reservation=name, lines=(("apple", 1),)))
    at.spread(amend(at, Amend("m1", name, (Move(name, "apple", 1),)), Wanted(THERE, (("apple", 1),))).result)
    at.decide(fulfil("f2")._replace(reservation=name))
    assert (at.stock(HOME, "apple").on_hand, at.stock(THERE, "apple").on_hand) == (3, 4)
    assert view(at, name).state == State.FULFILLED
    at.check()


def test_units_may_be_held_anew_where_they_were() -> None:
    """A plain reservation that moves units to its own location has two parts there, and both end."""
    at = two()
    name = "home-plain"
    at.say(HOME, Reserve("p1", name, (("apple", 2),), TTL))
    at.spread(amend(at, Amend("m1", name, (Move(name, "apple", 1),)), Wanted(HOME, (("apple", 1),))).result)
    assert at.stock(HOME, "apple").held == 2
    at.restart(HOME)
    at.decide(release("r1")._replace(reservation=name))
    assert at.stock(HOME, "apple").held == 0
    at.check()
