"""Which sets of locations to serve an order from, best first."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.bounds import Bounds, bounds_of
from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.improve import improve
from allocator.core.sourcing.pairs import ALL_PAIRS_MAX, singles, singles_and_pairs
from allocator.core.sourcing.rows import Found, Rows, apart, best
from allocator.core.sourcing.shortlist import anchors_of, field_of, pool_of
from allocator.core.sourcing.subsets import evaluate, pool_size

PARCELS_MANY: Final = 3
"""Parcels from which on whole pools of locations are enumerated."""
ENOUGH: Final = 2
"""Plans, the best of them optimal, for which larger sets need not be looked at."""


def search(choice: Choice, splits_max: int, plans_max: int) -> list[Found]:
    """The best sets of at most `splits_max` locations, best first; no set has all locations of an earlier one.

    Single locations, then pairs, then larger sets. Bounds tell which locations and how many of them a better set could
    have: where those are few, all their sets are enumerated, so that the best one is optimal. Of many, the sets of the
    most promising ones are, and the best of these is improved by adding, dropping and swapping locations.
    """
    splits_max = min(splits_max, len(choice.fixed))
    bounds = bounds_of(choice, splits_max)
    alone = singles(choice)
    found = _singles(choice, alone, bounds, splits_max, plans_max)
    if splits_max == 1 or (found and bounds.parcels_max(found[0]) <= 1):
        return found
    field = field_of(choice)
    if len(field) == len(choice.fixed):
        return _sets(choice, alone, bounds, splits_max, plans_max)
    inner = choice.of(field)
    return [_renamed(found, field) for found in _sets(inner, singles(inner), bounds, splits_max, plans_max)]


def _singles(choice: Choice, alone: Rows, bounds: Bounds, splits_max: int, plans_max: int) -> list[Found]:
    """The best single locations, if they will do for all plans or nothing else is allowed."""
    if splits_max > 1 and np.count_nonzero(alone.missing <= bounds.missing) < plans_max:
        return []
    return best(choice, alone, plans_max)


def _sets(choice: Choice, alone: Rows, bounds: Bounds, splits_max: int, plans_max: int) -> list[Found]:
    """The best sets of any size."""
    count = len(choice.fixed)
    every = count <= ALL_PAIRS_MAX
    rows = singles_and_pairs(choice, alone, np.arange(count) if every else anchors_of(choice))
    found = best(choice, rows, plans_max)
    useful = np.arange(count)
    if len(found) >= min(plans_max, ENOUGH) and found[min(plans_max, ENOUGH) - 1].missing <= bounds.missing:
        larger = 3 if every else 2  # not all pairs were looked at
        splits_max = bounds.parcels_max(found[0])
        useful = bounds.useful(choice, found[0], larger)
        if splits_max < larger or not len(useful):
            return found
    if splits_max < PARCELS_MANY and not every:
        more = [improve(choice, found[0], splits_max)]
    else:
        more = _larger(choice, rows, useful, splits_max, plans_max)
    return apart(sorted([*more, *found]), plans_max)


def _larger(choice: Choice, rows: Rows, useful: NDArray[np.int64], splits_max: int, plans_max: int) -> list[Found]:
    """The best sets of some of the `useful` locations; when these are not all of them, improved over all."""
    size = pool_size(len(choice.need), splits_max, len(useful))
    pool = useful if size == len(useful) else pool_of(choice, rows, size)
    inner = choice.of(pool)
    found = [_renamed(one, pool) for one in best(inner, evaluate(inner, min(splits_max, size)), plans_max)]
    return found if pool is useful else [improve(choice, found[0], splits_max), *found]


def _renamed(found: Found, columns: NDArray[np.int64]) -> Found:
    return found._replace(members=tuple(columns.take(found.members).tolist()))
