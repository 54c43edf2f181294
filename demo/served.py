"""How well orders were served: how much of them, in how many parcels, at what cost, how soon."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from demo.acks import Parcel
from demo.plan import PlannedOrder

Parcels = Mapping[str, Iterable[Parcel]]
"""By order reference."""


@dataclass(frozen=True, slots=True)
class Served:
    """Sums over orders.

    Attributes:
        orders: that got a parcel at all.
        wanted: units ordered, by all.
        units: that were held for them.
        parcels: they go in.
        cost_micros: of transport, in millionths of the network's currency.
        days: from order to last parcel, summed over `orders`.
    """

    orders: int
    wanted: int
    units: int
    parcels: int
    cost_micros: int
    days: int

    def figures(self) -> dict[str, float]:
        """Fill rate (units), parcels, cost (currency) and days per order, and cost per unit; 0 without any orders."""
        orders, units = max(1, self.orders), max(1, self.units)
        return {
            "fill_rate": self.units / max(1, self.wanted),
            "parcels_per_order": self.parcels / orders,
            "cost_per_order": self.cost_micros / orders / 1e6,
            "cost_per_unit": self.cost_micros / units / 1e6,
            "days_to_delivery": self.days / orders,
        }


def served(orders: Iterable[PlannedOrder], parcels: Parcels) -> Served:
    """Sum up how these orders were served."""
    every = list(orders)
    sent = [list(parcels.get(order.number, ())) for order in every]
    some = [one for one in sent if one]
    return Served(
        orders=len(some),
        wanted=sum(sum(order.lines.values()) for order in every),
        units=sum(parcel.units for one in some for parcel in one),
        parcels=sum(map(len, some)),
        cost_micros=sum(parcel.cost_micros for one in some for parcel in one),
        days=sum(max(parcel.days for parcel in one) for one in some),
    )


def flows(orders: Iterable[PlannedOrder], parcels: Parcels) -> Counter[tuple[str, str]]:
    """Parcels by location and city."""
    return Counter((parcel.location, order.place.city) for order in orders for parcel in parcels.get(order.number, ()))


def sent_from(parcels: Parcels) -> Counter[str]:
    """Units by location."""
    units = Counter[str]()
    for some in parcels.values():
        for parcel in some:
            units[parcel.location] += parcel.units
    return units
