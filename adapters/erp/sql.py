"""A SQL database as ERP target: tables that any ERP or report can read, SQLite by default, PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pydantic import Field
from sqlalchemy import Connection, Engine, Executable, Table, delete, insert, inspect, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.schema import CreateSchema

from adapters.erp.port import ErpOptions, ErpTarget, Position, Posting, Refusal
from adapters.erp.sql_engine import make_engine, parse_url, translated
from adapters.erp.sql_tables import LAYOUT, ErpTables, erp_tables
from adapters.errors import AdapterError, AdapterSettingsError
from adapters.formats.movement import time_of

ROWS_MAX: Final = 500
"""Rows of one statement."""
_SET_UP_LOCK: Final = 0x616C6C6F5F657270  # "allo_erp"


class SqlOptions(ErpOptions):
    """Settings of the SQL target."""

    url: str = Field(
        "", description="sqlite:///FILE or postgresql://USER@HOST/DATABASE; data_dir/erp/NAME.sqlite", repr=False
    )
    schema_name: str = Field(
        "erp", pattern=r"^[a-z_][a-z0-9_]{0,62}$", description="schema of the tables, on PostgreSQL"
    )


class SqlErp(ErpTarget):
    """Postings, positions and the cursor in one database: a posting and the cursor behind it are one transaction.

    Args:
        name: of the adapter.
        options: its settings.
        data_dir: where the SQLite file is by default; relative paths begin here.

    Raises:
        AdapterSettingsError: the address cannot be used.
    """

    Options = SqlOptions

    def __init__(self, name: str, options: SqlOptions, data_dir: Path) -> None:
        self._url = parse_url(options.url, data_dir / "erp" / f"{name}.sqlite", data_dir)
        self._schema = options.schema_name if self._url.get_backend_name() == "postgresql" else None
        self.tables: ErpTables = erp_tables(self._schema)
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The database, once it is open."""
        if self._engine is None:
            raise AdapterError("the SQL target is not open")
        return self._engine

    def open(self) -> None:
        """Connect, and make the tables that are missing.

        Raises:
            AdapterSettingsError: the tables are those of another release.
        """
        with translated():
            if self._schema is None:
                Path(str(self._url.database)).parent.mkdir(parents=True, exist_ok=True)
            engine = make_engine(self._url)
            try:
                with engine.begin() as connection:
                    self._set_up(connection)
            except BaseException:
                engine.dispose()
                raise
        self._engine = engine

    def cursor(self, location: str) -> int:
        """Return how far the postings of a location are."""
        with translated(), self.engine.begin() as connection:
            return self._versions(connection, location)[0]

    def post(self, location: str, version: int, postings: Sequence[Posting], posted_ns: int) -> tuple[Refusal, ...]:
        """Post what follows the cursor; see `ErpTarget.post`. Refused rows go into `set_aside`."""
        posted_at = time_of(posted_ns)
        with translated(), self.engine.begin() as connection:
            cursor, _ = self._versions(connection, location)
            rows = [_posting_row(posting, posted_at) for posting in postings if posting.version > cursor]
            refused = _write(connection, insert(self.tables.postings), rows)
            for row, reason in refused:
                connection.execute(insert(self.tables.set_aside), {**row, "refusal": reason})
            if version > cursor:
                self._move(connection, location, {"version": version, "updated_at": posted_at})
        return tuple(Refusal(f"{row['posting_id']} line {row['line']}", reason) for row, reason in refused)

    def put_positions(
        self, location: str, version: int, positions: Iterable[Position], *, whole: bool
    ) -> tuple[Refusal, ...]:
        """Replace positions in one transaction; see `ErpTarget.put_positions`."""
        table = self.tables.positions
        with translated(), self.engine.begin() as connection:
            _, known = self._versions(connection, location)
            if version < known:
                return ()
            if whole:
                connection.execute(delete(table).where(table.c.location == location))
            rows = ({"location": location, "version": version, **position._asdict()} for position in positions)
            refused = _write(connection, _upsert(connection, table), rows)
            self._move(connection, location, {"positions_version": version, "updated_at": datetime.now(UTC)})
        return tuple(Refusal(f"{location} position of {row['sku']}", reason) for row, reason in refused)

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _set_up(self, connection: Connection) -> None:
        if self._schema is not None:
            # Two may start at once, and CREATE ... IF NOT EXISTS may still fail for the second of them.
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SET_UP_LOCK})")
            if not inspect(connection).has_schema(self._schema):
                connection.execute(CreateSchema(self._schema))
        self.tables.metadata.create_all(connection)
        layout = self.tables.layout
        found = connection.scalar(select(layout.c.version))
        if found is None:
            connection.execute(insert(layout).values(version=LAYOUT))
        elif found != LAYOUT:
            raise AdapterSettingsError(f"the ERP tables have layout {found}, this build knows {LAYOUT}")

    def _versions(self, connection: Connection, location: str) -> tuple[int, int]:
        """Lock the cursor of a location, and return the versions of its postings and of its positions."""
        table = self.tables.cursors
        new = {"location": location, "version": 0, "positions_version": 0, "updated_at": datetime.now(UTC)}
        connection.execute(_insert(connection, table).values(new).on_conflict_do_nothing())
        query = select(table.c.version, table.c.positions_version).where(table.c.location == location)
        row = connection.execute(query.with_for_update()).one()
        return row.version, row.positions_version

    def _move(self, connection: Connection, location: str, values: dict[str, Any]) -> None:
        table = self.tables.cursors
        connection.execute(update(table).where(table.c.location == location).values(values))


def _posting_row(posting: Posting, posted_at: datetime | None) -> dict[str, Any]:
    row = posting._asdict()
    occurred_at = time_of(row.pop("occurred_ns")) or posted_at
    return {**row, "posting_id": posting.posting_id, "occurred_at": occurred_at, "posted_at": posted_at}


def _write(
    connection: Connection, statement: Executable, rows: Iterable[dict[str, Any]]
) -> list[tuple[dict[str, Any], str]]:
    """Execute a statement for each row; returns the rows that the database will never take, and why."""
    refused = []
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS_MAX)):
        if _refusal(connection, statement, some):
            for row in some:
                reason = _refusal(connection, statement, [row])
                if reason:
                    refused.append((row, reason))
    return refused


def _refusal(connection: Connection, statement: Executable, rows: list[dict[str, Any]]) -> str:
    """Execute a statement, or nothing of it; returns why the database will never take the rows, or ""."""
    try:
        with connection.begin_nested():
            connection.execute(statement, rows)
    except (DataError, IntegrityError) as error:
        return str(error.orig).strip().partition("\n")[0] or type(error).__name__
    return ""


def _insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Insert with ON CONFLICT, which both databases spell the same and SQLAlchemy keeps in two places."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _upsert(connection: Connection, table: Table) -> Executable:
    query = _insert(connection, table)
    values = {column.name: query.excluded[column.name] for column in table.c if not column.primary_key}
    return query.on_conflict_do_update(index_elements=list(table.primary_key), set_=values)
