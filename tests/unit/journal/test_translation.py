from __future__ import annotations

import sqlite3

import pytest
from psycopg import errors as postgres
from sqlalchemy.exc import DBAPIError, OperationalError

from allocator.journal import JournalDamaged, JournalUnavailable
from allocator.journal.database import translated


def sqlite_error(code: int, text: str) -> sqlite3.OperationalError:
    """An error as SQLite's driver makes it."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full"), "free space"),
        (sqlite_error(sqlite3.SQLITE_IOERR_FSYNC, "disk I/O error"), "system's log"),
        (sqlite_error(sqlite3.SQLITE_BUSY, "database is locked"), "another process"),
        (sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED, "attempt to write a readonly database"), "may write there"),
        (postgres.DiskFull("no space left"), "free space on the server"),
        (postgres.TooManyConnections("sorry"), "max_connections"),
        (postgres.LockNotAvailable("canceling statement due to lock timeout"), "another writer"),
        (postgres.InsufficientPrivilege("permission denied for schema"), "grant"),
        (postgres.AdminShutdown("terminating connection"), "check that the server runs"),
        (postgres.OperationalError("connection refused"), "check that the server runs"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_cause_comes_with_what_to_do(error: Exception, advice: str) -> None:
    """Drivers' errors become ours, raw or wrapped, with their own text and our advice."""
    for raised in (error, OperationalError("COMMIT", {}, error)):
        if raised is error and not isinstance(error, sqlite3.Error):
            continue
        with pytest.raises(JournalUnavailable, match=advice) as caught, translated("here", "dc-1"):
            raise raised
        assert (caught.value.where, caught.value.cause) == ("here", str(error))


@pytest.mark.parametrize(
    "error",
    [
        sqlite_error(sqlite3.SQLITE_CORRUPT, "database disk image is malformed"),
        sqlite_error(sqlite3.SQLITE_CORRUPT_INDEX, "malformed index"),
        sqlite_error(sqlite3.SQLITE_NOTADB, "file is not a database"),
        sqlite_error(sqlite3.SQLITE_ERROR, "no such table: entries"),
        postgres.DataCorrupted("invalid page in block 0"),
        postgres.IndexCorrupted("index is not a btree"),
    ],
    ids=str,
)
def test_a_broken_file_is_damage(error: Exception) -> None:
    """Trying again would not help."""
    with pytest.raises(JournalDamaged, match=str(error)), translated("here", "dc-1"):
        raise DBAPIError("SELECT", {}, error)


def test_the_systems_errors_are_unavailability() -> None:
    """Directories and lock files, too."""
    with pytest.raises(JournalUnavailable, match="Permission denied"), translated("here"):
        raise PermissionError(13, "Permission denied")


def test_a_bug_stays_a_bug() -> None:
    """Nothing else is translated."""
    with pytest.raises(KeyError), translated("here"):
        raise KeyError
