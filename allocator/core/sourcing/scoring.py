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

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.network.types import Profile
from allocator.core.sourcing.filters import Reach
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import CAPACITY_UNLIMITED, SourcingOrder, StockPicture, Term

Floats = NDArray[np.float64]


class Terms(NamedTuple):
    """Raw values of every term, for some of the locations.

    Attributes:
        fixed: float64 (terms, locations), for opening a location.
        unit: float64 (terms, lines, locations), for each unit of a line from a location.
    """

    fixed: Floats
    unit: Floats


def weights(profile: Profile) -> Floats:
    """float64 (terms,), in the order of `Term`."""
    return np.array(
        (profile.cost, profile.lateness, profile.parcels, profile.stock_cover, profile.capacity, profile.priority)
    )


def terms(
    table: NetworkTable, order: SourcingOrder, stock: StockPicture, reach: Reach, columns: NDArray[np.int64]
) -> Terms:
    """Raw values of every term for the locations in `columns`, at least one."""
    lines, count = len(order.lines), len(columns)
    fixed = np.empty((len(Term), count))
    unit = np.zeros((len(Term), lines, count))
    way = reach.leg.take(columns)
    grams = np.array([weight_g for _, _, weight_g in order.lines], dtype=np.float64)
    np.multiply(way.parcel, 1e-6, out=fixed[Term.COST])
    np.multiply(way.gram * 1e-6, grams[:, None], out=unit[Term.COST])
    unit[Term.COST] += way.unit * 1e-6
    fixed[Term.LATENESS] = _days_late(reach, columns)
    fixed[Term.PARCELS] = 1.0
    fixed[Term.STOCK_COVER] = 0.0
    np.divide(1.0, np.maximum(stock.available.take(columns, axis=1), 1), out=unit[Term.STOCK_COVER])
    fixed[Term.CAPACITY], unit[Term.CAPACITY] = _filling(stock, columns)
    fixed[Term.PRIORITY] = table.priority.take(columns)
    return Terms(fixed, unit)


def weighted(values: Terms, weight: Floats) -> tuple[Floats, Floats]:
    """Scores: float64 (locations,) for opening each, float64 (lines, locations) for each unit."""
    count = len(weight)
    return weight @ values.fixed, (weight @ values.unit.reshape(count, -1)).reshape(values.unit.shape[1:])


def _days_late(reach: Reach, columns: NDArray[np.int64]) -> NDArray[np.int64]:
    delivery = reach.delivery_day.take(columns)
    due = delivery.min() if reach.promise_day is None else reach.promise_day.take(columns)
    late: NDArray[np.int64] = np.maximum(delivery - due, 0)
    return late


def _filling(stock: StockPicture, columns: NDArray[np.int64]) -> tuple[Floats | float, Floats | float]:
    limit = stock.capacity_limit.take(columns)
    limited = limit < CAPACITY_UNLIMITED
    if not limited.any():
        return 0.0, 0.0
    by_order = stock.capacity_by_order.take(columns)
    share = limited / np.maximum(limit, 1)
    used = np.where(limited, limit - stock.capacity_left.take(columns), 0)
    return (used + by_order) * share, np.where(by_order, 0.0, share)
