"""The reader, over all units."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from allocator.journal.backend import Backend
from allocator.journal.catalog import Catalog
from allocator.journal.database import Database
from allocator.journal.errors import FormatUnknown, JournalDamaged, JournalError, ShardUnknown, Trimmed
from allocator.journal.formats import Chain
from allocator.journal.limits import READ_BYTES_MAX, READER_UNITS_MAX
from allocator.journal.port import Damage, Entry, EntryDetail, JournalReader, ShardStatus, Snapshot
from allocator.journal.rows import (
    HEAD_MISSING,
    Place,
    ShardView,
    load_head,
    load_snapshot,
    load_snapshot_row,
    stored_entries,
)
from allocator.journal.verify import damages, row_damage

_MOVES_MAX: Final = 3
_T = TypeVar("_T")


class SqlJournalReader(JournalReader):
    """Reads the journal of SQLite or PostgreSQL, from any thread. Made by `JournalStore.reader`."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self._tables = backend, backend.tables.journal
        self._catalog = Catalog(backend.catalog_for_reading(), backend.tables.catalog)
        self._units = _Units(backend)

    def shards(self) -> list[str]:
        """Name the shards that a writer opened, sorted."""
        return sorted(shard for shard, placed in self._catalog.places().items() if placed.started)

    def head(self, shard: str) -> int:
        """Return the version of the last entry, 0 before the first."""
        return self._view(shard, lambda view: view.head.version)

    def read(self, shard: str, after_version: int, limit: int) -> list[Entry]:
        """Return the entries that follow a version; see `JournalReader.read`."""
        return self._view(shard, lambda view: _read(view, after_version, limit))

    def latest_snapshot(self, shard: str) -> Snapshot | None:
        """Return the newest whole snapshot, checked."""
        return self._view(shard, lambda view: load_snapshot(view.connection, view.tables, view.place, view.head))

    def status(self, shard: str) -> ShardStatus:
        """Tell where the shard stands."""
        return self._view(shard, _status)

    def inspect(self, shard: str, after_version: int, limit: int) -> list[EntryDetail]:
        """Return stored entries as they are."""
        return self._view(shard, lambda view: _inspect(view, after_version, limit))

    def verify(self, shard: str) -> Iterator[Damage]:
        """Walk over everything stored for the shard; see `JournalReader.verify`."""
        try:
            yield from damages(lambda work: self._view(shard, work))
        except (JournalDamaged, FormatUnknown) as error:
            # The walk cannot go on. SQLite's own check may tell more about the file.
            yield Damage(error.file, shard, error.version, error.what)
            yield from (Damage(error.file, shard, None, line) for line in self._file_findings(shard))

    def close(self) -> None:
        """Close the catalog and the units."""
        self._catalog.close()
        self._units.close()

    def _view(self, shard: str, work: Callable[[ShardView], _T]) -> _T:
        """Do `work` on a consistent view of the shard.

        The catalog is asked each time: a service that starts again may have moved the shard meanwhile.
        """
        where = ""
        for _ in range(_MOVES_MAX):
            unit = self._unit_of(shard)
            database = self._units.get(unit)
            with database.reading(shard) as connection:
                place = Place(database.where, shard)
                head = load_head(connection, self._tables, place)
                if head is not None:
                    return work(ShardView(connection, self._tables, place, head, unit))
            where = database.where
        raise JournalDamaged(where, shard, None, HEAD_MISSING)

    def _unit_of(self, shard: str) -> str:
        placed = self._catalog.placed(shard)
        if placed is None or not placed.started:
            raise ShardUnknown(shard, self._backend.where)
        return placed.unit

    def _file_findings(self, shard: str) -> list[str]:
        try:
            return self._backend.file_findings(self._units.get(self._unit_of(shard)))
        except JournalError as error:
            return [f"the database's own check ended early: {error}"]


class _Units:
    """The units a reader has open, the most recently used ones."""

    def __init__(self, backend: Backend) -> None:
        self._backend, self._lock = backend, threading.Lock()
        self._open: OrderedDict[str, Database] = OrderedDict()

    def get(self, unit: str) -> Database:
        with self._lock:
            database = self._open.pop(unit, None) or self._backend.unit_for_reading(unit)
            self._open[unit] = database
            if len(self._open) > READER_UNITS_MAX:
                # Another thread may be reading from it: a connection in use is closed when it comes back.
                self._open.popitem(last=False)[1].close()
            return database

    def close(self) -> None:
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()


def _read(view: ShardView, after_version: int, limit: int) -> list[Entry]:
    if after_version < view.head.trimmed:
        raise Trimmed(view.place.shard, view.head.trimmed + 1)
    chain = Chain(view.place.file, view.place.shard, after_version, view.head.epoch)
    entries: list[Entry] = []
    size = 0
    with stored_entries(view.connection, view.tables, view.place, after_version, limit) as rows:
        for row in rows:
            entries.append(chain.take(row))
            size += len(row.payload)
            if size > READ_BYTES_MAX:
                return entries
    if len(entries) < limit:
        chain.end(max(view.head.version, after_version))
    return entries


def _status(view: ShardView) -> ShardStatus:
    head, place = view.head, view.place
    snapshot = load_snapshot_row(view.connection, view.tables, place, head)
    return ShardStatus(
        place.shard,
        view.unit,
        place.file,
        head.epoch,
        head.version,
        head.trimmed + 1,
        snapshot.version if snapshot else None,
        snapshot.size if snapshot else 0,
    )


def _inspect(view: ShardView, after_version: int, limit: int) -> list[EntryDetail]:
    details: list[EntryDetail] = []
    size = 0
    with stored_entries(view.connection, view.tables, view.place, after_version, limit) as rows:
        for row in rows:
            what = row_damage(view, row)
            details.append(EntryDetail(row.version, row.epoch, row.format, row.checksum, row.payload, what))
            size += len(row.payload or b"")
            if size > READ_BYTES_MAX:
                break
    return details
