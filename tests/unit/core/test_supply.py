from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import ListSupply, Movement, MovementType, SetSupply, SupplyKind, SupplyLine
from allocator.core.ledger import StockLedger
from allocator.core.limits import LINES_MAX, QUANTITY_MAX, SUPPLIES_PER_SKU_MAX, LedgerLimits
from allocator.core.results import Done, MovementStatus, Reason, Rejected, SupplyPage, SupplyView
from tests.unit.core.helpers import EVERYTHING, HOUR, NOW, do, do_with_events, ledger_with, movement, receipt, stock

DAY = 24 * HOUR
APPLIED, LATE, REJECTED = MovementStatus.APPLIED, MovementStatus.LATE_APPLIED, MovementStatus.REJECTED


def announced(supply: str, sku: str, quantity: int, day: int = 1, **others: Any) -> Movement:  # noqa: ANN401  # of Movement
    """Units are expected in so many days."""
    told = {"supply": supply, "expect_ns": NOW + day * DAY, **others}
    return movement(MovementType.SUPPLY, sku, quantity, **told)


def supplies(ledger: StockLedger, **query: Any) -> tuple[SupplyView, ...]:  # noqa: ANN401  # of ListSupply
    """What the ledger knows of, ended ones among them unless told otherwise."""
    page = ledger.query(ListSupply(**{"after": 0, "limit": 100, "ended": True, **query}))
    assert isinstance(page, SupplyPage)
    return page.rows


def open_units(ledger: StockLedger, sku: str = "apple") -> int:
    """Units still to come."""
    return stock(ledger, sku).incoming


def test_announced_units_are_incoming_and_not_on_hand() -> None:
    """The SKU is registered, stock stays as it is, and the supply is told with its date."""
    ledger = ledger_with({})
    result = do(ledger, announced("po-1", "apple", 5, day=3))
    view = stock(ledger, "apple")
    assert (result.status, result.on_hand) == (APPLIED, 0)
    assert (view.on_hand, view.available, view.incoming) == (0, 0, 5)
    assert view.supplies == (SupplyView("po-1", "apple", SupplyKind.PURCHASE_ORDER, 5, 0, 5, NOW + 3 * DAY, 1),)


def test_receipts_take_from_their_supply_piece_by_piece() -> None:
    """Each piece moves from incoming to on hand; the last one ends the supply, and more than announced is fine."""
    ledger = ledger_with({})
    do(ledger, announced("po-1", "apple", 5))
    seen = []
    for quantity in (2, 1, 4):
        do(ledger, receipt("apple", quantity, supply="po-1"))
        seen.append((stock(ledger, "apple").on_hand, open_units(ledger)))
    assert seen == [(2, 3), (3, 2), (7, 0)]
    assert supplies(ledger)[0].received == 7


def test_a_receipt_without_its_supply_leaves_incoming_alone() -> None:
    """Units that came from elsewhere are not those that are expected."""
    ledger = ledger_with({})
    do(ledger, announced("po-1", "apple", 5))
    do(ledger, receipt("apple", 5))
    assert (stock(ledger, "apple").on_hand, open_units(ledger)) == (5, 5)


def test_a_final_receipt_ends_its_supply_however_little_came() -> None:
    """The rest will not come and is not expected any more."""
    ledger = ledger_with({})
    do(ledger, announced("po-1", "apple", 5))
    do(ledger, receipt("apple", 2, supply="po-1", final=True))
    assert open_units(ledger) == 0
    assert (supplies(ledger)[0].quantity, supplies(ledger)[0].received) == (5, 2)


def test_a_transfer_in_takes_from_the_transfer_that_was_announced() -> None:
    """The same goes for units in transit from another location."""
    ledger = ledger_with({})
    do(ledger, announced("tr-1", "apple", 5, supply_kind=SupplyKind.TRANSFER))
    do(ledger, movement(MovementType.TRANSFER_IN, "apple", 5, supply="tr-1"))
    assert open_units(ledger) == 0
    assert supplies(ledger)[0].kind == SupplyKind.TRANSFER


def test_damaged_units_count_as_come() -> None:
    """What arrived broken is on hand and does not come again."""
    ledger = ledger_with({})
    do(ledger, announced("po-1", "apple", 5))
    do(ledger, receipt("apple", 5, supply="po-1", disposition="damaged"))
    view = stock(ledger, "apple")
    assert (view.on_hand, view.available, view.incoming) == (5, 0, 0)


def test_a_new_announcement_replaces_the_old_one_and_keeps_what_came() -> None:
    """Quantity and date are those told last; the quantity is of all of it; 0 cancels the rest."""
    ledger = ledger_with({})
    do(ledger, announced("po-1", "apple", 5))
    do(ledger, receipt("apple", 2, supply="po-1"))
    do(ledger, announced("po-1", "apple", 9, day=4))
    assert (open_units(ledger), supplies(ledger)[0].expect_ns) == (7, NOW + 4 * DAY)
    do(ledger, announced("po-1", "apple", 0, expect_ns=0))
    assert open_units(ledger) == 0
    do(ledger, announced("po-1", "apple", 3))
    assert open_units(ledger) == 1


def test_late_news_of_a_supply_changes_nothing() -> None:
    """An announcement that occurred before the newest one, or before the supply was ended, is recorded as late."""
    ledger = ledger_with({})
    do(ledger, announced("po-1", "apple", 5, occurred_ns=NOW - 10))
    late = do(ledger, announced("po-1", "apple", 8, occurred_ns=NOW - 20))
    do(ledger, receipt("apple", 1, supply="po-1", final=True, occurred_ns=NOW - 5))
    later = do(ledger, announced("po-1", "apple", 6, occurred_ns=NOW - 7))
    assert [late.status, later.status, open_units(ledger)] == [LATE, LATE, 0]


def test_a_receipt_that_overtakes_its_announcement_is_remembered() -> None:
    """Units that are here are not expected again when the announcement comes after all."""
    ledger = ledger_with({})
    do(ledger, receipt("apple", 3, supply="po-1"))
    assert supplies(ledger, ended=False) == ()
    do(ledger, announced("po-1", "apple", 5))
    assert open_units(ledger) == 2


def test_a_receipt_that_a_count_has_already_still_takes_from_its_supply() -> None:
    """on_hand has the units from the count, so they are not incoming any more."""
    ledger = ledger_with({})
    do(ledger, announced("po-1", "apple", 5))
    do(ledger, movement(MovementType.COUNT, "apple", 5, occurred_ns=NOW - 1))
    assert do(ledger, receipt("apple", 5, supply="po-1", occurred_ns=NOW - 2)).status == LATE
    assert (stock(ledger, "apple").on_hand, open_units(ledger)) == (5, 0)


def test_one_supply_may_be_of_several_skus() -> None:
    """A purchase order is told line by line, and a receipt of one SKU leaves the others alone."""
    ledger = ledger_with({})
    lines = (SupplyLine("po-1", "apple", 5, NOW + DAY), SupplyLine("po-1", "fig", 4, NOW + DAY))
    assert do(ledger, SetSupply("s1", lines)) == Done()
    do(ledger, receipt("fig", 4, supply="po-1"))
    assert [(view.sku, view.open) for view in supplies(ledger)] == [("apple", 5), ("fig", 0)]


def test_set_supply_is_done_once() -> None:
    """A repeat gets the first answer; other content under the same request id is an error naming the field."""
    ledger = ledger_with({})
    command = SetSupply("s1", (SupplyLine("po-1", "apple", 5, NOW + DAY),))
    do(ledger, command)
    do(ledger, receipt("apple", 5, supply="po-1"))
    assert do(ledger, command) == Done(repeated=True)
    assert open_units(ledger) == 0
    other = do(ledger, SetSupply("s1", (SupplyLine("po-1", "apple", 6, NOW + DAY),)))
    assert (other.reason, other.field) == (Reason.REQUEST_ID_REUSED, "lines")


def test_lists_page_in_the_order_first_told() -> None:
    """A page goes on after a serial, filters by SKU, and leaves ended ones out unless they are asked for."""
    ledger = ledger_with({})
    for n, sku in enumerate(("apple", "fig", "apple", "apple")):
        do(ledger, announced(f"po-{n}", sku, 5))
    do(ledger, announced("po-0", "apple", 0, expect_ns=0))
    first = ledger.query(ListSupply(0, 1, "apple"))
    assert isinstance(first, SupplyPage)
    assert ([row.supply for row in first.rows], first.next_after) == (["po-2"], 3)
    assert [row.supply for row in supplies(ledger, after=3, ended=False)] == ["po-3"]
    assert [row.supply for row in supplies(ledger)] == ["po-0", "po-1", "po-2", "po-3"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"supply": ""}, "supply"),
        ({"expect_ns": 0}, "expect_time"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": QUANTITY_MAX + 1}, "quantity"),
        ({"final": True}, "final"),
        ({"disposition": "damaged"}, "disposition"),
        ({"supply_kind": 9}, "kind"),
        ({"type": MovementType.SALE, "expect_ns": 0}, "supply"),
        ({"type": MovementType.RECEIPT}, "expect_time"),
        ({"type": MovementType.RECEIPT, "expect_ns": 0, "supply": "", "final": True}, "final"),
    ],
)
def test_a_malformed_announcement_is_rejected(change: dict[str, Any], words: str) -> None:
    """The detail names what is wrong, and nothing is changed."""
    ledger = ledger_with({"apple": 3})
    before = ledger.snapshot()
    result, events = do_with_events(ledger, announced("po-1", "apple", 5)._replace(**change))
    assert (result.status, result.reason, events) == (REJECTED, "INVALID", [])
    assert words in result.detail
    assert ledger.snapshot() == before


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ((), "lines"),
        ((SupplyLine("po-1", "apple", 1, NOW),) * (LINES_MAX + 1), "lines"),
        ((SupplyLine("po-1", "apple", 1, NOW),) * 2, "lines[1].sku"),
        ((SupplyLine("", "apple", 1, NOW),), "lines[0].supply"),
        ((SupplyLine("po-1", "apple", -1, NOW),), "lines[0].quantity"),
        ((SupplyLine("po-1", "apple", 1, 0),), "lines[0].expect_time"),
        ((SupplyLine("po-1", "apple", 1, NOW, 7),), "lines[0].kind"),
    ],
)
def test_bad_lines_are_refused_whole(lines: tuple[SupplyLine, ...], field: str) -> None:
    """The error names the line and the field, and nothing is remembered."""
    ledger = ledger_with({"apple": 3})
    before = ledger.snapshot()
    result = do(ledger, SetSupply("s1", lines))
    assert (result.reason, result.field) == (Reason.INVALID, field)
    assert ledger.snapshot() == before


def test_the_table_has_room_for_a_named_number() -> None:
    """Ended supplies make room, the oldest first; when all are open, one more is an error that tells the maximum."""
    ledger = ledger_with({}, EVERYTHING._replace(supplies_max=2))
    do(ledger, announced("po-1", "apple", 0, expect_ns=0))
    for n in (2, 3):
        do(ledger, announced(f"po-{n}", "apple", 5))
    assert [view.supply for view in supplies(ledger)] == ["po-2", "po-3"]
    refused = do(ledger, announced("po-4", "apple", 5))
    assert (refused.status, refused.reason) == (REJECTED, "TABLE_FULL")
    assert "2 open supplies" in refused.detail
    assert do(ledger, receipt("apple", 1, supply="unheard-of")).status == APPLIED
    assert do(ledger, announced("po-3", "apple", 9)).status == APPLIED
    result = do(ledger, SetSupply("s1", (SupplyLine("po-4", "apple", 5, NOW),)))
    assert (result.reason, result.field) == (Reason.TABLE_FULL, "supply")


def test_a_sku_has_a_named_number_of_open_supplies() -> None:
    """One more is an error; another SKU still has room."""
    ledger = ledger_with({})
    lines = tuple(SupplyLine(f"po-{n}", "apple", 1, NOW + n) for n in range(SUPPLIES_PER_SKU_MAX))
    do(ledger, SetSupply("s1", lines))
    assert do(ledger, announced("more", "apple", 1)).reason == "TABLE_FULL"
    assert do(ledger, announced("more", "fig", 1)).status == APPLIED


def test_set_supply_registers_no_more_skus_than_there_may_be() -> None:
    """New SKUs count against the location's maximum."""
    ledger = ledger_with({"apple": 1}, LedgerLimits(skus_max=1))
    result = do(ledger, SetSupply("s1", (SupplyLine("po-1", "fig", 1, NOW),)))
    assert isinstance(result, Rejected)
    assert result.reason == Reason.TABLE_FULL


@dataclass
class Plain:
    """One supply as a person would keep it on paper."""

    quantity: int = 0
    received: int = 0
    closed: bool = True
    told_ns: int = 0
    day: int = 0

    @property
    def open(self) -> int:
        """Units still to come."""
        return 0 if self.closed else max(0, self.quantity - self.received)


@dataclass
class Paper:
    """All supplies, on paper."""

    rows: dict[str, Plain] = field(default_factory=dict)

    def announce(self, supply: str, quantity: int, day: int, at_ns: int) -> None:
        """Write an announcement down, unless something newer stands there."""
        row = self.rows.setdefault(supply, Plain())
        if at_ns >= row.told_ns:
            row.quantity, row.day, row.told_ns, row.closed = quantity, day, at_ns, quantity == 0

    def receive(self, supply: str, quantity: int, *, final: bool, at_ns: int) -> None:
        """Write a receipt down."""
        row = self.rows.setdefault(supply, Plain())
        row.received += quantity
        if final:
            row.closed, row.told_ns = True, max(row.told_ns, at_ns)


_names = st.sampled_from(("po-1", "po-2", "tr-1"))
_announcements = st.tuples(_names, st.integers(0, 9), st.integers(1, 5), st.integers(0, 6))
_receipts = st.tuples(_names, st.integers(1, 6), st.booleans(), st.integers(0, 6))


@given(st.lists(_announcements | _receipts, max_size=20))
def test_the_book_agrees_with_paper(facts: list[tuple[str, int, int | bool, int]]) -> None:
    """Whatever comes in whichever order, open units, steps and a restored snapshot are what plain rows say."""
    ledger, paper = ledger_with({}), Paper()
    for supply, quantity, detail, ago in facts:
        at_ns = NOW - ago
        if isinstance(detail, bool):
            do(ledger, receipt("apple", quantity, supply=supply, final=detail, occurred_ns=at_ns))
            paper.receive(supply, quantity, final=detail, at_ns=at_ns)
        else:
            do(ledger, announced(supply, "apple", quantity, detail, occurred_ns=at_ns))
            paper.announce(supply, quantity, detail, at_ns)
    assert {view.supply: (view.open, view.received) for view in supplies(ledger)} == {
        supply: (row.open, row.received) for supply, row in paper.rows.items()
    }
    days: dict[int, int] = {}
    for row in paper.rows.values():
        if row.open:
            days[NOW + row.day * DAY] = days.get(NOW + row.day * DAY, 0) + row.open
    i = ledger.stock.index.get("apple", -1)
    assert ledger.supply.steps(i) == sorted(days.items())
    restored = StockLedger.restore(ledger.snapshot())
    assert restored.snapshot() == ledger.snapshot()
    assert restored.supply.steps(i) == ledger.supply.steps(i)


def test_only_what_is_still_expected_is_overdue() -> None:
    """Not a supply that came before its date, was announced again for less than came, or is expected later now."""
    ledger = ledger_with({})
    for supply in ("came", "less", "later", "late"):
        do(ledger, announced(supply, "apple", 5))
    do(ledger, receipt("apple", 5, supply="came"))
    do(ledger, receipt("apple", 4, supply="less"))
    do(ledger, announced("less", "apple", 3))
    do(ledger, announced("later", "apple", 5, day=3))
    assert ledger.supply.pop_overdue(NOW + 2 * DAY) == [(0, "late")]
    assert ledger.supply.pop_overdue(NOW + 4 * DAY) == [(0, "later")]
