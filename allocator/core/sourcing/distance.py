"""Distances over the globe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_KM: Final = 6371.0088
"""Mean radius of the Earth (IUGG)."""

_INSIDE: Final = 1 - 1e-15
"""Keeps a rounded cosine within -1 and 1; at distance 0 that is 0.3 m."""
_NOWHERE: Final = (math.nan, math.nan, math.nan)


def on_sphere(position: tuple[float, float] | None) -> tuple[float, float, float]:
    """Point of the unit sphere at (latitude, longitude) in degrees; NaNs without a position."""
    if position is None:
        return _NOWHERE
    latitude, longitude = math.radians(position[0]), math.radians(position[1])
    around = math.cos(latitude)
    return around * math.cos(longitude), around * math.sin(longitude), math.sin(latitude)


def points(positions: Sequence[tuple[float, float] | None]) -> NDArray[np.float64]:
    """float64 (3, positions): `on_sphere` of each."""
    return np.array([on_sphere(position) for position in positions], dtype=np.float64).reshape(-1, 3).T.copy()


def distances_km(origins: NDArray[np.float64], destination: tuple[float, float] | None) -> NDArray[np.float64]:
    """Great-circle distances from `origins`, as `points` gives them, in km; float64 (origins,), NaN where unknown.

    The spherical law of cosines, with the cosine as the product of two points of the unit sphere: the origins are known
    before any order comes. In float64 it is within a metre of the haversine formula, also for neighbours.
    """
    x, y, z = on_sphere(destination)
    angle: NDArray[np.float64] = np.arccos(np.array((x * _INSIDE, y * _INSIDE, z * _INSIDE)) @ origins)
    angle *= EARTH_RADIUS_KM
    return angle
