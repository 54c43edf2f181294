"""`AvailabilityModel`: what every location can promise, as one numpy matrix per gateway process.

SKU-major: the row of one SKU over all locations is contiguous, so a cart line reads one cache line or two. Reads never
touch an actor; changes come from the actors' feeds and from the gateway's own acknowledged writes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from allocator.core import codec
from allocator.runtime.capacity_model import CapacityModel
from allocator.runtime.dated_model import DatedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Listener = Callable[[str, NDArray[np.int64]], None]


class _Column:
    """One location: its column, its SKU index -> row map, and the version it is at."""

    __slots__ = ("column", "rows", "version")

    def __init__(self, column: int) -> None:
        self.column = column
        self.rows: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self.version: int | None = None


class AvailabilityModel:
    """Units free per SKU and location before quotas, and the sparse unused quotas.

    Attributes:
        skus: SKU by row.
        rows: row by SKU.
        free: int64 (rows, columns), possibly negative; only the first `len(skus)` rows are used.
        quotas: row -> column -> channel -> unused units.
        dated: incoming supply and waiting units by date.
        listeners: called with (location, changed rows) after every change.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self.skus: list[str] = []
        self.rows: dict[str, int] = {}
        self.free: NDArray[np.int64] = np.zeros((1024, 4), dtype=np.int64)
        self.quotas: dict[int, dict[int, dict[str, int]]] = {}
        self.dated = DatedModel()
        self._capacity = CapacityModel()
        self.listeners: list[Listener] = []
        self._columns: dict[str, _Column] = {}
        self._heard_s: NDArray[np.float64] = np.full(4, -np.inf)

    def apply(self, location: str, changes: Iterable[Sequence[Any]]) -> bool:
        """Take over changes `(version, whole, data)` of a location, in order, skipping those known already.

        Returns:
            False when a change is missing in between: ask for the whole picture then.
        """
        column = self._column(location)
        for version, whole, data in changes:
            known = column.version
            if known is not None and version <= known:
                continue
            if not whole and (known is None or version != known + 1):
                return False
            rows = self._take(column, data, whole=whole)
            column.version = version
            for listener in self.listeners:
                listener(location, rows)
        return True

    def heard(self, locations: Iterable[str]) -> None:
        """Note that the ledgers of `locations` were heard of just now."""
        now_s = self._monotonic_s()
        for location in locations:
            column = self._column(location).column  # first: a new one may make the array longer
            self._heard_s[column] = now_s

    def version(self, location: str) -> int | None:
        """The version of `location` that reads are based on; None before the first news."""
        column = self._columns.get(location)
        return column.version if column is not None else None

    def age_s(self, location: str) -> float:
        """Seconds since the ledger of `location` was heard of; infinite when it never was."""
        column = self._columns.get(location)
        return self._monotonic_s() - float(self._heard_s[column.column]) if column is not None else float("inf")

    def ages_s(self, columns: NDArray[np.int64]) -> NDArray[np.float64]:
        """`age_s` of the locations in `columns`: float64, shape (columns,)."""
        ages: NDArray[np.float64] = self._monotonic_s() - self._heard_s[columns]
        return ages

    def forget(self, location: str) -> None:
        """Drop a location that left the network; its column reads zero."""
        column = self._columns.pop(location, None)
        if column is not None:
            rows = np.flatnonzero(self.free[:, column.column]).astype(np.int64)
            self._clear(column)
            self._heard_s[column.column] = -np.inf
            for listener in self.listeners:
                listener(location, rows)

    def locations(self) -> list[str]:
        """The locations there are columns for."""
        return list(self._columns)

    def columns(self, locations: Iterable[str]) -> NDArray[np.int64]:
        """Columns of `locations`: int64, shape (locations,)."""
        return np.array([self._column(location).column for location in locations], dtype=np.int64)

    def available(self, rows: NDArray[np.int64], columns: NDArray[np.int64], channel: str) -> NDArray[np.int64]:
        """Units a channel can be promised, floored at 0: int64, shape (rows, columns)."""
        cells: NDArray[np.int64] = self.free[rows[:, None], columns]
        if self.quotas:
            self._keep_quotas(cells, rows, columns, channel)
        np.maximum(cells, 0, out=cells)
        return cells

    def promised(
        self,
        rows: NDArray[np.int64],
        columns: NDArray[np.int64],
        channel: str,
        by_ns: int,
        now_ns: int,
        horizon_ns: int,
    ) -> NDArray[np.int64]:
        """Units a channel can be promised for a date, floored at 0: int64, shape (rows, columns).

        That is what is available, and what is expected by `by_ns` and not promised up to `horizon_ns`; the formula is
        in `core.promise`. Times are ns since 1970 UTC; a date before now is now.
        """
        cells: NDArray[np.int64] = self.free[rows[:, None], columns]
        if self.quotas:
            self._keep_quotas(cells, rows, columns, channel)
        self.dated.add_to(cells, rows, columns, by_ns, now_ns, horizon_ns)
        np.maximum(cells, 0, out=cells)
        return cells

    def capacity(
        self, columns: NDArray[np.int64], at_ns: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
        """What `columns` can still pick in the window of `at_ns`: left, limit, by order; see `CapacityModel.at`."""
        return self._capacity.at(columns, at_ns)

    def _keep_quotas(
        self, cells: NDArray[np.int64], rows: NDArray[np.int64], columns: NDArray[np.int64], channel: str
    ) -> None:
        """Take other channels' unused quotas out of `cells`."""
        for r, row in enumerate(rows.tolist()):
            by_column = self.quotas.get(row)
            if not by_column:
                continue
            if len(columns) < len(by_column):
                for k, column in enumerate(columns.tolist()):
                    unused = by_column.get(column)
                    if unused:
                        cells[r, k] -= sum(unused.values()) - unused.get(channel, 0)
            else:
                kept = np.zeros(self.free.shape[1], dtype=np.int64)
                kept[list(by_column)] = [sum(unused.values()) - unused.get(channel, 0) for unused in by_column.values()]
                cells[r] -= kept[columns]

    def _take(self, column: _Column, data: bytes, *, whole: bool) -> NDArray[np.int64]:
        index_bytes, free_bytes, limited, start, names, dated, capacity = codec.unpack(data)
        if whole:
            column.rows = np.zeros(0, dtype=np.int64)
            self._clear(column)
        if names:
            new = np.array([self._row(name) for name in names], dtype=np.int64)
            column.rows = np.concatenate((column.rows[:start], new))
        rows: NDArray[np.int64] = column.rows[np.frombuffer(index_bytes, dtype="<i4")]
        self.free[rows, column.column] = np.frombuffer(free_bytes, dtype="<i8")
        for index, unused in limited:
            self.quotas.setdefault(int(column.rows[index]), {})[column.column] = unused
        for index, steps in dated:
            self.dated.replace(int(column.rows[index]), column.column, steps)
        if capacity is not None:
            self._capacity.take(column.column, capacity)
        return rows

    def _clear(self, column: _Column) -> None:
        self.free[:, column.column] = 0
        for by_column in self.quotas.values():
            by_column.pop(column.column, None)
        self.dated.forget(column.column)
        self._capacity.forget(column.column)

    def _row(self, sku: str) -> int:
        row = self.rows.get(sku)
        if row is None:
            row = self.rows[sku] = len(self.skus)
            self.skus.append(sku)
            if row == self.free.shape[0]:
                self._grow(2 * row, self.free.shape[1])
        return row

    def _column(self, location: str) -> _Column:
        column = self._columns.get(location)
        if column is None:
            used = {other.column for other in self._columns.values()}
            place = next(i for i in range(len(used) + 1) if i not in used)
            if place == self.free.shape[1]:
                self._grow(self.free.shape[0], 2 * place)
            column = self._columns[location] = _Column(place)
        return column

    def _grow(self, rows: int, columns: int) -> None:
        grown = np.zeros((rows, columns), dtype=np.int64)
        grown[: self.free.shape[0], : self.free.shape[1]] = self.free
        self.free = grown
        self._heard_s = np.concatenate((self._heard_s, np.full(columns - len(self._heard_s), -np.inf)))
