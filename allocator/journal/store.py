"""Where the journal is, and how to get at it: writers, readers, cursors, units, the lock."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from allocator.journal.backend import Backend
from allocator.journal.catalog import Catalog
from allocator.journal.errors import SettingsInvalid
from allocator.journal.lock import ServiceLock
from allocator.journal.port import Cursor, Journal, JournalReader
from allocator.journal.postgres import PostgresBackend
from allocator.journal.reader import SqlJournalReader
from allocator.journal.regroup import Moved, assign
from allocator.journal.sqlite import SqliteBackend
from allocator.journal.writer import SqlJournal

_EXPECTED: Final = "a directory, sqlite:///DIRECTORY or postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True)
class JournalSettings:
    """The address of a journal, to be sent to actors.

    Attributes:
        url: a directory (`data/journal`, `sqlite:///data/journal`) or a database
            (`postgresql://user@host:5432/database`).
        schema: in which its tables are, on PostgreSQL.

    Raises:
        SettingsInvalid: one of them cannot be used.
    """

    url: str = field(repr=False)  # it may hold a password
    schema: str = "allocator"

    def __post_init__(self) -> None:
        _backend(self.url, self.schema)

    @property
    def where(self) -> str:
        """What messages call the journal; without a password."""
        return _backend(self.url, self.schema).where

    def store(self) -> JournalStore:
        """Make the store at this address; nothing is opened yet."""
        return JournalStore(self.url, self.schema)


class JournalStore:
    """One journal: all units, all shards.

    Args:
        url: as in `JournalSettings`.
        schema: as in `JournalSettings`.

    Raises:
        SettingsInvalid: one of them cannot be used.
    """

    def __init__(self, url: str, schema: str = "allocator") -> None:
        self._backend = _backend(url, schema)
        self._opened: Catalog | None = None
        self._opening = threading.Lock()  # followers may run in threads of their own

    @property
    def where(self) -> str:
        """What messages call the journal; without a password."""
        return self._backend.where

    def writer(self, unit: str) -> Journal:
        """Open a unit for writing. The caller closes it; it does not need this store any more.

        Raises:
            JournalUnavailable: it cannot be reached or made.
            JournalDamaged: the catalog is lost.
            FormatUnknown: the tables are those of a newer release.
        """
        return SqlJournal(self._backend, unit)

    def reader(self) -> JournalReader:
        """Open the journal for reading. The caller closes it; it does not need this store any more.

        Raises:
            JournalUnavailable: there is none, or it cannot be reached.
            JournalDamaged: the catalog is lost.
            FormatUnknown: the tables are those of a newer release.
        """
        return SqlJournalReader(self._backend)

    def assign(self, units: Mapping[str, Sequence[str]]) -> list[Moved]:
        """Say which shards each unit has, and move the rows of those that were elsewhere.

        To be called under the lock, before any writer is open. A crash in the middle loses nothing: call it
        again. Shards not named stay where they are. On PostgreSQL nothing has to move.

        Raises:
            SettingsInvalid: a shard is in two units.
            JournalDamaged: a unit holds a shard that the catalog does not know, or lacks one it should hold.
        """
        return assign(self._backend, self._catalog(), units)

    def lock(self) -> ServiceLock:
        """Take the lock of the one service that runs on this journal.

        Raises:
            JournalLocked: another one has it; the message names the holder.
        """
        return self._backend.lock()

    def register_cursor(self, name: str, shards: Collection[str] | None = None) -> None:
        """Register a follower: from now on nothing is cut that it has not passed. Positions it has are kept.

        Args:
            name: of the follower.
            shards: those it follows, and no others any more; None for every shard, later ones too.
        """
        self._catalog().register(name, shards)

    def advance_cursor(self, name: str, shard: str, version: int) -> None:
        """Note durably that a follower is done with a shard up to `version`; never goes backwards.

        Raises:
            CursorUnknown: it is not registered, or not for this shard.
        """
        self._catalog().advance(name, {shard: version})

    def advance_cursors(self, name: str, versions: Mapping[str, int]) -> None:
        """Do `advance_cursor` for many shards in one transaction."""
        self._catalog().advance(name, versions)

    def cursors(self) -> list[Cursor]:
        """List the positions of all cursors, sorted by name and shard; 0 where one has not begun."""
        return self._catalog().cursors()

    def drop_cursor(self, name: str) -> None:
        """Forget a cursor, so that it holds back no cut any more; no error when it is not there."""
        self._catalog().drop(name)

    def close(self) -> None:
        """Close what this store opened for itself. May be called again."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _catalog(self) -> Catalog:
        with self._opening:
            if self._opened is None:
                self._opened = Catalog(self._backend.catalog(), self._backend.tables.catalog)
            return self._opened

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _backend(url: str, schema: str) -> Backend:
    parsed = _parsed(url)
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        return PostgresBackend(parsed, schema)
    if kind == "sqlite" and parsed.database not in (None, "", ":memory:") and not parsed.host:
        return SqliteBackend(Path(str(parsed.database)))
    raise SettingsInvalid("journal", parsed.render_as_string(hide_password=True), _EXPECTED)


def _parsed(url: str) -> URL:
    if not url.strip():
        raise SettingsInvalid("journal", url, _EXPECTED)
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # The address is not repeated: what cannot be parsed may still hold a password.
        raise SettingsInvalid("journal", url.partition("://")[0] + "://...", _EXPECTED) from None
