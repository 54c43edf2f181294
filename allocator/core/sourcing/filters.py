"""Which locations may serve an order at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.network.types import Mode
from allocator.core.sourcing.distance import distances_km
from allocator.core.sourcing.lanes import Leg, best_leg, leg, nowhere
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import Filter, SourcingOrder, StockPicture

Mask = NDArray[np.bool_]
Days = NDArray[np.int64]


Asked = tuple[Mask | None, ...]
"""For each `Filter`, in their order, the locations that pass it; None: all of them do."""


class Reach(NamedTuple):
    """How and when each location would get an order to its customer; columns over locations.

    Attributes:
        distance_km: float64, NaN where one of the positions is not known.
        leg: the lane it would go by; none for a pickup.
        dispatch_day: int64, days since 1970-01-01; `NEVER` where none comes.
        delivery_day: int64, the same; the day it is ready for a pickup.
        promise_day: int64, the day asked for; None without one.
    """

    distance_km: NDArray[np.float64]
    leg: Leg
    dispatch_day: Days
    delivery_day: Days
    promise_day: Days | None


def reach_of(table: NetworkTable, order: SourcingOrder) -> Reach:
    """How each location reaches the customer of `order`."""
    distance_km = distances_km(table.points, order.destination)
    dispatch_day = table.dispatch_days(order.service_level, order.now_ns)
    promise_day = table.local_days(order.promise_by_ns) if order.promise_by_ns else None
    if order.mode == Mode.PICKUP:
        return Reach(distance_km, nowhere(len(table.locations)), dispatch_day, dispatch_day, promise_day)
    way = _way(table, order, distance_km, None if promise_day is None else promise_day - dispatch_day)
    return Reach(distance_km, way, dispatch_day, dispatch_day + way.transit_days, promise_day)


def filters(table: NetworkTable, order: SourcingOrder, stock: StockPicture, reach: Reach) -> Asked:
    """Every filter with the locations that pass it, in the order in which they are asked."""
    age_max_s = order.profile.age_max_s
    return (
        _in_group(table, order),
        table.dispatching(order.service_level, order.now_ns),
        table.serving_channel(order.channel) if order.channel else None,
        _in_mode(table, order),
        None if order.mode == Mode.PICKUP else reach.leg.reached,
        None if reach.promise_day is None else reach.delivery_day <= reach.promise_day,
        stock.capacity_left > 0,
        stock.age_s <= age_max_s if age_max_s else None,
        np.maximum.reduce(stock.available, axis=0) > 0,
    )


def passing(table: NetworkTable, asked: Asked) -> NDArray[np.int64]:
    """int64: the columns that pass every filter, by priority and name."""
    passed = table.everywhere
    for mask in asked:
        if mask is not None:
            passed = passed & mask
    rank = table.rank
    return rank[passed[rank]]


def emptied_by(table: NetworkTable, asked: Asked) -> Filter | None:
    """The first filter after which nothing was left."""
    left = table.everywhere
    for name, mask in zip(Filter, asked, strict=True):
        left = left if mask is None else left & mask
        if not left.any():
            return name
    return None


def _way(table: NetworkTable, order: SourcingOrder, distance_km: NDArray[np.float64], spare_days: Days | None) -> Leg:
    known = table.placed and order.destination is not None
    legs = [leg(layer, distance_km, known=known) for layer in table.layers(order.service_level, order.country)]
    if len(legs) <= 1:
        return legs[0] if legs else nowhere(len(table.locations))
    units = sum(quantity for _, quantity, _ in order.lines)
    grams = sum(quantity * weight_g for _, quantity, weight_g in order.lines)
    return best_leg(legs, spare_days, units, grams)


def _in_group(table: NetworkTable, order: SourcingOrder) -> Mask | None:
    if not (order.group or order.only or order.excluded):
        return None
    mask = table.groups[order.group] if order.group else table.everywhere
    if order.only:
        mask = mask & table.mask_of(order.only)
    return mask & ~table.mask_of(order.excluded) if order.excluded else mask


def _in_mode(table: NetworkTable, order: SourcingOrder) -> Mask:
    mask = table.serving_mode(order.mode)
    if order.mode == Mode.PICKUP and order.pickup_location:
        return mask & table.mask_of((order.pickup_location,))
    return mask
