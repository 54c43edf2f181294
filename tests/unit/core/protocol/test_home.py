from __future__ import annotations

import pytest

from allocator.core.commands import Fulfil, Reserve
from allocator.core.limits import TTL_MAX_NS, LedgerLimits
from allocator.core.protocol.answers import Heard, OpenResult, OpenStatus
from allocator.core.protocol.coordinator import Wanted
from allocator.core.protocol.types import VOID, Amend, Ask, Confirm, Open, PartSpec
from allocator.core.results import Reason, Rejected, State, TransitionResult, TransitionStatus
from tests.unit.core.helpers import NOW, TTL, S
from tests.unit.core.protocol.helpers import (
    BOTH,
    HOME,
    NAME,
    THERE,
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


def test_an_opened_reservation_is_seen_with_its_locations() -> None:
    """The home tells all lines, where each is held, and when all of it ends."""
    found = view(opened())
    assert (found.state, found.expires_ns, found.order) == (State.HELD, NOW + TTL, "o1")
    assert {(line.location, line.sku, line.quantity) for line in found.lines} == {
        (HOME, "apple", 2),
        (THERE, "apple", 1),
        (THERE, "fig", 2),
    }


def test_a_repeated_open_gets_the_first_answer() -> None:
    """Other parts of a second attempt change nothing, and are given back."""
    at = opened()
    first = view(at)
    again = reserve(at, attempt="u").result
    assert isinstance(again, OpenResult)
    assert again.repeated
    assert view(at) == first
    assert at.stock(THERE, "fig").held == 2
    at.check()


def test_a_repeated_open_after_a_refusal_stays_refused() -> None:
    """What was refused once is refused for that request id, even if there is stock now."""
    at = two()
    assert reserve(at, [Wanted(HOME, (("apple", 50),))]).result == OpenResult(OpenStatus.REFUSED, NAME)
    again = reserve(at, attempt="u").result
    assert again == OpenResult(OpenStatus.REFUSED, NAME, repeated=True)
    assert (at.stock(HOME, "apple").held, at.stock(THERE, "fig").held) == (0, 0)


def test_a_repeat_that_asks_for_something_else_names_the_field() -> None:
    """The call as the caller made it is compared, not the parts."""
    at = opened(asked=(("lines", "1"),))
    again = at.say(HOME, Open("q1", NAME, (), TTL, asked=(("lines", "2"),)))
    assert (again.reason, again.field) == (Reason.REQUEST_ID_REUSED, "lines")


@pytest.mark.parametrize("age_s", [0, 25 * 3600])
def test_an_open_whose_request_id_is_forgotten_meets_its_header(age_s: int) -> None:
    """As long as the header is known the reservation is not made twice."""
    at = committed()
    at.now_ns += age_s * S
    at.say(HOME, Reserve("other", "other", (("apple", 1),), TTL))
    command = at.header().command
    result = at.say(HOME, command)
    assert (result.status, result.repeated, result.parts) == (OpenStatus.OPENED, True, command.parts)


def test_commit_is_decided_at_home_and_followed() -> None:
    """All parts are committed, and the home owes nothing once they confirmed."""
    at = committed()
    assert (at.stock(HOME, "apple").committed, at.stock(THERE, "fig").committed) == (2, 2)
    assert not at.ledgers[HOME].headers.owing
    assert view(at).state == State.COMMITTED
    at.check()


def test_a_second_commit_is_fine() -> None:
    """It changes nothing and owes nothing."""
    at = committed()
    result = at.decide(commit("c2"))
    assert (result.status, result.owed) == (TransitionStatus.DONE, ())


def test_extend_moves_the_end_of_the_whole() -> None:
    """The header ends later; a committed one has no end to move."""
    at = opened()
    at.decide(extend("e1", 2 * TTL))
    at.wait(TTL / S + 1)
    assert view(at).state == State.HELD
    at.decide(commit())
    assert at.decide(extend("e2", TTL)).status == TransitionStatus.COMMITTED


def test_an_expired_reservation_ends_everywhere() -> None:
    """The home expires on time and tells; no part is left."""
    at = opened()
    at.wait(TTL / S)
    assert view(at).state == State.EXPIRED
    assert at.stock(THERE, "fig").held == 2  # it has not heard yet
    at.run_errands(HOME)
    at.wait(2)
    at.run_errands(HOME)
    assert (at.stock(HOME, "apple").held, at.stock(THERE, "fig").held) == (0, 0)
    assert at.decide(commit()).status == TransitionStatus.EXPIRED
    at.check()


def test_release_by_place_takes_from_that_part() -> None:
    """Units at the named location go back, the others stay."""
    at = opened()
    assert at.decide(release("r1", ("apple", 1, THERE))).placed == (("apple", 1, THERE),)
    assert (at.stock(HOME, "apple").held, at.stock(THERE, "apple").held) == (2, 0)


def test_release_by_line_takes_part_by_part() -> None:
    """Lines without a place are taken wherever they are held, in the order of the parts."""
    at = opened()
    result = at.decide(release("r1")._replace(placed=(), lines=(("apple", 3),)))
    assert result.placed == (("apple", 2, HOME), ("apple", 1, THERE))


def test_release_of_more_than_is_open_is_refused() -> None:
    """Nothing is released, and a repeat gets the same answer."""
    at = opened()
    refused = at.decide(release("r1", ("apple", 3, HOME)))
    assert refused.status == TransitionStatus.LINES_EXCEED_OPEN
    again = at.decide(release("r1", ("apple", 3, HOME)))
    assert (again.status, again.repeated) == (refused.status, True)
    assert at.stock(HOME, "apple").held == 2


def test_release_of_all_ends_it() -> None:
    """Nothing is held any more, anywhere."""
    at = committed()
    at.decide(release("r1"))
    assert view(at).state == State.RELEASED
    assert (at.stock(HOME, "apple").committed, at.stock(THERE, "fig").committed) == (0, 0)
    at.check()


def test_fulfil_needs_a_commit() -> None:
    """Held units do not leave."""
    at = opened()
    assert at.decide(fulfil("f1")).status == TransitionStatus.NOT_COMMITTED


def test_fulfil_in_pieces_ends_as_fulfilled() -> None:
    """On hand goes down where the units were; what is released besides does not change the end."""
    at = committed()
    at.decide(fulfil("f1", ("fig", 2, THERE)))
    assert (at.stock(THERE, "fig").on_hand, at.stock(THERE, "fig").committed) == (3, 0)
    at.decide(release("r1", ("apple", 1, THERE)))
    at.decide(fulfil("f2"))
    assert view(at).state == State.FULFILLED
    assert (at.stock(HOME, "apple").on_hand, at.stock(THERE, "apple").on_hand) == (3, 5)
    assert at.decide(fulfil("f3")).status == TransitionStatus.FULFILLED
    at.check()


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (extend("b1", TTL_MAX_NS + 1), "ttl"),
        (extend("b1", 0), "ttl"),
        (Fulfil("b1", NAME, (("apple", 0),)), "lines[0].quantity"),
        (Fulfil("b1", NAME, placed=(("apple", -1, HOME),)), "lines[0].quantity"),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(command: Fulfil, field: str) -> None:
    """An error is not remembered either."""
    at = committed()
    before = at.ledgers[HOME].snapshot()
    result = at.say(HOME, command)
    assert (result.reason, result.field) == (Reason.INVALID, field)
    assert at.ledgers[HOME].snapshot() == before


def test_a_missed_pickup_gives_the_rest_back() -> None:
    """When the window of a committed one ends, what is not fulfilled goes back, once."""
    at = committed(pick_until_ns=NOW + 3600 * S)
    at.decide(fulfil("f1", ("apple", 2, HOME)))
    at.wait(3600)
    at.wait(2)
    at.run_errands(HOME)
    at.wait(2)
    at.run_errands(HOME)
    assert view(at).state == State.FULFILLED
    assert (at.stock(THERE, "fig").committed, at.stock(HOME, "apple").on_hand) == (0, 3)
    at.check()


def test_a_hold_ends_by_its_expiry_not_by_its_pickup_window() -> None:
    """The window counts from the commit on."""
    at = opened(pick_until_ns=NOW + S)
    at.wait(10)
    assert view(at).state == State.HELD
    at.decide(commit())
    at.wait(1)
    assert view(at).state == State.RELEASED


def test_a_part_that_nobody_opened_is_void() -> None:
    """Its home tells it so, remembers it, and never opens a reservation over it."""
    at = two()
    hold = f"{NAME}~t0.0"
    heard = at.say(HOME, Ask(NAME, hold, THERE))
    assert isinstance(heard, Heard)
    assert heard.follow is not None
    assert (heard.follow.seq, heard.follow.state) == (VOID, State.RELEASED)
    at.restart(HOME)
    assert reserve(at).result is not None  # the second attempt is held under other ids
    assert hold not in at.header().parts
    at.check()


def test_an_open_over_a_void_part_makes_nothing() -> None:
    """It is not remembered, so that the call can be made anew."""
    at = two()
    at.say(HOME, Ask(NAME, f"{NAME}~x", THERE))
    result = at.say(HOME, Open("q1", NAME, (PartSpec(f"{NAME}~x", THERE, (("fig", 1),)),), TTL))
    assert result == OpenResult(OpenStatus.VOID, NAME)
    assert not at.ledgers[HOME].headers.by_id


def test_an_unknown_reservation_is_an_error() -> None:
    """Neither a decision nor an amendment is remembered for it; a part's own id is not a name either."""
    at = opened()
    part = next(iter(at.header().parts))
    for command in (commit()._replace(reservation="home-none"), commit()._replace(reservation=part), Amend("m", "x")):
        assert at.say(HOME, command).reason == Reason.RESERVATION_UNKNOWN


def test_the_table_is_bounded() -> None:
    """More reservations than a home may have are an error, and what was held is given back."""
    at = two(LedgerLimits(reservations_max=3))
    assert isinstance(reserve(at).result, OpenResult)
    at.say(THERE, Reserve("x", "x", (("apple", 1),), TTL))
    held = PartSpec("home-q2~x", HOME, (("apple", 1),))
    at.say(HOME, Reserve("y", "y", (("apple", 1),), TTL))
    refused = at.say(HOME, Open("q2", "home-q2", (held,), TTL))
    assert isinstance(refused, Rejected)
    assert refused.reason == Reason.TABLE_FULL


def test_ended_headers_are_forgotten_when_all_have_followed() -> None:
    """Not before: somebody may still ask."""
    at = two(LedgerLimits(closed_max=0))
    reserve(at)
    at.say(HOME, release("r1"))
    assert NAME in at.ledgers[HOME].headers.by_id
    for part in list(at.header().parts.values()):
        follow = at.header().follow(part)
        at.say(part.location, follow)
        at.say(HOME, Confirm(NAME, part.hold, follow.seq))
    assert NAME not in at.ledgers[HOME].headers.by_id
    at.check()


def test_an_old_or_unknown_confirmation_changes_nothing() -> None:
    """Only news is journaled."""
    at = committed()
    hold = next(iter(at.header().parts))
    version = at.ledgers[HOME].version
    for confirm in (Confirm(NAME, hold, 1), Confirm(NAME, hold, 99), Confirm("x", "x~1", 2), Confirm(NAME, "x~1", 2)):
        assert at.say(HOME, confirm) == Heard()
    assert at.ledgers[HOME].version == version


def test_the_answer_tells_what_is_owed() -> None:
    """A gateway carries it without looking at the header."""
    at = opened()
    result = at.say(HOME, commit())
    assert isinstance(result, TransitionResult)
    assert [location for location, _ in result.owed] == [want.location for want in BOTH]
    assert all(follow.state == State.COMMITTED for _, follow in result.owed)
