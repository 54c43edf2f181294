from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, cast

import pytest

from allocator.core import codec
from allocator.core.commands import GetStock
from allocator.core.limits import LedgerLimits
from allocator.core.network.types import Location
from allocator.core.results import Reason, ReserveStatus
from allocator.journal import JournalSettings
from allocator.runtime.actor import ActorConfig, LocationActor
from allocator.runtime.hosted import Status
from tests.support.local_links import LocalLinks
from tests.unit.runtime.hosts import NO_SNAPSHOTS, UNIT, do, hold, receipt, stock_of
from tests.unit.runtime.journals import PATIENCE_S
from tests.unit.runtime.routers import router_of


class SafeActor(LocationActor):
    """An actor whose end does not end the tests."""

    def __init__(self, config: ActorConfig) -> None:
        self.deaths: list[str] = []
        super().__init__(config)

    def close(self) -> None:
        """Let go of threads and files; whatever else is on its way fails."""
        self._stopping.set()
        if self._host is not None:
            self._host.announce()
            self._host.journal.close()

    def _die(self, reason: str) -> None:
        self.deaths.append(reason)


Start = Callable[..., SafeActor]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an actor with these locations on the journal of this test, and wait until each serves or is damaged."""
    with ExitStack() as opened:

        def started(*names: str, wait: bool = True, unit: str = UNIT) -> SafeActor:
            settings = JournalSettings(str(tmp_path / "journal"))
            actor = SafeActor(ActorConfig(unit, names, settings, LedgerLimits(), NO_SNAPSHOTS, "error", "json"))
            opened.callback(actor.close)
            if wait:
                wait_up(actor, *names)
            return actor

        yield started


def poll(
    actor: LocationActor, *names: str, incarnation: str = "", sequence: int = -1, wait_s: float = 1.0
) -> tuple[str, int, dict[str, tuple[str, int, tuple[Any, ...]]]]:
    """Ask for news of ledgers that nothing is known of."""
    news = codec.unpack(actor.changes(codec.pack((incarnation, sequence, dict.fromkeys(names), wait_s))))
    return cast("tuple[str, int, dict[str, tuple[str, int, tuple[Any, ...]]]]", news)


def wait_up(actor: LocationActor, *names: str) -> dict[str, str]:
    """Wait until each of the ledgers serves or is damaged; which."""
    incarnation, sequence = "", -1
    while True:
        incarnation, sequence, news = poll(actor, *names, incarnation=incarnation, sequence=sequence)
        statuses = {name: status for name, (status, _, _) in news.items()}
        if sequence >= 0 and set(statuses) == set(names) and Status.RECOVERING not in statuses.values():
            return statuses


def sql(path: Path, statement: str, *values: object) -> int:
    """Change a journal's file behind its back."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, values).rowcount


def unit_file(tmp_path: Path, unit: str = UNIT) -> Path:
    """The file of a unit."""
    return tmp_path / "journal" / "units" / f"{unit}.sqlite"


def test_a_damaged_entry_stops_its_location_and_no_other(start: Start, tmp_path: Path) -> None:
    """The error names file, entry and the command that shows more; nothing is skipped in silence."""
    first = start("dc", "shop")
    for n in range(5):
        do(first, "dc", receipt(f"m{n}", "fig", 1))
        do(first, "shop", receipt(f"m{n}", "fig", 1))
    first.close()
    assert sql(
        unit_file(tmp_path), "UPDATE entries SET payload = x'746f726e' WHERE shard = 'location/dc' AND version = 3"
    )
    actor = start("dc", "shop")
    assert actor.status()["ledgers"]["shop"] == ("serving", "")
    status, detail = actor.status()["ledgers"]["dc"]
    assert status == "damaged"
    for part in (str(unit_file(tmp_path)), "'location/dc', entry 3", "allocator journal verify --shard location/dc"):
        assert part in detail
    assert do(actor, "dc", hold("r1", "fig", 1)) == (Reason.JOURNAL_DAMAGED, "location", detail)
    assert do(actor, "shop", hold("r1", "fig", 1, at="shop")).status == ReserveStatus.HELD
    assert stock_of(actor, "fig", at="shop").on_hand == 5


def test_a_damaged_location_comes_back_once_it_is_mended(start: Start, tmp_path: Path) -> None:
    """With the entry put right, the next start has everything."""
    first = start("dc")
    for n in range(5):
        do(first, "dc", receipt(f"m{n}", "fig", 1))
    first.close()
    entry = "WHERE shard = 'location/dc' AND version = 3"
    sql(unit_file(tmp_path), f"UPDATE entries SET checksum = checksum + 1 {entry}")
    damaged = start("dc")
    assert damaged.status()["ledgers"]["dc"][0] == "damaged"
    damaged.close()
    sql(unit_file(tmp_path), f"UPDATE entries SET checksum = checksum - 1 {entry}")
    assert stock_of(start("dc"), "fig").on_hand == 5


def test_a_unit_file_that_is_no_database_stops_all_its_locations_with_an_error(start: Start, tmp_path: Path) -> None:
    """Callers hear why at once, instead of waiting for a recovery that will not come."""
    start("dc").close()
    unit_file(tmp_path).write_bytes(b"this is no database, and long enough to be looked at" * 100)
    actor = start("dc", wait=False)
    status, detail = until_settled(actor)
    assert status == "damaged"
    assert str(unit_file(tmp_path)) in detail
    assert do(actor, "dc", GetStock(())) == (Reason.JOURNAL_DAMAGED, "location", detail)
    assert poll(actor, "dc", wait_s=0)[1:] == (-1, {"dc": ("damaged", 0, ())})


def until_settled(actor: LocationActor) -> tuple[str, str]:
    """Wait until the actor knows what is wrong with its journal."""
    told: tuple[str, str] = ("", "")
    while not told[1] or told[1] == "the journal is not open yet":
        poll(actor, "dc", wait_s=0.01)
        told = actor.status()["ledgers"]["dc"]
    return told


def test_a_journal_that_cannot_be_reached_is_waited_for(start: Start, tmp_path: Path) -> None:
    """Callers are told to try again; once it is there, so is the location."""
    (tmp_path / "journal").write_text("a file where the directory should be")
    actor = start("dc", wait=False)
    status, detail = until_settled(actor)
    assert status == "recovering"
    assert str(tmp_path / "journal") in detail
    assert do(actor, "dc", GetStock(())) == (Reason.RECOVERING, "location", detail)
    assert poll(actor, "dc", wait_s=0)[1:] == (-1, {"dc": ("recovering", 0, ())})
    (tmp_path / "journal").unlink()
    assert wait_up(actor, "dc") == {"dc": "serving"}


def test_a_poll_waits_for_news_and_not_longer(start: Start) -> None:
    """It returns when something happened, with that; and with nothing when its time is over."""
    actor = start("dc", "shop")
    incarnation, sequence, _ = poll(actor, "dc", "shop")
    known = codec.pack((incarnation, sequence, {"dc": 0, "shop": 0}, PATIENCE_S))
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(actor.changes, known)
        do(actor, "dc", receipt("m1", "fig", 1))
        _, now, news = codec.unpack(waiting.result(PATIENCE_S))
    assert list(news) == ["dc"]
    assert news["dc"][:2] == ("serving", 1)
    nothing = codec.unpack(actor.changes(codec.pack((incarnation, now, {"dc": 1, "shop": 0}, 0.0))))
    assert nothing == (incarnation, now, {})


def test_a_reader_of_an_earlier_incarnation_hears_of_every_ledger_at_once(start: Start) -> None:
    """It cannot know what it missed."""
    actor = start("dc", "shop")
    _, _, news = poll(actor, "dc", "shop", incarnation="another", sequence=10**9, wait_s=PATIENCE_S)
    assert sorted(news) == ["dc", "shop"]


def test_a_reader_hears_of_the_ledgers_it_asks_for_and_no_others(start: Start) -> None:
    """A location that left the network may still be hosted; nobody wants its pictures."""
    actor = start("dc", "shop")
    assert list(poll(actor, "shop")[2]) == ["shop"]


def test_many_adopt_a_location_at_once_and_it_is_opened_once(start: Start) -> None:
    """Every gateway may ask; a second opening would fence the first."""
    actor = start("dc")
    with ThreadPoolExecutor(8) as threads:
        barrier = threading.Barrier(8)

        def adopt(_: int) -> bool:
            barrier.wait()
            return actor.adopt("kiosk")

        assert list(threads.map(adopt, range(8))) == [True] * 8
    host = actor._host  # noqa: SLF001  # to see the epoch
    assert host is not None
    assert host.hosted["kiosk"].epoch == 1
    assert do(actor, "kiosk", receipt("m1", "fig", 1)).on_hand == 1


def test_a_location_whose_log_another_unit_has_is_not_adopted(start: Start) -> None:
    """One writer per location; the error says where it is."""
    start("kiosk", unit="actor-0001").close()
    actor = start("dc")
    assert not actor.adopt("kiosk")
    status, detail = actor.status()["ledgers"]["kiosk"]
    assert status == "damaged"
    assert "belongs to unit 'actor-0001'" in detail


def test_stopping_leaves_a_snapshot_and_no_tail(start: Start, tmp_path: Path) -> None:
    """So the next start is quick."""
    actor = start("dc")
    do(actor, "dc", receipt("m1", "fig", 1))
    actor.stop()
    with JournalSettings(str(tmp_path / "journal")).store().reader() as reader:
        assert reader.status("location/dc").snapshot_version == 1


def test_an_actor_that_was_fenced_ends_itself(start: Start) -> None:
    """A writer left over on a node that was cut off cannot write, and does not linger."""
    old = start("dc")
    do(old, "dc", receipt("m1", "fig", 1))
    start("dc")
    with pytest.raises(Exception, match="has a newer writer"):
        do(old, "dc", hold("r1", "fig", 1))
    assert old.deaths[0].startswith("Fenced: shard 'location/dc' has a newer writer")


async def test_a_gateway_starts_beside_a_damaged_location(tmp_path: Path) -> None:
    """The others go on."""
    placed = {"actor-0000": [Location("dc")], "actor-0001": [Location("shop")]}
    links = await asyncio.to_thread(LocalLinks, tmp_path / "journal", placed)
    links.actors["actor-0000"].ask("dc", [receipt("m1", "fig", 1)])
    await asyncio.to_thread(links.stop)
    sql(unit_file(tmp_path), "UPDATE snapshot_chunks SET payload = x'00'")
    links = await asyncio.to_thread(LocalLinks, tmp_path / "journal", placed)
    router, _ = router_of(links)
    await router.start(10)
    assert router.statuses == {"network": "serving", "dc": "damaged", "shop": "serving"}
    assert router.serving  # nobody waits for it: it needs a person
    assert (await router.submit("dc", GetStock(("fig",)))).result.reason == Reason.JOURNAL_DAMAGED
    assert (await router.submit("shop", receipt("m1", "fig", 1))).version == 1
    await router.stop()
    await asyncio.to_thread(links.stop)
