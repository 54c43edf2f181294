from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allocator.core.limits import LedgerLimits
from allocator.core.protocol.headers import Header, HeaderBook, Part
from allocator.core.protocol.types import VOIDED_MAX, Ask, Done, Open, PartSpec, hold_id, reservation_of
from allocator.core.results import State
from tests.unit.core.helpers import HOUR, TTL, S, movement
from tests.unit.core.protocol.helpers import HOME, NAME, THERE, committed, extend, fulfil, opened, release, two, view

GRANTED = 9


def test_a_snapshot_has_everything_a_home_knows() -> None:
    """Headers, what became of their parts, whom it owes, what is void: and it goes on the same."""
    at = committed(pick_until_ns=10**18)
    at.say(HOME, fulfil("f1", ("fig", 1, THERE)))
    at.say(THERE, movement(9, "apple", 1, reservation=NAME))  # type: ignore[arg-type]  # a shipment
    at.say(HOME, Ask("other", "other~1", THERE))
    before = view(at), list(at.ledgers[HOME].headers.owed()), at.ledgers[HOME].headers.voided
    at.restart(HOME)
    at.restart(THERE)
    assert before == (view(at), list(at.ledgers[HOME].headers.owed()), at.ledgers[HOME].headers.voided)
    for _ in range(3):
        at.wait(1)
        at.run_errands(HOME)
        at.run_errands(THERE)
    assert at.header().fulfilled_units() == 2
    at.check()


def test_the_next_deadline_is_the_one_that_counts() -> None:
    """An extension makes the old one stale, a commit leaves none, or the pickup window."""
    at = opened()
    headers = at.ledgers[HOME].headers
    assert headers.next_deadline_ns() == at.now_ns + TTL
    at.say(HOME, extend("e1", 2 * TTL))
    assert headers.next_deadline_ns() == at.now_ns + 2 * TTL
    for number in range(200):
        at.say(HOME, extend(f"x{number}", TTL + number * S))
    assert len(headers.queue) <= 2 * headers.live_count + 64
    at.decide(release("r1"))
    assert headers.next_deadline_ns() is None


def test_void_parts_are_bounded_by_age_and_number() -> None:
    """The oldest are forgotten first; nobody opens a reservation a day late."""
    book = HeaderBook(LedgerLimits())
    for number in range(VOIDED_MAX + 5):
        book.voided[f"r~{number}"] = number
    book.forget(0)
    assert len(book.voided) == VOIDED_MAX
    book.forget(25 * HOUR)
    assert not book.voided


def test_a_location_that_is_away_keeps_only_its_own_headers() -> None:
    """Ended reservations that all have followed are forgotten, whoever else is still owed."""
    book = HeaderBook(LedgerLimits(closed_max=2))
    for number in range(20):
        header = Header(Open("", f"r{number}", (PartSpec(f"r{number}~x", THERE, (("fig", 1),)),), TTL), number, 0)
        book.add(header)
        if number < 3:
            book.changed(header, header.parts[f"r{number}~x"])
        book.close(header, State.RELEASED, number)
        book.forget(number)
    assert {"r0", "r1", "r2"} <= set(book.by_id)
    assert len(book.by_id) <= 2 + 3
    for number in range(3):
        book.confirm(book.by_id[f"r{number}"].parts[f"r{number}~x"], 2)
    book.forget(20)
    assert len(book.by_id) == 2


def test_an_old_void_part_is_forgotten_by_the_next() -> None:
    """As the ledger lives on."""
    at = two()
    at.say(HOME, Ask("a", "a~1", THERE))
    at.wait(25 * HOUR / S)
    at.say(HOME, Ask("b", "b~1", THERE))
    assert list(at.ledgers[HOME].headers.voided) == ["b~1"]


def test_a_hold_names_its_reservation() -> None:
    """Whatever the token is."""
    assert reservation_of(hold_id("home-a/b", "x.1~2")) == "home-a/b"
    assert reservation_of("plain") == "plain"


def test_a_part_with_nothing_open_is_told_its_own_end() -> None:
    """The reservation may go on elsewhere."""
    at = committed()
    result = at.say(HOME, fulfil("f1", ("apple", 2, HOME)))
    (follow,) = (follow for location, follow in result.owed if location == HOME)
    assert (follow.state, view(at).state) == (State.FULFILLED, State.COMMITTED)


@given(
    decided=st.lists(st.integers(0, 4), min_size=4, max_size=4).filter(lambda units: sum(units) <= GRANTED),
    told=st.lists(st.integers(0, 4), min_size=4, max_size=4).filter(lambda units: sum(units) <= GRANTED),
    moved=st.integers(0, 4),
)
def test_what_a_location_tells_never_makes_more_of_a_part_than_was_granted(
    decided: list[int], told: list[int], moved: int
) -> None:
    """Whatever the home decided meanwhile: no unit is counted twice, none that left is forgotten, once is enough."""
    part = Part(PartSpec("r~1", "here", (("fig", GRANTED),)))
    part.done["fig"] = list(decided)
    _, released, lost, damaged = told
    row = Done("fig", max(told[0], moved), released, lost, damaged, moved)
    if sum(row[1:5]) > GRANTED or not part.is_news(row):
        return
    part.tell(row)
    assert sum(part.done["fig"]) <= GRANTED
    assert min(part.done["fig"]) >= 0
    assert part.done["fig"][0] >= moved
    if sum(row[1:5]) == GRANTED:
        assert part.rows() == (row,)
    assert not part.is_news(row)
