"""Engines for SQLite and PostgreSQL, and what their errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from adapters.errors import AdapterSettingsError, TargetUnavailableError

BUSY_TIMEOUT_S: Final = 10
"""How long to wait for another program that writes to the same SQLite file, or holds the same row."""
CONNECT_TIMEOUT_S: Final = 5
STATEMENT_TIMEOUT_S: Final = 120
_PRAGMAS: Final = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")


def make_engine(url: URL) -> Engine:
    """An engine whose transactions are durable; nothing is opened yet.

    Raises:
        AdapterSettingsError: the database is of a kind that is not supported here.
    """
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    timeouts = f"-c lock_timeout={BUSY_TIMEOUT_S}s -c statement_timeout={STATEMENT_TIMEOUT_S}s"
    settings: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "allocator erp"}
    given = {name: value for name, value in settings.items() if name not in url.query}
    options = f"{timeouts} {url.query.get('options', '')}".strip()
    try:
        return create_engine(url, pool_pre_ping=True, pool_size=1, connect_args={**given, "options": options})
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise AdapterSettingsError(f"PostgreSQL needs allocator[postgres] installed: {error}") from error


def parse_url(url: str, default: Path, data_dir: Path) -> URL:
    """The address of the database; a SQLite file with a relative path is below `data_dir`.

    Raises:
        AdapterSettingsError: it cannot be used. The message does not repeat it: it may hold a password.
    """
    expected = "expected sqlite:///FILE or postgresql://USER@HOST/DATABASE"
    try:
        parsed = make_url(url) if url else URL.create("sqlite", database=str(default))
    except (ArgumentError, ValueError):
        raise AdapterSettingsError(f"url cannot be read: {expected}") from None
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise AdapterSettingsError(f"url is of kind {kind}: {expected}")
    return parsed.set(database=str(data_dir / str(parsed.database)))


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the database raises into `TargetUnavailableError`."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip()
        raise TargetUnavailableError(cause.partition("\n")[0]) from error
    except OSError as error:
        raise TargetUnavailableError(str(error)) from error


def _sqlite(url: URL) -> Engine:
    # isolation_level None: sqlite3 leaves BEGIN to us, so that savepoints work.
    engine = create_engine(url, connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def set_up(connection: Any, _: object) -> None:  # noqa: ANN401  # of whatever driver
        for pragma in _PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
