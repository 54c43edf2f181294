"""Nearest location first: what sourcing is compared with. Plain on purpose.

The same orders in the same sequence, on a copy of the same stock: each line comes from the nearest location that has
units of it, and what that one lacks from the next. Every location that gives something sends one parcel, over the same
lanes. Carts that are given up or expire, cancellations and returns give their units back at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from demo.acks import Parcel
from demo.asks import consignments
from demo.book import Key
from demo.facts import StockFact
from demo.orders import GivenBack
from demo.plan import MARKETPLACE, Fate, Plan, PlannedOrder
from demo.stock import Policy, Stocking, facts_of
from demo.tariff import Tariff

Taken = list[tuple[Key, int]]
"""Units from where."""


class Shelves:
    """Units that can be promised, by location and SKU; quotas are for the marketplace alone.

    Args:
        policies: by location and SKU.
    """

    def __init__(self, policies: Mapping[str, Mapping[str, Policy]]) -> None:
        self._free, self._quota, self._used = Counter[Key](), Counter[Key](), Counter[Key]()
        for location, rows in policies.items():
            for sku, policy in rows.items():
                self._free[location, sku] -= policy.safety_stock
                self._quota[location, sku] = policy.quota

    def put(self, facts: Iterable[StockFact]) -> None:
        """Put in what can be sold."""
        for fact in facts:
            if not fact.disposition:
                self._free[fact.location, fact.sku] += fact.delta

    def take(self, key: Key, units: int, channel: str) -> int:
        """Take as many as there are, `units` at most."""
        theirs = 0 if channel == MARKETPLACE else max(0, self._quota[key] - self._used[key])
        taken = max(0, min(units, self._free[key] - theirs))
        self.give_back(key, -taken, channel)
        return taken

    def give_back(self, key: Key, units: int, channel: str) -> None:
        """Put units back."""
        self._free[key] += units
        if channel == MARKETPLACE:
            self._used[key] -= units


class _Served(NamedTuple):
    parcels: list[Parcel]
    taken: Taken


def nearest_first(plan: Plan, stocking: Stocking, receipts_at: int, tariff: Tariff) -> dict[str, list[Parcel]]:
    """Parcels by order reference.

    Args:
        plan: the orders.
        stocking: what there is.
        receipts_at: orders before the replenishment comes in.
        tariff: what parcels cost.
    """
    shelves = Shelves(stocking.policies)
    shelves.put(facts_of(stocking.opening))
    parcels: dict[str, list[Parcel]] = {}
    for number, order in enumerate(plan.orders):
        if number == receipts_at:
            shelves.put(facts_of(stocking.receipts))
        served = [_serve(order, lines, shelves, tariff) for lines in consignments(order)]
        parcels[order.number] = [parcel for one in served for parcel in one.parcels]
        for key, units in _given_back(order, [taken for one in served for taken in one.taken]):
            shelves.give_back(key, units, order.channel)
    return parcels


def _serve(order: PlannedOrder, lines: Mapping[str, int], shelves: Shelves, tariff: Tariff) -> _Served:
    packed: dict[str, dict[str, int]] = defaultdict(dict)
    for sku, wanted in lines.items():
        left = wanted
        for location in tariff.nearest(order.place, order.service_level):
            units = shelves.take((location, sku), left, order.channel)
            if units:
                packed[location][sku] = units
                left -= units
            if not left:
                break
    sent = [tariff.parcel(location, units, order.place, order.service_level) for location, units in packed.items()]
    taken = [((location, sku), units) for location, rows in packed.items() for sku, units in rows.items()]
    return _Served([parcel for parcel in sent if parcel is not None], taken)


def _given_back(order: PlannedOrder, taken: Taken) -> Taken:
    """What of an order's units comes back."""
    if order.fate in (Fate.RELEASED, Fate.EXPIRED):
        return taken
    left, back = dict(taken), Taken()
    for line in (*order.releases, *order.returns):
        back += _taken_off(left, line)
    return back


def _taken_off(left: dict[Key, int], line: GivenBack) -> Taken:
    back, wanted = Taken(), line.quantity
    for key in [key for key in left if key[1] == line.sku]:
        units = min(wanted, left[key])
        if units:
            left[key] -= units
            wanted -= units
            back.append((key, units))
    return back
