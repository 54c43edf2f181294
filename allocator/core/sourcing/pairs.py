"""Single locations and pairs of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.bounds import Bounds
from allocator.core.sourcing.extend import extend
from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.rows import Rows

PAIRS_MAX: Final = 4_096
"""Pairs that are scored; of more, those that are cheapest to open."""

Indexes = NDArray[np.int64]


def missing_alone(choice: Choice, bounds: Bounds) -> NDArray[np.float64]:
    """float64 (locations,): units that each location alone misses."""
    given = bounds.each if choice.room is None else np.minimum(bounds.each, choice.rooms())
    missing: NDArray[np.float64] = bounds.total + bounds.missing - given
    return missing


def singles(choice: Choice, missing: NDArray[np.float64], columns: Indexes) -> Rows:
    """Each of some locations alone; `missing` is that of all."""
    units = choice.have.take(columns, axis=1) * choice.unit.take(columns, axis=1)
    return Rows(columns[:, None], missing.take(columns), choice.fixed.take(columns) + np.add.reduce(units, axis=0))


def whole_pairs(choice: Choice, bounds: Bounds, anchors: Indexes) -> Rows:
    """The pairs of one of `anchors` and another location that serve all there is; the first of them is first.

    Whether two have enough is a comparison for each line; only those that do are scored.
    """
    rest = bounds.served[:, None] - choice.have
    enough = np.logical_and.reduce(choice.have[:, None, :] >= rest.take(anchors, axis=1)[:, :, None], axis=0)
    place, second = divmod(enough.ravel().nonzero()[0], len(choice.fixed))
    first, second = _cheapest(choice, anchors.take(place), second)
    return Rows(np.array((first, second)).T, *_scored(choice, bounds, rest, first, second))


def pairs(choice: Choice, anchors: Indexes) -> Rows:
    """Every pair of one of `anchors` and another location, whatever they have; a pair of two anchors is there twice."""
    count = len(choice.fixed)
    extended = extend(choice, anchors[:, None])
    extended.missing[np.arange(len(anchors)), anchors] = np.inf
    members = np.array((np.repeat(anchors, count), np.tile(np.arange(count), len(anchors)))).T
    return Rows(members, extended.missing.ravel(), extended.score.ravel())


def joined(alone: Rows, paired: Rows) -> Rows:
    """Single locations and pairs in one."""
    members = np.full((len(alone.members), 2), -1)
    members[:, :1] = alone.members
    return Rows(
        np.concatenate((members, paired.members)),
        np.concatenate((alone.missing, paired.missing)),
        np.concatenate((alone.score, paired.score)),
    )


def _cheapest(choice: Choice, first: Indexes, second: Indexes) -> tuple[Indexes, Indexes]:
    if len(first) <= PAIRS_MAX:
        return first, second
    fixed = choice.fixed.take(first) + choice.fixed.take(second)
    few = fixed.argpartition(PAIRS_MAX)[:PAIRS_MAX]
    few.sort()
    return first.take(few), second.take(few)


def _scored(
    choice: Choice, bounds: Bounds, rest: NDArray[np.float64], first: Indexes, second: Indexes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Units missing and score of pairs that serve all there is: the cheaper one gives what it has, the other the rest.

    That is what the second one would score with all units, and the difference for those that the first one gives.
    """
    dearer = choice.unit.take(first, axis=1) - choice.unit.take(second, axis=1)
    saved = np.minimum(rest.take(second, axis=1) * dearer, choice.have.take(first, axis=1) * dearer)
    second_alone = choice.fixed + bounds.served @ choice.unit
    score = choice.fixed.take(first) + second_alone.take(second) + np.add.reduce(saved, axis=0)
    missing = np.where(first == second, np.inf, bounds.missing)  # one is no pair
    if choice.room is not None:
        rooms = choice.rooms()
        missing = np.maximum(missing, bounds.total + bounds.missing - rooms.take(first) - rooms.take(second))
    return missing, score
