"""Writers that are killed in the middle of their work."""

from __future__ import annotations

import subprocess
import sys

import pytest

from allocator.journal import JournalSettings, JournalStore

WRITER = """
import sys, threading
from allocator.journal import Entry, JournalSettings, Snapshot, Write
journal = JournalSettings(sys.argv[1], sys.argv[2]).store().writer("u")
opened = {shard: journal.open(shard) for shard in ("a", "b")}
version = len(opened["b"].tail)

def snapshots():
    while True:
        saved = version
        journal.save_snapshot("a", opened["a"].epoch, Snapshot(saved, b"state %d " % saved * 100_000))
        journal.cut("a")

threading.Thread(target=snapshots, daemon=True).start()
while True:
    entry = Entry(version + 1, b"payload %d" % (version + 1))
    journal.append([Write(shard, opened[shard].epoch, entry) for shard in opened])
    version += 1
    print(version, flush=True)
"""
ROUNDS = 3
ACKNOWLEDGED = 60


def test_a_killed_writer_loses_nothing_that_it_acknowledged(
    store: JournalStore, journal_settings: JournalSettings
) -> None:
    """SIGKILL while it appends, snapshots and cuts: the log is sound, whole and the same for both shards."""
    acknowledged = 0
    for _ in range(ROUNDS):
        command = [sys.executable, "-c", WRITER, journal_settings.url, journal_settings.schema]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(ACKNOWLEDGED):
                if not (line := writer.stdout.readline()):
                    pytest.fail(writer.communicate()[1])
                acknowledged = int(line)
            writer.kill()
            # What it still wrote after the last line read was acknowledged as well.
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split("\n")[:-1])])
        with store.reader() as reader:
            assert reader.head("a") == reader.head("b")
            assert reader.head("a") - acknowledged in {0, 1}
            for shard in reader.shards():
                assert list(reader.verify(shard)) == []
            log = [entry.payload for entry in reader.read("b", 0, 100_000)]
            assert log == [b"payload %d" % version for version in range(1, len(log) + 1)]
            snapshot = reader.latest_snapshot("a")
            assert snapshot is None or snapshot.payload == b"state %d " % snapshot.version * 100_000
