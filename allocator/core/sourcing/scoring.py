"""What a location costs for an order, term by term. Lower is better.

The score of a plan is the sum over its locations of a fixed part, and over its assignments of units x a part per unit.
Every term has a raw value in its own unit, times a weight of the profile:

| term | fixed part of location j | part of each unit of line l from location j |
| --- | --- | --- |
| COST | (parcel + km x distance) / 10^6 | (unit + (kg + kg_km x distance) x kilograms of a unit) / 10^6 |
| LATENESS | days of delivery after the day asked for; without one, after the earliest that any location could do | |
| PARCELS | 1 | |
| STOCK_COVER | | 1 / available of l at j: a plan that empties j of l has 1 |
| CAPACITY | used / limit of the pick window; one used more where it counts orders | 1 / limit; 0 for orders |
| PRIORITY | priority of j | |
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul, truediv
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.network.types import Profile
from allocator.core.sourcing.filters import Reach
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import CAPACITY_UNLIMITED, SourcingOrder, StockPicture

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """What the raw values of the terms are made of, for some of the locations.

    Attributes:
        cost: float64 (3, locations), COST of opening one, of a unit, of a gram.
        grams: of a unit of each line.
        late_days: int64 (locations,), LATENESS of opening one.
        stock: float64 (lines, locations), units there, at least 1: STOCK_COVER of a unit is the inverse.
        filling: float64 (2, locations), CAPACITY of opening one, of a unit; None: nothing has a limit.
        priority: float64 (locations,), PRIORITY of opening one.
    """

    cost: Floats
    grams: tuple[int, ...]
    late_days: NDArray[np.int64]
    stock: Floats
    filling: Floats | None
    priority: Floats

    def raw(self, member: int, given: Sequence[int]) -> tuple[float, ...]:
        """Raw value of every term, in the order of `Term`, if a location gives `given` units of each line."""
        units = sum(given)
        parcel, unit, gram = self.cost[:, member].tolist()
        return (
            parcel + unit * units + gram * sum(map(mul, given, self.grams)),
            float(self.late_days[member]),
            1.0,
            sum(map(truediv, given, self.stock[:, member].tolist())),
            0.0 if self.filling is None else float(self.filling[0, member] + self.filling[1, member] * units),
            float(self.priority[member]),
        )


def weights(profile: Profile) -> tuple[float, ...]:
    """Weights of the terms, in the order of `Term`."""
    return (profile.cost, profile.lateness, profile.parcels, profile.stock_cover, profile.capacity, profile.priority)


def terms(
    table: NetworkTable,
    order: SourcingOrder,
    stock: StockPicture,
    reach: Reach,
    columns: NDArray[np.int64],
    available: Floats,
) -> Terms:
    """The terms for the locations in `columns`, at least one, which have `available` of each line."""
    cost = reach.leg.cost.take(columns, axis=1)
    grams = tuple([line[2] for line in order.lines])
    late_days, filling = _late_days(reach, columns), _filling(stock, columns)
    return Terms(cost, grams, late_days, np.maximum(available, 1.0), filling, table.priority.take(columns))


def weighted(values: Terms, profile: Profile) -> tuple[Floats, Floats]:
    """Scores: float64 (locations,) for opening each, float64 (lines, locations) for each unit."""
    parcel, unit_cost, gram = values.cost * profile.cost
    fixed = parcel + profile.parcels
    unit = gram * np.array([values.grams], dtype=np.float64).T + unit_cost
    if profile.lateness:
        fixed += values.late_days * profile.lateness
    if profile.stock_cover:
        unit += profile.stock_cover / values.stock
    if profile.capacity and values.filling is not None:
        used, share = values.filling * profile.capacity
        fixed += used
        unit += share
    if profile.priority:
        fixed += values.priority * profile.priority
    return fixed, unit


def _late_days(reach: Reach, columns: NDArray[np.int64]) -> NDArray[np.int64]:
    delivery = reach.delivery_day.take(columns)
    late: NDArray[np.int64]
    if reach.promise_day is None:
        late = delivery - delivery[delivery.argmin()]  # faster than min on small arrays
    else:
        late = np.maximum(delivery - reach.promise_day.take(columns), 0)
    return late


def _filling(stock: StockPicture, columns: NDArray[np.int64]) -> Floats | None:
    if stock.capacity_limit[stock.capacity_limit.argmin()] >= CAPACITY_UNLIMITED:
        return None
    limit = stock.capacity_limit.take(columns)
    limited = limit < CAPACITY_UNLIMITED
    by_order = stock.capacity_by_order.take(columns)
    share = limited / np.maximum(limit, 1)
    used = np.where(limited, limit - stock.capacity_left.take(columns), 0)
    return np.array(((used + by_order) * share, np.where(by_order, 0.0, share)))
