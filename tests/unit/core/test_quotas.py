from __future__ import annotations

from allocator.core.ledger import StockLedger
from allocator.core.results import HeldLine, Quota, ReserveStatus
from tests.unit.core.helpers import (
    commit,
    do,
    fulfil,
    ledger_with,
    policy,
    release,
    reserve,
    sale,
    stock,
)


def ring_fenced(quotas: dict[str, int], on_hand: int = 10) -> StockLedger:
    """A ledger with ten apples and these quotas on them."""
    ledger = ledger_with({"apple": on_hand})
    do(ledger, policy("p0", "apple", quotas=quotas))
    return ledger


def test_a_quota_keeps_units_from_other_channels() -> None:
    """What is ring-fenced for one channel is not available to another, nor to callers without a channel."""
    ledger = ring_fenced({"web": 7})
    assert stock(ledger, "apple").available == 3
    assert do(ledger, reserve("q1", apple=4)).lines == (HeldLine("apple", 4, 0, 3),)
    assert do(ledger, reserve("q2", apple=4)._replace(channel="shop")).lines == (HeldLine("apple", 4, 0, 3),)


def test_a_channel_may_use_its_quota_and_what_is_free() -> None:
    """A quota is a floor for its channel, not a ceiling."""
    ledger = ring_fenced({"web": 4})
    assert do(ledger, reserve("q1", apple=10)._replace(channel="web")).status == ReserveStatus.HELD


def test_reserved_units_use_up_the_quota() -> None:
    """Units the channel has reserved are not set aside a second time."""
    ledger = ring_fenced({"web": 4})
    do(ledger, reserve("q1", apple=3)._replace(channel="web"))
    row = stock(ledger, "apple")
    assert (row.quotas, row.available) == ((Quota("web", 4, 3),), 6)


def test_a_channel_over_its_quota_takes_nothing_more_from_others() -> None:
    """Reserving more than the quota leaves no negative ring-fence."""
    ledger = ring_fenced({"web": 2})
    do(ledger, reserve("q1", apple=5)._replace(channel="web"))
    assert stock(ledger, "apple").available == 5


def test_released_units_return_to_the_quota() -> None:
    """A release leaves the quota as it was."""
    ledger = ring_fenced({"web": 4})
    do(ledger, reserve("q1", apple=3)._replace(channel="web"))
    do(ledger, release("q2", of="q1"))
    row = stock(ledger, "apple")
    assert (row.quotas, row.available) == ((Quota("web", 4, 0),), 6)


def test_fulfilled_units_leave_the_quota() -> None:
    """Sold units were what the quota was for: available to others stays as it was."""
    ledger = ring_fenced({"web": 4})
    do(ledger, reserve("q1", apple=3)._replace(channel="web"))
    do(ledger, commit("q2", of="q1"))
    do(ledger, fulfil("q3", of="q1"))
    row = stock(ledger, "apple")
    assert (row.on_hand, row.quotas, row.available) == (7, (Quota("web", 1, 0),), 6)


def test_a_quota_sold_out_keeps_nothing_back() -> None:
    """Fulfilling more than the quota leaves none of it."""
    ledger = ring_fenced({"web": 2})
    do(ledger, reserve("q1", apple=3)._replace(channel="web"))
    do(ledger, sale("apple", 3, reservation="r-q1"))
    row = stock(ledger, "apple")
    assert (row.quotas, row.available) == ((Quota("web", 0, 0),), 7)


def test_sales_of_other_channels_leave_the_quota() -> None:
    """A plain sale, or one for another channel's reservation, does not touch it."""
    ledger = ring_fenced({"web": 4})
    do(ledger, sale("apple", 1))
    do(ledger, reserve("q1", apple=1)._replace(channel="shop"))
    do(ledger, sale("apple", 1, reservation="r-q1"))
    assert stock(ledger, "apple").quotas == (Quota("web", 4, 0),)


def test_new_quotas_replace_all_of_the_sku() -> None:
    """Channels not named lose theirs; 0 removes; no list at all leaves them."""
    ledger = ring_fenced({"web": 4, "shop": 1})
    do(ledger, policy("p1", "apple", safety_stock=1))
    assert len(stock(ledger, "apple").quotas) == 2
    do(ledger, policy("p2", "apple", quotas={"web": 0, "app": 2}))
    row = stock(ledger, "apple")
    assert (row.quotas, row.available) == ((Quota("app", 2, 0),), 7)


def test_quotas_may_exceed_the_stock() -> None:
    """A quota is a wish: with less stock than that there is simply nothing for others."""
    ledger = ring_fenced({"web": 40})
    assert stock(ledger, "apple").available == 0
    assert do(ledger, reserve("q1", apple=11)._replace(channel="web")).lines == (HeldLine("apple", 11, 0, 10),)


def test_units_reserved_before_the_quota_was_set_count_for_it() -> None:
    """A quota looks at what its channel has reserved, whenever that was."""
    ledger = ledger_with({"apple": 10})
    do(ledger, reserve("q1", apple=3)._replace(channel="web"))
    do(ledger, policy("p1", "apple", quotas={"web": 5}))
    row = stock(ledger, "apple")
    assert (row.quotas, row.available) == ((Quota("web", 5, 3),), 5)
