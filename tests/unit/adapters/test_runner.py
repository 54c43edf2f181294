from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import create_engine, text

from adapters.runner import EXIT_SETTINGS, run
from adapters.sources.claims import ClaimStore
from adapters.status import AdapterStatus, State, read_status
from allocator.config import AdapterSettings, Settings
from allocator.journal import JournalStore
from tests.unit.adapters.conftest import ROOT
from tests.unit.adapters.helpers import event
from tests.unit.adapters.journaled import Locations, receipt
from tests.unit.client.fake import FakeServer, Fault, serve


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A service with one location."""
    fake = FakeServer()
    fake.state.add("london-1")
    with serve(fake):
        yield fake


@pytest.fixture
def locations(tmp_path: Path) -> Iterator[Locations]:
    """The journal of a location with one entry."""
    with JournalStore(str(tmp_path / "data" / "journal")) as store:
        locations = Locations(store)
        locations.do(receipt("A", 5, "m1"))
        yield locations
        locations.journal.close()


def settings_of(tmp_path: Path, **changes: list[AdapterSettings]) -> Settings:
    """A folder source and a SQL target."""
    values = {
        "data_dir": tmp_path / "data",
        "sources": [{"kind": "folder", "name": "pos", "poll_s": 0.02}],
        "erps": [{"kind": "sql", "name": "books", "poll_s": 0.02, "positions_s": 0}],
    }
    return Settings.model_validate(values).model_copy(update=changes)


@contextmanager
def running(settings: Settings, address: str, site: Path) -> Iterator[subprocess.Popen[str]]:
    """`python -m adapters` as the service starts it, once it is ready; killed at the end if it still runs."""
    log = site / "log"
    with log.open("a") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "adapters", "--address", address],
            cwd=ROOT,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    with process:
        try:
            assert process.stdin
            assert process.stdout
            process.stdin.write(settings.model_dump_json() + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "ready\n", log.read_text()
            yield process
        finally:
            process.kill()


def reached(settings: Settings, name: str, condition: Callable[[AdapterStatus], bool]) -> AdapterStatus:
    """The status of an adapter, once the condition holds."""
    pause = threading.Event()
    status = None
    for _ in range(3_000):
        status = read_status(settings.data_dir, name)
        if status is not None and condition(status):
            return status
        pause.wait(0.02)
    pytest.fail(f"{name} did not get there: {status}")


def drop(settings: Settings, name: str, *lines: bytes) -> None:
    """Drop a file into the inbox."""
    inbox = settings.data_dir / "sources" / "pos" / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / f".{name}").write_bytes(b"\n".join(lines))
    (inbox / f".{name}").rename(inbox / name)


def books(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    """Ask the ERP's database."""
    engine = create_engine(f"sqlite:///{settings.data_dir / 'erp' / 'books.sqlite'}")
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]
    finally:
        engine.dispose()


def test_movements_come_in_and_postings_go_out(
    tmp_path: Path, server: FakeServer, locations: Locations, entry_points: Path
) -> None:
    """Until SIGTERM; the status files tell how far each is."""
    settings = settings_of(tmp_path)
    drop(settings, "a.jsonl", event("m1", 3), b"?")
    with running(settings, server.address, entry_points.parent.parent) as process:
        reached(settings, "pos", lambda status: status.counts.get("applied") == 1 and status.caught_up)
        drop(settings, "b.jsonl", event("m2", 4))
        pos = reached(settings, "pos", lambda status: status.counts.get("applied") == 2 and status.caught_up)
        reached(settings, "books", lambda status: status.caught_up)
        locations.do(receipt("A", 2, "m2"))
        reached(settings, "books", lambda status: status.locations["london-1"]["positions"] == 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert (pos.role, pos.state, pos.lag, pos.counts["unreadable"]) == ("source", State.RUNNING, 0, 1)
    stock = server.state.stock["locations/london-1"]
    assert stock["SKU-1"].on_hand == 7
    assert books(settings, "SELECT version, quantity FROM postings ORDER BY version") == [(1, 5), (2, 2)]
    assert books(settings, "SELECT sku, on_hand, version FROM positions") == [("A", 7, 2)]
    for name in ("pos", "books"):
        stopped = read_status(settings.data_dir, name)
        assert stopped is not None
        assert stopped.state is State.STOPPED
        assert stopped.caught_up


def test_a_service_that_is_gone_takes_its_adapters_with_it(
    tmp_path: Path, server: FakeServer, locations: Locations, entry_points: Path
) -> None:
    """They end as cleanly as by SIGTERM, and the folder is free for the next ones."""
    settings = settings_of(tmp_path)
    for _ in range(2):
        with running(settings, server.address, entry_points.parent.parent) as process:
            reached(settings, "pos", lambda status: status.state is State.RUNNING and status.caught_up)
            assert process.stdin
            process.stdin.close()
            assert process.wait(30) == 0


def test_what_the_service_does_not_take_waits_for_it(tmp_path: Path, server: FakeServer, entry_points: Path) -> None:
    """An adapter that fails starts again, one that cannot deliver goes on trying, and both say so."""
    settings = settings_of(tmp_path)
    drop(settings, "a.jsonl", event("m1", 3))
    server.fail("RecordMovements", *[Fault(grpc.StatusCode.PERMISSION_DENIED) for _ in range(3)])
    with running(settings, server.address, entry_points.parent.parent) as process:
        pos = reached(settings, "pos", lambda status: status.caught_up)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert pos.counts["retries"] == 3
    assert server.state.stock["locations/london-1"]["SKU-1"].on_hand == 3


def test_an_adapter_that_fails_starts_again(tmp_path: Path, server: FakeServer, entry_points: Path) -> None:
    """And tells why it had to."""
    settings = settings_of(tmp_path, erps=[])
    store = ClaimStore(settings.data_dir / "sources" / "pos", lambda: datetime.now(UTC))
    store.open()
    drop(settings, "a.jsonl", event("m1", 3))
    with running(settings, server.address, entry_points.parent.parent):
        failed = reached(settings, "pos", lambda status: status.state is State.RETRYING)
        assert "watched by another process" in failed.error
        store.close()
        again = reached(settings, "pos", lambda status: status.caught_up)
    assert (again.state, again.error) == (State.RUNNING, "")


def test_settings_that_cannot_be_used_end_the_process_at_once(tmp_path: Path, entry_points: Path) -> None:
    """Before anything is touched."""
    for wrong in (
        {"kind": "kafka", "name": "pos"},
        {"kind": "folder", "name": "books"},
        {"kind": "folder", "name": "/"},
    ):
        settings = settings_of(tmp_path, sources=[AdapterSettings.model_validate(wrong)])
        assert run(settings, "127.0.0.1:1") == EXIT_SETTINGS
    assert not (tmp_path / "data").exists()


def test_a_settings_file_is_taken_too(tmp_path: Path) -> None:
    """And what is wrong with it is said in one line."""
    path = tmp_path / "settings.toml"
    path.write_text("[server]\nport = 'x'\n")
    command = [sys.executable, "-m", "adapters", "--address", "127.0.0.1:1", "--settings", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_SETTINGS
    assert "server.port" in done.stderr
    assert "Traceback" not in done.stderr
