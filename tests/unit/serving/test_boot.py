from __future__ import annotations

import socket
from pathlib import Path

import pytest

from allocator.core.commands import Capacity, Configure, Measure
from allocator.core.network.types import Location
from allocator.core.results import LedgerSummary
from allocator.journal import JournalSettings, JournalStore
from allocator.runtime.errors import BootError
from allocator.runtime.hosted import LOCATION_PREFIX
from allocator.serving import boot, supervisor

SUMMARY = LedgerSummary(version=7, skus=0, stocked=0, live=0, accepting=True)
HOURLY = Capacity(Measure.ORDERS, 3_600_000_000_000, 40)


def test_a_ledger_is_told_when_the_network_says_otherwise() -> None:
    """Open or closed; what it knows already is not written again."""
    assert boot._settings_of(Location("dc", open=True), SUMMARY, None) == []  # noqa: SLF001  # a pure part of the boot
    (command,) = boot._settings_of(Location("dc", open=False), SUMMARY, None)  # noqa: SLF001  # as above
    assert (command.accepting, command.capacity) == (False, None)


def test_a_files_capacity_is_set_at_every_start() -> None:
    """Under a request id of its own, so that going back to an earlier one is no repeat of it."""
    first, again = (boot._settings_of(Location("dc"), SUMMARY, HOURLY) for _ in range(2))  # noqa: SLF001  # as above
    assert first == [Configure(first[0].request_id, capacity=HOURLY)]
    assert again == [Configure(again[0].request_id, capacity=HOURLY)]
    assert again[0].request_id != first[0].request_id


@pytest.fixture
def store(tmp_path: Path) -> JournalStore:
    """A journal that is not there yet."""
    return JournalSettings(str(tmp_path / "journal")).store()


def test_journals_of_locations_that_left_the_network_stay_reachable(store: JournalStore) -> None:
    """They are the first actor's, so that a location made anew under the name meets its old log wherever it was."""
    with store, store.writer("actor-0007") as journal:
        for name in ("gone", "dc", "network"):
            journal.open(name if name == "network" else LOCATION_PREFIX + name)
    with store:
        homes = boot._with_left(store, {"actor-0000": ["dc"], "actor-0001": ["shop"]})  # noqa: SLF001  # as above
        assert homes == {"actor-0000": ["dc", "gone"], "actor-0001": ["shop"]}
        boot._assign(store, homes)  # noqa: SLF001  # as above
    with store, store.writer("actor-0000") as journal:
        assert journal.open(LOCATION_PREFIX + "gone").epoch > 1


def test_a_port_in_use_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is free is held, so that nobody else takes it before the gateways do."""
    monkeypatch.setattr(supervisor, "PORT_WAIT_S", 0.1)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(BootError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use; choose"),
            supervisor._reserved_port("127.0.0.1", port),  # noqa: SLF001  # without a whole service
        ):
            pass
    with supervisor._reserved_port("127.0.0.1", 0) as held, socket.socket() as late:  # noqa: SLF001  # as above
        with pytest.raises(OSError, match="in use"):
            late.bind(("127.0.0.1", held))
        with socket.socket() as gateway:
            gateway.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            gateway.bind(("127.0.0.1", held))
            gateway.listen()


def test_rays_folder_has_a_short_path_of_its_own(tmp_path: Path) -> None:
    """Sockets have 107 characters at most; what an earlier run left is gone, and so is ours at the end."""
    data_dir = tmp_path / ("deep" * 40)
    with supervisor._ray_folder(data_dir) as folder:  # noqa: SLF001  # as above
        assert len(str(folder)) < 40
        folder.mkdir()
        (folder / "left").touch()
    with supervisor._ray_folder(data_dir) as again, supervisor._ray_folder(tmp_path) as other:  # noqa: SLF001
        assert again == folder != other
        assert not (again / "left").exists()
