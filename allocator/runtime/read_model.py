"""`AvailabilityModel`: what every location can promise, as one matrix per gateway process.

SKU-major: the row of one SKU over all locations is contiguous, so a cart line reads one cache line or two. Reads never
touch an actor; changes come from the actors' feeds and from the gateway's own acknowledged writes.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from allocator.core import codec
from allocator.runtime.capacity_model import CapacityModel
from allocator.runtime.cells import Cells
from allocator.runtime.dated_model import DatedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Listener = Callable[[str, NDArray[np.int32]], None]

_SPARE: Final = 8
"""A list of rows that is full grows by one part in so many."""


class _Column:
    """One location: its column, its SKU index -> row map, and the version it is at."""

    __slots__ = ("_places", "column", "count", "version")

    def __init__(self, column: int) -> None:
        self.column = column
        self.count = 0
        self.version: int | None = None
        self._places: NDArray[np.int32] = np.zeros(0, dtype=np.int32)

    @property
    def rows(self) -> NDArray[np.int32]:
        """Row by SKU index: int32, shape (SKUs,). With a row in four bytes it is half as big as the cells."""
        return self._places[: self.count]

    def drop(self) -> None:
        """There are no SKUs any more."""
        self._places = self._places[:0]  # whoever has the rows of before keeps them
        self.count = 0

    def keep(self, start: int, rows: NDArray[np.int32]) -> None:
        """The SKUs from index `start` on are those of `rows`."""
        self.count = start + len(rows)
        if self.count > len(self._places):
            grown = np.zeros(self.count + (self.count // _SPARE if start else 0), dtype=np.int32)
            grown[:start] = self._places[:start]
            self._places = grown
        self._places[start : self.count] = rows


class AvailabilityModel:
    """Units free per SKU and location before quotas, and the sparse unused quotas.

    Attributes:
        skus: SKU by row.
        rows: row by SKU.
        free: int64 (rows, columns), possibly negative.
        quotas: row -> column -> channel -> unused units.
        dated: incoming supply and waiting units by date.
        listeners: called with (location, changed rows) after every change.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self.skus: list[str] = []
        self.rows: dict[str, int] = {}
        self.free = Cells()
        self.quotas: dict[int, dict[int, dict[str, int]]] = {}
        self.dated = DatedModel()
        self._capacity = CapacityModel()
        self.listeners: list[Listener] = []
        self._columns: dict[str, _Column] = {}
        self._left: list[int] = []
        self._heard_s: NDArray[np.float64] = np.full(self.free.width, -np.inf)

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

    def expect(self, locations: Iterable[str]) -> None:
        """Make room for these locations at once, in the order of names, as reads of many of them go."""
        for location in sorted(locations):
            self._column(location)

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
            rows = column.rows
            self._clear(column)
            self._heard_s[column.column] = -np.inf
            self._left.append(column.column)
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
        cells = self.free.read(rows, columns)
        if self.quotas:
            self._keep_quotas(cells, rows, columns, channel)
        np.maximum(cells, 0, out=cells)
        return cells

    def units(self, sku: str, location: str, channel: str) -> int:
        """One cell of `available`; 0 for a SKU or a location that is not known."""
        row, column = self.rows.get(sku), self._columns.get(location)
        if row is None or column is None:
            return 0
        unused = self.quotas.get(row, {}).get(column.column, {})
        return max(0, self.free[row, column.column] - sum(unused.values()) + unused.get(channel, 0))

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
        cells = self.free.read(rows, columns)
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
                kept = np.zeros(self.free.width, dtype=np.int64)
                kept[list(by_column)] = [sum(unused.values()) - unused.get(channel, 0) for unused in by_column.values()]
                cells[r] -= kept[columns]

    def _take(self, column: _Column, data: bytes, *, whole: bool) -> NDArray[np.int32]:
        """Take over one change; the rows it is about."""
        index_bytes, free_bytes, limited, start, names, dated, capacity = codec.unpack(data)
        before = column.rows
        if whole:
            self._clear(column)
        if names:
            column.keep(start, self._rows_of(names))
        known = column.rows
        rows: NDArray[np.int32] = known[np.frombuffer(index_bytes, dtype="<i4")]
        self.free.write(rows, column.column, np.frombuffer(free_bytes, dtype="<i8"))
        for index, unused in limited:
            self.quotas.setdefault(int(known[index]), {})[column.column] = unused
        for index, steps in dated:
            self.dated.replace(int(known[index]), column.column, steps)
        if capacity is not None:
            self._capacity.take(column.column, capacity)
        return np.union1d(before, rows) if whole and _lost(before, known) else rows

    def _clear(self, column: _Column) -> None:
        self.free.write(column.rows, column.column, 0)
        column.drop()
        for by_column in self.quotas.values():
            by_column.pop(column.column, None)
        self.dated.forget(column.column)
        self._capacity.forget(column.column)

    def _rows_of(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The rows of SKUs, new ones for those that have none yet. A million names at once: no loop of Python's."""
        found = list(map(self.rows.get, names))
        if None in found:
            new = [name for name, row in zip(names, found, strict=True) if row is None]
            fresh = range(len(self.skus), len(self.skus) + len(new))
            self.rows.update(zip(new, fresh, strict=True))
            self.skus += new
            self.free.grow(len(self.skus), 0)
            places = iter(fresh)
            found = [next(places) if row is None else row for row in found]
        return np.array(found, dtype=np.int32)

    def _column(self, location: str) -> _Column:
        column = self._columns.get(location)
        if column is None:
            place = self._left.pop() if self._left else len(self._columns)
            column = self._columns[location] = _Column(place)
            self.free.grow(0, place + 1)
            missing = self.free.width - len(self._heard_s)
            if missing > 0:
                self._heard_s = np.concatenate((self._heard_s, np.full(missing, -np.inf)))
        return column


def _lost(before: NDArray[np.int32], after: NDArray[np.int32]) -> bool:
    """Whether a location may have had SKUs before that it has no more: it mostly has the same ones, and some more."""
    return len(before) > len(after) or not np.array_equal(before, after[: len(before)])
