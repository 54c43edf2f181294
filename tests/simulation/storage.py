"""The disk of one location: what survives its processes. The port of `allocator.journal` in as few lines as may be."""

from __future__ import annotations

from typing import NamedTuple


class FencedError(Exception):
    """An append under an epoch that is over."""


class Entry(NamedTuple):
    """One batch as it was appended."""

    epoch: int
    version: int
    payload: bytes


class Storage:
    """Entries, a snapshot and the epoch.

    Attributes:
        entries: all that were ever appended; the ones before `first` are cut and no process sees them again.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.entries: list[Entry] = []
        self.first = 0
        self.snapshot: tuple[int, bytes] | None = None

    @property
    def head(self) -> int:
        """Version of the last entry, 0 before the first."""
        return self.entries[-1].version if self.entries else 0

    def open(self) -> tuple[int, bytes | None, list[Entry]]:
        """Begin a new epoch; returns it, the snapshot, and the entries after it."""
        self.epoch += 1
        version, data = self.snapshot or (0, None)
        return self.epoch, data, [entry for entry in self.entries[self.first :] if entry.version > version]

    def append(self, epoch: int, version: int, payload: bytes) -> None:
        """Make one batch durable.

        Raises:
            FencedError: the epoch is over.
        """
        self.check(epoch)
        self.entries.append(Entry(epoch, version, payload))

    def save_snapshot(self, epoch: int, version: int, data: bytes) -> None:
        """Keep a snapshot and cut what it covers.

        Raises:
            FencedError: the epoch is over.
        """
        self.check(epoch)
        self.snapshot = (version, data)
        self.first = sum(entry.version <= version for entry in self.entries)

    def check(self, epoch: int) -> None:
        """Fence off epochs that are over."""
        if epoch != self.epoch:
            raise FencedError
