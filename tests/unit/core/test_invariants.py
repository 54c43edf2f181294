from __future__ import annotations

from collections.abc import Callable

import pytest

from allocator.core.commands import Configure
from allocator.core.errors import BrokenInvariantError
from allocator.core.ledger import StockLedger
from tests.unit.core.helpers import (
    NOW,
    commit,
    damage,
    do,
    ledger_with,
    picks,
    policy,
    reserve,
)


@pytest.fixture
def ledger() -> StockLedger:
    """A ledger with something in every counter."""
    ledger = ledger_with({"apple": 10, "fig": 10})
    do(ledger, policy("p1", "fig", quotas={"web": 5}))
    do(ledger, Configure("c1", capacity=picks(50)))
    do(ledger, damage("fig", 1))
    do(ledger, reserve("q1", fig=1)._replace(channel="web"))
    do(ledger, reserve("q2", fig=1))
    do(ledger, commit("q3", of="q2"))
    return ledger


def test_a_healthy_ledger_passes(ledger: StockLedger) -> None:
    """Counters that add up raise nothing, and checking changes nothing."""
    before = ledger.snapshot()
    ledger.check_invariants()
    assert ledger.snapshot() == before


def spoil_live_count(ledger: StockLedger) -> None:
    """One reservation too many."""
    ledger.reservations.live_count += 1


def spoil_capacity(ledger: StockLedger) -> None:
    """A window with less booked than its reservations use."""
    (window,) = ledger.capacity.used
    ledger.capacity.used[window] -= 1


def spoil_quota(ledger: StockLedger) -> None:
    """A channel with more reserved than its reservations hold."""
    ledger.quotas.reserve(ledger.stock.index["fig"], "web", 1)


def spoil(column: str) -> Callable[[StockLedger], None]:
    """One unit too many in a column, at its second SKU."""

    def change(ledger: StockLedger) -> None:
        getattr(ledger.stock, column)[1] += 1

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (spoil("held"), "held of fig"),
        (spoil("committed"), "committed of fig"),
        (spoil("unsellable"), "unsellable of fig"),
        (spoil_quota, "quota of web on fig"),
        (spoil_capacity, "capacity window"),
        (spoil_live_count, "reservations are live"),
    ],
)
def test_a_counter_that_does_not_add_up_is_named(
    ledger: StockLedger, change: Callable[[StockLedger], None], named: str
) -> None:
    """The audit says which counter of which SKU at which location is wrong."""
    change(ledger)
    with pytest.raises(BrokenInvariantError, match=rf"here.*{named}"):
        ledger.check_invariants()


def test_a_gap_in_the_replayed_versions_is_an_error(ledger: StockLedger) -> None:
    """A batch that is missing is not passed over."""
    fresh = StockLedger("here")
    _, events = ledger.execute(damage("fig", 1), NOW)
    with pytest.raises(BrokenInvariantError, match="version"):
        fresh.replay(7, events)
