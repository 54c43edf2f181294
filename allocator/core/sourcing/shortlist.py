"""The most promising of many locations."""

from __future__ import annotations

from itertools import chain, islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.rows import Rows

FIELD_MAX: Final = 64
"""Locations that a plan is looked for among, when there are more; the others are told apart by `savings` only."""
ANCHORS: Final = 4
"""Locations of which all pairs are looked at."""
SETS: Final = 6
"""Sets of one or two that say which locations go into larger ones."""

Indexes = NDArray[np.int64]


def field_of(choice: Choice) -> Indexes:
    """At most `FIELD_MAX` columns, ascending: the best for each line alone, and the best for the whole order."""
    lines, count = choice.unit.shape
    if count <= FIELD_MAX:
        return np.arange(count)
    alone = _alone(choice)
    each = max(1, FIELD_MAX // (4 * lines))
    special = alone[: FIELD_MAX // 2].argpartition(each, axis=1)[:, :each].ravel()
    saved = savings(choice, alone)
    saved[special] = -np.inf  # they are in
    return np.sort(_lowest(saved, FIELD_MAX))


def anchors_of(choice: Choice) -> Indexes:
    """The columns that are the best for the whole order, ascending."""
    return np.sort(_lowest(savings(choice, _alone(choice)), ANCHORS))


def pool_of(choice: Choice, rows: Rows, size: int) -> Indexes:
    """At most `size` columns, ascending, whose sets are worth enumerating.

    Those of the best single locations and pairs, the best for each line, and the best for the whole order.
    """
    alone = _alone(choice)
    likely = [found.members for found in islice(rows.best_first(), SETS)]
    special = alone.argmin(axis=1).tolist()
    order = np.argsort(savings(choice, alone), kind="stable")[:size].tolist()
    wanted = dict.fromkeys([*chain.from_iterable(likely), *special, *order])
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
