"""PostgreSQL: one schema for all units, shared by the nodes of a cluster."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateSchema

from allocator.journal.backend import Backend, WriterDatabases
from allocator.journal.database import Database, closed_on_error
from allocator.journal.errors import JournalUnavailable, SettingsInvalid
from allocator.journal.layout import check_layout, has_layout, write_layout
from allocator.journal.limits import (
    BUSY_TIMEOUT_S,
    CONNECT_TIMEOUT_S,
    IDLE_TRANSACTION_TIMEOUT_S,
    STATEMENT_TIMEOUT_S,
)
from allocator.journal.lock import AdvisoryLock, ServiceLock, this_process
from allocator.journal.tables import Layout

_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_LOCK_SPACE: Final = 0x616C6C6F  # "allo": apart from other applications' advisory locks
_SETUP_KEY: Final = 1
# One thread appends while another saves a snapshot; the rest is rare.
_POOL_SIZE: Final = 2
_POOL_OVERFLOW: Final = 2
_APPLICATION_LENGTH_MAX: Final = 63
_SERVER_SETTINGS: Final = {
    "lock_timeout": f"{BUSY_TIMEOUT_S}s",
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_TRANSACTION_TIMEOUT_S}s",
    # A node that is gone gives its locks back within half a minute, not after two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_CLIENT_SETTINGS: Final = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 1000 * BUSY_TIMEOUT_S,  # ms
}


class PostgresBackend(Backend):
    """The journal in a schema of a PostgreSQL database.

    Raises:
        SettingsInvalid: the schema's name would need quoting.
    """

    unit_files = False

    def __init__(self, url: URL, schema: str) -> None:
        if not _SCHEMA.fullmatch(schema):
            raise SettingsInvalid("journal schema", schema, "1 to 63 of a-z, 0-9 and _, no digit first")
        self._url, self._schema = url.set(drivername="postgresql+psycopg"), schema
        address = url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)
        self.where = f"{address} schema {schema}"
        self.tables = Layout(schema)

    def writer(self, unit: str) -> WriterDatabases:  # noqa: ARG002 - units are files; here there are none
        """Open the schema."""
        database = self.catalog()
        return WriterDatabases(database, database)

    def catalog(self) -> Database:
        """Open the schema, and make it and its tables where they are missing."""
        with closed_on_error(self._database()) as database:
            with database.writing() as connection:
                self._set_up(connection)
            return database

    def catalog_for_reading(self) -> Database:
        """Open the schema of a journal that is there."""
        with closed_on_error(self._database()) as database:
            with database.reading() as connection:
                if not has_layout(connection, self.tables.catalog.layout):
                    raise JournalUnavailable(self.where, "there is no journal there", "check address and schema")
                check_layout(connection, self.tables.catalog.layout, self.where)
            return database

    def unit_for_reading(self, unit: str) -> Database:  # noqa: ARG002 - as in `writer`
        """Open the schema."""
        return self._database()

    def file_findings(self, database: Database) -> list[str]:  # noqa: ARG002 - there is no file to look at
        """Nothing: the server keeps its files to itself."""
        return []

    def lock(self) -> ServiceLock:
        """Take an advisory lock with a key made from the schema's name."""
        with self._driver():
            # A transaction would be ended for being idle.
            engine = create_engine(
                self._url,
                connect_args=_connect_args(self._url),
                isolation_level="AUTOCOMMIT",
                poolclass=NullPool,
            )
        return AdvisoryLock(engine, self.where, _LOCK_SPACE, self._key())

    def _key(self) -> int:
        return zlib.crc32(self._schema.encode()) >> 1  # PostgreSQL's key is a signed 32-bit number

    def _set_up(self, connection: Connection) -> None:
        # Several actors start at once, and CREATE ... IF NOT EXISTS may still fail for the second of them.
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:space, :key)"),
            {"space": _LOCK_SPACE + _SETUP_KEY, "key": self._key()},
        )
        # Asked first: IF NOT EXISTS needs the right to create schemas even when there is nothing to create.
        if not inspect(connection).has_schema(self._schema):
            connection.execute(CreateSchema(self._schema))
        self.tables.journal.metadata.create_all(connection)
        self.tables.catalog.metadata.create_all(connection)
        write_layout(connection, self.tables.catalog.layout, self.where)

    def _database(self) -> Database:
        with self._driver():
            engine = create_engine(
                self._url,
                connect_args=_connect_args(self._url),
                isolation_level="READ COMMITTED",
                pool_pre_ping=True,
                pool_size=_POOL_SIZE,
                max_overflow=_POOL_OVERFLOW,
            )
        reads = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        return Database(engine, reads, self.where)

    @contextmanager
    def _driver(self) -> Iterator[None]:
        try:
            yield
        except ModuleNotFoundError as error:
            raise JournalUnavailable(self.where, str(error), "install allocator[postgres]") from error


def _connect_args(url: URL) -> dict[str, int | str]:
    """Our settings of a connection. What the address says wins, but for that a commit is durable."""
    settings = [f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items()]
    settings += [str(url.query.get("options", "")), "-c synchronous_commit=on"]
    args: dict[str, int | str] = {
        **_CLIENT_SETTINGS,
        "application_name": f"allocator {this_process()}"[:_APPLICATION_LENGTH_MAX],
    }
    return {name: value for name, value in args.items() if name not in url.query} | {"options": " ".join(settings)}
