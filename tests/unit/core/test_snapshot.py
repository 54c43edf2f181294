from __future__ import annotations

import pytest

from allocator.core.codec import pack, pack_events, unpack, unpack_events
from allocator.core.commands import Configure, Movement, MovementType, Write
from allocator.core.errors import BrokenInvariantError
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.results import CountStatus, MovementStatus, ReserveStatus
from allocator.core.stock import Shared
from tests.unit.core.helpers import (
    HOUR,
    NOW,
    TTL,
    S,
    commit,
    damage,
    do,
    extend,
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

LIFE: list[Write | Movement] = [
    receipt("apple", 10),
    receipt("fig", 5, sequence=7, source="till"),
    Configure("c1", capacity=picks(50, overrides=((NOW - NOW % HOUR, 6),))),
    policy("p1", "apple", safety_stock=1, quotas={"web": 2}, moves=(("", "damaged", 1),)),
    reserve("q1", apple=3, fig=1)._replace(channel="web", order="o1"),
    reserve("q2", apple=2),
    reserve("q3", apple=200),
    commit("q4", of="q1"),
    extend("q5", of="q2"),
    fulfil("q6", of="q1", apple=1),
    release("q7", of="q1", fig=1),
    damage("fig", 1),
    movement(MovementType.RETURN, "apple", 1, disposition="damaged"),
    set_count("q8", as_of_ns=NOW, apple=6),
    sale("apple", 5, occurred_ns=NOW + 1, reservation="r-q2"),
]


def lived() -> tuple[StockLedger, list[bytes]]:
    """A ledger after LIFE, and its journal."""
    ledger, journal = StockLedger("here", LedgerLimits()), []
    for seconds, command in enumerate(LIFE):
        _, events = ledger.execute(command, NOW + seconds * S)
        journal.append(pack_events(events))
        ledger.close_batch()
    return ledger, journal


def test_a_restored_ledger_is_the_same_ledger() -> None:
    """The same bytes again, the same version and the same numbers."""
    ledger, _ = lived()
    restored = StockLedger.restore(ledger.snapshot())
    assert (restored.snapshot(), restored.version) == (ledger.snapshot(), ledger.version)
    assert stock(restored, "apple") == stock(ledger, "apple")
    assert reservation(restored, "q1") == reservation(ledger, "q1")
    restored.check_invariants()


def test_ledgers_that_share_names_are_the_same_ledgers() -> None:
    """Two that know the same SKUs, in other orders, have the same objects for them, and all is as before."""
    ledger, _ = lived()
    other = StockLedger("there", LedgerLimits())
    do(other, receipt("fig", 1))
    shared = Shared()
    for one in (other, restored := StockLedger.restore(ledger.snapshot())):
        one.stock.share(shared)
        one.check_invariants()
    assert restored.snapshot() == ledger.snapshot()
    mine = next(sku for sku in restored.stock.index if sku == "fig")
    assert mine is other.stock.skus[0]
    again = reserve("q9", fig=1, new=1)
    assert restored.execute(again, NOW + 60 * S) == ledger.execute(again, NOW + 60 * S)
    assert restored.snapshot() == ledger.snapshot()


def test_a_restored_ledger_goes_on_the_same() -> None:
    """Repeats, duplicates, expiries and counts meet the memory they would have met."""
    ledger, _ = lived()
    restored = StockLedger.restore(ledger.snapshot())
    later = [*LIFE, reserve("q9", fig=1), reserve("q10", fig=1), set_count("q11", as_of_ns=NOW + 1, apple=3)]
    for command in later:
        assert restored.execute(command, NOW + 60 * S) == ledger.execute(command, NOW + 60 * S)
    assert do(restored, reserve("q12", fig=1), NOW + 60 * S).status == ReserveStatus.NO_CAPACITY
    do(ledger, reserve("q12", fig=1), NOW + 60 * S)
    assert restored.tick(NOW + 3 * TTL) == ledger.tick(NOW + 3 * TTL)
    assert restored.snapshot() == ledger.snapshot()


def test_replaying_the_journal_gives_the_same_bytes() -> None:
    """Recovery from nothing but the events ends where life did."""
    ledger, journal = lived()
    replayed = StockLedger("here", LedgerLimits())
    for entry in journal:
        for event in unpack_events(entry):
            replayed.apply(event)
        replayed.close_batch()
    assert replayed.snapshot() == ledger.snapshot()


def test_snapshot_and_tail_give_the_same_bytes() -> None:
    """Recovery may start from a snapshot taken at any batch."""
    ledger, journal = lived()
    for cut in range(len(journal)):
        recovered = StockLedger("here", LedgerLimits())
        for number, entry in enumerate(journal):
            if number == cut:
                recovered = StockLedger.restore(recovered.snapshot())
            for event in unpack_events(entry):
                recovered.apply(event)
            recovered.close_batch()
        assert recovered.snapshot() == ledger.snapshot()


def test_the_limits_are_part_of_the_snapshot() -> None:
    """A restored ledger forgets what the old one would have forgotten."""
    ledger = ledger_with({"apple": 5}, LedgerLimits(movement_ids_max=1))
    restored = StockLedger.restore(ledger.snapshot())
    do(restored, sale("apple", 1, movement_id="s1"))
    do(restored, sale("apple", 1, movement_id="s2"))
    assert do(restored, sale("apple", 1, movement_id="s2")).status == MovementStatus.DUPLICATE
    assert do(restored, sale("apple", 1, movement_id="s1")).status == MovementStatus.APPLIED


def test_what_is_forgotten_stays_forgotten() -> None:
    """A restored ledger still knows that it cannot work out an old count."""
    ledger = ledger_with({"apple": 5}, LedgerLimits(movements_max=1))
    do(ledger, sale("apple", 1, occurred_ns=NOW))
    do(ledger, sale("apple", 1, occurred_ns=NOW))
    restored = StockLedger.restore(ledger.snapshot())
    for each in (ledger, restored):
        assert do(each, set_count("q1", as_of_ns=NOW - 1, apple=1)).status == CountStatus.COUNT_TOO_OLD


def test_an_empty_ledger_has_a_snapshot() -> None:
    """A location that never stocked anything can be restored too."""
    ledger = StockLedger("here")
    assert StockLedger.restore(ledger.snapshot()).snapshot() == ledger.snapshot()


def test_a_snapshot_of_another_format_is_an_error() -> None:
    """What another build wrote is not guessed at."""
    raw = unpack(StockLedger("here").snapshot())
    with pytest.raises(BrokenInvariantError, match="format 99"):
        StockLedger.restore(pack(raw | {"format": 99}))
