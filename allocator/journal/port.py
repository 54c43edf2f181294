"""The journal's port: what a writer and a reader may ask of it, and the values that pass.

A *shard* is one state machine's log. A *unit* is what one writer process writes: many shards, and a group
commit over all of them is one transaction and one fsync.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self


class Entry(NamedTuple):
    """One entry of a shard's log.

    Attributes:
        version: its place; the first entry is 1, and there are no gaps.
        payload: opaque bytes, at most `ENTRY_BYTES_MAX`.
    """

    version: int
    payload: bytes


class Snapshot(NamedTuple):
    """A shard's whole state as of a version.

    Attributes:
        version: the last entry it includes.
        payload: opaque bytes, at most `SNAPSHOT_BYTES_MAX`.
    """

    version: int
    payload: bytes


class Opened(NamedTuple):
    """What a writer starts from.

    Attributes:
        epoch: its right to write; ends when anybody opens the shard after it.
        snapshot: the newest whole one, if there is one.
        tail: every entry after the snapshot, in order.
    """

    epoch: int
    snapshot: Snapshot | None
    tail: list[Entry]


class Write(NamedTuple):
    """One entry to append.

    Attributes:
        shard: whose log.
        epoch: from `Opened`.
        entry: with the version that follows the shard's head.
    """

    shard: str
    epoch: int
    entry: Entry


class Damage(NamedTuple):
    """One finding of `verify`.

    Attributes:
        file: the SQLite file, or the database and schema.
        shard: whose rows they are.
        version: of the entry or snapshot; None when the damage has no version.
        what: what is wrong.
    """

    file: str
    shard: str
    version: int | None
    what: str


class EntryDetail(NamedTuple):
    """An entry as it is stored, sound or not, for people who look into the journal.

    Attributes:
        version: its place in the log.
        epoch: of the writer that appended it.
        format: of the row.
        checksum: CRC-32 as stored.
        payload: the bytes as stored.
        damage: what is wrong with it; empty when it is sound.
    """

    version: int
    epoch: int
    format: int
    checksum: int
    payload: bytes
    damage: str


class ShardStatus(NamedTuple):
    """Where a shard stands.

    Attributes:
        shard: its name.
        unit: the unit that writes it.
        file: the SQLite file, or the database and schema.
        epoch: of its newest writer.
        head: version of its last entry, 0 before the first.
        first_available: lowest version that can still be read (head + 1 when there is none).
        snapshot_version: of the newest snapshot, None when there is none.
        snapshot_bytes: its size.
    """

    shard: str
    unit: str
    file: str
    epoch: int
    head: int
    first_available: int
    snapshot_version: int | None
    snapshot_bytes: int


class Cursor(NamedTuple):
    """How far a follower of the journal has come, durably.

    Attributes:
        name: of the follower.
        shard: whose log.
        version: the last entry it is done with; 0 before the first.
    """

    name: str
    shard: str
    version: int


class Journal(ABC):
    """The writer's port, for one actor: one appender at a time; snapshots and cuts from another thread.

    Every method may raise `JournalDamaged` and `JournalUnavailable`. After the latter the outcome of an
    append in flight is unknown, and the shard has to be opened again.
    """

    @abstractmethod
    def open(self, shard: str) -> Opened:
        """Take a new epoch, durably, and read the newest whole snapshot and the tail after it, all checked.

        Raises:
            ShardElsewhere: its rows live in another unit.
            Fenced: yet another writer opened it meanwhile.
            FormatUnknown: a row is from a newer release.
        """

    @abstractmethod
    def append(self, writes: Sequence[Write]) -> None:
        """Append all of the writes in one transaction, durable on return, or none of them.

        Raises:
            Fenced: an epoch is over.
            VersionGap: a version does not follow its shard's head.
            TooLarge: a payload is beyond `ENTRY_BYTES_MAX`.
        """

    @abstractmethod
    def save_snapshot(self, shard: str, epoch: int, snapshot: Snapshot) -> None:
        """Store a snapshot, in pieces; it becomes visible whole, then older ones go.

        One that is not newer than what is there changes nothing.

        Raises:
            Fenced: the epoch is over.
            VersionGap: it is ahead of the shard's head.
            TooLarge: it is beyond `SNAPSHOT_BYTES_MAX`.
        """

    @abstractmethod
    def cut(self, shard: str) -> int:
        """Delete the entries behind both the newest snapshot and the slowest cursor; return how many.

        The snapshot is read back and checked first: with a damaged one nothing is deleted.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class JournalReader(ABC):
    """The reader's port, for any process, over all units. It sees what is committed, and writes nothing.

    Methods with a shard raise `ShardUnknown` for one that no writer ever opened; every method may raise
    `JournalUnavailable`, and all but `verify` and `inspect` raise `JournalDamaged` and `FormatUnknown`.
    """

    @abstractmethod
    def shards(self) -> list[str]:
        """Name the shards, sorted."""

    @abstractmethod
    def head(self, shard: str) -> int:
        """Return the version of the last entry, 0 before the first."""

    @abstractmethod
    def read(self, shard: str, after_version: int, limit: int) -> list[Entry]:
        """Return the entries that follow `after_version`, in order; none means that there are no more.

        At most `limit`, and fewer when their payloads go beyond `READ_BYTES_MAX`.

        Raises:
            Trimmed: some of them were cut.
        """

    @abstractmethod
    def latest_snapshot(self, shard: str) -> Snapshot | None:
        """Return the newest whole snapshot, checked; None when there is none."""

    @abstractmethod
    def status(self, shard: str) -> ShardStatus:
        """Tell where the shard stands."""

    @abstractmethod
    def inspect(self, shard: str, after_version: int, limit: int) -> list[EntryDetail]:
        """Return up to `limit` stored entries after `after_version` as they are, the damaged ones too."""

    @abstractmethod
    def verify(self, shard: str) -> Iterator[Damage]:
        """Walk over everything stored for the shard and yield every damage: a sound shard yields none."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections. May be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
