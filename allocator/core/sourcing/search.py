"""Which sets of locations to serve an order from, best first."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.sourcing.extend import extend
from allocator.core.sourcing.fill import Choice, Filled, fill
from allocator.core.sourcing.shortlist import field_of, pool_of
from allocator.core.sourcing.subsets import Scores, Subsets, evaluate, pool_size, subsets

ROUNDS_MAX: Final = 20
"""Rounds of improvement."""
TRIES_MAX: Final = 64
"""Sets that are filled exactly, where the locations' rooms are short."""

_KEY: Final = attrgetter("key")


def search(choice: Choice, splits_max: int, plans_max: int) -> list[Filled]:
    """The best sets of at most `splits_max` locations, best first; no set has all locations of an earlier one.

    The sets of few locations are enumerated. Of many, a field is enumerated in part (`shortlist`), and the best set is
    improved by adding, dropping and swapping locations of the field.
    """
    field = field_of(choice)
    inner = choice if len(field) == len(choice.fixed) else choice.of(field)
    size = pool_size(len(choice.need), splits_max, len(field))
    pool = np.arange(len(field)) if size == len(field) else pool_of(inner, size)
    found = _enumerate(inner, pool, min(splits_max, size), plans_max)
    if size < len(field):
        insort(found, improve(inner, found[0], splits_max), key=_KEY)
    return [
        filled._replace(members=tuple(int(field[i]) for i in filled.members)) for filled in _apart(found, plans_max)
    ]


def improve(choice: Choice, best: Filled, splits_max: int) -> Filled:
    """Add, drop and swap locations one at a time, as long as that is better."""
    for _ in range(ROUNDS_MAX):
        better = _step(choice, best, splits_max)
        if better.key >= best.key:
            break
        best = better
    return best


def _step(choice: Choice, best: Filled, splits_max: int) -> Filled:
    """The best that adding, dropping or swapping one location makes of a set."""
    members = best.members
    smaller = [members[:i] + members[i + 1 :] for i in range(len(members))]
    sets = [smaller, [members]] if len(members) < splits_max else [smaller]
    tried = [_extended(choice, bases) for bases in sets]
    return min((fill(choice, one) for one in tried), key=_KEY)


def _extended(choice: Choice, bases: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The best of `bases`, with one more location or as it is."""
    nobody = len(choice.fixed)
    row, column = extend(_with_nobody(choice), bases).best()
    return tuple(sorted({*bases[row], column} - {nobody}))


def _with_nobody(choice: Choice) -> Choice:
    """One more column, for a location that gives nothing and costs nothing."""
    nothing = np.zeros((len(choice.need), 1))
    return choice._replace(
        fixed=np.append(choice.fixed, 0.0),
        unit=np.hstack([choice.unit, nothing]),
        have=np.hstack([choice.have, nothing]),
    )


def _enumerate(choice: Choice, pool: NDArray[np.int64], splits_max: int, plans_max: int) -> list[Filled]:
    """The best sets of the pool, best first; columns of `choice`."""
    inner = choice.of(pool)
    sets = subsets(len(pool), splits_max)
    scores = evaluate(inner, sets.member)
    found = _best_rows(inner, sets, scores, plans_max)
    return [filled._replace(members=tuple(int(pool[i]) for i in filled.members)) for filled in found]


def _best_rows(choice: Choice, sets: Subsets, scores: Scores, plans_max: int) -> list[Filled]:
    """Fill the best sets, until `plans_max` are found that no set left can beat.

    What `evaluate` says of a set is exact where no room is short, and otherwise at least as good as the truth. A set
    that needs none of its rooms rules out its supersets.
    """
    missing = np.rint(scores.missing)
    score = np.rint(scores.score * 1e6)  # beyond a millionth sets are equal, and the first one is better
    found: list[Filled] = []
    for _ in range(TRIES_MAX):
        least = missing.min()
        row = int(np.where(missing <= least, score, np.inf).argmin())
        bound = (least, score[row])
        if least == np.inf or (len(found) >= plans_max and bound >= found[plans_max - 1].key[:2]):
            break
        members = np.flatnonzero(sets.member[row])
        filled = fill(choice, members.tolist())
        insort(found, filled, key=_KEY)
        loose = filled.key[0] == least and abs(filled.key[1] - score[row]) <= 1
        bits = sets.bits[row]
        missing[(sets.bits & bits) == bits if loose else row] = np.inf
    return found


def _apart(found: Iterable[Filled], plans_max: int) -> list[Filled]:
    """The first ones of which none has all locations of an earlier one."""
    apart: list[Filled] = []
    for filled in found:
        if not any(set(filled.members) >= set(other.members) for other in apart):
            apart.append(filled)
    return apart[:plans_max]
