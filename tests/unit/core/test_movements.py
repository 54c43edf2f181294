from __future__ import annotations

import pytest

from allocator.core.commands import MovementType
from allocator.core.results import MovementStatus, State
from tests.unit.core.helpers import (
    NOW,
    S,
    commit,
    damage,
    do,
    ledger_with,
    movement,
    policy,
    receipt,
    reservation,
    reserve,
    sale,
    set_count,
    stock,
)

M = MovementType


@pytest.mark.parametrize(
    ("kind", "quantity", "on_hand"),
    [
        (M.RECEIPT, 3, 13),
        (M.RETURN, 3, 13),
        (M.TRANSFER_IN, 3, 13),
        (M.SALE, 3, 7),
        (M.SHIPMENT, 3, 7),
        (M.TRANSFER_OUT, 3, 7),
        (M.ADJUSTMENT, 3, 13),
        (M.ADJUSTMENT, -3, 7),
        (M.DISPOSITION_CHANGE, 3, 10),
        (M.COUNT, 3, 3),
    ],
)
def test_each_type_moves_on_hand_its_way(kind: MovementType, quantity: int, on_hand: int) -> None:
    """Goods in add, goods out take away, adjustments are signed, counts are absolute."""
    ledger = ledger_with({"apple": 10})
    told = movement(kind, "apple", quantity, disposition="damaged" if kind == M.DISPOSITION_CHANGE else "")
    result = do(ledger, told)
    assert (result.status, result.on_hand) == (MovementStatus.APPLIED, on_hand)
    assert stock(ledger, "apple").on_hand == on_hand


def test_the_same_movement_counts_once() -> None:
    """A movement id seen before changes nothing, whatever else it says."""
    ledger = ledger_with({"apple": 10})
    do(ledger, sale("apple", 1, movement_id="s1"))
    result = do(ledger, sale("apple", 4, movement_id="s1"))
    assert (result.status, result.on_hand) == (MovementStatus.DUPLICATE, 9)


def test_sources_have_their_own_movement_ids() -> None:
    """The same id of another source is another movement."""
    ledger = ledger_with({"apple": 10})
    do(ledger, sale("apple", 1, movement_id="s1", source="till-1"))
    assert do(ledger, sale("apple", 1, movement_id="s1", source="till-2")).status == MovementStatus.APPLIED


def test_a_sequence_counts_once_in_any_order() -> None:
    """Sequences may come late and with gaps; each counts once, whatever its movement id."""
    ledger = ledger_with({"apple": 10})
    seen = [do(ledger, sale("apple", 1, sequence=n)).status for n in (7, 3, 7, 5, 3, 4)]
    applied, duplicate = MovementStatus.APPLIED, MovementStatus.DUPLICATE
    assert seen == [applied, applied, duplicate, applied, duplicate, applied]
    assert stock(ledger, "apple").on_hand == 6


def test_a_sequence_older_than_the_window_is_a_duplicate() -> None:
    """Of each source the 4,096 highest sequences are remembered; what is older counts as seen."""
    ledger = ledger_with({"apple": 1})
    for sequence in range(10, 10 + 4096):
        do(ledger, receipt("apple", 1, sequence=sequence))
    assert do(ledger, receipt("apple", 1, sequence=9)).status == MovementStatus.DUPLICATE
    assert do(ledger, receipt("apple", 1, sequence=9, source="other")).status == MovementStatus.APPLIED
    assert do(ledger, receipt("apple", 1, sequence=9999)).status == MovementStatus.APPLIED


def test_a_movement_registers_its_sku() -> None:
    """Whatever moved exists: the SKU is stocked from then on, also below zero."""
    ledger = ledger_with({})
    assert do(ledger, sale("apple", 2)).on_hand == -2
    row = stock(ledger, "apple")
    assert (row.on_hand, row.available) == (-2, 0)


def test_a_sale_before_its_receipt_evens_out() -> None:
    """Movements are never refused; the order of arrival does not matter."""
    ledger = ledger_with({})
    do(ledger, sale("apple", 2))
    assert do(ledger, receipt("apple", 5)).on_hand == 3


def test_a_damaged_return_lands_in_damaged() -> None:
    """It is on hand, but not for sale."""
    ledger = ledger_with({"apple": 5})
    do(ledger, movement(M.RETURN, "apple", 2, disposition="damaged"))
    row = stock(ledger, "apple")
    assert (row.on_hand, row.unsellable, row.available) == (7, (("damaged", 2),), 5)


def test_a_scrap_leaves_damaged() -> None:
    """An adjustment down with a disposition takes the units from there."""
    ledger = ledger_with({"apple": 5})
    do(ledger, damage("apple", 3))
    do(ledger, movement(M.ADJUSTMENT, "apple", -2, disposition="damaged"))
    row = stock(ledger, "apple")
    assert (row.on_hand, row.unsellable, row.available) == (3, (("damaged", 1),), 2)


def test_a_disposition_change_back_makes_units_sellable() -> None:
    """Goods that passed quality control can be promised again."""
    ledger = ledger_with({"apple": 5})
    do(ledger, damage("apple", 3))
    assert stock(ledger, "apple").available == 2
    do(ledger, movement(M.DISPOSITION_CHANGE, "apple", 3, from_disposition="damaged", disposition=""))
    assert (stock(ledger, "apple").unsellable, stock(ledger, "apple").available) == ((), 5)


def test_disposition_changes_commute() -> None:
    """A change out of a disposition may arrive before the one into it."""
    ledger = ledger_with({"apple": 5})
    do(ledger, movement(M.DISPOSITION_CHANGE, "apple", 2, from_disposition="damaged", disposition="returned"))
    assert stock(ledger, "apple").available == 3
    do(ledger, damage("apple", 2))
    row = stock(ledger, "apple")
    assert (dict(row.unsellable), row.available) == ({"returned": 2}, 3)


def test_a_sale_of_a_reservation_fulfils_it() -> None:
    """The units leave on_hand and the reservation together, once."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=3))
    do(ledger, commit("q2", of="q1"))
    do(ledger, movement(M.SHIPMENT, "apple", 2, reservation="r-q1"))
    row = stock(ledger, "apple")
    assert (row.on_hand, row.committed, row.available) == (3, 1, 2)
    do(ledger, movement(M.SHIPMENT, "apple", 1, reservation="r-q1"))
    assert reservation(ledger, "q1").state == State.FULFILLED


def test_a_sale_fulfils_no_more_than_is_open() -> None:
    """What was sold beyond the reservation comes out of free stock."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=1))
    do(ledger, sale("apple", 3, reservation="r-q1"))
    row = stock(ledger, "apple")
    assert (row.on_hand, row.held, row.available) == (2, 0, 2)


def test_a_sale_fulfils_a_hold_too() -> None:
    """The goods are gone, committed or not."""
    ledger = ledger_with({"apple": 5, "fig": 5})
    do(ledger, reserve("q1", apple=2, fig=1))
    do(ledger, sale("apple", 2, reservation="r-q1"))
    view = reservation(ledger, "q1")
    assert (view.state, view.lines[0].fulfilled, view.lines[1].fulfilled) == (State.HELD, 2, 0)
    assert (stock(ledger, "apple").held, stock(ledger, "fig").held) == (0, 1)


@pytest.mark.parametrize("named", ["r-q1", "r-nobody"])
def test_a_sale_of_an_ended_or_unknown_reservation_is_a_plain_sale(named: str) -> None:
    """Only on_hand goes down."""
    ledger = ledger_with({"apple": 5})
    do(ledger, reserve("q1", apple=2)._replace(ttl_ns=S))
    result = do(ledger, sale("apple", 2, reservation=named), NOW + S)
    assert (result.status, result.on_hand) == (MovementStatus.APPLIED, 3)
    assert stock(ledger, "apple").available == 3


def test_a_movement_older_than_the_count_is_counted_already() -> None:
    """What happened up to the newest count is in it: on_hand stays, and the answer says so."""
    ledger = ledger_with({"apple": 10})
    do(ledger, set_count("q1", apple=7))
    result = do(ledger, sale("apple", 2, occurred_ns=NOW), NOW + S)
    assert (result.status, result.on_hand) == (MovementStatus.LATE_APPLIED, 7)
    assert do(ledger, sale("apple", 2, occurred_ns=NOW + 1), NOW + S).on_hand == 5


def test_a_late_movement_still_changes_dispositions() -> None:
    """A count says how many there are, not which of them are broken."""
    ledger = ledger_with({"apple": 10})
    do(ledger, set_count("q1", apple=7))
    do(ledger, damage("apple", 2, occurred_ns=NOW - S))
    do(ledger, movement(M.RETURN, "apple", 1, disposition="damaged", occurred_ns=NOW - S))
    row = stock(ledger, "apple")
    assert (row.on_hand, row.unsellable, row.available) == (7, (("damaged", 3),), 4)


def test_a_late_sale_still_fulfils_its_reservation() -> None:
    """The units it promised are gone, though the count knew that already."""
    ledger = ledger_with({"apple": 10})
    do(ledger, reserve("q1", apple=2))
    do(ledger, set_count("q2", apple=8), NOW + S)
    do(ledger, sale("apple", 2, reservation="r-q1", occurred_ns=NOW), NOW + S)
    row = stock(ledger, "apple")
    assert (row.on_hand, row.held, row.available) == (8, 0, 8)


def test_a_movement_without_a_time_happened_now() -> None:
    """It is later than any count before it."""
    ledger = ledger_with({"apple": 10})
    do(ledger, set_count("q1", apple=7))
    assert do(ledger, sale("apple", 2), NOW + 1).status == MovementStatus.APPLIED


def test_stock_policy_moves_dispositions_like_a_movement() -> None:
    """Moves of a policy shift units between sellable and dispositions."""
    ledger = ledger_with({"apple": 10})
    do(ledger, policy("p1", "apple", moves=(("", "damaged", 4), ("damaged", "returned", 1))))
    row = stock(ledger, "apple")
    assert (row.on_hand, dict(row.unsellable), row.available) == (10, {"damaged": 3, "returned": 1}, 6)
