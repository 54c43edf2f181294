"""The stock of the demo. MADE UP, from what the cut will ask for: about one order line in twenty runs short.

Drawn by lot for each SKU by itself, so that another lot for one changes no other.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from demo.facts import StockFact, StockFile
from demo.orders import OrderBook, demand
from demo.plan import SEED, Plan
from demo.sites import Sites

SHORT_SHARE: Final = 0.11
"""Of the SKUs, bought too small."""
SHORT_SUPPLY: Final = (0.30, 0.90)
"""Of what will be ordered of such a SKU, what there is."""
PLENTY_SUPPLY: Final = (1.15, 1.60)
REPLENISHED_SHARE: Final = 0.20
"""Of the SKUs, those of which a part comes in midway."""
REPLENISHMENT: Final = 0.35
DC_SHARES: Final = (0.60, 0.40)
"""How the supply is split over the distribution centres."""
STORE_SHARE: Final = 0.40
"""What stores have on top of the distribution centres, of SKUs that are not short."""
RANGE: Final = 800
"""SKUs in greatest demand: every store has them."""
STORES_PER_SKU: Final = 3
"""Stores that have any other SKU."""
QUOTA_SKUS: Final = 20
"""The SKUs in greatest demand have a quota for the marketplace at the first distribution centre."""
QUOTA_SHARE: Final = 0.10
DAMAGED: Final = "damaged"
CHECKED_FIRST: Final = "quality_control"
"""Where goods go that come back without a known purchase."""
BATCHES: Final = 12
"""Files that each till, and the returns desk, hand in over the play."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Safety stock and marketplace quota of a SKU at a location, units."""

    safety_stock: int = 0
    quota: int = 0


@dataclass(frozen=True, slots=True)
class Stocking:
    """What goes in through the watched folder, and what is set.

    Attributes:
        opening: before the play.
        receipts: midway.
        batches: of tills and the returns desk, over the play.
        policies: by location and SKU.
    """

    opening: tuple[StockFile, ...]
    receipts: tuple[StockFile, ...]
    batches: tuple[tuple[StockFile, ...], ...]
    policies: Mapping[str, Mapping[str, Policy]]


def make_stock(book: OrderBook, plan: Plan, sites: Sites, seed: int = SEED) -> Stocking:
    """Stock the network for the plan."""
    wanted = demand(book.orders)
    opening, receipts = _supply(wanted, sites, seed)
    tills = Counter[tuple[str, str]]()
    for sale in plan.till_sales:
        tills[sale.store, sale.sku] += sale.quantity
    # What walk-in customers take is on the shelf besides, and never promised: that is what safety stock is for.
    opening.update(tills)
    damaged = Counter[str]()
    for off in plan.write_offs:
        damaged[off.sku] += off.quantity
    return Stocking(
        opening=tuple(_opening_files(opening, damaged, sites)),
        receipts=tuple(_receipt_files(receipts, sites)),
        batches=tuple(_batches(plan, sites)),
        policies=_policies(tills, wanted, opening, sites),
    )


def _supply(wanted: Counter[str], sites: Sites, seed: int) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Units by location and SKU: what is there at the opening, and what comes in midway."""
    opening, receipts = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    everywhere = {sku for sku, _ in wanted.most_common(RANGE)}
    for sku, units in wanted.items():
        chance = Random(f"{seed}/stock/{sku}")
        short = chance.random() < SHORT_SHARE
        supply = math.ceil(units * chance.uniform(*(SHORT_SUPPLY if short else PLENTY_SUPPLY)))
        replenished = chance.random() < REPLENISHED_SHARE
        for dc, share in zip(sites.dcs, DC_SHARES, strict=True):
            part = round(supply * share)
            later = int(part * REPLENISHMENT) if replenished else 0
            opening[dc, sku] += part - later
            receipts[dc, sku] += later
        if not short:
            stores = sites.stores if sku in everywhere else chance.sample(sites.stores, STORES_PER_SKU)
            for store in stores:
                opening[store, sku] += int(supply * STORE_SHARE / len(stores))
    return +opening, +receipts


def _opening_files(
    opening: Mapping[tuple[str, str], int], damaged: Mapping[str, int], sites: Sites
) -> Iterator[StockFile]:
    facts = defaultdict(list)
    for (location, sku), units in opening.items():
        facts[location].append(StockFact(location, sku, "receipt", units, f"{location}:{sku}"))
    first = sites.dcs[0]
    for sku, units in damaged.items():
        facts[first].append(StockFact(first, sku, "receipt", units, f"{first}:{sku}:{DAMAGED}", DAMAGED))
    for location in sites.all:
        yield StockFile(f"opening-{location}.csv", "demo/opening", tuple(facts[location]))


def _receipt_files(receipts: Mapping[tuple[str, str], int], sites: Sites) -> Iterator[StockFile]:
    for dc in sites.dcs:
        facts = tuple(
            StockFact(dc, sku, "receipt", units, f"{dc}:{sku}", reference=f"delivery-{dc}")
            for (location, sku), units in receipts.items()
            if location == dc
        )
        yield StockFile(f"receipts-{dc}.jsonl", "demo/receipts", facts)


def _batches(plan: Plan, sites: Sites) -> Iterator[tuple[StockFile, ...]]:
    """Split what tills and the returns desk tell into files, each some of it in its order."""
    dc = sites.dcs[0]
    desk = [StockFact(dc, line.sku, "return", line.quantity, line.number, CHECKED_FIRST) for line in plan.returns]
    desk += [StockFact(dc, off.sku, "adjustment", -off.quantity, off.number, DAMAGED) for off in plan.write_offs]
    sold = [StockFact(sale.store, sale.sku, "sale", sale.quantity, sale.number) for sale in plan.till_sales]
    for n in range(BATCHES):
        tills = defaultdict(list)
        for fact in _part(sold, n):
            tills[fact.location].append(fact)
        files = [
            StockFile(f"till-{store}-{n + 1:02}.csv", f"demo/till/{store}", tuple(facts))
            for store, facts in sorted(tills.items())
        ]
        files.append(StockFile(f"returns-desk-{n + 1:02}.jsonl", "demo/returns-desk", tuple(_part(desk, n))))
        yield tuple(files)


def _part(facts: Sequence[StockFact], n: int) -> Sequence[StockFact]:
    return facts[len(facts) * n // BATCHES : len(facts) * (n + 1) // BATCHES]


def _policies(
    tills: Mapping[tuple[str, str], int],
    wanted: Counter[str],
    opening: Mapping[tuple[str, str], int],
    sites: Sites,
) -> Mapping[str, Mapping[str, Policy]]:
    policies: dict[str, dict[str, Policy]] = defaultdict(dict)
    for (store, sku), units in tills.items():
        policies[store][sku] = Policy(safety_stock=units)
    first = sites.dcs[0]
    for sku, _ in wanted.most_common(QUOTA_SKUS):
        policies[first][sku] = Policy(quota=int(opening[first, sku] * QUOTA_SHARE))
    return policies


def facts_of(files: Iterable[StockFile]) -> Iterator[StockFact]:
    """All facts in the files, in order."""
    for file in files:
        yield from file.facts
