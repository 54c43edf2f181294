"""Improves a set of locations one location at a time."""

from __future__ import annotations

from typing import Final

import numpy as np

from allocator.core.sourcing.extend import extend
from allocator.core.sourcing.fill import Choice, fill
from allocator.core.sourcing.rows import Found, settled

ROUNDS_MAX: Final = 20
"""Rounds of improvement."""
TRIES_MAX: Final = 4
"""Sets of one round that are filled exactly, where rooms are short."""


def improve(choice: Choice, best: Found, splits_max: int) -> Found:
    """Add, drop and swap locations one at a time, as long as that is better."""
    wide = _with_nobody(choice)
    for _ in range(ROUNDS_MAX):
        better = _step(wide, best, splits_max) or _added(wide, best, splits_max)
        if better is None:
            break
        best = better
    return best


def _step(choice: Choice, best: Found, splits_max: int) -> Found | None:
    """The best that adding, dropping or swapping one location makes of a set, if it is better."""
    members = best.members
    nobody = len(choice.fixed) - 1
    bases = [(*members[:i], *members[i + 1 :], nobody) for i in range(len(members))]
    if len(members) < splits_max:
        bases.append(members)
    extended = extend(choice, bases)
    for row, base in enumerate(bases):
        extended.missing[row, [column for column in base if column != nobody]] = np.inf
    for _ in range(1 if choice.room is None else TRIES_MAX):
        row, column = extended.best()
        if (extended.missing[row, column], round(extended.score[row, column] * 1e6)) >= best[:2]:
            break
        found = settled(choice, sorted({*bases[row], column} - {nobody}))
        if found < best:
            return found
        extended.missing[row, column] = np.inf  # it looked better than it is, as rooms are short
    return None


def _added(choice: Choice, best: Found, splits_max: int) -> Found | None:
    """One more location that gives most of what rooms leave missing: `_step` cannot see which line that is."""
    if choice.room is None or not best.missing or len(best.members) == splits_max:
        return None
    short = np.array(fill(choice, best.members).missing, dtype=np.float64)
    gain = np.minimum(np.minimum(choice.have, short[:, None]).sum(axis=0), choice.room)
    gain[list(best.members)] = 0.0
    found = settled(choice, sorted([*best.members, int(gain.argmax())]))
    return found if found < best else None


def _with_nobody(choice: Choice) -> Choice:
    """One more column, for a location that gives nothing and costs nothing."""
    nothing = np.zeros((len(choice.need), 1))
    return choice._replace(
        fixed=np.append(choice.fixed, 0.0),
        unit=np.concatenate([choice.unit, nothing], axis=1),
        have=np.concatenate([choice.have, nothing], axis=1),
        room=None if choice.room is None else np.append(choice.room, 0.0),
    )
