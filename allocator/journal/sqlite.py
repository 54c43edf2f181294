"""SQLite: a directory with a catalog file and one file for each unit."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote

from sqlalchemy import Connection, Engine, MetaData, create_engine, event
from sqlalchemy.engine import URL

from allocator.journal.backend import Backend, WriterDatabases
from allocator.journal.database import Database, Turnstile, closed_on_error, translated
from allocator.journal.errors import JournalDamaged, JournalUnavailable, SettingsInvalid
from allocator.journal.layout import check_layout, has_layout, write_layout
from allocator.journal.limits import BUSY_TIMEOUT_S, CHECK_LINES_MAX, UNIT_FILE_LENGTH_MAX
from allocator.journal.lock import FileLock, ServiceLock
from allocator.journal.tables import Layout

_SUFFIX: Final = ".sqlite"
_READS: Final = "allocator_reads"
# One thread appends while another saves a snapshot; a third may ask the catalog.
_POOL_SIZE: Final = 3
_WAL_BYTES_KEPT: Final = 64 * 1024 * 1024
_PRAGMAS: Final = (
    "PRAGMA synchronous=FULL",  # each commit reaches the disk before it returns
    "PRAGMA cell_size_check=ON",  # a damaged page is found when it is read
    f"PRAGMA journal_size_limit={_WAL_BYTES_KEPT}",
)


class SqliteBackend(Backend):
    """The journal in a directory.

    Attributes:
        directory: where it is.
    """

    unit_files = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.where = str(directory)
        self.tables = Layout()

    @property
    def catalog_path(self) -> Path:
        """The file that knows which shard is where, and the cursors."""
        return self.directory / f"catalog{_SUFFIX}"

    def unit_path(self, unit: str) -> Path:
        """Return a unit's file; a name with odd characters is percent-encoded.

        Raises:
            SettingsInvalid: the name is empty or too long.
        """
        name = quote(unit, safe="")
        if not 1 <= len(name) <= UNIT_FILE_LENGTH_MAX:
            raise SettingsInvalid("unit", unit, f"1 to {UNIT_FILE_LENGTH_MAX} characters (odd ones count three)")
        return self.directory / "units" / f"{name}{_SUFFIX}"

    def units(self) -> list[str]:
        """Name the units that have a file, sorted."""
        return sorted(unquote(path.name.removesuffix(_SUFFIX)) for path in self._unit_files())

    def writer(self, unit: str) -> WriterDatabases:
        """Open a unit's file and the catalog's."""
        with closed_on_error(self.catalog()) as catalog:
            return WriterDatabases(self.writer_unit(unit), catalog)

    def writer_unit(self, unit: str) -> Database:
        """Open a unit's file for writing, and make what is missing."""
        return self._made(self.unit_path(unit), self.tables.journal.metadata)

    def catalog(self) -> Database:
        """Open the catalog; a new one only where there are no units yet."""
        self._check_catalog_not_lost()
        with closed_on_error(self._made(self.catalog_path, self.tables.catalog.metadata)) as database:
            with database.writing() as connection:
                write_layout(connection, self.tables.catalog.layout, database.where)
            return database

    def catalog_for_reading(self) -> Database:
        """Open the catalog of a journal that is there."""
        self._check_catalog_not_lost()
        if not self.catalog_path.exists():
            raise self._none_here()
        with closed_on_error(_database(self.catalog_path, writes=False)) as database:
            with database.reading() as connection:
                if not has_layout(connection, self.tables.catalog.layout):
                    raise self._none_here()
                check_layout(connection, self.tables.catalog.layout, database.where)
            return database

    def unit_for_reading(self, unit: str) -> Database:
        """Open a unit's file."""
        path = self.unit_path(unit)
        if not path.exists():
            raise JournalDamaged(str(path), "", None, "the file is missing, though the catalog has shards in it")
        return _database(path, writes=False)

    def moving(self, source: str, destination: str) -> Database:
        """Open the destination's file with the source's attached as `source`."""
        self.writer_unit(destination).close()
        return _database(self.unit_path(destination), writes=True, source=self.unit_path(source))

    def file_findings(self, database: Database) -> list[str]:
        """Run SQLite's own check of a file."""
        with database.reading() as connection:
            lines = connection.exec_driver_sql(f"PRAGMA quick_check({CHECK_LINES_MAX})").scalars().all()
        return [line for line in lines if line != "ok"]

    def lock(self) -> ServiceLock:
        """Take flock on the file `lock` in the directory."""
        with translated(self.where):
            _make_directory(self.directory)
        return FileLock(self.directory / "lock", self.where)

    def _none_here(self) -> JournalUnavailable:
        return JournalUnavailable(self.where, "there is no journal in this directory", "check its address")

    def _unit_files(self) -> Iterator[Path]:
        return (self.directory / "units").glob(f"*{_SUFFIX}")

    def _check_catalog_not_lost(self) -> None:
        # An empty catalog beside units would start every shard that changed its unit from nothing.
        if not self.catalog_path.exists() and (units := len(list(self._unit_files()))):
            raise JournalDamaged(
                str(self.catalog_path), "", None, f"the file is missing, though there are {units} unit files"
            )

    def _made(self, path: Path, metadata: MetaData) -> Database:
        with translated(str(path)):
            _make_directory(self.directory)
            _make_directory(path.parent)
            with _alone(path.parent):
                _make_file(path)
        with closed_on_error(_database(path, writes=True)) as database:
            with database.writing() as connection:
                metadata.create_all(connection)
            return database


def _database(path: Path, *, writes: bool, source: Path | None = None) -> Database:
    engine = _engine(path, writes=writes, source=source)
    where = str(path) if source is None else f"{source} or {path}"
    return Database(engine, engine.execution_options(**{_READS: True}), where, Turnstile())


def _engine(path: Path, *, writes: bool, source: Path | None = None) -> Engine:
    """Make an engine for a file that exists; every connection of it is set up the same."""
    engine = create_engine(
        URL.create("sqlite", database=f"file:{quote(str(path.absolute()))}", query={"mode": "rw", "uri": "true"}),
        # isolation_level None: sqlite3 leaves BEGIN to us.
        connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        pool_size=_POOL_SIZE,
        max_overflow=0,
    )

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _: object) -> None:
        for pragma in _PRAGMAS if writes else (*_PRAGMAS, "PRAGMA query_only=ON"):
            connection.execute(pragma)
        if source is not None:
            connection.execute("ATTACH DATABASE ? AS source", (f"file:{quote(str(source.absolute()))}?mode=rw",))

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = not writes or connection.get_execution_options().get(_READS)
        # A writer takes the file's lock at once: one that starts as a reader may not get it later.
        connection.connection.cursor().execute("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(path.parent)


def _make_file(path: Path) -> None:
    """Make the file, for this user only, and switch it to WAL, which it remembers."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
    try:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    finally:
        connection.close()
    if mode != "wal":
        raise JournalUnavailable(str(path), f"it stays in journal mode {mode}", "use a local disk, no network share")
    _sync(path.parent)


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Hold the directory: SQLite does not wait when two processes switch a new file to WAL."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync(directory: Path) -> None:
    """Make new names in a directory durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
