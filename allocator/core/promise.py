"""Available to promise: how much can be promised for a date, of stock and of what is expected until then.

    promised(d) = free + min over t in [d, horizon] of I(t)
    I(t) = open incoming units expected by t - units waiting that are promised by t

That is the discrete available-to-promise with look-ahead (cf. Pibernik 2005, "Advanced available-to-promise",
International Journal of Production Economics 93-94): a unit promised for a later date is not promised again for an
earlier one. Units expected before now that have not come count for no date, until they are expected anew; units that
wait count always. Dates are ns since 1970 UTC, quantities base units, and both ends of a span belong to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Steps = Iterable[tuple[int, int]]
    """`(date, units)`, dates in any order."""

_FAR: Final = np.iinfo(np.int64).max


def least_projection(supply: Steps, waiting: Steps, by_ns: int, now_ns: int, horizon_ns: int) -> int:
    """The least of I(t) for t from `by_ns` to `horizon_ns` of one SKU; a date before now is now.

    Args:
        supply: open incoming units by the date they are expected.
        waiting: units promised from them by the date they are promised.
        by_ns: the date to promise for.
        now_ns: now.
        horizon_ns: the last date looked at.
    """
    by_ns = max(by_ns, now_ns)
    changes = {by_ns: 0}
    for at_ns, units in supply:
        if at_ns >= now_ns:
            changes[max(at_ns, by_ns)] = changes.get(max(at_ns, by_ns), 0) + units
    for at_ns, units in waiting:
        changes[max(at_ns, by_ns)] = changes.get(max(at_ns, by_ns), 0) - units
    total = least = changes.pop(by_ns)
    for at_ns in sorted(changes):
        if at_ns > horizon_ns:
            break
        total += changes[at_ns]
        least = min(least, total)
    return least


def least_projections(
    groups: NDArray[np.int64],
    at_ns: NDArray[np.int64],
    units: NDArray[np.int64],
    by_ns: int,
    now_ns: int,
    horizon_ns: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`least_projection` of many SKUs and locations at once.

    Args:
        groups: which SKU and location an entry is of: int64, shape (entries,), ascending.
        at_ns: date of each entry, each once and ascending in its group: int64, shape (entries,).
        units: incoming and waiting units on that date: int64, shape (2, entries).
        by_ns: the date to promise for.
        now_ns: now.
        horizon_ns: the last date looked at.

    Returns:
        The groups there are and the least projection of each: int64, shape (groups,).
    """
    if not groups.size:
        return groups, groups
    by_ns = max(by_ns, now_ns)
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    change = np.where(at_ns >= now_ns, units[0], 0) - units[1]
    by_date = np.add.reduceat(np.where(at_ns <= by_ns, change, 0), starts)
    running = np.cumsum(change)
    before = running[starts] - change[starts]
    running -= np.repeat(before, np.diff(starts, append=groups.size))
    later = np.where((at_ns > by_ns) & (at_ns <= horizon_ns), running, _FAR)
    return groups[starts], np.minimum(by_date, np.minimum.reduceat(later, starts))


def dated_steps(supply: Steps, waiting: Steps) -> list[tuple[int, int, int]]:
    """Both together: ascending `(date, incoming units, waiting units)`, each date once."""
    dates: dict[int, list[int]] = {}
    for place, steps in enumerate((supply, waiting)):
        for at_ns, units in steps:
            dates.setdefault(at_ns, [0, 0])[place] += units
    return [(at_ns, *dates[at_ns]) for at_ns in sorted(dates)]  # type: ignore[misc]  # two units each
