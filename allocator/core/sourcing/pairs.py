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
    missing = choice.need.sum() - choice.have.sum(axis=0)
    score = choice.fixed + (choice.have * choice.unit).sum(axis=0)
    return Rows(np.arange(len(choice.fixed))[:, None], missing, score)


def pairs(choice: Choice, anchors: NDArray[np.int64]) -> Rows:
    """Each of `anchors` with each other location."""
    count = len(choice.fixed)
    extended = extend(choice, anchors[:, None])
    members, twice = _members(count) if len(anchors) == count else _of_anchors(anchors, count)
    missing = np.where(twice, np.inf, extended.missing.ravel())
    return Rows(members, missing, extended.score.ravel())


@lru_cache(maxsize=ALL_PAIRS_MAX + 1)
def _members(count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    return _of_anchors(np.arange(count), count)


def _of_anchors(anchors: NDArray[np.int64], count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Members of the pairs, and which of them are no pair or one that came before."""
    first, second = np.repeat(anchors, count), np.tile(np.arange(count), len(anchors))
    place = np.full(count, len(anchors))
    place[anchors] = np.arange(len(anchors))
    return np.stack([first, second], axis=1), (first == second) | (place[second] < place[first])
