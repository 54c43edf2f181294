"""Every small set of a few locations at once: what each set could serve, and at which score."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.rows import Rows

Floats = NDArray[np.float64]

WORK_MAX: Final = 300_000
"""Multiplications that enumerating the sets may take: what is cheap."""
POOL_MAX: Final = 12
"""Locations whose sets are enumerated."""
POOL_MIN: Final = 6


class Subsets(NamedTuple):
    """All sets of at most a number of locations: smaller ones first, then by their members.

    Attributes:
        member: float64 (sets, locations), 1 for a member.
        members: int64 (sets, most members), the members, filled up with -1.
    """

    member: Floats
    members: NDArray[np.int64]


def pool_size(lines: int, splits_max: int, locations: int) -> int:
    """How many locations are few enough to enumerate their sets."""
    size = min(POOL_MAX, locations)
    while size > POOL_MIN and work(size, lines, splits_max) > WORK_MAX:
        size -= 1
    return size


def work(size: int, lines: int, splits_max: int) -> int:
    """Multiplications of `evaluate`."""
    return sum(comb(size, parcels) for parcels in range(1, splits_max + 1)) * lines * size * size


@lru_cache(maxsize=256)
def subsets(size: int, splits_max: int) -> Subsets:
    """All sets of 1 to `splits_max` of `size` locations."""
    sets = [members for parcels in range(1, splits_max + 1) for members in combinations(range(size), parcels)]
    member = np.zeros((len(sets), size))
    padded = np.full((len(sets), splits_max), -1, dtype=np.int64)
    for row, members in enumerate(sets):
        member[row, list(members)] = 1.0
        padded[row, : len(members)] = members
    return Subsets(member, padded)


def evaluate(choice: Choice, splits_max: int) -> Rows:
    """What all sets of the locations cost when each line is filled from the cheapest members first.

    With a line's locations in order of price p_1 <= p_2 <= ..., and c_k the units that the set's members among the
    first k have, the line costs sum over k of min(c_k, need) x (p_k - p_k+1), with 0 for the price after the last: so
    all lines of all sets are two products of matrices.
    """
    lines, count = choice.unit.shape
    member, members = subsets(count, splits_max)
    order = choice.unit.argsort(axis=1, kind="stable")
    price = np.take_along_axis(choice.unit, order, axis=1)
    falls = price.copy()
    falls[:, :-1] -= price[:, 1:]
    upto = order.argsort(axis=1)[:, :, None] <= np.arange(count)
    steps = np.where(upto, choice.have[:, :, None], 0.0).transpose(1, 0, 2).reshape(count, lines * count)
    served = np.minimum(member @ steps, np.repeat(choice.need, count))
    total = served.reshape(len(member), lines, count)[:, :, -1].sum(axis=1)
    missing = choice.need.sum() - total
    if choice.room is not None:
        missing = np.maximum(missing, choice.need.sum() - member @ choice.rooms())
    return Rows(members, missing, member @ choice.fixed + served @ falls.ravel())
