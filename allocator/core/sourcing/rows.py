"""Sets of locations side by side, and the best of them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.fill import Choice, fill, score_of

TRIES_MAX: Final = 96
"""Sets that are looked at, best first, for the plans of one order."""


class Found(NamedTuple):
    """A set of locations and what it comes to. Better ones compare as less.

    Attributes:
        missing: units that it misses.
        micros: score in millionths; nearer than that sets are equal.
        parcels: number of its locations.
        members: columns, ascending: by priority and name.
        score: fixed parts and units.
    """

    missing: int
    micros: int
    parcels: int
    members: tuple[int, ...]
    score: float


class Rows(NamedTuple):
    """Sets of locations, each row one; of equals the better one is first.

    Attributes:
        members: int64 (sets, most members), columns, filled up with -1.
        missing: float64 (sets,), units that no member has or that all their rooms together cannot take; infinite for
            what is no set.
        score: float64 (sets,), regardless of rooms.
    """

    members: NDArray[np.int64]
    missing: NDArray[np.float64]
    score: NDArray[np.float64]

    def best_first(self) -> Iterator[Found]:
        """The sets, best first, regardless of rooms; of many that miss as much, at least the best `TRIES_MAX`."""
        missing = self.missing
        while len(missing) and (least := float(missing[missing.argmin()])) < np.inf:
            equal = (missing == least).nonzero()[0]
            micros = np.rint(self.score.take(equal) * 1e6)
            top = int(equal[micros.argmin()])
            yield self._found(top, least)
            if len(micros) > TRIES_MAX:
                near = (micros <= np.partition(micros, TRIES_MAX)[TRIES_MAX]).nonzero()[0]
                equal, micros = equal.take(near), micros.take(near)
            for row in equal.take(micros.argsort(kind="stable")).tolist():
                if row != top:
                    yield self._found(row, least)
            missing = np.where(missing == least, np.inf, missing)

    def _found(self, row: int, missing: float) -> Found:
        members = tuple(sorted([column for column in self.members[row].tolist() if column >= 0]))
        score = float(self.score[row])
        return Found(int(missing), round(score * 1e6), len(members), members, score)


def best(choice: Choice, rows: Rows, plans_max: int) -> list[Found]:
    """The best `plans_max` sets, best first, of which none has all locations of an earlier one."""
    sets = islice(rows.best_first(), TRIES_MAX)
    return apart(sets if choice.room is None else _settled(choice, sets, plans_max), plans_max)


def apart(sets: Iterable[Found], plans_max: int) -> list[Found]:
    """Of sets, best first, the first ones of which none has all locations of an earlier one."""
    kept: list[Found] = []
    for found in sets:
        if not any(set(other.members).issubset(found.members) for other in kept):
            kept.append(found)
            if len(kept) == plans_max:
                break
    return kept


def settled(choice: Choice, members: Sequence[int]) -> Found:
    """What a set comes to, rooms and all."""
    filled = fill(choice, members)
    score = score_of(choice, filled)
    return Found(sum(filled.missing), round(score * 1e6), len(filled.members), filled.members, score)


def _settled(choice: Choice, sets: Iterable[Found], plans_max: int) -> list[Found]:
    """The best of `sets` with their rooms regarded, best first.

    Regardless of rooms a set looks at least as good as it is, so that those that look worse than the last one wanted
    need no look. What needs no room is better than any set that has more locations besides.
    """
    kept: list[Found] = []
    loose: list[set[int]] = []
    for looks in sets:
        if len(kept) >= plans_max and looks > kept[plans_max - 1]:
            break
        if any(one.issubset(looks.members) for one in loose):
            continue
        found = settled(choice, looks.members)
        if not any(other.members == found.members for other in kept):
            insort(kept, found)
        if found.missing == looks.missing and found.micros <= looks.micros + 1:
            loose.append(set(looks.members))
    return kept
