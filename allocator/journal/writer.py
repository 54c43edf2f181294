"""The writer: epochs, appends, and what `snapshots.py` does for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Insert, Update, bindparam, delete, insert, update

from allocator.journal.backend import Backend
from allocator.journal.catalog import Catalog
from allocator.journal.database import Database
from allocator.journal.errors import Fenced, JournalError, ShardElsewhere, TooLarge, VersionGap
from allocator.journal.formats import FORMAT, entry_checksum
from allocator.journal.limits import CUT_ROWS_MAX, ENTRY_BYTES_MAX
from allocator.journal.names import checked_shard
from allocator.journal.port import Journal, Opened, Snapshot, Write
from allocator.journal.rows import (
    HEAD_MISSING,
    Place,
    SnapshotRow,
    load_chunks,
    load_head,
    load_snapshot,
    load_snapshot_row,
    load_tail,
)
from allocator.journal.snapshots import SnapshotWriter
from allocator.journal.tables import upsert


class _HeadsStayedError(Exception):
    """Rolls an append back: not every head moved."""


class _Compiled:
    """A statement in the words of the database, to be run for many rows."""

    def __init__(self, statement: Update | Insert, database: Database) -> None:
        compiled = statement.compile(dialect=database.engine.dialect)
        self._text = str(compiled)
        self._order: Sequence[str] | None = getattr(compiled, "positiontup", None)  # None: rows are given by name

    def run(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Run it for each of the rows; returns how many rows of the table it concerned."""
        if self._order is None:
            return connection.exec_driver_sql(self._text, rows).rowcount
        cursor = connection.connection.cursor()  # SQLite's own: half of the time would go into what is around it
        cursor.executemany(self._text, [tuple([row[name] for name in self._order]) for row in rows])
        return cursor.rowcount


class SqlJournal(Journal):
    """The journal of one unit, in SQLite or PostgreSQL. Made by `JournalStore.writer`."""

    def __init__(self, backend: Backend, unit: str) -> None:
        self._unit, self._unit_files, self._tables = unit, backend.unit_files, backend.tables.journal
        self._database, catalog = backend.writer(unit)
        self._catalog = Catalog(catalog, backend.tables.catalog)
        self._snapshots = SnapshotWriter(self._database, self._tables)
        self._checked: dict[str, SnapshotRow] = {}  # snapshots that were read back once, by shard
        self._upkeep = threading.Lock()  # one snapshot or cut at a time
        self._prepare()

    def _prepare(self) -> None:
        heads, entries = self._tables.heads, self._tables.entries
        current = (
            heads.c.shard == bindparam("of"),
            heads.c.epoch == bindparam("by"),
            heads.c.version == bindparam("before"),
        )
        # Compiled once: an append is a few rows, and making its statements anew costs as much as running them.
        self._advance = _Compiled(update(heads).where(*current).values(version=bindparam("after")), self._database)
        self._insert = _Compiled(insert(entries), self._database)

    def open(self, shard: str) -> Opened:
        """Take a new epoch; see `Journal.open`."""
        placed = self._catalog.placed(checked_shard(shard))
        if self._unit_files and placed is not None and placed.unit != self._unit:
            raise ShardElsewhere(shard, self._unit, placed.unit)
        started = placed is not None and placed.started
        epoch = self._take_epoch(shard, started=started)
        if not started:
            home = self._catalog.start(shard, self._unit, anywhere=not self._unit_files)
            if self._unit_files and home != self._unit:
                raise ShardElsewhere(shard, self._unit, home)
        return self._recover(shard, epoch)

    def append(self, writes: Sequence[Write]) -> None:
        """Append all or nothing; see `Journal.append`."""
        if not writes:
            return
        # Prepared before the transaction, which holds the file.
        advances = _advances(writes)
        rows = [_row(write) for write in writes]
        try:
            with self._database.writing(writes[0].shard) as connection:
                if self._advance.run(connection, advances) != len(advances):
                    raise _HeadsStayedError
                self._insert.run(connection, rows)
        except _HeadsStayedError:
            raise self._refusal(advances) from None

    def save_snapshot(self, shard: str, epoch: int, snapshot: Snapshot) -> None:
        """Store a snapshot in pieces; see `Journal.save_snapshot`."""
        with self._upkeep:
            self._snapshots.save(shard, epoch, snapshot)

    def cut(self, shard: str) -> int:
        """Delete what nobody needs any more; see `Journal.cut`."""
        with self._upkeep:
            trimmed, bound = self._cut_range(shard)
            count = 0
            while trimmed < bound:
                upto = min(bound, trimmed + CUT_ROWS_MAX)
                count += self._cut_upto(shard, upto)
                trimmed = upto
            return count

    def close(self) -> None:
        """Close the unit and the catalog."""
        self._database.close()
        self._catalog.close()

    def _take_epoch(self, shard: str, *, started: bool) -> int:
        heads = self._tables.heads
        with self._database.writing(shard) as connection:
            if not started:
                new = {"shard": shard, "epoch": 0, "version": 0, "trimmed": 0, "sealed": 0}
                connection.execute(upsert(connection, heads).on_conflict_do_nothing(), new)
            head = load_head(connection, self._tables, self._place(shard), lock=True)
            if head is None:
                raise self._place(shard).damaged(None, HEAD_MISSING)
            if head.sealed:
                raise ShardElsewhere(shard, self._unit, "another unit it is being moved to")
            connection.execute(update(heads).where(heads.c.shard == shard).values(epoch=head.epoch + 1))
            return head.epoch + 1

    def _recover(self, shard: str, epoch: int) -> Opened:
        place = self._place(shard)
        with self._database.reading(shard) as connection:
            head = load_head(connection, self._tables, self._place(shard))
            if head is None or head.epoch != epoch:
                raise Fenced(shard, epoch, head and head.epoch)
            snapshot = load_snapshot(connection, self._tables, place, head)
            if snapshot is None and head.trimmed:
                raise place.damaged(None, f"its entries up to {head.trimmed} were cut, and there is no snapshot")
            after_version = snapshot.version if snapshot else 0
            return Opened(epoch, snapshot, load_tail(connection, self._tables, place, after_version, head))

    def _refusal(self, advances: list[dict[str, Any]]) -> JournalError:
        """Find the write that does not fit, once it is known that there is one, and all was rolled back."""
        with self._database.reading(advances[0]["of"]) as connection:
            places = [self._place(advance["of"]) for advance in advances]
            heads = {place.shard: load_head(connection, self._tables, place) for place in places}
        for of, by, before in ((advance["of"], advance["by"], advance["before"]) for advance in advances):
            head = heads[of]
            if head is None or head.epoch != by:
                return Fenced(of, by, head and head.epoch)
            if head.version != before:
                return VersionGap(of, head.version + 1, before + 1)
        # Versions and epochs only grow, so what did not fit a moment ago still does not.
        return self._place(advances[0]["of"]).damaged(None, "its head does not move")

    def _cut_range(self, shard: str) -> tuple[int, int]:
        """Return the last version cut, and the last that may be, by a snapshot that was checked."""
        slowest = self._catalog.slowest(shard)
        with self._database.reading(shard) as connection:
            head = load_head(connection, self._tables, self._place(shard))
            snapshot = head and load_snapshot_row(connection, self._tables, self._place(shard), head)
            if head is None or snapshot is None:
                return 0, 0
            bound = snapshot.version if slowest is None else min(snapshot.version, slowest)
            if bound > head.trimmed:
                self._read_back(connection, shard, snapshot)
            return head.trimmed, bound

    def _read_back(self, connection: Connection, shard: str, snapshot: SnapshotRow) -> None:
        if self._checked.get(shard) != snapshot:
            for _ in load_chunks(connection, self._tables, self._place(shard), snapshot):
                pass
            self._checked[shard] = snapshot

    def _cut_upto(self, shard: str, upto: int) -> int:
        entries, heads = self._tables.entries, self._tables.heads
        with self._database.writing(shard) as connection:
            connection.execute(update(heads).where(heads.c.shard == shard, heads.c.trimmed < upto).values(trimmed=upto))
            gone = delete(entries).where(entries.c.shard == shard, entries.c.version <= upto)
            return connection.execute(gone).rowcount

    def _place(self, shard: str) -> Place:
        return Place(self._database.where, shard)


def _advances(writes: Sequence[Write]) -> list[dict[str, Any]]:
    """Say from where to where heads move; sorted, so that two writers never wait for each other."""
    advances: dict[str, dict[str, Any]] = {}
    for shard, epoch, entry in writes:
        advance = advances.setdefault(
            shard, {"of": shard, "by": epoch, "before": entry.version - 1, "after": entry.version - 1}
        )
        if epoch != advance["by"]:
            raise Fenced(shard, min(epoch, advance["by"]), max(epoch, advance["by"]))
        if entry.version != advance["after"] + 1:
            raise VersionGap(shard, advance["after"] + 1, entry.version)
        advance["after"] = entry.version
    return [advances[shard] for shard in sorted(advances)]


def _row(write: Write) -> dict[str, Any]:
    shard, epoch, (version, payload) = write
    if len(payload) > ENTRY_BYTES_MAX:
        raise TooLarge(shard, version, len(payload), ENTRY_BYTES_MAX)
    return {
        "shard": shard,
        "version": version,
        "format": FORMAT,
        "epoch": epoch,
        "checksum": entry_checksum(shard, version, epoch, payload),
        "payload": payload,
    }
