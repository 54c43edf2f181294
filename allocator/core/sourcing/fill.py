"""How the lines of an order are filled from locations that are already chosen."""

from __future__ import annotations

from collections.abc import Sequence
from operator import le, mul
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
        room: float64 (locations,), units that a location can give in all, infinite without a limit; None: no location
            has less room than stock.
    """

    fixed: Floats
    unit: Floats
    have: Floats
    need: Floats
    room: Floats | None

    def of(self, columns: NDArray[np.int64]) -> Choice:
        """The same order with some of the locations only."""
        return Choice(
            self.fixed.take(columns),
            self.unit.take(columns, axis=1),
            self.have.take(columns, axis=1),
            self.need,
            None if self.room is None else self.room.take(columns),
        )

    def rooms(self) -> Floats:
        """float64 (locations,): room of each, no more than all units need."""
        units = sum(self.need.tolist())
        return np.full(len(self.fixed), units) if self.room is None else np.minimum(self.room, units)


class Filled(NamedTuple):
    """Lines filled from a set of locations, of which each gives something.

    Attributes:
        members: columns, ascending.
        given: units, (lines, members).
        missing: units of each line that no member has.
    """

    members: tuple[int, ...]
    given: tuple[tuple[int, ...], ...]
    missing: tuple[int, ...]


def fill(choice: Choice, members: Sequence[int]) -> Filled:
    """Fill each line from the cheapest member on, which is optimal while no member's room is short.

    Where room is short, units move over the cheapest detours until all fits (`overload`).
    """
    if len(members) == 1 and choice.room is None:
        return _alone(choice, members[0])
    chosen = list(members)
    prices = choice.unit.take(chosen, axis=1)
    unit, have, need = prices.tolist(), choice.have.take(chosen, axis=1).tolist(), choice.need.tolist()
    rows = list(map(_in_order, need, have, prices.argsort(axis=1, kind="stable").tolist()))
    if choice.room is not None:
        rows = _within_rooms(rows, unit, have, choice.room.take(chosen).tolist())
    missing = tuple([int(units) - sum(row) for units, row in zip(need, rows, strict=True)])
    used = [i for i, column in enumerate(zip(*rows, strict=True)) if any(column)]
    if len(used) < len(chosen):
        chosen = [chosen[i] for i in used]
        rows = [[row[i] for i in used] for row in rows]
    return Filled(tuple(chosen), tuple(map(tuple, rows)), missing)


def score_of(choice: Choice, filled: Filled) -> float:
    """Score of what is filled: fixed parts and units."""
    chosen = list(filled.members)
    units = zip(filled.given, choice.unit[:, chosen].tolist(), strict=True)
    return float(sum(choice.fixed[chosen].tolist()) + sum([sum(map(mul, row, line)) for row, line in units]))


def _alone(choice: Choice, member: int) -> Filled:
    """What a single location gives, which is all that it has of what is needed."""
    have = choice.have[:, member].tolist()
    missing = tuple([int(need - units) for need, units in zip(choice.need.tolist(), have, strict=True)])
    return Filled((member,), tuple([(int(units),) for units in have]), missing)


def _in_order(need: float, have: Sequence[float], order: Sequence[int]) -> list[int]:
    row = [0] * len(have)
    for i in order:
        row[i] = units = int(min(have[i], need))
        need -= units
    return row


def _within_rooms(
    rows: list[list[int]], unit: list[list[float]], have: list[list[float]], room: list[float]
) -> list[list[int]]:
    loads = [sum(column) for column in zip(*rows, strict=True)]
    return rows if all(map(le, loads, room)) else relieve(rows, unit, have, room)
