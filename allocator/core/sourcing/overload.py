"""Moves units away from locations that were given more than they can pick.

The lines' units are a flow from lines to locations. Filled cheapest first it is optimal, but for the room of the
locations. It stays optimal while each excess goes along a cheapest path of moves to a location with room: successive
shortest paths (Ahuja, Magnanti, Orlin, "Network Flows", 1993, section 9.7), on a graph of the locations alone, as
between two locations only the line that moves at the least extra cost matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOVES_MAX: Final = 10_000
"""Moves of one fill; what is over is dropped where it stands."""


class _Moves(NamedTuple):
    """Cheapest moves of a unit from one member to another: extra cost (members, members), and the line it is of."""

    cost: Floats
    line: NDArray[np.int64]


def relieve(
    rows: list[list[int]], unit: Sequence[Sequence[float]], have: Sequence[Sequence[float]], room: Sequence[float]
) -> list[list[int]]:
    """Units (lines, members) that fit into `room`: as many of `rows` as possible, at the least cost."""
    given, price, most, limit = (np.array(values, dtype=np.float64) for values in (rows, unit, have, room))
    for _ in range(MOVES_MAX):
        over = given.sum(axis=0) - limit
        crowded = np.flatnonzero(over > 0)
        if not len(crowded):
            break
        _relieve_one(given, price, most, over, int(crowded[0]))
    else:
        _drop_all(given, price, limit)
    return [[int(units) for units in row] for row in given]


def _relieve_one(given: Floats, price: Floats, most: Floats, over: Floats, start: int) -> None:
    moves = _moves(given, price, most)
    far, before = _cheapest_paths(moves.cost, start)
    spare = np.flatnonzero((over < 0) & (far < np.inf))
    if len(spare):
        end = int(spare[far[spare].argmin()])
        _move(given, most, moves, before, (start, end), min(float(over[start]), float(-over[end])))
        return
    # Nobody within reach has room: the dearest unit is given up, maybe at the end of a path of moves.
    dearest = np.where(given > 0, price, -np.inf)
    end = int((far - dearest.max(axis=0)).argmin())
    line = int(dearest[:, end].argmax())
    units = _move(given, most, moves, before, (start, end), min(float(over[start]), float(given[line, end])))
    given[line, end] -= units


def _moves(given: Floats, price: Floats, most: Floats) -> _Moves:
    extra = price[:, None, :] - price[:, :, None]
    possible = (given > 0)[:, :, None] & (given < most)[:, None, :]
    extra = np.where(possible, extra, np.inf)
    line = extra.argmin(axis=0)
    return _Moves(np.take_along_axis(extra, line[None], axis=0)[0], line)


def _cheapest_paths(cost: Floats, start: int) -> tuple[Floats, list[int]]:
    """Bellman-Ford: cost of reaching each member from `start`, and the member before it."""
    count = len(cost)
    far = np.full(count, np.inf)
    far[start] = 0.0
    before = [start] * count
    for _ in range(count):
        through = far[:, None] + cost
        via = through.argmin(axis=0)
        nearer = through.min(axis=0)
        shorter = nearer < far - 1e-12
        if not shorter.any():
            break
        for member in np.flatnonzero(shorter):
            before[member] = int(via[member])
        far = np.where(shorter, nearer, far)
    return far, before


def _move(
    given: Floats, most: Floats, moves: _Moves, before: Sequence[int], ends: tuple[int, int], units: float
) -> float:
    """Move up to `units` along the path; the number moved is returned."""
    start, end = ends
    steps: list[tuple[int, int, int]] = []
    while end != start:
        steps.append((before[end], end, int(moves.line[before[end], end])))
        end = before[end]
    units = min([units, *(min(given[line, i], most[line, k] - given[line, k]) for i, k, line in steps)])
    for i, k, line in steps:
        given[line, i] -= units
        given[line, k] += units
    return units


def _drop_all(given: Floats, price: Floats, limit: Floats) -> None:
    for member in range(len(limit)):
        for line in np.argsort(-price[:, member], kind="stable"):
            excess = max(float(given[:, member].sum() - limit[member]), 0.0)
            given[line, member] -= min(excess, float(given[line, member]))
