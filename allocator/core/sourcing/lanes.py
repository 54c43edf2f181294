"""Lanes as columns: how each location reaches a country at a service level, how fast, and at what cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.network.types import Lane

Floats = NDArray[np.float64]

_LATE: Final = 1e30
"""More micros than any parcel costs."""


class Layer(NamedTuple):
    """One lane for each location, as columns over locations. What has no lane has `lane` -1.

    Attributes:
        lane: int64, index into the lanes of the network.
        reach_km: farthest destination; infinite without a limit, -1 without a lane.
        by_distance: bool, reach, transit or cost depend on the distance.
        band_km: float64 (bands, locations), upper ends of the transit bands, ascending; infinite where there is none.
        band_days: float64 (bands + 1, locations), days of transit; infinite beyond the last band.
        parcel, unit, kg, km, kg_km: costs in micros.
    """

    lane: NDArray[np.int64]
    reach_km: Floats
    by_distance: NDArray[np.bool_]
    band_km: Floats
    band_days: Floats
    parcel: Floats
    unit: Floats
    kg: Floats
    km: Floats
    kg_km: Floats


class Leg(NamedTuple):
    """How the parcels of an order would go, as columns over locations.

    Attributes:
        lane: int64, index of the lane; -1 where nothing reaches the destination.
        transit_days: int64.
        parcel: cost of the parcel and its way, micros.
        unit: cost of a unit, micros.
        gram: cost of each gram, micros.
    """

    lane: NDArray[np.int64]
    transit_days: NDArray[np.int64]
    parcel: Floats
    unit: Floats
    gram: Floats

    def take(self, chosen: NDArray[np.int64]) -> Leg:
        """The columns of the chosen locations."""
        return Leg(
            self.lane.take(chosen),
            self.transit_days.take(chosen),
            self.parcel.take(chosen),
            self.unit.take(chosen),
            self.gram.take(chosen),
        )


def layers(
    lanes: Sequence[Lane], service_level: str, country: str, origins: Mapping[str, Sequence[int]], count: int
) -> list[Layer]:
    """Stack the lanes of a service level to a country so that no layer has two for one location.

    Args:
        lanes: of the network.
        service_level: of the order.
        country: of the destination; "" is reached by lanes to any country only.
        origins: lane -> indexes of the locations that it starts from.
        count: of locations.
    """
    rows: list[list[int]] = []
    depth = [0] * count
    for number, lane in enumerate(lanes):
        if lane.service_level == service_level and (not lane.countries or country in lane.countries):
            for origin in origins[lane.lane]:
                if depth[origin] == len(rows):
                    rows.append([-1] * count)
                rows[depth[origin]][origin] = number
                depth[origin] += 1
    return [_layer(lanes, row) for row in rows]


def leg(layer: Layer, distance_km: Floats) -> Leg:
    """How parcels go by one layer over known distances; float64 (locations,), NaN where unknown."""
    known = distance_km
    reached = (distance_km <= layer.reach_km) | ~layer.by_distance
    if not reached.all():
        known = np.where(reached & layer.by_distance, distance_km, 0.0)
    days = _transit(layer, known)
    lane = np.where(reached & (days < np.inf), layer.lane, -1)
    transit = np.where(lane >= 0, days, 0.0).astype(np.int64)
    return Leg(
        lane,
        transit,
        layer.parcel + layer.km * known,
        layer.unit,
        (layer.kg + layer.kg_km * known) * 1e-3,
    )


def best_leg(legs: Sequence[Leg], spare_days: NDArray[np.int64] | None, units: int, grams: int) -> Leg:
    """For each location the leg that is cheapest for the whole order in one parcel, of those that are in time.

    Args:
        legs: at least one, by layer; the first of equals wins.
        spare_days: int64 (locations,), days of transit that keep the promise; None: no date was asked for.
        units: of the whole order.
        grams: of the whole order.
    """
    best = legs[0]
    for other in legs[1:]:
        better = _rank(other, spare_days, units, grams) < _rank(best, spare_days, units, grams)
        best = Leg(
            np.where(better, other.lane, best.lane),
            np.where(better, other.transit_days, best.transit_days),
            np.where(better, other.parcel, best.parcel),
            np.where(better, other.unit, best.unit),
            np.where(better, other.gram, best.gram),
        )
    return best


def nowhere(count: int) -> Leg:
    """No way to go, for `count` locations."""
    nothing = np.zeros(count)
    return Leg(np.full(count, -1, dtype=np.int64), np.zeros(count, dtype=np.int64), nothing, nothing, nothing)


def _rank(one: Leg, spare_days: NDArray[np.int64] | None, units: int, grams: int) -> Floats:
    cost = one.parcel + one.unit * units + one.gram * grams
    if spare_days is not None:
        cost = cost + _LATE * (one.transit_days > spare_days)
    return np.where(one.lane >= 0, cost, np.inf)


def _transit(layer: Layer, distance_km: Floats) -> Floats:
    crossed = np.zeros(len(distance_km), dtype=np.int64)
    for end_km in layer.band_km:
        crossed += distance_km > end_km
    days: Floats = layer.band_days[crossed, np.arange(len(crossed))]
    return days


def _layer(lanes: Sequence[Lane], row: Sequence[int]) -> Layer:
    used = [lanes[number] if number >= 0 else None for number in row]
    columns = np.array([_columns(lane) for lane in used], dtype=np.float64).T
    bands = max((len(lane.transit) for lane in used if lane), default=0)
    return Layer(
        np.array(row, dtype=np.int64),
        columns[0].copy(),
        np.array([lane is None or _by_distance(lane) for lane in used]),
        np.array([_band_km(lane, bands) for lane in used], dtype=np.float64).T.reshape(bands, len(row)).copy(),
        np.array([_band_days(lane, bands) for lane in used], dtype=np.float64).T.copy(),
        *[column.copy() for column in columns[1:]],
    )


def _columns(lane: Lane | None) -> tuple[float, ...]:
    if lane is None:
        return -1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    costs = lane.parcel_micros, lane.unit_micros, lane.kg_micros, lane.km_micros, lane.kg_km_micros
    return lane.distance_max_km or math.inf, *costs


def _by_distance(lane: Lane) -> bool:
    banded = any(distance_max_km for distance_max_km, _ in lane.transit)
    return bool(lane.distance_max_km or lane.km_micros or lane.kg_km_micros or banded)


def _band_km(lane: Lane | None, bands: int) -> list[float]:
    ends = [distance_max_km or math.inf for distance_max_km, _ in lane.transit] if lane else []
    return ends + [math.inf] * (bands - len(ends))


def _band_days(lane: Lane | None, bands: int) -> list[float]:
    days = [float(days) for _, days in lane.transit] if lane else []
    return (days or [0.0]) + [math.inf] * (bands + 1 - max(len(days), 1))
