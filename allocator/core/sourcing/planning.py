"""From an order to its plans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.network.types import Mode
from allocator.core.sourcing.fill import Choice, Filled, fill
from allocator.core.sourcing.filters import Asked, Reach, emptied_by, filters, passing, reach_of
from allocator.core.sourcing.scoring import Terms, terms, weighted, weights
from allocator.core.sourcing.search import search
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import (
    Assignment,
    Parcel,
    Plan,
    Sourcing,
    SourcingOrder,
    StockPicture,
    Term,
)


class Scored(NamedTuple):
    """The locations that may serve an order, with what each would cost; columns by priority and name.

    Attributes:
        columns: int64, of the table.
        weights: of the terms.
    """

    table: NetworkTable
    order: SourcingOrder
    reach: Reach
    columns: NDArray[np.int64]
    terms: Terms
    weights: tuple[float, ...]
    choice: Choice


def source(table: NetworkTable, order: SourcingOrder, stock: StockPicture, plans_max: int = 3) -> Sourcing:
    """Find the best places for a sound order: the gateway checks what comes from outside.

    Args:
        table: the network.
        order: what is wanted.
        stock: what is known of the stock.
        plans_max: plans wanted, 1 to `PLANS_MAX`.
    """
    reach = reach_of(table, order)
    asked = filters(table, order, stock, reach)
    columns = passing(table, asked)
    scored = score(table, order, stock, reach, columns) if len(columns) else None
    return answer(table, asked, order, scored, plans_max)


def answer(table: NetworkTable, asked: Asked, order: SourcingOrder, scored: Scored | None, plans_max: int) -> Sourcing:
    """The plans for the locations that passed the filters; `scored` is None when there are none."""
    if scored is None:
        return Sourcing((), emptied_by(table, asked), None, np.zeros(0, dtype=np.int64))
    found = search(scored.choice, splits_of(order), plans_max)
    plans = [plan_of(scored, fill(scored.choice, one.members)) for one in found]
    if order.backorder:
        return Sourcing(tuple(plans), None, None, scored.columns)
    whole = tuple([plan for plan in plans if not plan.shortfall])
    return Sourcing(whole, None, None if whole else plans[0], scored.columns)


def score(
    table: NetworkTable, order: SourcingOrder, stock: StockPicture, reach: Reach, columns: NDArray[np.int64]
) -> Scored:
    """What the locations in `columns` would cost."""
    available = stock.available.take(columns, axis=1).astype(np.float64)
    values = terms(table, order, stock, reach, columns, available)
    fixed, unit = weighted(values, order.profile)
    need = np.array([quantity for _, quantity, _ in order.lines], dtype=np.float64)
    have = np.minimum(available, need[:, None])
    room = None if values.filling is None else _rooms(stock, columns, sum(need.tolist()))
    if room is not None:
        have = np.minimum(have, room)
    choice = Choice(fixed, unit, have, need, room)
    return Scored(table, order, reach, columns, values, weights(order.profile), choice)


def _rooms(stock: StockPicture, columns: NDArray[np.int64], units: float) -> NDArray[np.float64] | None:
    """Units that each location can pick; None when each can pick the whole order."""
    left = stock.capacity_left.take(columns)
    if np.minimum.reduce(left) >= units:
        return None
    room = np.where(stock.capacity_by_order.take(columns), np.inf, left)
    return room if np.minimum.reduce(room) < units else None


def splits_of(order: SourcingOrder) -> int:
    """Locations of one plan, at most."""
    return 1 if order.mode == Mode.PICKUP else order.splits_max or order.profile.splits_max


def plan_of(scored: Scored, filled: Filled) -> Plan:
    """Tell a filled set of locations in full."""
    given = zip(*filled.given, strict=True)
    parcels = [parcel_of(scored, member, units) for member, units in zip(filled.members, given, strict=True)]
    lines = scored.order.lines
    assignments = [
        Assignment(line[0], parcel.location, units)
        for line, row in zip(lines, filled.given, strict=True)
        for parcel, units in zip(parcels, row, strict=True)
        if units
    ]
    missing = [(line[0], units) for line, units in zip(lines, filled.missing, strict=True) if units]
    cost_micros = sum([parcel.cost_micros for parcel in parcels])
    return Plan(tuple(assignments), tuple(parcels), tuple(missing), cost_micros, sum([one.score for one in parcels]))


def parcel_of(scored: Scored, member: int, given: Sequence[int]) -> Parcel:
    """What one location does, if it gives `given` units of each line. `member` is its place in `scored.columns`."""
    column = int(scored.columns[member])
    table, reach = scored.table, scored.reach
    lane = int(reach.leg.lane[column])
    raw = scored.terms.raw(member, given)
    return Parcel(
        table.locations[column],
        sum(given),
        table.lanes[lane].lane if lane >= 0 else "",
        distance_km_of(reach, column),
        int(reach.dispatch_day[column]),
        int(reach.delivery_day[column]),
        round(raw[Term.COST] * 1e6),
        sum(map(mul, raw, scored.weights)),
        raw,
        scored.weights,
    )


def distance_km_of(reach: Reach, column: int) -> float:
    """Distance of a location to the destination. Unknown ones are all the same NaN, so that equal plans are equal."""
    distance_km = float(reach.distance_km[column])
    return math.nan if math.isnan(distance_km) else distance_km
