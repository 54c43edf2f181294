"""The tables, for SQLite and PostgreSQL alike. Nothing here talks to a database."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import INTEGER, TypeEngine


def _integer() -> TypeEngine[int]:
    # STRICT tables of SQLite know INTEGER (64 bits there) and no BIGINT.
    return BigInteger().with_variant(INTEGER(), "sqlite")


def _number(name: str, *, key: bool = False) -> Column[int]:
    return Column(name, _integer(), primary_key=key, nullable=False, autoincrement=False)


def _text(name: str, *, key: bool = False) -> Column[str]:
    return Column(name, Text(), primary_key=key, nullable=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary(), nullable=False)


def _table(metadata: MetaData, name: str, *columns: Column[int] | Column[str] | Column[bytes]) -> Table:
    return Table(name, metadata, *columns, sqlite_strict=True)


@dataclass(frozen=True, eq=False)
class JournalTables:
    """What a unit holds.

    Attributes:
        metadata: all of them.
        heads: one row for each shard: its epoch, the version of its last entry, the last version cut, and
            whether it is sealed (being moved to another unit).
        entries: the log.
        snapshots: one row for each visible snapshot; written after all of its chunks.
        chunks: the pieces of snapshots.
    """

    metadata: MetaData
    heads: Table
    entries: Table
    snapshots: Table
    chunks: Table


@dataclass(frozen=True, eq=False)
class CatalogTables:
    """What is known across units.

    Attributes:
        metadata: all of them.
        layout: one row: the layout of the tables.
        shards: which unit a shard lives in, and whether a writer ever opened it.
        cursors: registered cursors, and whether they follow every shard.
        positions: how far a cursor has come with a shard.
    """

    metadata: MetaData
    layout: Table
    shards: Table
    cursors: Table
    positions: Table


@dataclass(frozen=True, eq=False)
class Layout:
    """Both sets of tables in one schema.

    Attributes:
        schema: of PostgreSQL; None on SQLite.
        journal: what a unit holds.
        catalog: what is known across units.
    """

    schema: str | None = None
    journal: JournalTables = field(init=False)
    catalog: CatalogTables = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "journal", journal_tables(self.schema))
        object.__setattr__(self, "catalog", catalog_tables(self.schema))


def journal_tables(schema: str | None) -> JournalTables:
    """Describe the tables of a unit."""
    metadata = MetaData(schema=schema)
    key = {"key": True}
    return JournalTables(
        metadata,
        heads=_table(
            metadata, "heads", _text("shard", **key), *map(_number, ("epoch", "version", "trimmed", "sealed"))
        ),
        entries=_table(
            metadata,
            "entries",
            _text("shard", **key),
            _number("version", **key),
            *map(_number, ("format", "epoch", "checksum")),
            _bytes("payload"),
        ),
        snapshots=_table(
            metadata,
            "snapshots",
            _text("shard", **key),
            _number("version", **key),
            *map(_number, ("format", "epoch", "chunks", "size", "checksum")),
        ),
        chunks=_table(
            metadata,
            "snapshot_chunks",
            _text("shard", **key),
            _number("version", **key),
            _number("epoch", **key),
            _number("number", **key),
            _number("checksum"),
            _bytes("payload"),
        ),
    )


def catalog_tables(schema: str | None) -> CatalogTables:
    """Describe the tables known across units."""
    metadata = MetaData(schema=schema)
    key = {"key": True}
    return CatalogTables(
        metadata,
        layout=_table(metadata, "layout", _number("version", **key)),
        shards=_table(metadata, "shards", _text("shard", **key), _text("unit"), _number("started")),
        cursors=_table(metadata, "cursors", _text("name", **key), _number("every_shard")),
        positions=_table(metadata, "cursor_positions", _text("name", **key), _text("shard", **key), _number("version")),
    )


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Insert with ON CONFLICT, which both databases spell the same and SQLAlchemy keeps in two places."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)
