"""One database behind the journal, and the seam at which its errors become ours."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from allocator.journal.errors import JournalDamaged, JournalError, JournalUnavailable

_RIGHTS: Final = "check that the path exists and that this user may write there"
_REACH: Final = "check that the server runs, its address and that it accepts connections"
_SQLITE_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
# Our statements are always the same, so these mean a file whose tables are not ours any more.
_SQLITE_DAMAGE_TEXTS: Final = ("no such ", "Could not decode to UTF-8")
_SQLITE_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "free space on its disk, then open it again",
    sqlite3.SQLITE_IOERR: "the disk failed or is full: see the system's log",
    sqlite3.SQLITE_BUSY: "another process holds the file: see what else runs on this directory",
    sqlite3.SQLITE_LOCKED: "another process holds the file: see what else runs on this directory",
    sqlite3.SQLITE_CANTOPEN: _RIGHTS,
    sqlite3.SQLITE_READONLY: _RIGHTS,
    sqlite3.SQLITE_PERM: _RIGHTS,
}
_POSTGRES_DAMAGE: Final = frozenset({"XX001", "XX002"})  # data_corrupted, index_corrupted
_POSTGRES_ADVICE: Final = {
    "42P01": "somebody dropped its tables: restore them from a backup",
    "42501": "grant this role the right to create and write tables in the schema",
    "53100": "free space on the server's disk, then open it again",
    "53300": "raise max_connections on the server, or run fewer actors",
    "55P03": "another writer holds the shard: see pg_stat_activity",
}


class Turnstile:
    """A lock that goes by turns: who waits is next, whatever the last holder is up to.

    SQLite has one writer at a time. A snapshot is many transactions in a row, and with an ordinary lock its
    thread would take the next turn before an append that waits has woken up.
    """

    def __init__(self) -> None:
        self._next, self._turn = threading.Lock(), threading.Lock()

    def __enter__(self) -> None:
        with self._next:
            self._turn.acquire()

    def __exit__(self, *_: object) -> None:
        self._turn.release()


@dataclass(frozen=True, eq=False)
class Database:
    """A database of the journal, open.

    Attributes:
        engine: whose transactions write.
        reads: whose transactions read, each from one consistent view.
        where: what messages call it: the SQLite file, or the database and schema.
        turnstile: taken for each writing transaction, where only one at a time can be.
    """

    engine: Engine
    reads: Engine
    where: str
    turnstile: Turnstile | None = field(default=None)

    @contextmanager
    def writing(self, shard: str = "") -> Iterator[Connection]:
        """Run a transaction that is durable once the block is left, or has no effect when it raises."""
        with translated(self.where, shard):
            if self.turnstile is None:
                with self.engine.begin() as connection:
                    yield connection
            else:
                with self.turnstile, self.engine.begin() as connection:
                    yield connection

    @contextmanager
    def reading(self, shard: str = "") -> Iterator[Connection]:
        """Run a transaction that reads from one consistent view."""
        with translated(self.where, shard), self.reads.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self.reads.dispose()


@contextmanager
def closed_on_error(database: Database) -> Iterator[Database]:
    """Close a database when the block that sets it up fails."""
    try:
        yield database
    except BaseException:
        database.close()
        raise


@contextmanager
def translated(where: str, shard: str = "") -> Iterator[None]:
    """Turn what a database, its driver or the system raises into `JournalDamaged` or `JournalUnavailable`."""
    try:
        yield
    except IntegrityError as error:
        raise JournalDamaged(
            where, shard, None, f"there is a row that should not be: {_first_line(error.orig)}"
        ) from error
    except DBAPIError as error:
        raise _from_driver(error.orig, where, shard) from error
    except sqlite3.Error as error:
        raise _from_driver(error, where, shard) from error
    except UnicodeDecodeError as error:
        # Python meets broken text in SQLite's own message about a broken schema.
        raise JournalDamaged(where, shard, None, error.object.decode(errors="replace")) from error
    except PoolTimeoutError as error:
        raise JournalUnavailable(where, "all of its connections are busy", "see what this process is doing") from error
    except OSError as error:
        raise JournalUnavailable(where, str(error), _RIGHTS) from error


def _from_driver(error: BaseException | None, where: str, shard: str) -> JournalError:
    from_kind: Callable[[BaseException | None, str, str], JournalError] = (
        _from_sqlite if isinstance(error, sqlite3.Error) else _from_postgres
    )
    return from_kind(error, where, shard)


def _from_sqlite(error: BaseException | None, where: str, shard: str) -> JournalError:
    # The low byte is the primary code; the rest tells details that do not change what to do.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    text = _first_line(error)
    if code in _SQLITE_DAMAGE or (code == sqlite3.SQLITE_ERROR and text.startswith(_SQLITE_DAMAGE_TEXTS)):
        return JournalDamaged(where, shard, None, text)
    return JournalUnavailable(where, text, _SQLITE_ADVICE.get(code, "see the cause"))


def _from_postgres(error: BaseException | None, where: str, shard: str) -> JournalError:
    state: str | None = getattr(error, "sqlstate", None)
    if state in _POSTGRES_DAMAGE:
        return JournalDamaged(where, shard, None, _first_line(error))
    return JournalUnavailable(where, _first_line(error), _POSTGRES_ADVICE.get(state or "", _REACH))


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
