"""Saving a snapshot: many small transactions, so that appends go on, and one that makes it visible whole."""

from __future__ import annotations

from sqlalchemy import Connection, and_, bindparam, delete, insert, not_, select

from allocator.journal.database import Database
from allocator.journal.errors import Fenced, TooLarge, VersionGap
from allocator.journal.formats import FORMAT, chunk_checksum, snapshot_checksum
from allocator.journal.limits import SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES, STALE_CHUNKS_MAX
from allocator.journal.port import Snapshot
from allocator.journal.rows import Head, Place, SnapshotRow, load_head, load_snapshot_row
from allocator.journal.tables import JournalTables


class SnapshotWriter:
    """Saves the snapshots of a unit's shards; one at a time."""

    def __init__(self, database: Database, tables: JournalTables) -> None:
        self._database, self._tables = database, tables

    def save(self, shard: str, epoch: int, snapshot: Snapshot) -> None:
        """Save a snapshot; see `Journal.save_snapshot`."""
        version, payload = snapshot
        if len(payload) > SNAPSHOT_BYTES_MAX:
            raise TooLarge(shard, version, len(payload), SNAPSHOT_BYTES_MAX)
        visible = self._visible(shard, epoch, version)
        if visible is not None and visible.version >= version:
            return
        # What an earlier attempt left half-done would be in the way.
        self._drop_stale(shard, epoch, visible)
        chunks = self._save_chunks(shard, epoch, snapshot)
        self._publish(shard, SnapshotRow(version, epoch, chunks, len(payload)))
        self._drop_stale(shard, epoch, SnapshotRow(version, epoch, chunks, len(payload)))

    def _visible(self, shard: str, epoch: int, version: int) -> SnapshotRow | None:
        with self._database.reading(shard) as connection:
            place = Place(self._database.where, shard)
            head = load_head(connection, self._tables, place)
            if head is None or head.epoch != epoch:
                raise Fenced(shard, epoch, head and head.epoch)
            if version > head.version:
                raise VersionGap(shard, head.version, version)
            return load_snapshot_row(connection, self._tables, place, head)

    def _save_chunks(self, shard: str, epoch: int, snapshot: Snapshot) -> int:
        version, payload = snapshot
        count = max(1, -(-len(payload) // SNAPSHOT_CHUNK_BYTES))
        for number in range(count):
            chunk = payload[number * SNAPSHOT_CHUNK_BYTES : (number + 1) * SNAPSHOT_CHUNK_BYTES]
            key = {"shard": shard, "version": version, "epoch": epoch, "number": number}
            row = {**key, "checksum": chunk_checksum(shard, version, epoch, number, chunk), "payload": chunk}
            with self._database.writing(shard) as connection:
                self._check_epoch(connection, shard, epoch)
                connection.execute(insert(self._tables.chunks), row)
        return count

    def _publish(self, shard: str, row: SnapshotRow) -> None:
        snapshots = self._tables.snapshots
        checksum = snapshot_checksum(shard, row.version, row.epoch, row.chunks, row.size)
        with self._database.writing(shard) as connection:
            self._check_epoch(connection, shard, row.epoch, lock=True)
            connection.execute(delete(snapshots).where(snapshots.c.shard == shard))
            values = {"shard": shard, "format": FORMAT, "checksum": checksum, **row._asdict()}
            connection.execute(insert(snapshots), values)

    def _drop_stale(self, shard: str, epoch: int, keep: SnapshotRow | None) -> None:
        """Delete pieces of no visible snapshot, a few at a time.

        Only up to the own epoch: on PostgreSQL a fenced writer may come here late, while its successor saves.
        """
        chunks = self._tables.chunks
        stale = [chunks.c.shard == shard, chunks.c.epoch <= epoch]
        if keep is not None:
            stale.append(not_(and_(chunks.c.version == keep.version, chunks.c.epoch == keep.epoch)))
        some = select(chunks.c.version, chunks.c.epoch, chunks.c.number).where(*stale).limit(STALE_CHUNKS_MAX)
        one = delete(chunks).where(
            chunks.c.shard == shard,
            chunks.c.version == bindparam("of_version"),
            chunks.c.epoch == bindparam("of_epoch"),
            chunks.c.number == bindparam("of_number"),
        )
        gone = STALE_CHUNKS_MAX
        while gone == STALE_CHUNKS_MAX:
            with self._database.writing(shard) as connection:
                self._check_epoch(connection, shard, epoch)
                keys = [
                    dict(zip(("of_version", "of_epoch", "of_number"), row, strict=True))
                    for row in connection.execute(some)
                ]
                gone = len(keys)
                if keys:
                    connection.execute(one, keys)

    def _check_epoch(self, connection: Connection, shard: str, epoch: int, *, lock: bool = False) -> Head:
        head = load_head(connection, self._tables, Place(self._database.where, shard), lock=lock)
        if head is None or head.epoch != epoch:
            raise Fenced(shard, epoch, head and head.epoch)
        return head
