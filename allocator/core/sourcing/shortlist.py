"""The most promising of many locations."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.bounds import Bounds
from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.pairs import pairs

FIELD_MAX: Final = 64
"""Locations that a plan is looked for among, when there are more; the others are told apart by `savings` only."""
COMPARISONS_MAX: Final = 4_000_000
"""Comparisons of a line's units that finding the pairs that have all that is needed may take: about a millisecond."""
SEEDS: Final = 4
"""Locations of which all pairs are scored, when no two have all that is needed."""
SETS: Final = 6
"""Pairs that say which locations go into larger sets."""

Indexes = NDArray[np.int64]


def field_of(choice: Choice, known: Sequence[int]) -> Indexes:
    """At most `FIELD_MAX` columns, ascending: the `known` ones, the best for each line, and for the whole order."""
    lines, count = choice.unit.shape
    if count <= FIELD_MAX:
        return np.arange(count)
    alone = _alone(choice)
    each = max(1, FIELD_MAX // (4 * lines))
    special = alone[: FIELD_MAX // 4].argpartition(each, axis=1)[:, :each].ravel()
    saved = savings(choice, alone)
    saved[special] = -np.inf  # they are in
    saved[list(known)] = -np.inf
    return np.sort(_lowest(saved, FIELD_MAX))


def anchors_of(choice: Choice, bounds: Bounds) -> tuple[Indexes, bool]:
    """Columns whose pairs are worth a look, ascending, and whether they are in every pair that serves all there is.

    Those that have half of it, as one of every such pair has; of many, the best for the whole order.
    """
    half: Indexes = (bounds.each >= bounds.total / 2).nonzero()[0]
    most = max(SEEDS, COMPARISONS_MAX // choice.have.size)
    if len(half) <= most:
        return half, True
    saved = savings(choice, _alone(choice))
    return np.sort(half[_lowest(saved[half], most)]), False


def pool_of(choice: Choice, size: int, known: Sequence[int]) -> Indexes:
    """At most `size` columns, ascending, whose sets are worth enumerating.

    The `known` ones, those of the best pairs of the best for the whole order, the best for each line, and more of the
    best for the whole order.
    """
    alone = _alone(choice)
    order = savings(choice, alone).argsort(kind="stable")[: max(size, SEEDS)]
    likely = [found.members for found in islice(pairs(choice, np.sort(order[:SEEDS])).best_first(), SETS)]
    special = alone.argmin(axis=1).tolist()
    wanted = dict.fromkeys([*known, *chain.from_iterable(likely), *special, *order.tolist()])
    return np.sort(np.array(list(wanted)[:size], dtype=np.int64))


def savings(choice: Choice, alone: NDArray[np.float64]) -> NDArray[np.float64]:
    """What opening a location adds to the score, if each line is otherwise served alone: float64 (locations,).

    The reduced cost of a facility, with the cheapest service of each line by a parcel of its own as the line's price
    (D. Erlenkotter, "A Dual-Based Procedure for Uncapacitated Facility Location", Operations Research 26, 1978).
    """
    price = alone.min(axis=1)
    saved: NDArray[np.float64] = (choice.have * np.maximum(price[:, None] - choice.unit, 0.0)).sum(axis=0)
    return choice.fixed - saved


def _alone(choice: Choice) -> NDArray[np.float64]:
    """Score of each unit of a line from a location in parcels for that line alone; more where it has less of it."""
    have = np.maximum(choice.have, 1e-3)
    return choice.unit + choice.fixed / have


def _lowest(values: NDArray[np.float64], count: int) -> Indexes:
    """Columns of the lowest values; of equals those that come first."""
    return np.argsort(values, kind="stable")[:count]
