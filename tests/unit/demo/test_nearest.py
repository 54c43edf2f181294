from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest

from demo.facts import StockFact, StockFile
from demo.nearest import Shelves, nearest_first
from demo.orders import GivenBack
from demo.places import HOME, Place
from demo.plan import MARKETPLACE, Fate, Plan, PlannedOrder
from demo.player import ZONE
from demo.scene import Scene
from demo.stock import Policy, Stocking
from demo.tariff import Tariff

LEEDS = Place("Leeds", HOME, 53.80, -1.55)
ORDER = PlannedOrder("1", {"A": 5, "B": 1}, "", Fate.SHIPPED, LEEDS)


@pytest.fixture(scope="module")
def tariff(scene: Scene) -> Tariff:
    """The lanes of the demo, now."""
    return Tariff(scene.network, time.time(), ZONE)


def stocked(*stock: tuple[str, str, int], receipts: tuple[tuple[str, str, int], ...] = ()) -> Stocking:
    """Stock of these (location, SKU, units)."""
    opening, later = (
        StockFile("x.csv", "x", tuple(StockFact(location, sku, "receipt", units, "") for location, sku, units in some))
        for some in (stock, receipts)
    )
    return Stocking((opening,), (later,), (), {})


def sent(stocking: Stocking, tariff: Tariff, *orders: PlannedOrder, receipts_at: int = 0) -> list[dict[str, int]]:
    """Units by location, for each order."""
    plan = Plan(orders, (), (), ())
    parcels = nearest_first(plan, stocking, receipts_at, tariff)
    return [{parcel.location: parcel.units for parcel in parcels[order.number]} for order in orders]


def test_each_line_comes_from_the_nearest_that_has_it(tariff: Tariff) -> None:
    """However many parcels that makes, though one location has it all."""
    stocking = stocked(("leeds-1", "A", 5), ("manchester-1", "B", 1), ("daventry-dc", "A", 9), ("daventry-dc", "B", 9))
    assert sent(stocking, tariff, ORDER) == [{"leeds-1": 5, "manchester-1": 1}]


def test_a_line_is_split_where_the_nearest_has_too_little(tariff: Tariff) -> None:
    """What nobody has is short."""
    stocking = stocked(("leeds-1", "A", 2), ("manchester-1", "A", 2))
    assert sent(stocking, tariff, ORDER) == [{"leeds-1": 2, "manchester-1": 2}]


def test_units_are_taken_once(tariff: Tariff) -> None:
    """The second order gets what the first one left, and what came in between."""
    orders = ORDER, replace(ORDER, number="2")
    stocking = stocked(("leeds-1", "A", 7), receipts=(("warrington-dc", "A", 1),))
    assert sent(stocking, tariff, *orders, receipts_at=1) == [{"leeds-1": 5}, {"leeds-1": 2, "warrington-dc": 1}]


@pytest.mark.parametrize("fate", [Fate.RELEASED, Fate.EXPIRED])
def test_a_cart_that_is_not_bought_gives_its_units_back(tariff: Tariff, fate: Fate) -> None:
    """The next customer gets them."""
    orders = replace(ORDER, fate=fate), replace(ORDER, number="2")
    assert sent(stocked(("leeds-1", "A", 5)), tariff, *orders) == [{"leeds-1": 5}, {"leeds-1": 5}]


@pytest.mark.parametrize("kind", ["releases", "returns"])
def test_what_is_cancelled_can_be_sold_again(tariff: Tariff, kind: str) -> None:
    """As far as there was anything of it at all."""
    first = replace(ORDER, **{kind: (GivenBack("C1", "A", 3, "1"), GivenBack("C2", "B", 1, "1"))})  # type: ignore[arg-type]  # both are such
    orders = first, replace(ORDER, number="2")
    assert sent(stocked(("leeds-1", "A", 5)), tariff, *orders) == [{"leeds-1": 5}, {"leeds-1": 3}]


def test_safety_stock_and_the_quotas_of_others_stay() -> None:
    """The marketplace may have its quota, and then what everybody may have."""
    shelves = Shelves({"leeds-1": {"A": Policy(safety_stock=2, quota=3)}})
    shelves.put([StockFact("leeds-1", "A", "receipt", 10, ""), StockFact("leeds-1", "A", "receipt", 9, "", "damaged")])
    assert shelves.take(("leeds-1", "A"), 9, "") == 5
    assert shelves.take(("leeds-1", "A"), 2, MARKETPLACE) == 2
    assert shelves.take(("leeds-1", "A"), 9, "") == 0
    shelves.give_back(("leeds-1", "A"), 2, MARKETPLACE)
    assert shelves.take(("leeds-1", "A"), 9, "") == 0
    assert shelves.take(("leeds-1", "A"), 9, MARKETPLACE) == 3


def test_nobody_gives_more_than_there_is(scene: Scene, tariff: Tariff) -> None:
    """Over the first orders of the demo, units by SKU against a plain count of the opening."""
    orders = scene.plan.orders[:100]
    plan = replace(scene.plan, orders=orders)
    parcels = nearest_first(plan, scene.stocking, len(orders), tariff)
    there = Counter[str]()
    for file in scene.stocking.opening:
        for fact in file.facts:
            there[fact.location] += fact.delta
    gone = Counter[str]()
    for some in parcels.values():
        for parcel in some:
            gone[parcel.location] += parcel.units
    assert all(gone[location] <= there[location] for location in gone)
    wanted = {order.number: sum(order.lines.values()) for order in orders}
    assert all(sum(parcel.units for parcel in some) <= wanted[order] for order, some in parcels.items())
