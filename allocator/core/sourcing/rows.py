"""Sets of locations side by side, and the best of them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from operator import attrgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.fill import Choice, Filled, fill

TRIES_MAX: Final = 256
"""Sets that are looked at, best first, for the plans of one order."""

_BEST_FIRST: Final = attrgetter("key")


class Rows(NamedTuple):
    """Sets of locations, each row one; of equals the better one is first.

    Attributes:
        members: int64 (sets, most members), columns, filled up with -1.
        missing: float64 (sets,), units that no member has, regardless of rooms; infinite for what is no set.
        score: float64 (sets,), regardless of rooms.
    """

    members: NDArray[np.int64]
    missing: NDArray[np.float64]
    score: NDArray[np.float64]

    def best_first(self) -> Iterator[tuple[tuple[float, float], list[int]]]:
        """(missing, score in millionths) and members of each set, the best first."""
        missing = np.rint(self.missing)
        while (least := missing.min()) < np.inf:
            equal = np.flatnonzero(missing == least)
            score = np.rint(self.score.take(equal) * 1e6)
            for place in score.argsort(kind="stable").tolist():
                members = [column for column in self.members[equal[place]].tolist() if column >= 0]
                yield (least, score[place]), members
            missing[equal] = np.inf


def best(choice: Choice, rows: Rows, plans_max: int) -> list[Filled]:
    """The best `plans_max` sets, best first, of which none has all locations of an earlier one.

    What a row says is exact where no room is short, and otherwise at least as good as the truth.
    """
    found: list[Filled] = []
    loose: list[set[int]] = []  # they need none of their rooms, so that more locations only cost more
    for tries, (key, members) in enumerate(rows.best_first()):
        if tries >= TRIES_MAX or (len(found) >= plans_max and key >= found[plans_max - 1].key[:2]):
            break
        if any(one.issubset(members) for one in loose):
            continue
        filled = fill(choice, members)
        if not any(other.members == filled.members for other in found):
            insort(found, filled, key=_BEST_FIRST)
        if filled.key[0] <= key[0] and filled.key[1] <= key[1] + 1:
            loose.append(set(members))
    return apart(found, plans_max)


def apart(found: list[Filled], plans_max: int) -> list[Filled]:
    """Of sets, best first, the first ones of which none has all locations of an earlier one."""
    kept: list[Filled] = []
    for filled in found:
        if not any(set(other.members).issubset(filled.members) for other in kept):
            kept.append(filled)
    return kept[:plans_max]
