"""Moving shards between the files of units, before any writer is open.

The catalog is the truth, and every step may be repeated. A move is: seal the shard where it is (a writer that
was left over is fenced and cannot open it again), copy it in one transaction, tell the catalog, delete the
original. After a crash the next assignment finds either the original, and copies again, or a left-over, and
deletes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from sqlalchemy import Connection, Table, delete, insert, literal, select, update

from allocator.journal.backend import Backend
from allocator.journal.catalog import Catalog
from allocator.journal.database import Database, closed_on_error
from allocator.journal.errors import JournalDamaged, SettingsInvalid
from allocator.journal.names import checked_shard
from allocator.journal.rows import HEAD_MISSING
from allocator.journal.sqlite import SqliteBackend
from allocator.journal.tables import JournalTables, journal_tables


class Moved(NamedTuple):
    """A shard that changed its unit.

    Attributes:
        shard: its name.
        source: the unit it was in.
        destination: the unit it is in.
    """

    shard: str
    source: str
    destination: str


def assign(backend: Backend, catalog: Catalog, units: Mapping[str, Sequence[str]]) -> list[Moved]:
    """Put every shard into the unit wanted for it; shards not named stay. Return what was moved.

    Raises:
        SettingsInvalid: a shard is in two units.
        JournalDamaged: a unit has entries of a shard that the catalog does not know.
    """
    wanted = _by_shard(units)
    moves: list[Moved] = []
    if isinstance(backend, SqliteBackend):
        _tidy(backend, catalog)
        moves = _moves(catalog, wanted)
        for way in sorted({(moved.source, moved.destination) for moved in moves}):
            shards = [moved.shard for moved in moves if (moved.source, moved.destination) == way]
            with closing(Move(backend, catalog, *way)) as move:
                for shard in shards:
                    deque(move.steps(shard), maxlen=0)  # every step
    catalog.place(wanted)
    return moves


def _by_shard(units: Mapping[str, Sequence[str]]) -> dict[str, str]:
    wanted: dict[str, str] = {}
    for unit, shards in units.items():
        for shard in shards:
            if wanted.setdefault(checked_shard(shard), unit) != unit:
                raise SettingsInvalid("shard", shard, f"it is both in unit {wanted[shard]!r} and in {unit!r}")
    return wanted


def _moves(catalog: Catalog, wanted: Mapping[str, str]) -> list[Moved]:
    return [
        Moved(shard, placed.unit, wanted[shard])
        for shard, placed in catalog.places().items()
        # A shard that no writer opened has no rows.
        if placed.started and wanted.get(shard, placed.unit) != placed.unit
    ]


def _tidy(backend: SqliteBackend, catalog: Catalog) -> None:
    """Delete what moves left over, unseal what they left sealed, find shards the catalog lost."""
    places, tables = catalog.places(), backend.tables.journal
    for unit in backend.units():
        database = backend.writer_unit(unit)
        try:
            with database.reading() as connection:
                heads = connection.execute(select(tables.heads)).all()
            known = {row.shard: places[row.shard].unit for row in heads if row.shard in places}
            for row in heads:
                if row.shard not in known and row.version:
                    raise JournalDamaged(
                        str(backend.catalog_path),
                        row.shard,
                        None,
                        f"it does not know this shard of unit {unit!r}",
                    )
            _forget(database, tables, [shard for shard, home in known.items() if home != unit])
            _unseal(database, tables, [row.shard for row in heads if row.sealed and known.get(row.shard) == unit])
        finally:
            database.close()


def _forget(database: Database, tables: JournalTables, shards: Iterable[str]) -> None:
    for shard in shards:
        with database.writing(shard) as connection:
            _delete(connection, tables, shard)


def _unseal(database: Database, tables: JournalTables, shards: Sequence[str]) -> None:
    if shards:
        with database.writing() as connection:
            connection.execute(update(tables.heads).where(tables.heads.c.shard.in_(shards)).values(sealed=0))


def _delete(connection: Connection, tables: JournalTables, shard: str) -> None:
    for table in (tables.chunks, tables.snapshots, tables.entries, tables.heads):
        connection.execute(delete(table).where(table.c.shard == shard))


class Move:
    """Moves shards from one unit's file to another's; to be closed."""

    def __init__(self, backend: SqliteBackend, catalog: Catalog, source: str, destination: str) -> None:
        self._catalog, self._destination = catalog, destination
        self._tables, self._original = backend.tables.journal, journal_tables("source")
        with closed_on_error(backend.writer_unit(source)) as self._source:
            self._both = backend.moving(source, destination)

    def steps(self, shard: str) -> Iterator[None]:
        """Move a shard; each step is durable when this yields, and the move may end after any of them."""
        self._seal(shard)
        yield
        self._copy(shard)
        yield
        self._catalog.place({shard: self._destination})
        yield
        _forget(self._source, self._tables, [shard])
        yield

    def close(self) -> None:
        """Close both files."""
        self._both.close()
        self._source.close()

    def _seal(self, shard: str) -> None:
        """Fence a writer that is left over, and keep it from opening the shard again."""
        heads = self._tables.heads
        sealed = update(heads).where(heads.c.shard == shard).values(epoch=heads.c.epoch + 1, sealed=1)
        with self._source.writing(shard) as connection:
            if connection.execute(sealed).rowcount != 1:
                raise JournalDamaged(self._source.where, shard, None, HEAD_MISSING)

    def _copy(self, shard: str) -> None:
        """Replace the destination's rows by the original's, checksums and all."""
        original, copies = self._original, self._tables
        pairs: list[tuple[Table, Table]] = [
            (original.entries, copies.entries),
            (original.snapshots, copies.snapshots),
            (original.chunks, copies.chunks),
            (original.heads, copies.heads),
        ]
        with self._both.writing(shard) as connection:
            _delete(connection, copies, shard)
            for rows, table in pairs:
                columns = [literal(0) if column.name == "sealed" else column for column in rows.c]
                chosen = select(*columns).where(rows.c.shard == shard)
                connection.execute(insert(table).from_select([column.name for column in rows.c], chosen))
