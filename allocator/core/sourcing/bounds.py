"""What no set of locations can beat."""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.rows import Found


class Bounds(NamedTuple):
    """Of any set of locations that serves as much as all locations together could.

    Attributes:
        each: float64 (locations,), units that each location has of what is needed.
        served: float64 (lines,), units that all of them together have of it.
        total: sum of `served`.
        missing: units that they miss.
        units: score of the units, if each came from the cheapest location.
        fixed: score of opening the cheapest 0, 1, 2, ... locations.
    """

    each: NDArray[np.float64]
    served: NDArray[np.float64]
    total: float
    missing: float
    units: float
    fixed: tuple[float, ...]

    def parcels_max(self, best: Found | None) -> int:
        """The most locations that a better set than `best` can have."""
        most = len(self.fixed) - 1
        if best is None or best.missing > self.missing:
            return most
        while most and self.fixed[most] + self.units >= best.score:
            most -= 1
        return most

    def useful(self, choice: Choice, best: Found | None, parcels: int) -> NDArray[np.int64]:
        """Columns that can be in a better set than `best`, of at least `parcels` locations; ascending."""
        if best is None or best.missing > self.missing:
            return np.arange(len(choice.fixed))
        return (choice.fixed < best.score - self.units - self.fixed[parcels - 1]).nonzero()[0]


def bounds_of(choice: Choice, splits_max: int) -> Bounds:
    """Lower bounds for sets of at most `splits_max` locations."""
    each = np.add.reduce(choice.have, axis=0)
    served = np.minimum(np.add.reduce(choice.have, axis=1), choice.need)
    price = np.minimum.reduce(np.where(choice.have > 0, choice.unit, np.inf), axis=1)
    counts = served.tolist()
    total = sum(counts)
    units = sum([count * cheapest for count, cheapest in zip(counts, price.tolist(), strict=True) if count])
    fixed = choice.fixed.copy()
    fixed.sort()
    opened = (0.0, *accumulate(fixed[:splits_max].tolist()))
    return Bounds(each, served, total, sum(choice.need.tolist()) - total, units, opened)
