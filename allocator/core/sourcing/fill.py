"""How the lines of an order are filled from locations that are already chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.overload import relieve

Floats = NDArray[np.float64]


class Choice(NamedTuple):
    """The locations to choose from; columns by priority and name, so that the first of equals is the better one.

    Attributes:
        fixed: float64 (locations,), score of opening one.
        unit: float64 (lines, locations), score of one unit.
        have: float64 (lines, locations), units of a line that a location could give; no more than is needed.
        need: float64 (lines,), units of each line.
        room: float64 (locations,), units that a location can give in all; infinite without a limit.
    """

    fixed: Floats
    unit: Floats
    have: Floats
    need: Floats
    room: Floats

    def of(self, columns: NDArray[np.int64]) -> Choice:
        """The same order with some of the locations only."""
        return Choice(
            self.fixed.take(columns),
            self.unit.take(columns, axis=1),
            self.have.take(columns, axis=1),
            self.need,
            self.room.take(columns),
        )


class Filled(NamedTuple):
    """Lines filled from a set of locations, of which each gives something.

    Attributes:
        members: columns, ascending.
        given: units, (lines, members).
        missing: units of each line that no member has.
        score: fixed parts and units.
    """

    members: tuple[int, ...]
    given: tuple[tuple[int, ...], ...]
    missing: tuple[int, ...]
    score: float

    @property
    def key(self) -> tuple[int, int, int, tuple[int, ...]]:
        """Sorts the best first: most units, lower score (to a millionth), fewer parcels, priority and name."""
        return sum(self.missing), round(self.score * 1e6), len(self.members), self.members


def fill(choice: Choice, members: Sequence[int]) -> Filled:
    """Fill each line from the cheapest member on, which is optimal while no member's room is short.

    Where room is short, units move over the cheapest detours until all fits (`overload`).
    """
    chosen = list(members)
    unit, have = choice.unit[:, chosen].tolist(), choice.have[:, chosen].tolist()
    rows = [_cheapest_first(*line) for line in zip(choice.need.tolist(), unit, have, strict=True)]
    room = choice.room[chosen].tolist()
    if any(sum(column) > most for column, most in zip(zip(*rows, strict=True), room, strict=True)):
        rows = relieve(rows, unit, have, room)
    return _filled(choice, chosen, unit, rows)


def _cheapest_first(need: float, unit: Sequence[float], have: Sequence[float]) -> list[int]:
    row = [0] * len(unit)
    for i in sorted(range(len(unit)), key=unit.__getitem__):
        row[i] = int(min(have[i], need))
        need -= row[i]
    return row


def _filled(choice: Choice, chosen: list[int], unit: list[list[float]], rows: list[list[int]]) -> Filled:
    used = [i for i in range(len(chosen)) if any(row[i] for row in rows)]
    score = sum(float(choice.fixed[chosen[i]]) for i in used)
    score += sum(row[i] * price[i] for row, price in zip(rows, unit, strict=True) for i in used)
    missing = tuple(int(need) - sum(row) for need, row in zip(choice.need.tolist(), rows, strict=True))
    return Filled(tuple(chosen[i] for i in used), tuple(tuple(row[i] for i in used) for row in rows), missing, score)
