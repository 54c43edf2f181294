"""What a gateway knows of dates: incoming supply and waiting units by SKU and location, sparse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allocator.core.promise import least_projections

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Steps = NDArray[np.int64]
    """Date, incoming and waiting units of one SKU at one location, by date: int64, shape (3, dates)."""


class DatedModel:
    """Steps by row and column of the availability model; `by_row` is row -> column -> steps."""

    __slots__ = ("_joined", "by_row")

    def __init__(self) -> None:
        self.by_row: dict[int, dict[int, Steps]] = {}
        self._joined: dict[int, NDArray[np.int64]] = {}

    def replace(self, row: int, column: int, steps: Sequence[tuple[int, int, int]]) -> None:
        """Take over the steps of a cell; none of them takes them away."""
        if steps:
            self.by_row.setdefault(row, {})[column] = np.array(steps, dtype=np.int64).T
        else:
            self._drop(row, column)
        self._joined.pop(row, None)

    def forget(self, column: int) -> None:
        """Take away all steps of a location."""
        for row in [row for row, by_column in self.by_row.items() if column in by_column]:
            self._drop(row, column)
            self._joined.pop(row, None)

    def add_to(
        self,
        cells: NDArray[np.int64],
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        by_ns: int,
        now_ns: int,
        horizon_ns: int,
    ) -> None:
        """Add to `cells`, int64 of shape (rows, columns), the least projection of each; see `core.promise`."""
        known = [(place, self._join(row)) for place, row in enumerate(rows.tolist()) if row in self.by_row]
        if not known:
            return
        width = 1 + max(int(columns.max(initial=0)), *(int(joined[0, -1]) for _, joined in known))
        entries = np.concatenate([joined for _, joined in known], axis=1)
        groups = np.concatenate([place * width + joined[0] for place, joined in known])
        found, least = least_projections(groups, entries[1], entries[2:], by_ns, now_ns, horizon_ns)
        wide = np.zeros(len(rows) * width, dtype=np.int64)
        wide[found] = least
        cells += wide.reshape(len(rows), width)[:, columns]

    def _join(self, row: int) -> NDArray[np.int64]:
        """Column, date, incoming and waiting units of a row, by column and date: int64, shape (4, entries)."""
        joined = self._joined.get(row)
        if joined is None:
            joined = self._joined[row] = np.concatenate(list(_with_columns(self.by_row[row])), axis=1)
        return joined

    def _drop(self, row: int, column: int) -> None:
        by_column = self.by_row.get(row, {})
        by_column.pop(column, None)
        if not by_column:
            self.by_row.pop(row, None)


def _with_columns(by_column: dict[int, Steps]) -> Iterable[NDArray[np.int64]]:
    for column in sorted(by_column):
        steps = by_column[column]
        yield np.concatenate((np.full((1, steps.shape[1]), column, dtype=np.int64), steps))
