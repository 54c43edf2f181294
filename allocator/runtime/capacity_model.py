"""What a gateway knows of picking capacity: the plan and the bookings of every location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from allocator.core.commands import Capacity, Measure
from allocator.core.sourcing.types import CAPACITY_UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class _Book:
    """The plan of one location, its exceptions, and what is booked by window start."""

    __slots__ = ("limits", "plan", "used")

    def __init__(self, plan: Capacity) -> None:
        self.plan = plan
        self.limits = dict(plan.overrides)
        self.used: dict[int, int] = {}

    def of(self, at_ns: int) -> tuple[int, int]:
        """What the window of `at_ns` still takes, floored at 0, and its limit."""
        window = at_ns - at_ns % self.plan.window_ns
        limit = self.limits.get(window, self.plan.limit)
        return max(0, limit - self.used.get(window, 0)), limit


class CapacityModel:
    """Capacity by column of the availability model; a column without a plan is not limited."""

    __slots__ = ("_books",)

    def __init__(self) -> None:
        self._books: dict[int, _Book] = {}

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

    def forget(self, column: int) -> None:
        """Take away what is known of a location."""
        self._books.pop(column, None)

    def at(
        self, columns: NDArray[np.int64], at_ns: int | NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """What the window of `at_ns` (one for all, or one for each column) still takes at each of `columns`.

        Returns:
            What is left, floored at 0, and the limit of that window, both int64 of shape (columns,) and
            `CAPACITY_UNLIMITED` without a plan; and whether orders are counted rather than units, bool (columns,).
        """
        left = np.full(len(columns), CAPACITY_UNLIMITED, dtype=np.int64)
        limit = left.copy()
        by_order = np.zeros(len(columns), dtype=np.bool_)
        if not self._books:
            return left, limit, by_order
        times_ns = np.broadcast_to(np.asarray(at_ns, dtype=np.int64), len(columns)).tolist()
        for place, (column, time_ns) in enumerate(zip(columns.tolist(), times_ns, strict=True)):
            book = self._books.get(column)
            if book is not None:
                left[place], limit[place] = book.of(time_ns)
                by_order[place] = book.plan.measure == Measure.ORDERS
        return left, limit, by_order
