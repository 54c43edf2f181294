"""Snapshots that a process beside the actor makes of what the journal holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from allocator.core.commands import Commit
from allocator.core.ids import reservation_id
from allocator.core.network.types import CreateLocation, Location
from allocator.journal import JournalSettings, Snapshot
from allocator.runtime.errors import FoldFailedError
from allocator.runtime.folding import beside, fold
from allocator.runtime.host import LedgerHost
from allocator.runtime.hosted import NETWORK
from tests.unit.runtime.hosts import Command, bytes_of, do, hold, host_of, receipt, settings_of, writer

HISTORY: tuple[Command, ...] = (
    receipt("m1", "fig", 5),
    receipt("m2", "nut", 7),
    hold("r1", "fig", 2),
    hold("r2", "nut", 9),  # refused
    Commit("r3", reservation_id("dc", "r1")),
    hold("r4", "nut", 1),
)


def live(host: LedgerHost) -> dict[int, bytes]:
    """Live through the history; the state of the ledger by version."""
    states = {}
    for command in HISTORY:
        do(host, "dc", command)
        states[host.hosted["dc"].machine.version] = bytes_of(host, "dc")
    return states


def test_the_journal_gives_the_bytes_the_ledger_had_at_every_version(tmp_path: Path) -> None:
    """Before there is a snapshot, and on top of one."""
    with writer(tmp_path) as journal, settings_of(tmp_path).store().reader() as reader:
        host = host_of(journal, "dc")
        states = live(host)
        assert len(states) == len(HISTORY)
        assert {version: fold(reader, "location/dc", version) for version in states} == states
        journal.save_snapshot("location/dc", 1, snapshot_at(states, 3))
        assert journal.cut("location/dc") == 3
        assert {version: fold(reader, "location/dc", version) for version in (3, 4, 5, 6)} == {
            version: states[version] for version in (3, 4, 5, 6)
        }


def test_a_version_that_the_journal_does_not_lead_to_is_an_error(tmp_path: Path) -> None:
    """One beyond its end, as on a server that lost something, and one before its newest snapshot."""
    with writer(tmp_path) as journal, settings_of(tmp_path).store().reader() as reader:
        states = live(host_of(journal, "dc"))
        with pytest.raises(FoldFailedError, match="ends at version 6, before 7"):
            fold(reader, "location/dc", 7)
        journal.save_snapshot("location/dc", 1, snapshot_at(states, 5))
        with pytest.raises(FoldFailedError, match="leads to version 5 instead of 4"):
            fold(reader, "location/dc", 4)


def snapshot_at(states: dict[int, bytes], version: int) -> Snapshot:
    """The snapshot of one of the states."""
    return Snapshot(version, states[version])


def test_a_process_of_its_own_gives_the_same_bytes(tmp_path: Path) -> None:
    """Of a location and of the network."""
    with writer(tmp_path) as journal:
        host = host_of(journal, "dc", NETWORK)
        states = live(host)
        do(host, NETWORK, CreateLocation("r1", Location("dc")))
        folded = beside(settings_of(tmp_path))
        assert folded("location/dc", 4) == states[4]
        assert folded(NETWORK, 1) == bytes_of(host, NETWORK)


def test_what_stops_it_is_told(tmp_path: Path) -> None:
    """With the shard and what the journal said; the address may hold a password and is not told."""
    with writer(tmp_path) as journal:
        host_of(journal, "dc")
    folded = beside(settings_of(tmp_path))
    with pytest.raises(FoldFailedError, match=r"no snapshot of shard 'location/x' .*location/x"):
        folded("location/x", 1)
    nowhere = JournalSettings("postgresql://user:secret@127.0.0.1:1/none")
    with pytest.raises(FoldFailedError, match=r"127\.0\.0\.1:1") as raised:
        beside(nowhere)("location/dc", 1)
    assert "secret" not in str(raised.value)
