"""Single locations and pairs of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.extend import extend
from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.rows import Rows

PAIRS_MAX: Final = 4_096
"""Pairs that are scored; of more, those that are cheapest to open."""

Indexes = NDArray[np.int64]


def singles(choice: Choice) -> Rows:
    """Each location alone."""
    missing = sum(choice.need.tolist()) - np.add.reduce(choice.have, axis=0)
    if choice.room is not None:
        missing = np.maximum(missing, sum(choice.need.tolist()) - choice.rooms())
    score = choice.fixed + np.add.reduce(choice.have * choice.unit, axis=0)
    return Rows(np.arange(len(choice.fixed))[:, None], missing, score)


def whole_pairs(choice: Choice, served: NDArray[np.float64], anchors: Indexes) -> Rows:
    """The pairs of one of `anchors` and another location that have `served` of each line; the first of them is first.

    Whether two have enough is a comparison for each line; only those that do are scored.
    """
    rest = served[:, None] - choice.have.take(anchors, axis=1)
    enough = np.logical_and.reduce(choice.have[:, None, :] >= rest[:, :, None], axis=0)
    enough[np.arange(len(anchors)), anchors] = False  # one is no pair
    place, second = enough.nonzero()
    first, second = _cheapest(choice, anchors.take(place), second)
    return Rows(np.array((first, second)).T, *_scored(choice, served, first, second))


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
    choice: Choice, served: NDArray[np.float64], first: Indexes, second: Indexes
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Units missing and score of pairs that have `served`: the cheaper one gives what it has, the other the rest."""
    price, other_price = choice.unit.take(first, axis=1), choice.unit.take(second, axis=1)
    cheaper = np.where(other_price < price, choice.have.take(second, axis=1), 0.0)
    given = np.minimum(choice.have.take(first, axis=1), served[:, None] - cheaper)
    units = given * price + (served[:, None] - given) * other_price
    fixed = choice.fixed.take(first) + choice.fixed.take(second)
    missing = np.full(len(first), sum(choice.need.tolist()) - sum(served.tolist()))
    if choice.room is not None:
        rooms = choice.rooms()
        missing = np.maximum(missing, sum(choice.need.tolist()) - rooms.take(first) - rooms.take(second))
    return missing, fixed + np.add.reduce(units, axis=0)
