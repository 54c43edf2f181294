"""Moving shards between the files of units, before any writer is open.

The catalog is the truth, and every step may be repeated. A move is: seal the shard where it is (a writer that
was left over is fenced and cannot open it again), copy it in one transaction, tell the catalog, delete the
original. After a crash the next assignment finds either the original, and copies again, or a left-over, and
deletes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
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
        JournalDamaged: a unit has entries of a shard that the catalog does not know; or its file cannot be read, and
            one of its shards is to move, or the catalog does not know which it has. A damaged unit whose shards stay
            is passed over: its writer and its readers find out, and the other units can go on.
    """
    wanted = _by_shard(units)
    moves: list[Moved] = []
    if isinstance(backend, SqliteBackend):
        moves = _moves(catalog, wanted)
        _tidy(backend, catalog, moves)
        for way in sorted({(moved.source, moved.destination) for moved in moves}):
            shards = [moved.shard for moved in moves if (moved.source, moved.destination) == way]
            with closing(Move(backend, catalog, *way)) as move:
                deque(move.steps(shards), maxlen=0)  # every step
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


class _Found(NamedTuple):
    unit: str
    shard: str
    version: int
    sealed: bool


def _tidy(backend: SqliteBackend, catalog: Catalog, moves: Sequence[Moved]) -> None:
    """Delete what moves left over, unseal what they left sealed, find shards the catalog lost."""
    places = catalog.places()
    homes = {shard: placed.unit for shard, placed in places.items()}
    staying = {placed.unit for placed in places.values() if placed.started} - {moved.source for moved in moves}
    found, damaged = _found(backend, may_be_damaged=staying)
    # What is left over of a shard in a damaged unit may be the better copy: it is not touched.
    found = [at for at in found if homes.get(at.shard) not in damaged]
    versions = {(at.unit, at.shard): at.version for at in found}
    for at in found:
        # A left-over is never ahead of the original. If it is, the catalog is wrong: an old backup, say.
        if at.version > versions.get((homes.get(at.shard, ""), at.shard), 0):
            lost = f"it does not know that unit {at.unit!r} has this shard, up to entry {at.version}"
            raise JournalDamaged(str(backend.catalog_path), at.shard, None, lost)
    for unit in sorted({at.unit for at in found}):
        left_over = [at.shard for at in found if at.unit == unit and homes.get(at.shard, unit) != unit]
        sealed = [at.shard for at in found if at.unit == unit and homes.get(at.shard) == unit and at.sealed]
        if left_over or sealed:
            with closing(backend.writer_unit(unit)) as database:
                _forget(database, backend.tables.journal, left_over)
                _unseal(database, backend.tables.journal, sealed)


def _found(backend: SqliteBackend, may_be_damaged: Collection[str]) -> tuple[list[_Found], set[str]]:
    """List the heads of all units, in whatever state, and the units that cannot be read but for once need not."""
    found: list[_Found] = []
    damaged: set[str] = set()
    for unit in backend.units():
        try:
            found += _heads(backend, unit)
        except JournalDamaged:
            if unit not in may_be_damaged:
                raise
            damaged.add(unit)
    return found, damaged


def _heads(backend: SqliteBackend, unit: str) -> list[_Found]:
    heads = backend.tables.journal.heads
    with closing(backend.writer_unit(unit)) as database, database.reading() as connection:
        rows = connection.execute(select(heads.c.shard, heads.c.version, heads.c.sealed))
        return [_Found(unit, row.shard, row.version, bool(row.sealed)) for row in rows]


def _forget(database: Database, tables: JournalTables, shards: Sequence[str]) -> None:
    if shards:
        with database.writing(shards[0]) as connection:
            for shard in shards:
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

    def steps(self, shards: Sequence[str]) -> Iterator[None]:
        """Move shards; each step is durable when this yields, and the move may end after any of them."""
        self._seal(shards)
        yield
        for shard in shards:
            # One by one: together they may be larger than a transaction should be.
            self._copy(shard)
            yield
        self._catalog.place(dict.fromkeys(shards, self._destination))
        yield
        _forget(self._source, self._tables, shards)
        yield

    def close(self) -> None:
        """Close both files."""
        self._both.close()
        self._source.close()

    def _seal(self, shards: Sequence[str]) -> None:
        """Fence a writer that is left over, and keep it from opening the shards again."""
        heads = self._tables.heads
        with self._source.writing(shards[0]) as connection:
            for shard in shards:
                sealed = update(heads).where(heads.c.shard == shard).values(epoch=heads.c.epoch + 1, sealed=1)
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
