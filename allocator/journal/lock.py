"""The lock of the one service that runs on a journal: flock on a file, or an advisory lock of PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import socket
from abc import ABC, abstractmethod
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from allocator.journal.database import translated
from allocator.journal.errors import JournalLocked

_HOLDER_BYTES_MAX: Final = 1024
_ADVISORY_LOCK: Final = text("SELECT pg_try_advisory_lock(:space, :key)")
_ADVISORY_HOLDER: Final = text(
    "SELECT application_name, client_addr::text AS address, locks.pid AS pid"
    " FROM pg_locks AS locks JOIN pg_stat_activity USING (pid)"
    " WHERE locktype = 'advisory' AND locks.granted AND objsubid = 2"
    " AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid::bigint = :space AND objid::bigint = :key"
)


class ServiceLock(ABC):
    """An exclusive lock, held until `release`, the end of a `with` block or the end of the process."""

    @abstractmethod
    def held(self) -> bool:
        """Tell whether it is still held; a lock in PostgreSQL is lost with its connection."""

    @abstractmethod
    def release(self) -> None:
        """Give it back. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class FileLock(ServiceLock):
    """flock on a file that tells who holds it. The kernel frees it when the process ends, however it ends.

    Raises:
        JournalLocked: another process holds it.
        JournalUnavailable: the file cannot be made.
    """

    def __init__(self, path: Path, where: str) -> None:
        self._file: int | None = None
        with translated(str(path)):
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(file, _HOLDER_BYTES_MAX, 0).decode(errors="replace").strip()
                os.close(file)
                raise JournalLocked(where, holder or "a service that just starts") from None
            os.ftruncate(file, 0)
            os.pwrite(file, f"{this_process()}, since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC\n".encode(), 0)
        self._file = file

    def held(self) -> bool:
        """Tell whether it is still held."""
        return self._file is not None

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes lock two files of one name."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


class AdvisoryLock(ServiceLock):
    """An advisory lock of a session of its own; PostgreSQL frees it when the session ends.

    Args:
        engine: makes the session (in autocommit mode); closed with the lock.
        where: what messages call the journal.
        space: first half of the key.
        key: second half of the key.

    Raises:
        JournalLocked: another session holds it.
        JournalUnavailable: the server cannot be reached.
    """

    def __init__(self, engine: Engine, where: str, space: int, key: int) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        with translated(where):
            connection = engine.connect()
            if not connection.scalar(_ADVISORY_LOCK, {"space": space, "key": key}):
                holder = _advisory_holder(connection, space, key)
                connection.close()
                engine.dispose()
                raise JournalLocked(where, holder)
        self._connection = connection

    def held(self) -> bool:
        """Ask the server, over the very session that holds the lock."""
        if self._connection is None:
            return False
        try:
            return bool(self._connection.scalar(text("SELECT true")))
        except DBAPIError:
            # A new session would not have the lock.
            self.release()
            return False

    def release(self) -> None:
        """Give it back by ending the session."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
            self._engine.dispose()


def this_process() -> str:
    """Name this process for whoever finds its lock."""
    return f"process {os.getpid()} on {socket.gethostname()}"


def _advisory_holder(connection: Connection, space: int, key: int) -> str:
    row = connection.execute(_ADVISORY_HOLDER, {"space": space, "key": key}).first()
    if row is None:
        return "a service that just ended: try again"
    return f"{row.application_name} (from {row.address or 'a local socket'}, server process {row.pid})"
