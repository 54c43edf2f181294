"""The lock of the one running service."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from allocator.journal import JournalLocked, JournalSettings, JournalStore

HOLD = """
import sys
from allocator.journal import JournalSettings
lock = JournalSettings(sys.argv[1], sys.argv[2]).store().lock()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_service_is_told_who_holds_the_journal(store: JournalStore) -> None:
    """The error names the process and the host."""
    with store.lock() as lock:
        assert lock.held()
        with pytest.raises(JournalLocked, match=f"process {os.getpid()} on"):
            store.lock()
    assert not lock.held()


def test_a_released_lock_can_be_taken_again(store: JournalStore) -> None:
    """Releasing is repeatable."""
    lock = store.lock()
    lock.release()
    lock.release()
    store.lock().release()


def test_the_lock_ends_with_its_process(store: JournalStore, journal_settings: JournalSettings) -> None:
    """SIGKILL frees it."""
    command = [sys.executable, "-c", HOLD, journal_settings.url, journal_settings.schema]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(JournalLocked, match=f"process {holder.pid} on"):
            store.lock()
        holder.kill()
        holder.wait()
    taken(store)


def taken(store: JournalStore) -> None:
    """Take the lock; a server may take a moment to notice that its client is gone."""
    for _ in range(1000):
        try:
            store.lock().release()
        except JournalLocked:
            continue
        return
    pytest.fail("the lock of a dead process is still held")
