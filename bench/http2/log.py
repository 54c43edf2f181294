"""What became of every call of one process, in columns."""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Times(NamedTuple):
    """When calls were due and when they ended, int64 ns of the machine's monotonic clock, shape (calls,)."""

    due_ns: NDArray[np.int64]
    done_ns: NDArray[np.int64]


Key = tuple[str, bool, str]
"""Kind of the calls, whether they were answered (with status OK), and how: the word of the judge, or the status."""


class Log:
    """Times of calls by what became of them, and how late the generator itself was."""

    def __init__(self) -> None:
        self._columns: dict[Key, tuple[array[int], array[int]]] = {}
        self._late: tuple[array[int], array[int]] = (array("q"), array("q"))

    def ended(self, key: Key, due_ns: int, done_ns: int) -> None:
        """Note a call."""
        columns = self._columns.get(key)
        if columns is None:
            columns = self._columns[key] = (array("q"), array("q"))
        columns[0].append(due_ns)
        columns[1].append(done_ns)

    def late(self, due_ns: int, now_ns: int) -> None:
        """Note when a call of a schedule was due and when the generator came to it."""
        self._late[0].append(due_ns)
        self._late[1].append(now_ns)

    def times(self) -> dict[Key, Times]:
        """The times of all calls."""
        return {key: Times(*map(_column, columns)) for key, columns in self._columns.items()}

    def taken(self) -> Times:
        """When each call of a schedule was due, and when the generator came to it; empty without a schedule."""
        return Times(*map(_column, self._late))


def _column(values: array[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
