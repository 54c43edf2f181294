"""Journals of the port that wait or fail on purpose, around a real one."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from allocator.journal import Journal, JournalUnavailable, Opened, Snapshot, Write

PATIENCE_S = 20.0
"""How long a test waits for what has to happen; only a failing one waits so long."""


class GatedJournal(Journal):
    """A journal whose appends wait while its gate is shut, and fail when told to.

    Attributes:
        appended: the writes of each append that began, in order.
        unsnapped: shards whose snapshots fail.
        tried: shards of which a snapshot was tried, in order.
    """

    def __init__(self, inner: Journal) -> None:
        self._inner = inner
        self._gate = threading.Event()
        self._gate.set()
        self._arrived = threading.Semaphore(0)
        self._failure: Exception | None = None
        self.appended: list[list[Write]] = []
        self.unsnapped: set[str] = set()
        self.tried: list[str] = []

    def shut(self) -> None:
        """Make appends wait from now on."""
        self._gate.clear()

    def let_go(self) -> None:
        """Let the appends that wait, and later ones, go on."""
        self._gate.set()

    def fail(self) -> None:
        """Make appends fail from now on, also those that wait at the gate."""
        self._failure = JournalUnavailable("the test", "told to fail", "nothing")

    def wait_for_append(self) -> None:
        """Wait until one more append has begun."""
        assert self._arrived.acquire(timeout=PATIENCE_S)

    def open(self, shard: str) -> Opened:
        """Open the shard."""
        return self._inner.open(shard)

    def append(self, writes: Sequence[Write]) -> None:
        """Wait at the gate, then append or fail."""
        self.appended.append(list(writes))
        self._arrived.release()
        assert self._gate.wait(PATIENCE_S)
        if self._failure is not None:
            raise self._failure
        self._inner.append(writes)

    def save_snapshot(self, shard: str, epoch: int, snapshot: Snapshot) -> None:
        """Save the snapshot, or fail."""
        self.tried.append(shard)
        if shard in self.unsnapped:
            raise JournalUnavailable("the test", "told to fail", "nothing")
        self._inner.save_snapshot(shard, epoch, snapshot)

    def cut(self, shard: str) -> int:
        """Cut the shard."""
        return self._inner.cut(shard)

    def close(self) -> None:
        """Close the journal."""
        self._inner.close()
