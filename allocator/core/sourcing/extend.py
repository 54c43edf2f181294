"""One more location: what every location would add to each of some sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.fill import Choice

Floats = NDArray[np.float64]


class Extended(NamedTuple):
    """Sets with one more location each; what no room could take is missing. float64 (sets, locations)."""

    missing: Floats
    score: Floats

    def best(self) -> tuple[int, int]:
        """Set and location with the fewest units missing, and of those the lowest score; the first of equals."""
        score = np.where(self.missing <= self.missing.min(), self.score, np.inf)
        row, column = divmod(int(score.argmin()), score.shape[1])
        return row, column


def extend(choice: Choice, sets: Sequence[Sequence[int]] | NDArray[np.int64]) -> Extended:
    """Add each location to each set, and fill the lines cheapest first.

    A location takes of each line what no cheaper member has, and the members fill the rest from their cheapest on.
    What stands for one that is a member already means nothing: its units are there twice.

    Args:
        choice: the locations.
        sets: of equally many members each, at least one; or int64 (sets, members).
    """
    members = np.asarray(sets, dtype=np.int64).reshape(len(sets), -1)
    price, have = _by_price(choice, members)
    unit, most, need = choice.unit[:, None], choice.have[:, None], choice.need[:, None, None]
    given = np.minimum(np.maximum(need - _cheaper(unit, price, have), 0.0), most)
    rest = need - given
    cost = given * unit
    for k in range(members.shape[1]):
        part = np.minimum(rest, have[:, :, k, None])
        cost += part * price[:, :, k, None]
        rest -= part
    fixed = np.add.reduce(choice.fixed.take(members), axis=1)[:, None] + choice.fixed
    missing = np.add.reduce(rest, axis=0)
    if choice.room is not None:
        rooms = choice.rooms()
        room = np.add.reduce(rooms.take(members), axis=1)[:, None] + rooms
        missing = np.maximum(missing, sum(choice.need.tolist()) - room)
    return Extended(missing, np.add.reduce(cost, axis=0) + fixed)


def _cheaper(unit: Floats, price: Floats, have: Floats) -> Floats:
    """Units of the members that are no dearer than each location: float64 (lines, sets, locations)."""
    cheaper: Floats = (price[:, :, 0, None] <= unit) * have[:, :, 0, None]
    for k in range(1, price.shape[2]):
        cheaper += (price[:, :, k, None] <= unit) * have[:, :, k, None]
    return cheaper


def _by_price(choice: Choice, members: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Prices and units of the members of each set: float64 (lines, sets, members), ascending by price."""
    price, have = choice.unit[:, members], choice.have[:, members]
    if members.shape[1] == 1:
        return price, have
    order = price.argsort(axis=2, kind="stable")
    return np.take_along_axis(price, order, axis=2), np.take_along_axis(have, order, axis=2)
