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
"""More than any parcel costs."""
_SCALE: Final = np.array([[1e-6], [1e-6], [1e-9]])
"""Micros to currency, and kilograms to grams."""


class Layer(NamedTuple):
    """One lane for each location, as columns over locations. What has no lane has `lane` -1.

    Attributes:
        lane: int64, index into the lanes of the network.
        reach_km: float64, farthest destination; infinite without a limit, -1 without a lane.
        by_distance: bool, reach, transit or cost depend on the distance.
        cost: float64 (3, locations), of a parcel, a unit, a gram; in the network's currency.
        km_cost: float64 (3, locations), of the same for each kilometre.
        band_km: float64 (bands, locations), upper ends of the transit bands, ascending; infinite where there is none.
        band_days: float64 (bands + 1, locations), days of transit; infinite beyond the last band.
        even: (ends, days) of the transit bands, if every location has a lane without an end and the same bands.
    """

    lane: NDArray[np.int64]
    reach_km: Floats
    by_distance: NDArray[np.bool_]
    cost: Floats
    km_cost: Floats
    band_km: Floats
    band_days: Floats
    even: tuple[Floats, NDArray[np.int64]] | None


class Leg(NamedTuple):
    """How the parcels of an order would go, as columns over locations.

    Attributes:
        lane: int64, index of the lane; -1 where nothing reaches the destination.
        reached: bool, something does; None: from everywhere.
        transit_days: int64.
        cost: float64 (3, locations), of a parcel and its way, a unit, a gram; in the network's currency.
    """

    lane: NDArray[np.int64]
    reached: NDArray[np.bool_] | None
    transit_days: NDArray[np.int64]
    cost: Floats


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


def leg(layer: Layer, distance_km: Floats, *, known: bool) -> Leg:
    """How parcels go by one layer.

    Args:
        layer: the lanes.
        distance_km: float64 (locations,), NaN where it is not known.
        known: it is known everywhere.
    """
    if known and layer.even is not None:
        ends, days = layer.even
        transit_days = days.take(ends.searchsorted(distance_km))
        return Leg(layer.lane, None, transit_days, layer.cost + layer.km_cost * distance_km)
    near = (distance_km <= layer.reach_km) | ~layer.by_distance
    distance_km = np.where(near & layer.by_distance, distance_km, 0.0)
    crossed = (distance_km > layer.band_km).sum(axis=0)
    transit: Floats = layer.band_days[crossed, np.arange(len(crossed))]
    reached = near & (transit < np.inf) & (layer.lane >= 0)
    transit_days = np.where(reached, transit, 0.0).astype(np.int64)
    return Leg(np.where(reached, layer.lane, -1), reached, transit_days, layer.cost + layer.km_cost * distance_km)


def best_leg(legs: Sequence[Leg], spare_days: NDArray[np.int64] | None, units: int, grams: int) -> Leg:
    """For each location the leg that is cheapest for the whole order in one parcel, of those that are in time.

    Args:
        legs: at least one, by layer; the first of equals wins.
        spare_days: int64 (locations,), days of transit that keep the promise; None: no date was asked for.
        units: of the whole order.
        grams: of the whole order.
    """
    best = legs[0]
    whole = np.array((1.0, units, grams))
    for other in legs[1:]:
        better = _rank(other, spare_days, whole) < _rank(best, spare_days, whole)
        lane = np.where(better, other.lane, best.lane)
        best = Leg(
            lane,
            lane >= 0,
            np.where(better, other.transit_days, best.transit_days),
            np.where(better, other.cost, best.cost),
        )
    return best


def nowhere(count: int) -> Leg:
    """No way to go, for `count` locations."""
    lane = np.full(count, -1, dtype=np.int64)
    return Leg(lane, lane >= 0, np.zeros(count, dtype=np.int64), np.zeros((3, count)))


def _rank(one: Leg, spare_days: NDArray[np.int64] | None, whole: Floats) -> Floats:
    cost: Floats = whole @ one.cost
    if spare_days is not None:
        cost += _LATE * (one.transit_days > spare_days)
    return np.where(one.lane >= 0, cost, np.inf)


def _layer(lanes: Sequence[Lane], row: Sequence[int]) -> Layer:
    used = [lanes[number] if number >= 0 else None for number in row]
    bands = max((len(lane.transit) for lane in used if lane), default=0)
    reach_km = np.array([lane.distance_max_km or math.inf if lane else -1.0 for lane in used])
    band_km = np.array([_band_km(lane, bands) for lane in used], dtype=np.float64).T.reshape(bands, len(row)).copy()
    band_days = np.array([_band_days(lane, bands) for lane in used], dtype=np.float64).T.copy()
    return Layer(
        np.array(row, dtype=np.int64),
        reach_km,
        np.array([lane is None or _by_distance(lane) for lane in used]),
        np.array([_costs(lane) for lane in used]).T.copy() * _SCALE,  # copies, as rows are to be contiguous
        np.array([_km_costs(lane) for lane in used]).T.copy() * _SCALE,
        band_km,
        band_days,
        _even(reach_km, band_km, band_days),
    )


def _even(reach_km: Floats, band_km: Floats, band_days: Floats) -> tuple[Floats, NDArray[np.int64]] | None:
    alike = (band_km == band_km[:, :1]).all() and (band_days == band_days[:, :1]).all()
    ends = band_km[band_km[:, 0] < np.inf, 0]
    days = band_days[: len(ends) + 1, 0]  # what is beyond an endless band is never reached
    endless = (reach_km == np.inf).all() and np.isfinite(days).all()
    return (ends, days.astype(np.int64)) if alike and endless else None


def _costs(lane: Lane | None) -> tuple[float, float, float]:
    return (lane.parcel_micros, lane.unit_micros, lane.kg_micros) if lane else (0.0, 0.0, 0.0)


def _km_costs(lane: Lane | None) -> tuple[float, float, float]:
    return (lane.km_micros, 0.0, lane.kg_km_micros) if lane else (0.0, 0.0, 0.0)


def _by_distance(lane: Lane) -> bool:
    banded = any(distance_max_km for distance_max_km, _ in lane.transit)
    return bool(lane.distance_max_km or lane.km_micros or lane.kg_km_micros or banded)


def _band_km(lane: Lane | None, bands: int) -> list[float]:
    ends = [distance_max_km or math.inf for distance_max_km, _ in lane.transit] if lane else []
    return ends + [math.inf] * (bands - len(ends))


def _band_days(lane: Lane | None, bands: int) -> list[float]:
    days = [float(days) for _, days in lane.transit] if lane else []
    return (days or [0.0]) + [math.inf] * (bands + 1 - max(len(days), 1))
