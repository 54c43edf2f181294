"""Which sets of locations to serve an order from, best first."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.bounds import Bounds, bounds_of
from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.improve import improve
from allocator.core.sourcing.pairs import joined, missing_alone, singles, whole_pairs
from allocator.core.sourcing.rows import Found, Rows, apart, best
from allocator.core.sourcing.shortlist import anchors_of, field_of, pool_of
from allocator.core.sourcing.subsets import evaluate, pool_size

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
    missing = missing_alone(choice, bounds)
    if splits_max == 1:
        return best(choice, singles(choice, missing, np.arange(len(missing))), plans_max)
    whole = (missing <= bounds.missing).nonzero()[0]
    alone = singles(choice, missing, whole) if len(whole) else None
    if alone is not None and len(whole) >= plans_max:
        found = best(choice, alone, plans_max)
        if bounds.parcels_max(found[0]) <= 1:
            return found
    return _sets(choice, alone, bounds, splits_max, plans_max)


def _sets(choice: Choice, alone: Rows | None, bounds: Bounds, splits_max: int, plans_max: int) -> list[Found]:
    """The best sets of any size; `alone` are the single locations that serve all that all together could."""
    anchors, every = anchors_of(choice, bounds)
    paired = whole_pairs(choice, bounds, anchors)
    found = best(choice, paired if alone is None else joined(alone, paired), plans_max)
    if len(found) >= min(plans_max, ENOUGH):
        # A better pair may be left where not all were looked at, or where rooms are too short for any to be whole.
        larger = 3 if every and found[0].missing <= bounds.missing else 2
        splits_max = bounds.parcels_max(found[0])
        if splits_max < larger:
            return found
        useful = bounds.useful(choice, found[0], larger)
        if not len(useful):
            return found
    else:
        useful = np.arange(len(choice.fixed))
    return apart(sorted([*found, *_larger(choice, useful, splits_max, plans_max, found)]), plans_max)


def _larger(
    choice: Choice, useful: NDArray[np.int64], splits_max: int, plans_max: int, found: list[Found]
) -> list[Found]:
    """The best sets of some of the `useful` locations; when these are not all of them, improved over the others."""
    size = pool_size(len(choice.need), splits_max, len(useful))
    if size == len(useful):
        inner = choice.of(useful)
        return [_renamed(one, useful) for one in best(inner, evaluate(inner, min(splits_max, size)), plans_max)]
    field = field_of(choice, [column for one in found for column in one.members])
    inner = choice.of(field)
    pool = pool_of(inner, size, field.searchsorted([column for one in found for column in one.members]).tolist())
    few = inner.of(pool)
    more = [_renamed(one, pool) for one in best(few, evaluate(few, min(splits_max, size)), plans_max)]
    return [_renamed(one, field) for one in (improve(inner, more[0], splits_max), *more)]


def _renamed(found: Found, columns: NDArray[np.int64]) -> Found:
    return found._replace(members=tuple(columns.take(found.members).tolist()))
