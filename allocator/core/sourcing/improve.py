"""Improves a set of locations one location at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from allocator.core.sourcing.extend import extend
from allocator.core.sourcing.fill import Choice
from allocator.core.sourcing.rows import Found, settled

ROUNDS_MAX: Final = 20
"""Rounds of improvement."""


def improve(choice: Choice, best: Found, splits_max: int) -> Found:
    """Add, drop and swap locations one at a time, as long as that is better."""
    wide = _with_nobody(choice)
    for _ in range(ROUNDS_MAX):
        better = _step(wide, best, splits_max)
        if better is None or better >= best:
            break
        best = better
    return best


def _step(choice: Choice, best: Found, splits_max: int) -> Found | None:
    """The best that adding, dropping or swapping one location makes of a set, if it may be better."""
    members = best.members
    nobody = len(choice.fixed) - 1
    bases = [(*members[:i], *members[i + 1 :], nobody) for i in range(len(members))]
    if len(members) < splits_max:
        bases.append(members)
    extended = extend(choice, bases)
    for row, base in enumerate(bases):
        extended.missing[row, [column for column in base if column != nobody]] = np.inf
    row, column = extended.best()
    if (extended.missing[row, column], round(extended.score[row, column] * 1e6)) >= best[:2]:
        return None
    return settled(choice, sorted({*bases[row], column} - {nobody}))


def _with_nobody(choice: Choice) -> Choice:
    """One more column, for a location that gives nothing and costs nothing."""
    nothing = np.zeros((len(choice.need), 1))
    return choice._replace(
        fixed=np.append(choice.fixed, 0.0),
        unit=np.concatenate([choice.unit, nothing], axis=1),
        have=np.concatenate([choice.have, nothing], axis=1),
        room=None if choice.room is None else np.append(choice.room, np.inf),
    )
