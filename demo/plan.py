"""What becomes of each order: drawn by lot from a seed, the same for the same seed in every process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from demo.orders import GivenBack, Order, OrderBook, WriteOff
from demo.places import HOME, Place, place_of

SEED: Final = 20101201
MARKETPLACE: Final = "marketplace"
"""The one channel with a quota."""
MARKETPLACE_SHARE: Final = 0.15
STANDARD: Final = "standard"
NEXT_DAY: Final = "next-day"
NEXT_DAY_SHARE: Final = 0.20
"""Of the orders that stay in the country."""
TILL_SHARE: Final = 0.05
TILL_QUANTITY_MAX: Final = 12
"""Nobody carries more than that out of a store."""
RELEASE_HOURS_MAX: Final = 24.0
"""A cancellation that comes sooner meets the order before it is shipped."""


class Fate(StrEnum):
    """How an order ends."""

    SHIPPED = "shipped"
    SHIPPED_IN_PARTS = "shipped in two parts"
    SHIPPED_IN_PART = "one part shipped, the other still waits"
    WAITING = "committed, not shipped yet"
    OPEN = "still in the cart"
    RELEASED = "cart given up"
    EXPIRED = "cart left to expire"


# The rest is shipped. An order with a cancellation always is: there must be something to take back.
SHARES: Final = {
    Fate.SHIPPED_IN_PARTS: 0.10,
    Fate.SHIPPED_IN_PART: 0.03,
    Fate.WAITING: 0.05,
    Fate.OPEN: 0.02,
    Fate.RELEASED: 0.04,
    Fate.EXPIRED: 0.03,
}


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """An order and what becomes of it.

    Attributes:
        number: the order reference.
        lines: units by SKU.
        channel: sales channel, "" for the shop's own.
        fate: how it ends.
        place: where it goes.
        service_level: how fast.
        releases: what is cancelled before it is shipped.
        returns: what comes back after it was shipped.
    """

    number: str
    lines: dict[str, int]
    channel: str
    fate: Fate
    place: Place
    service_level: str = STANDARD
    releases: tuple[GivenBack, ...] = ()
    returns: tuple[GivenBack, ...] = ()


@dataclass(frozen=True, slots=True)
class TillSale:
    """Units sold over the counter of a store; `number` is unique."""

    number: str
    store: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole play.

    Attributes:
        orders: in the order they are played.
        till_sales: in the order they happen.
        returns: cancellations of orders from before the cut.
        write_offs: units thrown away.
    """

    orders: tuple[PlannedOrder, ...]
    till_sales: tuple[TillSale, ...]
    returns: tuple[GivenBack, ...]
    write_offs: tuple[WriteOff, ...]


def make_plan(book: OrderBook, stores: Sequence[str], seed: int = SEED) -> Plan:
    """Draw the lots.

    Args:
        book: the orders.
        stores: that sell over the counter.
        seed: of the lots.
    """
    taken_back = defaultdict(list)
    for line in book.given_back:
        taken_back[line.order].append(line)
    returns = tuple(taken_back.pop("", ()))
    planned, till_sales = [], []
    for order in book.orders:
        chance = Random(f"{seed}/order/{order.number}")
        cancelled = taken_back.get(order.number, [])
        at_till = _at_till(order, {line.sku for line in cancelled}, chance)
        place = place_of(order.country, order.customer or order.number, seed)
        planned.append(_plan(order, at_till, cancelled, chance, place))
        till_sales += [
            TillSale(f"{order.number}:{sku}", chance.choice(stores), sku, order.lines[sku]) for sku in at_till
        ]
    return Plan(tuple(planned), tuple(till_sales), returns, book.write_offs)


def _at_till(order: Order, cancelled: set[str], chance: Random) -> list[str]:
    """Choose the lines that are played as sales over the counter; at least one line stays an order."""
    chosen = [
        sku
        for sku, quantity in order.lines.items()
        if chance.random() < TILL_SHARE and quantity <= TILL_QUANTITY_MAX and sku not in cancelled
    ]
    return chosen if len(chosen) < len(order.lines) else chosen[1:]


def _plan(order: Order, at_till: list[str], cancelled: list[GivenBack], chance: Random, place: Place) -> PlannedOrder:
    fate = _draw_fate(chance)
    channel = MARKETPLACE if chance.random() < MARKETPLACE_SHARE else ""
    hurry = chance.random() < NEXT_DAY_SHARE and place.country == HOME
    return PlannedOrder(
        number=order.number,
        lines={sku: quantity for sku, quantity in order.lines.items() if sku not in at_till},
        channel=channel,
        fate=Fate.SHIPPED if cancelled else fate,
        place=place,
        service_level=NEXT_DAY if hurry else STANDARD,
        releases=tuple(line for line in cancelled if line.hours_later < RELEASE_HOURS_MAX),
        returns=tuple(line for line in cancelled if line.hours_later >= RELEASE_HOURS_MAX),
    )


def _draw_fate(chance: Random) -> Fate:
    lot = chance.random()
    for fate, share in SHARES.items():
        if lot < share:
            return fate
        lot -= share
    return Fate.SHIPPED
