"""Reading stored rows back, with every check; what the writer and the reader share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Select, select

from allocator.journal.errors import FormatUnknown, JournalDamaged
from allocator.journal.formats import FORMATS_READ, Chain, chunk_checksum, payload_damage, snapshot_checksum
from allocator.journal.port import Entry, Snapshot
from allocator.journal.tables import JournalTables

CHUNKS_AT_ONCE: Final = 4
"""Pieces of a snapshot fetched at once."""
ENTRIES_AT_ONCE: Final = 256
"""Entries fetched at once."""
HEAD_MISSING: Final = "its head is missing, though it was written to before"


class Place(NamedTuple):
    """What messages name.

    Attributes:
        file: the SQLite file, or the database and schema.
        shard: whose rows they are.
    """

    file: str
    shard: str

    def damaged(self, version: int | None, what: str) -> JournalDamaged:
        """Make the error for damage at this place."""
        return JournalDamaged(self.file, self.shard, version, what)


class Head(NamedTuple):
    """A shard's row in `heads`.

    Attributes:
        epoch: of its newest writer.
        version: of its last entry.
        trimmed: the last version that was cut.
        sealed: whether it is being moved to another unit.
    """

    epoch: int
    version: int
    trimmed: int
    sealed: bool


class SnapshotRow(NamedTuple):
    """A shard's newest row in `snapshots`, checked.

    Attributes:
        version: the last entry it includes.
        epoch: of the writer that saved it.
        chunks: in how many pieces it is.
        size: bytes in all.
    """

    version: int
    epoch: int
    chunks: int
    size: int


class ShardView(NamedTuple):
    """A consistent view of one shard, while a reading transaction lasts.

    Attributes:
        connection: the transaction.
        tables: to select from.
        place: what messages name.
        head: the shard's head.
        unit: the unit the shard lives in.
    """

    connection: Connection
    tables: JournalTables
    place: Place
    head: Head
    unit: str


def load_head(connection: Connection, tables: JournalTables, place: Place, *, lock: bool = False) -> Head | None:
    """Read a shard's head; `lock` keeps it from changing until the transaction ends."""
    heads = tables.heads
    query = select(heads.c.epoch, heads.c.version, heads.c.trimmed, heads.c.sealed).where(heads.c.shard == place.shard)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        return None
    if not all(isinstance(number, int) for number in row):
        raise place.damaged(None, "its head has something that is no number")
    return Head(row.epoch, row.version, row.trimmed, bool(row.sealed))


@contextmanager
def stored_entries(
    connection: Connection, tables: JournalTables, place: Place, after_version: int, limit: int | None = None
) -> Iterator[Iterable[Row[Any]]]:
    """Read the stored entries after a version, in order, a few at a time; only numbers are where numbers belong.

    Raises:
        JournalDamaged: while the rows are taken, at one with something else in the place of a number.
    """
    entries = tables.entries
    columns = (entries.c.version, entries.c.format, entries.c.epoch, entries.c.checksum, entries.c.payload)
    chosen = select(*columns).where(entries.c.shard == place.shard, entries.c.version > after_version)
    with streamed(connection, chosen.order_by(entries.c.version).limit(limit), ENTRIES_AT_ONCE) as rows:
        yield (_numbered(place, row) for row in rows)


def _numbered(place: Place, row: Row[Any]) -> Row[Any]:
    if all(isinstance(number, int) for number in (row.version, row.format, row.epoch, row.checksum)):
        return row
    raise place.damaged(None, "an entry of it has something that is no number")


def load_tail(
    connection: Connection, tables: JournalTables, place: Place, after_version: int, head: Head
) -> list[Entry]:
    """Read every entry after a version up to the head, all of them checked."""
    chain = Chain(place.file, place.shard, after_version, head.epoch)
    with stored_entries(connection, tables, place, after_version) as rows:
        tail = [chain.take(row) for row in rows]
    chain.end(head.version)
    return tail


def load_snapshot_row(connection: Connection, tables: JournalTables, place: Place, head: Head) -> SnapshotRow | None:
    """Read the row of the newest snapshot, checked; None when there is no snapshot."""
    snapshots = tables.snapshots
    newest = select(snapshots).where(snapshots.c.shard == place.shard).order_by(snapshots.c.version.desc()).limit(1)
    row = connection.execute(newest).first()
    if row is None:
        return None
    if row.format not in FORMATS_READ:
        raise FormatUnknown(place.file, place.shard, row.version, row.format, FORMATS_READ)
    if row.checksum != snapshot_checksum(place.shard, row.version, row.epoch, row.chunks, row.size):
        raise place.damaged(row.version, "the row of its snapshot does not match its checksum")
    if row.version > head.version:
        raise place.damaged(row.version, f"its snapshot is beyond the shard's head {head.version}")
    return SnapshotRow(row.version, row.epoch, row.chunks, row.size)


def load_chunks(connection: Connection, tables: JournalTables, place: Place, row: SnapshotRow) -> Iterator[bytes]:
    """Read the pieces of a snapshot in order, each of them checked."""
    chunks = select_chunks(tables, place.shard, row)
    count = size = 0
    with streamed(connection, chunks, CHUNKS_AT_ONCE) as stored:
        for chunk in stored:
            if damage := chunk_damage(place.shard, row, count, chunk):
                raise place.damaged(row.version, damage)
            count, size = count + 1, size + len(chunk.payload)
            yield chunk.payload
    if (count, size) != (row.chunks, row.size):
        raise place.damaged(
            row.version, f"its snapshot has {count} pieces with {size} bytes of {row.chunks} with {row.size}"
        )


def load_snapshot(connection: Connection, tables: JournalTables, place: Place, head: Head) -> Snapshot | None:
    """Read the newest snapshot, all of it checked; None when there is none."""
    row = load_snapshot_row(connection, tables, place, head)
    if row is None:
        return None
    return Snapshot(row.version, b"".join(load_chunks(connection, tables, place, row)))


@contextmanager
def streamed(connection: Connection, query: Select[Any], at_once: int) -> Iterator[Iterable[Row[Any]]]:
    """Run a query whose rows are fetched a few at a time; it ends with the block, though rows may be left."""
    with connection.execute(query, execution_options={"yield_per": at_once}) as result:
        yield result


def select_chunks(tables: JournalTables, shard: str, row: SnapshotRow) -> Select[Any]:
    """Select the pieces of a snapshot, in order."""
    chunks = tables.chunks
    chosen = select(chunks.c.number, chunks.c.checksum, chunks.c.payload).where(
        chunks.c.shard == shard, chunks.c.version == row.version, chunks.c.epoch == row.epoch
    )
    return chosen.order_by(chunks.c.number)


def chunk_damage(shard: str, row: SnapshotRow, number: int, chunk: Row[Any]) -> str:
    """Tell what is wrong with the piece of a snapshot that should be `number`; empty when it is sound."""
    if chunk.number != number:
        return f"piece {number} of its snapshot is missing"
    checksum = partial(chunk_checksum, shard, row.version, row.epoch, number)
    damage = payload_damage(chunk.payload, chunk.checksum, checksum)
    return damage and f"piece {number} of its snapshot: {damage}"
