"""The format of stored rows, their checksums, and the checks every row passes on its way out."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from allocator.journal.errors import FormatUnknown, JournalDamaged
from allocator.journal.port import Entry

FORMAT: Final = 1
"""What this build writes."""
FORMATS_READ: Final = frozenset({1})
"""What this build reads."""
LAYOUT: Final = 1
"""The tables as this build makes and reads them."""


class EntryRow(Protocol):
    """A row of the entries table. A damaged file may hold anything in the place of a payload."""

    @property
    def version(self) -> int:
        """Its place in the log."""

    @property
    def format(self) -> int:
        """The format of the row."""

    @property
    def epoch(self) -> int:
        """Of the writer that appended it."""

    @property
    def checksum(self) -> int:
        """CRC-32 as stored."""

    @property
    def payload(self) -> bytes:
        """The bytes as stored."""


def entry_checksum(shard: str, version: int, epoch: int, payload: bytes) -> int:
    """CRC-32 over an entry's place and its payload, so that a row in the wrong place is damage too."""
    return zlib.crc32(payload, zlib.crc32(f"entry\0{shard}\0{version}\0{epoch}\0".encode()))


def chunk_checksum(shard: str, version: int, epoch: int, number: int, payload: bytes) -> int:
    """CRC-32 over one piece of a snapshot and its place."""
    return zlib.crc32(payload, zlib.crc32(f"chunk\0{shard}\0{version}\0{epoch}\0{number}\0".encode()))


def snapshot_checksum(shard: str, version: int, epoch: int, chunks: int, size: int) -> int:
    """CRC-32 over the row that says how many pieces and bytes a snapshot has."""
    return zlib.crc32(f"snapshot\0{shard}\0{version}\0{epoch}\0{chunks}\0{size}".encode())


def payload_damage(payload: object, stored: int, checksum: Callable[[bytes], int]) -> str:
    """Tell what is wrong with a stored payload; empty when its checksum is right."""
    if not isinstance(payload, bytes):
        return f"its payload is {type(payload).__name__}, not bytes"
    expected = checksum(payload)
    return "" if stored == expected else f"its checksum is {stored}, its content gives {expected}"


def entry_damage(shard: str, row: EntryRow) -> str:
    """Tell what is wrong with a stored entry of a known format; empty when it is sound."""
    return payload_damage(row.payload, row.checksum, partial(entry_checksum, shard, row.version, row.epoch))


class Chain:
    """Checks a run of entries, one after the other: format, place, checksum, and an epoch that exists.

    Args:
        file: what errors name.
        shard: whose log it is.
        after_version: the version before the first entry expected.
        epoch: the newest epoch any entry may have.
    """

    def __init__(self, file: str, shard: str, after_version: int, epoch: int) -> None:
        self._file, self._shard, self._epoch = file, shard, epoch
        self.version = after_version

    def take(self, row: EntryRow) -> Entry:
        """Check the next row and return its entry.

        Raises:
            JournalDamaged: it is not the next one, or not what was written.
            FormatUnknown: it is from a newer release.
        """
        if row.version != self.version + 1:
            raise self._damaged(self.version + 1, missing(self.version + 1, row.version - 1))
        self.version = row.version
        if row.format not in FORMATS_READ:
            raise FormatUnknown(self._file, self._shard, row.version, row.format, FORMATS_READ)
        if damage := entry_damage(self._shard, row):
            raise self._damaged(row.version, damage)
        if row.epoch > self._epoch:
            raise self._damaged(row.version, f"its epoch {row.epoch} is beyond the shard's epoch {self._epoch}")
        return Entry(row.version, row.payload)

    def end(self, head: int) -> None:
        """Check that the run ends at the shard's head.

        Raises:
            JournalDamaged: entries are missing before it, or there are some beyond it.
        """
        if self.version < head:
            raise self._damaged(self.version + 1, missing(self.version + 1, head))
        if self.version > head:
            raise self._damaged(self.version, f"it is beyond the shard's head {head}")

    def _damaged(self, version: int, what: str) -> JournalDamaged:
        return JournalDamaged(self._file, self._shard, version, what)


def missing(first: int, last: int, one: str = "entry", many: str = "entries") -> str:
    """Say which of a run are missing."""
    return f"{one} {first} is missing" if last <= first else f"the {many} {first} to {last} are missing"
