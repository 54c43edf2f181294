"""Malformed commands: each a clear error that names the field, and nothing changed or remembered."""

from __future__ import annotations

import pytest

from allocator.core.commands import (
    Capacity,
    Configure,
    GetReservation,
    GetStock,
    Movement,
    MovementType,
    PolicyLine,
    Reserve,
    SetStockPolicy,
    Write,
)
from allocator.core.ledger import StockLedger
from allocator.core.limits import (
    CLOCK_SKEW_MAX_NS,
    DISPOSITIONS_PER_SKU_MAX,
    LINES_MAX,
    QUANTITY_MAX,
    QUOTAS_PER_SKU_MAX,
    SOURCES_MAX,
    TTL_MAX_NS,
    TTL_MIN_NS,
    LedgerLimits,
)
from allocator.core.results import MovementStatus, Reason, ReserveStatus
from tests.unit.core.helpers import (
    HOUR,
    NOW,
    commit,
    damage,
    do,
    do_with_events,
    extend,
    fulfil,
    ledger_with,
    movement,
    policy,
    receipt,
    release,
    reserve,
    sale,
    set_count,
    stock,
)

M = MovementType
OVER = QUANTITY_MAX + 1


@pytest.fixture
def ledger() -> StockLedger:
    """A ledger with apples and figs, some of them committed under q0."""
    ledger = ledger_with({"apple": 10, "fig": 10})
    do(ledger, reserve("q0", apple=2))
    do(ledger, commit("q00", of="q0"))
    return ledger


def lines(*pairs: tuple[str, int]) -> Reserve:
    """Ask to hold these lines."""
    return reserve("q1")._replace(lines=pairs)


MALFORMED: list[tuple[Write, str]] = [
    (lines(), "lines"),
    (lines(("apple", 0)), "lines[0].quantity"),
    (lines(("apple", 1), ("fig", -1)), "lines[1].quantity"),
    (lines(("apple", OVER)), "lines[0].quantity"),
    (lines(("apple", QUANTITY_MAX), ("apple", 1)), "lines"),
    (lines(*((f"sku-{n}", 1) for n in range(LINES_MAX + 1))), "lines"),
    (reserve("q1", apple=1)._replace(ttl_ns=TTL_MIN_NS - 1), "ttl"),
    (reserve("q1", apple=1)._replace(ttl_ns=TTL_MAX_NS + 1), "ttl"),
    (reserve("q1", apple=1)._replace(ttl_ns=0), "ttl"),
    (reserve("q1", apple=1)._replace(policy=7), "policy"),
    (extend("q1", of="q0", ttl_ns=TTL_MAX_NS + 1), "ttl"),
    (extend("q1", of="q0", ttl_ns=-1), "ttl"),
    (release("q1", of="q0", apple=0), "lines[0].quantity"),
    (release("q1", of="q0", apple=-1), "lines[0].quantity"),
    (fulfil("q1", of="q0", apple=0), "lines[0].quantity"),
    (fulfil("q1", of="q0", apple=OVER), "lines[0].quantity"),
    (set_count("q1"), "lines"),
    (set_count("q1", apple=-1), "lines[0].quantity"),
    (set_count("q1", apple=OVER), "lines[0].quantity"),
    (set_count("q1", as_of_ns=NOW + CLOCK_SKEW_MAX_NS + 1, apple=1), "as_of_time"),
    (SetStockPolicy("q1", ()), "lines"),
    (policy("q1", "apple", safety_stock=-1), "lines[0].safety_stock"),
    (policy("q1", "apple", safety_stock=OVER), "lines[0].safety_stock"),
    (policy("q1", "apple", quotas={"web": -1}), "lines[0].quotas"),
    (policy("q1", "apple", quotas={f"c{n}": 1 for n in range(QUOTAS_PER_SKU_MAX + 1)}), "lines[0].quotas"),
    (policy("q1", "apple", moves=(("damaged", "damaged", 1),)), "lines[0].disposition_moves"),
    (policy("q1", "apple", moves=(("", "damaged", 0),)), "lines[0].disposition_moves"),
    (Configure("q1", capacity=Capacity(9, HOUR, 1)), "measure"),
    (Configure("q1", capacity=Capacity(1, 0, 1)), "window"),
    (Configure("q1", capacity=Capacity(1, HOUR, -1)), "limit"),
]


@pytest.mark.parametrize(("command", "field"), MALFORMED, ids=lambda value: value if isinstance(value, str) else "")
def test_a_malformed_command_is_an_error_naming_its_field(ledger: StockLedger, command: Write, field: str) -> None:
    """Nothing is decided, changed or remembered."""
    before = ledger.snapshot()
    result, events = do_with_events(ledger, command)
    assert (result.reason, events, ledger.snapshot()) == (Reason.INVALID, [], before)
    assert result.field.startswith(field)
    assert result.detail
    good = reserve("q1", apple=1)
    assert do(ledger, good).status == ReserveStatus.HELD


@pytest.mark.parametrize(
    "told",
    [
        sale("apple", 0),
        sale("apple", -1),
        sale("apple", OVER),
        movement(M.ADJUSTMENT, "apple", 0),
        movement(M.ADJUSTMENT, "apple", -OVER),
        movement(M.COUNT, "apple", -1),
        movement(M.COUNT, "apple", OVER),
        movement(M.COUNT, "apple", 1, occurred_ns=NOW + CLOCK_SKEW_MAX_NS + 1),
        damage("apple", 1, from_disposition="damaged"),
        movement(M.DISPOSITION_CHANGE, "apple", 1),
        receipt("apple", 1, sequence=-1),
        receipt("apple", 1)._replace(type=77),
        receipt("apple", 1, occurred_ns=NOW + CLOCK_SKEW_MAX_NS + 1),
    ],
)
def test_a_malformed_movement_is_rejected_and_may_come_again_corrected(ledger: StockLedger, told: Movement) -> None:
    """The answer says INVALID and what is wrong; its id is still free."""
    before = ledger.snapshot()
    result, events = do_with_events(ledger, told)
    assert (result.status, result.reason) == (MovementStatus.REJECTED, "INVALID")
    assert (events, ledger.snapshot(), bool(result.detail)) == ([], before, True)
    corrected = receipt("apple", 1, movement_id=told.movement_id)
    assert do(ledger, corrected).status == MovementStatus.APPLIED


def test_the_limits_themselves_are_allowed(ledger: StockLedger) -> None:
    """Ten thousand lines, the biggest quantity and both ends of the ttl are fine."""
    do(ledger, receipt("apple", QUANTITY_MAX))
    biggest = reserve("q1", apple=QUANTITY_MAX)._replace(ttl_ns=TTL_MAX_NS)
    assert do(ledger, biggest).status == ReserveStatus.HELD
    skus = tuple((f"sku-{n}", 1) for n in range(LINES_MAX))
    do(ledger, SetStockPolicy("p1", tuple(PolicyLine(sku) for sku, _ in skus), allow_missing=True))
    result = do(ledger, lines(*skus)._replace(request_id="q2", reservation="r-q2", ttl_ns=TTL_MIN_NS))
    assert (result.status, len(result.lines)) == (ReserveStatus.INSUFFICIENT_STOCK, LINES_MAX)


@pytest.mark.parametrize("command", [reserve("q1", apple=1, kiwi=1), set_count("q1", apple=1, kiwi=1)])
def test_an_unknown_sku_is_an_error_naming_its_line(ledger: StockLedger, command: Write) -> None:
    """A SKU never stocked here is a mistake in the request, not a lack of stock."""
    result = do(ledger, command)
    assert (result.reason, result.field) == (Reason.SKU_UNKNOWN, "lines[1].sku")


def test_an_unknown_sku_is_named_by_the_callers_line(ledger: StockLedger) -> None:
    """Lines are summed for the check, but the caller counts its own."""
    result = do(ledger, lines(("apple", 1), ("apple", 1), ("kiwi", 1)))
    assert (result.reason, result.field) == (Reason.SKU_UNKNOWN, "lines[2].sku")


def test_a_policy_for_an_unknown_sku_needs_leave(ledger: StockLedger) -> None:
    """allow_missing registers it; without, none of the lines is taken over."""
    both = SetStockPolicy("q1", (PolicyLine("apple", 5), PolicyLine("kiwi", 5)))
    result = do(ledger, both)
    assert (result.reason, result.field) == (Reason.SKU_UNKNOWN, "lines[1].sku")
    assert stock(ledger, "apple").safety_stock == 0
    do(ledger, both._replace(allow_missing=True))
    assert (stock(ledger, "apple").safety_stock, stock(ledger, "kiwi").safety_stock) == (5, 5)


def test_malformed_comes_before_unknown(ledger: StockLedger) -> None:
    """A request is read before it is looked up."""
    assert do(ledger, reserve("q1", kiwi=0)).reason == Reason.INVALID
    assert do(ledger, extend("q2", of="nobody", ttl_ns=0)).reason == Reason.INVALID


def test_questions_about_the_unknown_are_errors(ledger: StockLedger) -> None:
    """Neither a SKU nor a reservation is made up."""
    assert ledger.query(GetStock(("apple", "kiwi")))[:2] == (Reason.SKU_UNKNOWN, "skus[1]")
    assert ledger.query(GetReservation("r-nobody"))[:2] == (Reason.RESERVATION_UNKNOWN, "name")


def test_a_location_stocks_only_so_many_skus() -> None:
    """One more is refused with TABLE_FULL; those there go on."""
    ledger = ledger_with({"apple": 1, "fig": 1}, LedgerLimits(skus_max=2))
    result = do(ledger, receipt("kiwi", 1))
    assert (result.status, result.reason) == (MovementStatus.REJECTED, "TABLE_FULL")
    assert do(ledger, policy("p1", "kiwi", safety_stock=1)._replace(allow_missing=True)).reason == Reason.TABLE_FULL
    assert do(ledger, receipt("apple", 1)).on_hand == 2


def test_a_location_has_only_so_many_live_reservations() -> None:
    """One more is refused with TABLE_FULL until one ends."""
    ledger = ledger_with({"apple": 9}, LedgerLimits(reservations_max=2))
    do(ledger, reserve("q1", apple=1))
    do(ledger, reserve("q2", apple=1))
    assert do(ledger, reserve("q3", apple=1)).reason == Reason.TABLE_FULL
    do(ledger, release("q4", of="q1"))
    assert do(ledger, reserve("q3", apple=1)).status == ReserveStatus.HELD


def test_a_sku_has_only_so_many_dispositions() -> None:
    """One more is refused with TABLE_FULL, by a movement and by a policy; those there go on."""
    ledger = ledger_with({"apple": 100})
    for n in range(DISPOSITIONS_PER_SKU_MAX):
        do(ledger, damage("apple", 1)._replace(disposition=f"d{n}"))
    result = do(ledger, damage("apple", 1))
    assert (result.status, result.reason) == (MovementStatus.REJECTED, "TABLE_FULL")
    assert do(ledger, policy("p1", "apple", moves=(("", "damaged", 1),))).reason == Reason.TABLE_FULL
    assert do(ledger, damage("apple", 1)._replace(disposition="d0")).status == MovementStatus.APPLIED


def test_only_so_many_sources_may_number_their_movements() -> None:
    """One more is refused with TABLE_FULL; it may still send movements without a sequence."""
    ledger = ledger_with({"apple": 100})
    for n in range(SOURCES_MAX):
        do(ledger, sale("apple", 1, source=f"till-{n}", sequence=1))
    one_more = sale("apple", 1, source="till-new", sequence=1)
    assert do(ledger, one_more).reason == "TABLE_FULL"
    assert do(ledger, one_more._replace(sequence=0)).status == MovementStatus.APPLIED
    assert do(ledger, sale("apple", 1, source="till-0", sequence=2)).status == MovementStatus.APPLIED
