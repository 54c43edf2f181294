"""Random histories of a shard, compared with a plain list."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from allocator.journal import (
    Entry,
    Fenced,
    Journal,
    JournalReader,
    JournalStore,
    Snapshot,
    Trimmed,
    VersionGap,
    Write,
)


class Append(NamedTuple):
    """Append this many entries at once."""

    how_many: int


class Save(NamedTuple):
    """Save a snapshot this many versions behind the head (below 0: ahead of it)."""

    behind: int


class Cut(NamedTuple):
    """Cut the log."""


class Advance(NamedTuple):
    """Move the cursor to this many versions behind the head."""

    behind: int


class Reopen(NamedTuple):
    """Open the shard again, as a restarted actor does."""


class Zombie(NamedTuple):
    """Append with the epoch before the current one."""


class Skip(NamedTuple):
    """Append with a version too many."""


Step = Append | Save | Cut | Advance | Reopen | Zombie | Skip
STEPS = st.one_of(
    st.builds(Append, st.integers(1, 5)),
    st.builds(Save, st.integers(-1, 4)),
    st.builds(Cut),
    st.builds(Advance, st.integers(0, 4)),
    st.builds(Reopen),
    st.builds(Zombie),
    st.builds(Skip),
)
SHARDS = map("shard-{}".format, count())


class Model:
    """A shard as a list of payloads, beside the real one."""

    def __init__(self, journal: Journal, store: JournalStore, shard: str) -> None:
        self.journal, self.store, self.shard = journal, store, shard
        self.log: list[bytes] = []
        self.snapshot: Snapshot | None = None
        self.cut = self.cursor = 0
        self.epoch = journal.open(shard).epoch
        store.register_cursor("follower")

    def writes(self, first: int, how_many: int, epoch: int) -> list[Write]:
        """Entries with a payload that tells their place."""
        versions = range(first, first + how_many)
        return [Write(self.shard, epoch, Entry(version, b"entry %d" % version)) for version in versions]

    def step(self, step: Step) -> None:
        """Do one step to both."""
        head = len(self.log)
        match step:
            case Append(how_many):
                writes = self.writes(head + 1, how_many, self.epoch)
                self.journal.append(writes)
                self.log += [write.entry.payload for write in writes]
            case Save(behind):
                self.save(Snapshot(max(head - behind, 0), b"state %d" % (head - behind)))
            case Cut():
                bound = max(self.cut, min(self.snapshot.version if self.snapshot else 0, self.cursor))
                assert self.journal.cut(self.shard) == bound - self.cut
                self.cut = bound
            case Advance(behind):
                self.store.advance_cursor("follower", self.shard, max(head - behind, 0))
                self.cursor = max(self.cursor, head - behind)
            case Reopen():
                self.reopen()
            case Zombie():
                with pytest.raises(Fenced):
                    self.journal.append(self.writes(head + 1, 1, self.epoch - 1))
            case Skip():
                with pytest.raises(VersionGap):
                    self.journal.append(self.writes(head + 2, 1, self.epoch))

    def save(self, snapshot: Snapshot) -> None:
        """Save a snapshot, which may be one that is refused or ignored."""
        if snapshot.version > len(self.log):
            with pytest.raises(VersionGap):
                self.journal.save_snapshot(self.shard, self.epoch, snapshot)
            return
        self.journal.save_snapshot(self.shard, self.epoch, snapshot)
        if self.snapshot is None or snapshot.version > self.snapshot.version:
            self.snapshot = snapshot

    def reopen(self) -> None:
        """Open and compare what recovery would start from."""
        opened = self.journal.open(self.shard)
        assert opened.epoch == self.epoch + 1
        self.epoch = opened.epoch
        assert opened.snapshot == self.snapshot
        after = self.snapshot.version if self.snapshot else 0
        assert opened.tail == [Entry(after + 1 + at, payload) for at, payload in enumerate(self.log[after:])]

    def compare(self, reader: JournalReader) -> None:
        """Compare what a reader sees."""
        assert reader.head(self.shard) == len(self.log)
        seen = [Entry(self.cut + 1 + at, payload) for at, payload in enumerate(self.log[self.cut :])]
        assert reader.read(self.shard, self.cut, 1000) == seen
        assert reader.latest_snapshot(self.shard) == self.snapshot
        if self.cut:
            with pytest.raises(Trimmed):
                reader.read(self.shard, self.cut - 1, 1000)
        assert list(reader.verify(self.shard)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25))
def test_any_history_is_what_a_plain_list_would_be(
    writer_of: Callable[[str], Journal], store: JournalStore, journal: Journal, steps: list[Step]
) -> None:
    """Appends, snapshots, cuts, cursors, restarts and zombies, in any order."""
    model = Model(journal, store, next(SHARDS))
    with store.reader() as reader:
        for step in steps:
            model.step(step)
            model.compare(reader)
        model.reopen()
