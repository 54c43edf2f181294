from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.erp import follower
from adapters.erp.exporter import STANDSTILL_S, Exporter
from adapters.erp.port import ErpOptions
from adapters.errors import TargetUnavailableError
from allocator.core import codec
from allocator.core.commands import Commit, Fulfil, Reserve
from allocator.core.limits import NS_PER_S
from allocator.journal import Cursor, Entry, JournalStore, Snapshot, Trimmed, Write
from tests.unit.adapters.helpers import LOCATION, NOW_NS
from tests.unit.adapters.journaled import LIMITS, ErpMemory, Following, Locations, MemoryErp, receipt

SHARD = f"location/{LOCATION}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JournalStore]:
    """A journal."""
    with JournalStore(str(tmp_path / "journal")) as store:
        yield store


@pytest.fixture
def locations(store: JournalStore) -> Iterator[Locations]:
    """Locations that write to it; one has an entry."""
    locations = Locations(store)
    locations.do(receipt("A", 5, "m1"))
    yield locations
    locations.journal.close()


@pytest.fixture
def memory() -> ErpMemory:
    """What the ERP has."""
    return ErpMemory()


def following(store: JournalStore, memory: ErpMemory, *, positions: bool = True) -> closing[Following]:
    """An exporter to it."""
    target = MemoryErp("erp", ErpOptions(), Path(), memory)
    return closing(Following(store, target, positions=positions))


def posted(memory: ErpMemory) -> list[tuple[int, int]]:
    """Version and quantity of each posting."""
    return [(posting.version, posting.quantity) for posting in memory.postings]


def test_the_journal_is_kept_until_the_erp_has_it(store: JournalStore, locations: Locations, memory: ErpMemory) -> None:
    """The cursor is registered before the first look, and follows what the ERP has."""
    with following(store, memory) as erp:
        locations.save()
        assert store.cursors() == [Cursor("erp", SHARD, 0)]
        erp.catch_up()
        assert store.cursors() == [Cursor("erp", SHARD, 1)]
        locations.do(receipt("A", 1, "m2"))
        locations.save()
        with store.reader() as reader, pytest.raises(Trimmed):
            reader.read(SHARD, 0, 10)
        erp.catch_up()
    assert posted(memory) == [(1, 5), (2, 1)]


def test_a_shard_that_is_no_location_is_passed_over(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """And not held back by our cursor."""
    epoch = locations.journal.open("network").epoch
    locations.journal.append([Write("network", epoch, Entry(1, b"not for us"))])
    with following(store, memory) as erp:
        erp.catch_up()
        assert set(erp.exporter.states) == {LOCATION}
    assert Cursor("erp", "network", 1) in store.cursors()


def test_a_location_that_opens_later_is_followed(store: JournalStore, locations: Locations, memory: ErpMemory) -> None:
    """From its first entry."""
    with following(store, memory) as erp:
        erp.catch_up()
        locations.do(receipt("A", 7, "m1"), location="york-3")
        erp.catch_up()
    assert memory.cursors == {LOCATION: 1, "york-3": 1}


def test_orders_are_found_in_the_ledger(store: JournalStore, locations: Locations, memory: ErpMemory) -> None:
    """Also when the reservation was made before this process began."""
    locations.do(Reserve("q1", "r1", (("A", 2),), 900 * NS_PER_S, order="A-1001"), Commit("q2", "r1"))
    with following(store, memory) as erp:
        erp.catch_up()
    locations.save()
    locations.do(Fulfil("q3", "r1"))
    locations.save()
    with following(store, memory) as erp:
        erp.catch_up()
    assert memory.postings[-1].orders == ("A-1001",)


def test_without_positions_no_ledger_is_kept(store: JournalStore, locations: Locations, memory: ErpMemory) -> None:
    """Postings are the same but for the orders."""
    locations.do(Reserve("q1", "r1", (("A", 2),), 900 * NS_PER_S, order="A-1001"), Commit("q2", "r1"))
    locations.do(Fulfil("q3", "r1"))
    with following(store, memory, positions=False) as erp:
        erp.catch_up()
    assert posted(memory) == [(1, 5), (3, -2)]
    assert memory.postings[-1].orders == ()
    assert memory.positions == {}


def test_positions_wait_until_they_are_due(store: JournalStore, locations: Locations, memory: ErpMemory) -> None:
    """Postings do not."""
    target = MemoryErp("erp", ErpOptions(), Path(), memory)
    now_ns = [NOW_NS]
    options = ErpOptions(positions_s=2)
    exporter = Exporter("erp", target, store, options=options, limits=LIMITS, clock_ns=lambda: now_ns[0])
    store.register_cursor("erp")
    with store.reader() as reader:
        exporter.round(reader, threading.Event())
        locations.do(receipt("A", 1, "m2"))
        exporter.round(reader, threading.Event())
        assert (memory.cursors[LOCATION], memory.positions_versions[LOCATION]) == (2, 1)
        now_ns[0] += 2 * NS_PER_S
        exporter.round(reader, threading.Event())
    assert memory.positions[LOCATION] == locations.positions()
    assert exporter.states[LOCATION].positions == 2


def test_only_changed_positions_are_put(store: JournalStore, locations: Locations, memory: ErpMemory) -> None:
    """After the first time."""
    locations.do(receipt("B", 1, "m2"))
    with following(store, memory) as erp:
        erp.catch_up()
        memory.positions[LOCATION] = {}
        locations.do(receipt("B", 1, "m3"))
        erp.catch_up()
    assert memory.positions[LOCATION] == {"B": locations.positions()["B"]}


def test_positions_that_could_not_be_put_come_with_the_next(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """Nothing is forgotten when the ERP is away in between."""

    class AwayForPositions(MemoryErp):
        """Takes postings only, for a while."""

        away = False

        def put_positions(self, *args: object, **kwargs: object) -> tuple[()]:
            """Fail, for a while."""
            if self.away:
                raise TargetUnavailableError("away")
            return super().put_positions(*args, **kwargs)  # type: ignore[arg-type, return-value]  # passed on

    target = AwayForPositions("erp", ErpOptions(), Path(), memory)
    with closing(Following(store, target)) as erp:
        erp.catch_up()
        target.away = True
        locations.do(receipt("B", 1, "m2"))
        with pytest.raises(TargetUnavailableError):
            erp.round()
        locations.do(receipt("A", 1, "m3"))
        with pytest.raises(TargetUnavailableError):
            erp.round()
        assert memory.cursors[LOCATION] == 3
        target.away = False
        erp.catch_up()
    assert memory.positions[LOCATION] == locations.positions()


def test_what_the_erp_will_never_take_is_counted_and_the_rest_goes_on(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """So that somebody looks."""
    memory.forbidden.add("B")
    locations.do(receipt("B", 1, "m2"), receipt("A", 1, "m3"))
    with following(store, memory) as erp:
        erp.catch_up()
        assert erp.exporter.states[LOCATION].set_aside == 1
    assert posted(memory) == [(1, 5), (2, 1)]


def test_a_damaged_location_stands_still_and_the_others_go_on(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """With the error in its state; it is tried again after a while."""
    locations.do(receipt("A", 7, "m1"), location="york-3")
    with following(store, memory) as erp:
        memory.cursors["york-3"] = 9
        erp.catch_up()
        state = erp.exporter.states["york-3"]
        assert "up to version 9, the journal ends at 1" in state.error
        assert posted(memory) == [(1, 5)]
        memory.cursors["york-3"] = 0
        erp.round()
        assert erp.exporter.states["york-3"].error
        erp.now_ns += int(STANDSTILL_S * NS_PER_S)
        erp.catch_up()
        assert not erp.exporter.states["york-3"].error
    assert posted(memory) == [(1, 5), (1, 7)]


def test_a_snapshot_that_cannot_be_read_stops_its_location_only(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """Be it met for a posting or for a position."""
    for location in ("york-3", "hull-4"):
        locations.do(receipt("A", 7, "m1"), location=location)
        shard = f"location/{location}"
        epoch = locations.journal.open(shard).epoch
        locations.journal.save_snapshot(shard, epoch, Snapshot(1, codec.pack({"format": 99})))
    memory.cursors["hull-4"] = 1
    with following(store, memory) as erp:
        erp.catch_up()
        errors = {location: state.error for location, state in erp.exporter.states.items()}
    assert errors.pop(LOCATION) == ""
    assert ["format 99 is not known" in error for error in errors.values()] == [True, True]
    assert memory.positions == {LOCATION: locations.positions()}


def test_what_this_build_does_not_understand_stops_its_location_only(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """An entry or a snapshot of a newer build, say, after one went back: the error tells which."""
    for location in ("york-3", "hull-4"):
        locations.do(receipt("A", 7, "m1"), location=location)
    locations.append("york-3", 2, codec.pack([([9_999, 1], "", "")]))
    epoch = locations.journal.open("location/hull-4").epoch
    locations.journal.save_snapshot("location/hull-4", epoch, Snapshot(1, codec.pack(["of", "tomorrow"])))
    with following(store, memory) as erp:
        erp.catch_up()
        errors = {location: state.error for location, state in erp.exporter.states.items()}
    assert errors.pop(LOCATION) == ""
    assert "'york-3': entry 2 cannot be understood by this build" in errors["york-3"]
    assert "'hull-4': the snapshot, or an entry after it, cannot be understood" in errors["hull-4"]
    assert memory.positions == {LOCATION: locations.positions()}


def test_an_exporter_that_never_got_through_stops(store: JournalStore, locations: Locations, memory: ErpMemory) -> None:
    """When the ERP fails after its cursor was read, and then the process is told to stop."""
    stop = threading.Event()

    class Away(MemoryErp):
        """Takes nothing."""

        def post(self, *args: object, **kwargs: object) -> tuple[()]:  # noqa: ARG002  # whatever it is
            """Fail, and stop the process."""
            stop.set()
            raise TargetUnavailableError("away")

    target = Away("erp", ErpOptions(), Path(), memory)
    Exporter("erp", target, store, options=ErpOptions(), limits=LIMITS, clock_ns=lambda: NOW_NS).run(stop)
    assert memory.positions == {}


def test_an_erp_that_was_put_back_behind_the_cut_is_told(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """What is between is lost to it, and no opening balance may hide that."""
    for number in range(3):
        locations.do(receipt("A", 1, f"n{number}"))
    with following(store, memory) as erp:
        erp.catch_up()
    locations.save()
    memory.cursors[LOCATION] = 2
    with following(store, memory) as erp:
        erp.catch_up()
        assert "up to version 2, the journal begins at 5" in erp.exporter.states[LOCATION].error


def test_an_exporter_runs_until_it_is_told_to_stop(
    store: JournalStore, locations: Locations, memory: ErpMemory
) -> None:
    """It waits for the ERP, follows the journal, and puts the last positions."""
    memory.failing = TargetUnavailableError("away", 0.01)
    stop, reached = threading.Event(), threading.Event()

    class Telling(MemoryErp):
        """Tells when it has the second entry."""

        def post(self, *args: object, **kwargs: object) -> tuple[()]:
            """Post, and tell."""
            super().post(*args, **kwargs)  # type: ignore[arg-type]  # passed on
            if self.memory.cursors[LOCATION] == 2:
                reached.set()
            return ()

    target = Telling("erp", ErpOptions(), Path(), memory)
    options = ErpOptions(poll_s=0.001, positions_s=3600)
    ticks = iter(range(NOW_NS, NOW_NS + (1 << 40)))
    exporter = Exporter("erp", target, store, options=options, limits=LIMITS, clock_ns=lambda: next(ticks))
    running = threading.Thread(target=exporter.run, args=(stop,))
    running.start()
    locations.do(receipt("A", 1, "m2"))
    assert reached.wait(60)
    stop.set()
    running.join(60)
    assert not running.is_alive()
    assert posted(memory) == [(1, 5), (2, 1)]
    assert memory.positions[LOCATION] == locations.positions()


def test_more_entries_than_are_read_at_once(
    store: JournalStore, locations: Locations, memory: ErpMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come round by round, whatever the snapshot is ahead of."""
    monkeypatch.setattr(follower, "READ_MAX", 5)
    for number in range(11):
        locations.do(receipt("A", 1, f"n{number}"))
    with following(store, memory) as erp:
        locations.save()
        assert erp.round()
        assert memory.cursors[LOCATION] == 5
        assert memory.positions == {}
        erp.catch_up()
    assert memory.cursors[LOCATION] == 12
    assert memory.positions[LOCATION] == locations.positions()
