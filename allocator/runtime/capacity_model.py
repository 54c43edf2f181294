"""What a gateway knows of picking capacity: the plan and the bookings of every location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from allocator.core.commands import Capacity, Measure
from allocator.core.sourcing.types import CAPACITY_UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_ALWAYS: Final = (np.iinfo(np.int64).min, np.iinfo(np.int64).max, CAPACITY_UNLIMITED, CAPACITY_UNLIMITED, 0)
_BEGIN, _END, _LEFT, _LIMIT, _BY_ORDER = range(5)


class _Book:
    """The plan of one location, its exceptions, and what is booked by window start."""

    __slots__ = ("limits", "plan", "used")

    def __init__(self, plan: Capacity) -> None:
        self.plan = plan
        self.limits = dict(plan.overrides)
        self.used: dict[int, int] = {}

    def of(self, at_ns: int) -> tuple[int, int, int, int, bool]:
        """Begin and end of the window of `at_ns`, what it still takes, floored at 0, its limit, and what it counts."""
        window = at_ns - at_ns % self.plan.window_ns
        limit = self.limits.get(window, self.plan.limit)
        left = max(0, limit - self.used.get(window, 0))
        return window, window + self.plan.window_ns, left, limit, self.plan.measure == Measure.ORDERS


class CapacityModel:
    """Capacity by column of the availability model; a column without a plan is not limited.

    The windows that were asked for last are kept, so that one question after the other is a look into them.
    """

    __slots__ = ("_books", "_windows")

    def __init__(self) -> None:
        self._books: dict[int, _Book] = {}
        self._windows: NDArray[np.int64] = np.zeros((len(_ALWAYS), 0), dtype=np.int64)

    def take(self, column: int, change: Sequence[Any]) -> None:
        """Take over a change `(whole, plan or None, ((window, booked), ...))`."""
        whole, plan, used = change
        if whole:
            self._books.pop(column, None)
            if plan is not None:
                self._books[column] = _Book(Capacity(*plan))
        book = self._books.get(column)
        if book is not None:
            book.used.update(used)
        self._look_again(column)

    def forget(self, column: int) -> None:
        """Take away what is known of a location."""
        self._books.pop(column, None)
        self._look_again(column)

    def at(
        self, columns: NDArray[np.int64], at_ns: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """What the window of `at_ns` still takes at each of `columns`.

        Returns:
            What is left, floored at 0, and the limit of that window, both int64 of shape (columns,) and
            `CAPACITY_UNLIMITED` without a plan; and whether orders are counted rather than units, bool (columns,).
        """
        if not self._books:
            left = np.full(len(columns), CAPACITY_UNLIMITED, dtype=np.int64)
            return left, left.copy(), np.zeros(len(columns), dtype=np.bool_)
        self._grow(int(columns.max(initial=-1)) + 1)
        found = self._windows.take(columns, axis=1)
        stale = (found[_BEGIN] > at_ns) | (found[_END] <= at_ns)
        if stale.any():
            for column in columns[stale].tolist():
                self._windows[:, column] = self._books[column].of(at_ns) if column in self._books else _ALWAYS
            found = self._windows.take(columns, axis=1)
        return found[_LEFT], found[_LIMIT], found[_BY_ORDER] > 0

    def _look_again(self, column: int) -> None:
        if column < self._windows.shape[1]:
            self._windows[_END, column] = 0

    def _grow(self, columns: int) -> None:
        """Have a place for each of `columns`; a new one is looked at when it is asked for."""
        missing = columns - self._windows.shape[1]
        if missing > 0:
            self._windows = np.concatenate((self._windows, np.zeros((len(_ALWAYS), missing), dtype=np.int64)), axis=1)
