from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.erp.port import NAMED_MAX, Posting
from adapters.erp.postings import opening_postings, postings_of
from allocator.core.codec import Record
from allocator.core.commands import (
    Commit,
    Fulfil,
    Movement,
    MovementType,
    PolicyLine,
    Reserve,
    SetCount,
    SetStockPolicy,
)
from allocator.core.commands import Write as Command
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S
from allocator.core.protocol.types import Follow, Followed
from allocator.core.results import State
from tests.unit.adapters.helpers import LOCATION, NOW_NS
from tests.unit.adapters.journaled import receipt

ORDERS = {"r1": "A-1001", "r2": ""}


def records(ledger: StockLedger, *commands: Command | Movement, call: tuple[str, str] = ("", "")) -> list[Record]:
    """The records of one batch of commands."""
    found: list[Record] = []
    for command in commands:
        found += [(event, *call) for event in ledger.execute(command, NOW_NS)[1]]
    ledger.close_batch()
    return found


def postings(ledger: StockLedger, *commands: Command | Movement) -> list[Posting]:
    """The postings of one batch of commands."""
    batch = records(ledger, *commands)
    return postings_of(LOCATION, ledger.version, batch, lambda name: ORDERS.get(name, ""))


def effects(ledger: StockLedger, *commands: Command | Movement) -> list[tuple[str, str, str, int]]:
    """SKU, type, disposition and quantity of each posting."""
    return [(p.sku, p.type, p.disposition, p.quantity) for p in postings(ledger, *commands)]


def stocked(**on_hand: int) -> StockLedger:
    """A ledger with stock."""
    ledger = StockLedger(LOCATION)
    for sku, quantity in on_hand.items():
        ledger.execute(receipt(sku, quantity, f"open-{sku}"), NOW_NS - NS_PER_S)
    ledger.close_batch()
    return ledger


@pytest.mark.parametrize(
    ("kind", "quantity", "expected"),
    [
        (MovementType.RECEIPT, 3, 3),
        (MovementType.RETURN, 3, 3),
        (MovementType.TRANSFER_IN, 3, 3),
        (MovementType.SALE, 3, -3),
        (MovementType.SHIPMENT, 3, -3),
        (MovementType.TRANSFER_OUT, 3, -3),
        (MovementType.ADJUSTMENT, -3, -3),
        (MovementType.COUNT, 7, -3),
    ],
)
def test_a_movement_is_posted_with_its_sign(kind: MovementType, quantity: int, expected: int) -> None:
    """Under the name of its type."""
    movement = Movement("//pos", "m1", 0, "A", kind, quantity)
    assert effects(stocked(A=10), movement) == [("A", kind.name.lower(), "", expected)]


def test_units_of_a_disposition_are_posted_there() -> None:
    """A damaged return never was sellable."""
    movement = Movement("//pos", "m1", 0, "A", MovementType.RETURN, 2, disposition="damaged")
    assert effects(stocked(), movement) == [("A", "return", "damaged", 2)]


def test_a_disposition_change_leaves_one_and_enters_another() -> None:
    """On_hand stays, as the two add up to nothing."""
    change = Movement("//wms", "m1", 0, "A", MovementType.DISPOSITION_CHANGE, 2, "damaged")
    assert effects(stocked(A=10), change) == [
        ("A", "disposition_change", "damaged", 2),
        ("A", "disposition_change", "", -2),
    ]
    back = Movement("//wms", "m2", 0, "A", MovementType.DISPOSITION_CHANGE, 1, "quality_control", "damaged")
    assert effects(stocked(A=10), back) == [
        ("A", "disposition_change", "damaged", -1),
        ("A", "disposition_change", "quality_control", 1),
    ]


def test_disposition_moves_of_a_policy_are_posted_too() -> None:
    """They are the same fact, told in another way."""
    policy = SetStockPolicy("q1", (PolicyLine("A", moves=(("", "damaged", 4), ("damaged", "scrap", 1))),))
    assert effects(stocked(A=10), policy) == [
        ("A", "disposition_change", "", -4),
        ("A", "disposition_change", "damaged", 3),
        ("A", "disposition_change", "scrap", 1),
    ]


def test_a_late_movement_is_not_posted() -> None:
    """The count, posted before it, has it already."""
    ledger = stocked(A=10)
    assert effects(ledger, SetCount("q1", (("A", 8),), NOW_NS, reason="stocktake")) == [("A", "count", "", -2)]
    assert effects(ledger, Movement("//pos", "m1", 0, "A", MovementType.SALE, 1, occurred_ns=NOW_NS - 1)) == []


def test_a_late_damaged_return_only_changes_its_disposition() -> None:
    """The units were counted, but not as damaged."""
    ledger = stocked(A=10)
    effects(ledger, SetCount("q1", (("A", 8),), NOW_NS))
    late = Movement("//pos", "m1", 0, "A", MovementType.RETURN, 1, "damaged", occurred_ns=NOW_NS - 1)
    assert effects(ledger, late) == [("A", "return", "damaged", 1), ("A", "return", "", -1)]


def test_fulfilled_units_are_posted_with_reservation_and_order() -> None:
    """Whether the core was told by a fulfilment or by a sale."""
    ledger = stocked(A=10)
    ttl_ns = 900 * NS_PER_S
    assert effects(ledger, Reserve("q1", "r1", (("A", 3),), ttl_ns), Commit("q2", "r1")) == []
    (fulfilled,) = postings(ledger, Fulfil("q3", "r1", (("A", 1),)))
    assert fulfilled[3:8] == ("A", "fulfilment", "", "", -1)
    assert (fulfilled.reservations, fulfilled.orders) == (("r1",), ("A-1001",))
    (sold,) = postings(ledger, Movement("//pos", "m1", 0, "A", MovementType.SALE, 2, reservation="r1"))
    assert (sold.type, sold.quantity, sold.reservations, sold.orders) == ("sale", -2, ("r1",), ("A-1001",))


def test_what_became_of_a_part_is_posted_under_its_reservation() -> None:
    """Shipped units leave; units that the location did not find leave as declined; damaged ones change disposition."""
    follow = Follow("r1~t0.0", 3, State.COMMITTED)
    event = Followed(NOW_NS, follow, (("A", 2),), (("A", 4),), (("A", 1),), (("A", 3),), (("A", 1, 1),))
    found = postings_of(LOCATION, 1, [(event, "", "")], lambda name: ORDERS.get(name.partition("~")[0], ""))
    assert [(p.type, p.reason, p.disposition, p.quantity) for p in found] == [
        ("fulfilment", "", "", -2),
        ("declined", "not_in_stock", "", -1),
        ("disposition_change", "damaged", "", -3),
        ("disposition_change", "damaged", "damaged", 3),
    ]
    assert {(p.reservations, p.orders) for p in found} == {(("r1",), ("A-1001",))}


def test_nothing_else_is_posted() -> None:
    """Promises are not stock."""
    ledger = stocked(A=10)
    hold = Reserve("q1", "r1", (("A", 3),), 900 * NS_PER_S)
    policy = SetStockPolicy("q2", (PolicyLine("A", 5, (("web", 2),)),))
    assert effects(ledger, hold, policy, SetCount("q3", (("A", 10),), NOW_NS)) == []


def test_what_has_the_same_sku_type_and_reason_is_one_posting() -> None:
    """With everything it refers to, each once, and the time of the first."""
    ledger = stocked()
    first = [
        receipt("A", 1, "m1")._replace(reference="DN 1", occurred_ns=NOW_NS - 5),
        receipt("B", 1, "m2"),
        receipt("A", 2, "m3")._replace(reference="DN 2", occurred_ns=NOW_NS - 9),
        receipt("A", 4, "m4")._replace(reason="sample"),
    ]
    batch = records(ledger, *first, call=("call-1", "00-1"))
    batch += records(ledger, receipt("A", 8, "m5")._replace(reference="DN 1"), call=("call-2", "00-2"))
    found = postings_of(LOCATION, 7, batch, lambda _: "")
    assert [(p.line, p.sku, p.reason, p.quantity, p.movements) for p in found] == [
        (1, "A", "", 11, 3),
        (2, "B", "", 1, 1),
        (3, "A", "sample", 4, 1),
    ]
    assert found[0].documents == ("DN 1", "DN 2")
    assert found[0].correlation_ids == ("call-1", "call-2")
    assert found[0].traceparents == ("00-1", "00-2")
    assert found[0].occurred_ns == NOW_NS - 9
    assert {posting.posting_id for posting in found} == {f"{LOCATION}:7"}


def test_what_adds_up_to_nothing_is_not_posted() -> None:
    """And leaves no gap between the lines."""
    up, down = (Movement("//wms", f"m{n}", 0, "A", MovementType.ADJUSTMENT, n) for n in (3, -3))
    assert [posting.line for posting in postings(stocked(), up, down, receipt("B", 1, "m9"))] == [1]


def test_a_posting_names_a_bounded_number_of_documents() -> None:
    """It still tells how many facts there are."""
    many = [receipt("A", 1, f"m{n}")._replace(reference=f"DN {n}") for n in range(NAMED_MAX + 5)]
    (found,) = postings(stocked(), *many)
    assert (len(found.documents), found.movements) == (NAMED_MAX, NAMED_MAX + 5)


def test_an_opening_balance_tells_each_disposition() -> None:
    """Sellable units, and the others where they are."""
    ledger = stocked(A=10, B=5)
    effects(ledger, Movement("//wms", "m1", 0, "A", MovementType.DISPOSITION_CHANGE, 4, "damaged"))
    effects(ledger, Movement("//wms", "m2", 0, "B", MovementType.SALE, 5))
    found = opening_postings(ledger)
    assert [(p.version, p.line, p.sku, p.type, p.disposition, p.quantity) for p in found] == [
        (3, 1, "A", "opening_balance", "", 6),
        (3, 2, "A", "opening_balance", "damaged", 4),
    ]


@given(st.data())
def test_postings_add_up_to_on_hand_and_to_each_disposition(data: st.DataObject) -> None:
    """Whatever movements come, late ones and counts among them."""
    ledger = StockLedger(LOCATION)
    totals: dict[tuple[str, str], int] = {}
    names = st.sampled_from(["", "", "damaged", "scrap"])
    for number in range(data.draw(st.integers(0, 12))):
        kind = data.draw(st.sampled_from(MovementType))
        movement = Movement(
            "//wms",
            f"m{number}",
            0,
            data.draw(st.sampled_from("AB")),
            kind,
            data.draw(st.integers(1, 9)),
            data.draw(names) if kind is not MovementType.COUNT else "",
            data.draw(names) if kind is MovementType.DISPOSITION_CHANGE else "",
            occurred_ns=NOW_NS + data.draw(st.integers(-3, 0)),
        )
        for posting in postings(ledger, movement):
            key = (posting.sku, posting.disposition)
            totals[key] = totals.get(key, 0) + posting.quantity
    for sku, on_hand in zip(ledger.stock.skus, ledger.stock.on_hand, strict=True):
        here = {disposition: units for (name, disposition), units in totals.items() if name == sku}
        assert sum(here.values()) == on_hand
        assert {name: units for name, units in here.items() if name and units} == ledger.dispositions.get(sku, {})
