from __future__ import annotations

from typing import Any

import pytest

from allocator.core.commands import Configure, Movement, MovementType, Policy, Reserve, SetSupply, SupplyLine
from allocator.core.events import Filled, ShortageFound, SupplyShort
from allocator.core.ledger import StockLedger
from allocator.core.limits import PROMISE_HORIZON_MAX_NS, LedgerLimits
from allocator.core.results import HeldLine, Reason, ReserveStatus, Shortage, State, TransitionStatus
from tests.unit.core.helpers import (
    HOUR,
    NOW,
    TTL,
    Answer,
    commit,
    do,
    do_with_events,
    fulfil,
    ledger_with,
    movement,
    picks,
    policy,
    receipt,
    release,
    reservation,
    reserve,
    sale,
    set_count,
    stock,
)

DAY = 24 * HOUR


def expecting(*supplies: tuple[int, int], on_hand: int = 0) -> StockLedger:
    """A ledger that expects apples: (quantity, day) of po-1, po-2 and so on."""
    ledger = ledger_with({"apple": on_hand} if on_hand else {})
    for n, (quantity, day) in enumerate(supplies, 1):
        announce(ledger, f"po-{n}", quantity, day)
    return ledger


def announce(ledger: StockLedger, supply: str, quantity: int, day: int, now_ns: int = NOW) -> list[object]:
    """Announce apples, or replace what was announced; what followed."""
    told = movement(MovementType.SUPPLY, "apple", quantity, supply=supply, expect_ns=NOW + day * DAY)
    return list(do_with_events(ledger, told, now_ns)[1][1:])


def promised(request_id: str, quantity: int, day: int, **others: Any) -> Reserve:  # noqa: ANN401  # of Reserve
    """Reserve apples for a day."""
    return reserve(request_id, apple=quantity)._replace(promise_by_ns=NOW + day * DAY, **others)


def units(ledger: StockLedger, of: str) -> tuple[int, int]:
    """Open apples of a reservation: in stock, and waiting."""
    line = reservation(ledger, of).lines[0]
    left = line.quantity - line.fulfilled - line.released
    return left - line.waiting, line.waiting


def ordered(ledger: StockLedger, request_id: str, quantity: int, day: int) -> Answer:
    """Reserve apples for a day and commit them, so that they outlast the days of a test."""
    result = do(ledger, promised(request_id, quantity, day))
    do(ledger, commit(f"c-{request_id}", of=request_id))
    return result


def came(quantity: int, supply: str = "po-1", **others: Any) -> Movement:  # noqa: ANN401  # of Movement
    """Apples of a supply came."""
    return receipt("apple", quantity, supply=supply, **others)


def test_what_stock_lacks_waits() -> None:
    """Stock goes first; the answer and the views tell what waits; held counts stock only."""
    ledger = expecting((5, 3), on_hand=2)
    result = do(ledger, promised("q1", 6, 4))
    assert (result.status, result.lines) == (ReserveStatus.HELD, (HeldLine("apple", 6, 6, 0, 4),))
    view = stock(ledger, "apple")
    assert (view.held, view.available, view.incoming, view.waiting) == (2, 0, 5, 4)
    assert units(ledger, "q1") == (2, 4)
    ledger.check_invariants()


def test_without_a_date_nothing_waits() -> None:
    """A plain reserve is granted from stock alone."""
    ledger = expecting((5, 3), on_hand=2)
    assert do(ledger, reserve("q1", apple=3)).status == ReserveStatus.INSUFFICIENT_STOCK
    assert do(ledger, promised("q2", 2, 4)).lines == (HeldLine("apple", 2, 2, 0),)


@pytest.mark.parametrize(("day", "available"), [(2, 2), (3, 7), (9, 7)])
def test_only_what_comes_by_the_date_can_be_held(day: int, available: int) -> None:
    """A refusal tells what could be promised for that date; a partial reserve gets it."""
    ledger = expecting((5, 3), on_hand=2)
    refused = do(ledger, promised("q1", 9, day))
    assert (refused.status, refused.lines) == (
        ReserveStatus.INSUFFICIENT_STOCK,
        (HeldLine("apple", 9, 0, available),),
    )
    part = do(ledger, promised("q2", 9, day, policy=Policy.PARTIAL))
    assert part.status == ReserveStatus.PARTIALLY_HELD
    assert part.lines[0][2:] == (available, available, available - 2)


def test_what_waits_is_not_promised_again() -> None:
    """Neither for a later date nor, when it is needed later, for an earlier one."""
    ledger = expecting((5, 3), (5, 9))
    ordered(ledger, "q1", 7, 10)
    assert do(ledger, promised("q2", 4, 10)).status == ReserveStatus.INSUFFICIENT_STOCK
    assert do(ledger, promised("q3", 4, 4)).status == ReserveStatus.INSUFFICIENT_STOCK
    assert do(ledger, promised("q4", 3, 4)).status == ReserveStatus.HELD


def test_receipts_fill_in_the_order_of_reservations() -> None:
    """First come, first served, in pieces as the pieces come; each fill is an event after its receipt."""
    ledger = expecting((9, 3))
    for n in (1, 2, 3):
        ordered(ledger, f"q{n}", 3, 5)
    _, events = do_with_events(ledger, came(4))
    assert events[1:] == [Filled(NOW, "apple", (("r-q1", 3), ("r-q2", 1)))]
    assert [units(ledger, f"q{n}") for n in (1, 2, 3)] == [(3, 0), (1, 2), (0, 3)]
    do(ledger, came(5))
    assert [units(ledger, f"q{n}") for n in (1, 2, 3)] == [(3, 0), (3, 0), (3, 0)]
    assert (stock(ledger, "apple").committed, stock(ledger, "apple").waiting) == (9, 0)
    ledger.check_invariants()


def test_who_came_first_leaves_what_an_earlier_date_needs() -> None:
    """q1 is promised for day 9, which the second supply keeps; the first one is q2's, promised for day 4."""
    ledger = expecting((5, 3), (5, 8))
    ordered(ledger, "q1", 5, 9)
    ordered(ledger, "q2", 5, 4)
    do(ledger, came(5, "po-1"), NOW + 3 * DAY)
    assert (units(ledger, "q1"), units(ledger, "q2")) == ((0, 5), (5, 0))
    do(ledger, came(5, "po-2"), NOW + 8 * DAY)
    assert units(ledger, "q1") == (5, 0)


def test_whatever_frees_stock_fills() -> None:
    """A return, a count, a release of another hold and less safety stock all do, before anybody else gets the units."""
    for freeing in (
        movement(MovementType.RETURN, "apple", 2),
        set_count("k1", apple=5),
        release("k2", of="q0", apple=2),
        policy("k3", "apple", safety_stock=0),
    ):
        ledger = expecting((5, 3), on_hand=6)
        do(ledger, policy("p1", "apple", safety_stock=2))
        do(ledger, reserve("q0", apple=3))
        do(ledger, promised("q1", 3, 5))
        if freeing[0] == "k1":
            do(ledger, sale("apple", 3))
            freeing = set_count("k1", apple=8)  # noqa: PLW2901  # 3 more than there were
        do(ledger, freeing)
        assert units(ledger, "q1") == (3, 0), freeing
        ledger.check_invariants()


def test_release_takes_waiting_units_first() -> None:
    """What is in stock stays held as long as there is anything to give back that is not here yet."""
    ledger = expecting((5, 3), on_hand=2)
    do(ledger, promised("q1", 6, 4))
    do(ledger, release("x1", of="q1", apple=3))
    assert units(ledger, "q1") == (2, 1)
    do(ledger, release("x2", of="q1", apple=2))
    assert units(ledger, "q1") == (1, 0)
    assert (stock(ledger, "apple").held, stock(ledger, "apple").available) == (1, 1)
    ledger.check_invariants()


def test_an_expired_hold_stops_waiting() -> None:
    """Its units in stock are free and its waiting ones are expected for nobody."""
    ledger = expecting((5, 3), on_hand=2)
    do(ledger, promised("q1", 6, 4))
    ledger.tick(NOW + TTL)
    view = stock(ledger, "apple")
    assert (view.held, view.available, view.waiting) == (0, 2, 0)
    assert do(ledger, promised("q2", 7, 4), NOW + TTL).status == ReserveStatus.HELD


def test_commit_keeps_units_waiting_and_fulfil_leaves_them() -> None:
    """A committed reservation ships what is in stock; the rest stays, and is filled as committed units."""
    ledger = expecting((5, 3), on_hand=2)
    ordered(ledger, "q1", 6, 4)
    assert (stock(ledger, "apple").committed, units(ledger, "q1")) == (2, (2, 4))
    assert do(ledger, fulfil("f1", of="q1", apple=3)).status == TransitionStatus.LINES_EXCEED_OPEN
    done = do(ledger, fulfil("f2", of="q1"))
    assert (done.status, done.lines, done.view.state) == (TransitionStatus.DONE, (("apple", 2),), State.COMMITTED)
    assert do(ledger, fulfil("f3", of="q1")).status == TransitionStatus.LINES_EXCEED_OPEN
    do(ledger, came(5))
    assert (stock(ledger, "apple").committed, stock(ledger, "apple").available) == (4, 1)
    assert do(ledger, fulfil("f4", of="q1")).view.state == State.FULFILLED
    ledger.check_invariants()


def test_a_shipment_of_more_than_was_in_stock_was_of_what_waited() -> None:
    """It already happened: on_hand falls, and the units do not wait any longer."""
    ledger = expecting((5, 3), on_hand=2)
    ordered(ledger, "q1", 6, 4)
    result = do(ledger, sale("apple", 5, reservation="r-q1"))
    assert (result.on_hand, result.shortage) == (-3, None)
    assert units(ledger, "q1") == (0, 1)
    ledger.check_invariants()


def test_a_shortage_names_only_those_with_units_in_stock() -> None:
    """Who waits for all of it loses nothing by a loss of stock."""
    ledger = expecting((5, 3), on_hand=2)
    ordered(ledger, "q1", 2, 4)
    ordered(ledger, "q2", 3, 4)
    _, events = do_with_events(ledger, sale("apple", 1))
    assert events[1] == ShortageFound(NOW, "apple", 1, ("r-q1",), 1)


def short(*events: object) -> list[tuple[str, int, tuple[str, ...], int]]:
    """What was told to be missing: supply, units, reservations, and how many are at risk."""
    return [(e.supply, e.missing, e.reservations, e.at_risk) for e in events if isinstance(e, SupplyShort)]


def test_supply_that_is_cut_names_the_newest_it_hurts() -> None:
    """As many of the newest as it takes to cover what is missing, and it is told once."""
    ledger = expecting((9, 3))
    for n in (1, 2, 3):
        ordered(ledger, f"q{n}", 3, 5)
    assert short(*announce(ledger, "po-1", 5, 3)) == [("po-1", 4, ("r-q3", "r-q2"), 3)]
    assert short(*announce(ledger, "po-1", 5, 3)) == []
    assert short(*announce(ledger, "po-1", 0, 3)) == [("po-1", 9, ("r-q3", "r-q2", "r-q1"), 3)]
    assert short(*announce(ledger, "po-2", 9, 4)) == [("po-2", 0, (), 0)]


def test_supply_that_is_put_off_hurts_those_promised_before() -> None:
    """A new date after theirs is bad news for those promised until then, not for the others."""
    ledger = expecting((9, 3))
    ordered(ledger, "q1", 3, 5)
    ordered(ledger, "q2", 3, 20)
    assert short(*announce(ledger, "po-1", 9, 10)) == [("po-1", 3, ("r-q1",), 1)]


def test_supply_whose_date_passed_is_short_until_it_is_expected_anew() -> None:
    """The tick tells it; a receipt that comes after all fills."""
    ledger = expecting((5, 3))
    ordered(ledger, "q1", 5, 4)
    due_ns = NOW + 3 * DAY
    assert ledger.next_expiry_ns() == due_ns + 1
    assert ledger.tick(due_ns) == []
    assert short(*ledger.tick(due_ns + 1)) == [("po-1", 5, ("r-q1",), 1)]
    assert short(*announce(ledger, "po-1", 5, 4, due_ns + 2)) == [("po-1", 0, (), 0)]
    do(ledger, came(5), due_ns + 3)
    assert units(ledger, "q1") == (5, 0)


def test_a_short_final_receipt_fills_what_came_and_names_the_rest() -> None:
    """Fill first, then the bad news about what is still missing."""
    ledger = expecting((6, 3))
    ordered(ledger, "q1", 3, 5)
    ordered(ledger, "q2", 3, 5)
    _, events = do_with_events(ledger, came(4, final=True))
    assert [type(event) for event in events[1:]] == [Filled, SupplyShort]
    assert short(*events) == [("po-1", 2, ("r-q2",), 1)]
    assert units(ledger, "q2") == (1, 2)


def test_answers_tell_the_promises_that_they_break() -> None:
    """A movement those of its SKU, a SetSupply those of all its lines; good news are no shortage."""
    ledger = expecting((6, 3))
    do(ledger, SetSupply("s1", (SupplyLine("po-1", "fig", 2, NOW + 3 * DAY),)))
    ordered(ledger, "q1", 6, 5)
    do(ledger, reserve("q2", fig=2)._replace(promise_by_ns=NOW + 5 * DAY))
    result = do(ledger, came(4, final=True))
    assert (result.shortage, result.supply_shortage) == (None, Shortage("apple", 2, ("r-q1",), 1))
    none = do(ledger, SetSupply("s2", (SupplyLine("po-9", "apple", 2, NOW + DAY), SupplyLine("po-1", "fig", 0, 0))))
    assert none.supply_shortages == (Shortage("fig", 2, ("r-q2",), 1),)


def test_damaged_units_fill_nothing() -> None:
    """They came, so they are not expected any more, and what waited for them is short."""
    ledger = expecting((5, 3))
    ordered(ledger, "q1", 5, 5)
    _, events = do_with_events(ledger, came(5, disposition="damaged"))
    assert short(*events) == [("po-1", 5, ("r-q1",), 1)]


def test_when_nobody_waits_any_more_the_bad_news_is_over() -> None:
    """A release of what was short is told as nothing missing."""
    ledger = expecting((5, 3))
    ordered(ledger, "q1", 5, 5)
    announce(ledger, "po-1", 0, 3)
    _, events = do_with_events(ledger, release("x1", of="q1"))
    assert short(*events) == [("", 0, (), 0)]
    assert ledger.waiting.missing == {}


def test_quotas_of_other_channels_are_not_filled_from() -> None:
    """A channel waits for its own units even while others' ring-fenced ones lie there."""
    ledger = expecting((9, 3))
    do(ledger, policy("p1", "apple", quotas={"shop": 4}))
    assert do(ledger, promised("q1", 6, 5, channel="web")).lines == (HeldLine("apple", 6, 0, 5),)
    do(ledger, promised("q2", 5, 5, channel="web"))
    do(ledger, came(7))
    assert units(ledger, "q2") == (3, 2)
    assert do(ledger, reserve("q3", apple=4)._replace(channel="shop")).status == ReserveStatus.HELD
    do(ledger, came(2))
    assert units(ledger, "q2") == (5, 0)
    ledger.check_invariants()


def test_units_that_wait_use_the_window_of_their_date() -> None:
    """They are picked when they are there; a pick time says otherwise."""
    ledger = expecting((9, 3))
    do(ledger, Configure("k1", capacity=picks(4)))
    do(ledger, promised("q1", 3, 5))
    assert ledger.capacity.left(NOW) == 4
    assert ledger.capacity.left(NOW + 5 * DAY) == 1
    assert do(ledger, promised("q2", 2, 5)).status == ReserveStatus.NO_CAPACITY
    do(ledger, promised("q3", 2, 5, pick_at_ns=NOW + 6 * DAY))
    assert ledger.capacity.left(NOW + 6 * DAY) == 2
    ledger.check_invariants()


@pytest.mark.parametrize("ahead_ns", [-HOUR, PROMISE_HORIZON_MAX_NS + 1])
def test_a_date_out_of_range_is_refused(ahead_ns: int) -> None:
    """The error names the field and nothing is remembered."""
    ledger = expecting((9, 3))
    before = ledger.snapshot()
    result = do(ledger, promised("q1", 3, 0)._replace(promise_by_ns=NOW + ahead_ns))
    assert (result.reason, result.field) == (Reason.INVALID, "promise_by")
    assert ledger.snapshot() == before


def test_a_repeat_tells_the_first_answer() -> None:
    """Also once the units came; when the request is forgotten, the answer is as of now; another date is an error."""
    ledger = expecting((5, 3), on_hand=2)
    first = do(ledger, promised("q1", 6, 4))
    do(ledger, came(5))
    assert do(ledger, promised("q1", 6, 4)) == first._replace(repeated=True)
    ledger.requests.limit(LedgerLimits(requests_max=1))
    do(ledger, SetSupply("s9", (SupplyLine("po-9", "apple", 1, NOW),)))
    assert do(ledger, promised("q1", 6, 4)).lines == (HeldLine("apple", 6, 6, 0, 0),)
    assert do(ledger, promised("q1", 6, 5)).field == "promise_by"


def test_a_sku_that_is_only_expected_can_be_held() -> None:
    """A pre-order: nothing was ever on hand."""
    ledger = expecting((5, 30))
    assert do(ledger, promised("q1", 5, 31)).status == ReserveStatus.HELD
    assert (stock(ledger, "apple").on_hand, units(ledger, "q1")) == (0, (0, 5))
