from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import (
    Capacity,
    Configure,
    Measure,
    Movement,
    MovementType,
    PolicyLine,
    Reserve,
    SetStockPolicy,
    SetSupply,
    SupplyLine,
)
from allocator.core.ledger import StockLedger
from allocator.core.limits import DAY_NS
from allocator.core.promise import least_projection
from allocator.core.results import ReserveResult, ReserveStatus
from allocator.core.sourcing.types import CAPACITY_UNLIMITED
from allocator.runtime.feed import WAITING_DATES_MAX, Change, Recorder
from allocator.runtime.read_model import AvailabilityModel
from tests.unit.runtime.hosts import NOW_NS, TTL_NS

LOCATIONS = ("dc", "shop", "annex", "kiosk", "vendor")
SKUS = ("fig", "plum", "kiwi")
HORIZON_NS = NOW_NS + 30 * DAY_NS
HOUR_NS = 3600 * 10**9
_numbers = itertools.count(1)


@dataclass
class Site:
    """A ledger, and the changes it makes."""

    ledger: StockLedger
    recorder: Recorder = field(init=False)

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.ledger)

    def do(self, *commands: object) -> Change:
        """Execute a batch; what it changed."""
        for command in commands:
            self.ledger.execute(command, NOW_NS)  # type: ignore[arg-type]  # commands
        self.ledger.close_batch()
        return self.recorder.changed()


def site(name: str = "dc") -> Site:
    """An empty location."""
    return Site(StockLedger(name))


def expected(sku: str, quantity: int, day: int, supply: str = "po-1") -> SetSupply:
    """Units expected in so many days."""
    return SetSupply(f"s{next(_numbers)}", (SupplyLine(supply, sku, quantity, NOW_NS + day * DAY_NS),))


def received(sku: str, quantity: int, supply: str = "") -> Movement:
    """Units that came."""
    return Movement("erp", f"m{next(_numbers)}", 0, sku, MovementType.RECEIPT, quantity, supply=supply)


def by_day(model: AvailabilityModel, sku: str, day: int, location: str = "dc", channel: str = "") -> int:
    """What one location can promise for a day."""
    rows, columns = np.array([model.rows[sku]]), model.columns([location])
    by_ns = NOW_NS + day * DAY_NS
    return int(model.promised(rows, columns, channel, by_ns, NOW_NS, HORIZON_NS)[0, 0])


supplies = st.lists(
    st.tuples(st.sampled_from(LOCATIONS), st.sampled_from(SKUS), st.integers(1, 9), st.integers(-2, 40)), max_size=12
)


@given(supplies=supplies, stock=supplies, day=st.integers(0, 30))
def test_promises_agree_with_the_ledgers_of_all_locations(
    supplies: list[tuple[str, str, int, int]], stock: list[tuple[str, str, int, int]], day: int
) -> None:
    """Each cell is what is free plus the least projection of the SKU at its location, floored at 0."""
    model = AvailabilityModel()
    sites = {name: site(name) for name in LOCATIONS}
    for name, here in sites.items():
        model.apply(name, [here.recorder.whole()])
        here.do(*(received(sku, 1) for sku in SKUS), *(sold(sku, 1) for sku in SKUS))
        model.apply(name, [here.recorder.whole()])
    for n, (name, sku, quantity, on_day) in enumerate(supplies):
        model.apply(name, [sites[name].do(expected(sku, quantity, on_day, f"po-{n}"))])
    for name, sku, quantity, _ in stock:
        model.apply(name, [sites[name].do(received(sku, quantity, "po-1"))])
    by_ns = NOW_NS + day * DAY_NS
    rows = np.array([model.rows[sku] for sku in SKUS])
    cells = model.promised(rows, model.columns(LOCATIONS), "", by_ns, NOW_NS, HORIZON_NS)
    for n, sku in enumerate(SKUS):
        for k, name in enumerate(LOCATIONS):
            ledger = sites[name].ledger
            i = ledger.stock.index[sku]
            least = least_projection(ledger.supply.steps(i), (), by_ns, NOW_NS, HORIZON_NS)
            assert cells[n, k] == max(0, ledger.stock.free(i) + least)


def waits(sku: str, quantity: int, day: int) -> Reserve:
    """Hold units for a day, of what is expected if need be."""
    name = f"r{next(_numbers)}"
    return Reserve(name, name, ((sku, quantity),), TTL_NS, promise_by_ns=NOW_NS + day * DAY_NS)


@given(supplies=supplies, wishes=supplies, day=st.integers(0, 30))
def test_units_that_wait_are_promised_to_nobody_else(
    supplies: list[tuple[str, str, int, int]], wishes: list[tuple[str, str, int, int]], day: int
) -> None:
    """Each cell is what the ledger of the location would grant for that day."""
    model = AvailabilityModel()
    sites = {name: site(name) for name in LOCATIONS}
    for name, here in sites.items():
        here.do(*(received(sku, 1) for sku in SKUS))
        model.apply(name, [here.recorder.whole()])
    for n, (name, sku, quantity, on_day) in enumerate(supplies):
        model.apply(name, [sites[name].do(expected(sku, quantity, on_day, f"po-{n}"))])
    for name, sku, quantity, on_day in wishes:
        model.apply(name, [sites[name].do(waits(sku, quantity, min(max(0, on_day), 30)))])
    for name in LOCATIONS[:2]:
        again = AvailabilityModel()
        again.apply(name, [sites[name].recorder.whole()])
        for sku in SKUS:
            left = by_day(model, sku, day, name)
            assert by_day(again, sku, day, name) == left
            for quantity, status in ((left + 1, ReserveStatus.INSUFFICIENT_STOCK), (left, ReserveStatus.HELD)):
                if quantity:
                    result, _ = sites[name].ledger.decide(waits(sku, quantity, day), NOW_NS)
                    assert isinstance(result, ReserveResult)
                    assert result.status == status


def test_very_many_promise_dates_are_told_by_the_day() -> None:
    """A little early, so that never more is promised than there is; the message stays small."""
    model, dc = AvailabilityModel(), site()
    many = WAITING_DATES_MAX + 1
    dc.do(expected("fig", many + 5, 3))
    orders = [waits("fig", 1, 5)._replace(promise_by_ns=NOW_NS + 5 * DAY_NS + n * 10**9) for n in range(many)]
    dc.do(*orders)
    model.apply("dc", [dc.recorder.whole()])
    (steps,) = model.dated.by_row[0].values()
    assert steps.shape[1] <= 3
    assert (by_day(model, "fig", 3), by_day(model, "fig", 9)) == (5, 5)


def sold(sku: str, quantity: int) -> Movement:
    """Units that left."""
    return Movement("till", f"m{next(_numbers)}", 0, sku, MovementType.SALE, quantity)


def test_a_date_sees_what_comes_until_then() -> None:
    """Stock and supply add up by date, and a receipt moves units from one to the other."""
    model, dc = AvailabilityModel(), site()
    model.apply("dc", [dc.recorder.whole(), dc.do(received("fig", 2), expected("fig", 5, 3))])
    assert [by_day(model, "fig", day) for day in (0, 2, 3, 9)] == [2, 2, 7, 7]
    model.apply("dc", [dc.do(received("fig", 4, "po-1"))])
    assert [by_day(model, "fig", day) for day in (0, 3)] == [6, 7]
    model.apply("dc", [dc.do(received("fig", 1, "po-1"))])
    assert [by_day(model, "fig", day) for day in (0, 3)] == [7, 7]
    assert not model.dated.by_row


def test_other_channels_quotas_stay_closed_for_a_date() -> None:
    """What is ring-fenced for a channel is promised to that channel only, also from supply."""
    model, dc = AvailabilityModel(), site()
    fence = SetStockPolicy("p1", (PolicyLine("fig", quotas=(("web", 4),)),), allow_missing=True)
    model.apply("dc", [dc.recorder.whole(), dc.do(fence, expected("fig", 5, 3))])
    assert (by_day(model, "fig", 3), by_day(model, "fig", 3, channel="web")) == (1, 5)


def test_a_location_that_left_promises_nothing() -> None:
    """Its column is free for another one, which begins without its supply and its capacity."""
    model, dc = AvailabilityModel(), site()
    model.apply("dc", [dc.recorder.whole(), dc.do(expected("fig", 5, 3), planned(3))])
    model.forget("dc")
    assert by_day(model, "fig", 3, "other") == 0
    assert model.capacity(model.columns(["other"]), NOW_NS)[0].tolist() == [CAPACITY_UNLIMITED]


def planned(limit: int, measure: Measure = Measure.UNITS) -> Configure:
    """So much can be picked per hour."""
    return Configure(f"c{next(_numbers)}", capacity=Capacity(measure, HOUR_NS, limit))


def held(sku: str, quantity: int, at_ns: int = 0) -> Reserve:
    """Hold units, to be picked at a time."""
    name = f"r{next(_numbers)}"
    return Reserve(name, name, ((sku, quantity),), TTL_NS, pick_at_ns=at_ns)


def test_capacity_is_what_the_ledgers_have_left() -> None:
    """Plans and bookings arrive with the changes; without a plan nothing is limited; windows are apart."""
    model = AvailabilityModel()
    dc, shop, annex = (site(name) for name in LOCATIONS[:3])
    model.apply("dc", [dc.recorder.whole(), dc.do(received("fig", 9), planned(5), held("fig", 2))])
    model.apply("shop", [shop.recorder.whole(), shop.do(received("fig", 9), planned(3, Measure.ORDERS))])
    model.apply("annex", [annex.recorder.whole()])
    model.apply("shop", [shop.do(held("fig", 4)), shop.do(held("fig", 1, NOW_NS + 2 * HOUR_NS))])
    columns = model.columns(LOCATIONS[:3])
    left, limit, by_order = model.capacity(columns, NOW_NS)
    assert left.tolist() == [3, 2, CAPACITY_UNLIMITED]
    assert limit.tolist() == [5, 3, CAPACITY_UNLIMITED]
    assert by_order.tolist() == [False, True, False]
    assert model.capacity(columns, NOW_NS + 2 * HOUR_NS)[0].tolist() == [5, 2, CAPACITY_UNLIMITED]


def test_capacity_that_is_taken_away_limits_nothing() -> None:
    """A plan that goes and a whole picture both replace what was known."""
    model, dc = AvailabilityModel(), site()
    model.apply("dc", [dc.recorder.whole(), dc.do(received("fig", 9), planned(5), held("fig", 5))])
    assert model.capacity(model.columns(["dc"]), NOW_NS)[0].tolist() == [0]
    fresh = AvailabilityModel()
    fresh.apply("dc", [dc.recorder.whole()])
    assert fresh.capacity(fresh.columns(["dc"]), NOW_NS)[0].tolist() == [0]
    model.apply("dc", [dc.do(Configure("none", clear_capacity=True))])
    assert model.capacity(model.columns(["dc"]), NOW_NS)[0].tolist() == [CAPACITY_UNLIMITED]


def test_a_window_that_a_location_closed_is_told() -> None:
    """It said that it cannot pick any more in it, so nothing is left there."""
    model, dc = AvailabilityModel(), site()
    model.apply("dc", [dc.recorder.whole(), dc.do(received("fig", 9), planned(5), held("fig", 2))])
    dc.ledger.capacity.fill(NOW_NS)
    model.apply("dc", [dc.do(received("fig", 1))])
    assert model.capacity(model.columns(["dc"]), NOW_NS)[0].tolist() == [0]
