"""Single locations and pairs of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.extend import extend
from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.rows import Rows

ALL_PAIRS_MAX: Final = 24
"""Locations of which every pair is looked at; of more, the pairs of some."""


def singles(choice: Choice) -> Rows:
    """Each location alone."""
    missing = sum(choice.need.tolist()) - np.add.reduce(choice.have, axis=0)
    score = choice.fixed + np.add.reduce(choice.have * choice.unit, axis=0)
    return Rows(np.arange(len(choice.fixed))[:, None], missing, score)


def singles_and_pairs(choice: Choice, alone: Rows, anchors: NDArray[np.int64]) -> Rows:
    """Each location alone, and each of `anchors` with each other location.

    Args:
        choice: the locations.
        alone: its `singles`.
        anchors: int64, ascending.
    """
    count = len(choice.fixed)
    extended = extend(choice, anchors[:, None])
    members, twice = _every(count) if len(anchors) == count else _members(anchors, count)
    missing = np.concatenate([alone.missing, extended.missing.ravel()])
    missing[twice] = np.inf
    return Rows(members, missing, np.concatenate([alone.score, extended.score.ravel()]))


@lru_cache(maxsize=ALL_PAIRS_MAX + 1)
def _every(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return _members(np.arange(count), count)


def _members(anchors: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Members of the rows, and the rows that are no pair or one that came before."""
    columns = np.arange(count)
    first = np.concatenate([columns, np.repeat(anchors, count)])
    second = np.concatenate([np.full(count, -1), np.tile(columns, len(anchors))])
    place = np.full(count + 1, len(anchors))  # one more, for the second of a single one
    place[anchors] = np.arange(len(anchors))
    twice = (first == second) | ((place[second] < place[first]) & (second >= 0))
    return np.stack([first, second], axis=1), np.flatnonzero(twice)
