from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from allocator.core import codec
from allocator.core.commands import Commit, GetReservation, GetStock, Reserve
from allocator.core.errors import BrokenInvariantError
from allocator.core.ids import reservation_id
from allocator.core.limits import LedgerLimits
from allocator.core.results import Reason, ReserveStatus, State, TransitionStatus
from allocator.journal import Entry, Journal, JournalSettings, Snapshot, Write
from allocator.runtime.errors import FoldFailedError
from allocator.runtime.host import TICK_MAX_S
from allocator.runtime.hosted import Hosted, Status
from tests.unit.runtime.hosts import (
    NOW_NS,
    UNIT,
    Clock,
    Deaths,
    bytes_of,
    do,
    fold_here,
    hold,
    host_of,
    ledger_of,
    receipt,
    run,
    stock_of,
    writer,
)
from tests.unit.runtime.journals import PATIENCE_S, GatedJournal

S = 1_000_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The journal of one unit on disk."""
    with writer(tmp_path) as journal:
        yield journal


def test_a_hold_expires_on_time_and_not_before(journal: Journal) -> None:
    """The tick says when it wants to be called again; at the very moment the hold ends it is gone, durably."""
    clock = Clock()
    host = host_of(journal, "dc", clock=clock)
    do(host, "dc", receipt("m1", "fig", 5))
    do(host, "dc", hold("r1", "fig", 3, ttl_ns=S // 2 + S))
    assert host.tick() == TICK_MAX_S
    clock.forward(1)
    assert host.tick() == 0.5
    clock.now_ns += S // 2 - 1
    host.tick()
    assert stock_of(host, "fig").held == 3
    sequence = host.sequence
    clock.now_ns += 1
    host.tick()
    assert host.sequence == sequence + 1
    assert stock_of(host, "fig").held == 0
    expired = [codec.unpack_batch(entry.payload) for entry in journal.open("location/dc").tail][-1]
    assert [type(event).__name__ for event, _, _ in expired] == ["Expired"]


def test_a_hold_that_ran_out_never_commits_even_before_the_next_tick(journal: Journal) -> None:
    """Every batch begins with what is due."""
    clock = Clock()
    host = host_of(journal, "dc", clock=clock)
    do(host, "dc", receipt("m1", "fig", 5))
    do(host, "dc", hold("r1", "fig", 3, ttl_ns=S))
    clock.forward(1)
    assert do(host, "dc", Commit("c1", reservation_id("dc", "r1"))).status == TransitionStatus.EXPIRED


def test_holds_that_ran_out_while_the_host_was_down_expire_at_its_first_tick(journal: Journal) -> None:
    """Time goes on without us."""
    host = host_of(journal, "dc")
    do(host, "dc", receipt("m1", "fig", 5))
    do(host, "dc", hold("r1", "fig", 3, ttl_ns=S))
    later = Clock()
    later.forward(3600)
    host = host_of(journal, "dc", clock=later)
    assert host.tick() == TICK_MAX_S
    view = do(host, "dc", GetReservation(reservation_id("dc", "r1"))).rows[0]
    assert (view.state, view.updated_ns) == (State.EXPIRED, NOW_NS + 3600 * S)


def test_a_tick_that_breaks_a_ledger_ends_the_host(journal: Journal) -> None:
    """Without expiry, holds would stay for ever in silence: better a restart."""

    def clock() -> int:
        if broken:
            raise OSError("no clock")
        return NOW_NS

    broken: list[bool] = []
    deaths = Deaths()
    host = host_of(journal, "dc", clock=clock, die=deaths)
    broken.append(True)
    with pytest.raises(OSError, match="no clock"):
        host.tick()
    assert deaths == ["OSError: no clock"]


def test_a_location_that_is_not_up_is_refused_and_the_others_answer(journal: Journal) -> None:
    """Each ledger has its own fate, also within one batch."""
    host = host_of(journal, "dc", "shop")
    host.add(Hosted("new", LedgerLimits()))
    host.hosted["shop"].stop(BrokenInvariantError("the journal is torn; see allocator journal verify"))
    do(host, "dc", receipt("m1", "fig", 5))
    progress, (held, stopped, recovering, stranger) = run(
        host,
        ("dc", hold("r1", "fig", 1)),
        ("shop", GetStock(("fig",))),
        ("new", GetStock(("fig",))),
        ("elsewhere", GetStock(("fig",))),
    )
    assert held.status == ReserveStatus.HELD
    assert (stopped.reason, stopped.detail) == (
        Reason.JOURNAL_DAMAGED,
        "the journal is torn; see allocator journal verify",
    )
    assert recovering == (Reason.RECOVERING, "location", "location 'new' is recovering")
    assert (stranger.reason, stranger.field) == (Reason.RECOVERING, "location")
    assert {name: version for name, (version, _) in progress.items()} == {"dc": 2, "shop": 0, "new": 0, "elsewhere": 0}


def test_a_snapshot_under_load_and_the_tail_after_it_recover_the_same_bytes(tmp_path: Path) -> None:
    """Snapshots are taken between batches; with the entries after them they give exactly the live ledger."""
    with writer(tmp_path) as journal, ThreadPoolExecutor(4) as threads:
        host = host_of(journal, "dc", "shop", snapshot_bytes=1, fold=fold_here(tmp_path))
        do(host, "dc", receipt("m1", "fig", 10_000))
        stop = threading.Event()
        load = [threads.submit(reserve_until, stop, host.execute, n) for n in range(3)]
        for _ in range(15):
            host.snapshot_due()
        stop.set()
        made = sum(future.result() for future in load)
        assert made > 0
        assert journal.cut("location/dc") == 0  # each snapshot has already cut what is behind it
    with writer(tmp_path) as journal:
        recovered = host_of(journal, "dc", "shop")
        assert stock_of(recovered, "fig").held == made
        assert bytes_of(recovered, "dc") == bytes_of(host, "dc")
        assert journal.open("location/dc").snapshot is not None


class _Target:
    def __init__(self, execute: object) -> None:
        self.execute = execute


def reserve_until(stop: threading.Event, execute: object, caller: int) -> int:
    """Hold a unit again and again; how many."""
    count = 0
    while not stop.is_set() and count < 2_000:
        result = do(_Target(execute), "dc", hold(f"c{caller}-{count}", "fig", 1))  # type: ignore[arg-type]
        assert result.status == ReserveStatus.HELD
        count += 1
    return count


def test_calls_go_on_while_a_snapshot_is_made(journal: Journal, tmp_path: Path) -> None:
    """However long that takes; what was executed meanwhile is in the tail behind it."""
    began, go_on = threading.Event(), threading.Event()

    def slow(shard: str, version: int) -> bytes:
        began.set()
        assert go_on.wait(PATIENCE_S)
        return fold_here(tmp_path)(shard, version)

    host = host_of(journal, "dc", snapshot_bytes=1, fold=slow)
    do(host, "dc", receipt("m1", "fig", 5))
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(host.snapshot_due)
        assert began.wait(PATIENCE_S)
        assert do(host, "dc", hold("r1", "fig", 2)).status == ReserveStatus.HELD
        assert not done.done()
        go_on.set()
        done.result(PATIENCE_S)
    opened = journal.open("location/dc")
    assert opened.snapshot is not None
    assert (opened.snapshot.version, [entry.version for entry in opened.tail]) == (1, [2])
    assert host.hosted["dc"].tail_bytes == len(opened.tail[0].payload)


def test_snapshots_are_made_when_the_tail_has_grown_beyond_its_bound(journal: Journal, tmp_path: Path) -> None:
    """Neither a short tail nor one shorter than the last snapshot makes one."""
    host = host_of(journal, "dc", snapshot_bytes=1_000, fold=fold_here(tmp_path))
    item = host.hosted["dc"]
    do(host, "dc", receipt("m1", "fig", 5))
    host.snapshot_due()
    assert item.snapshot_bytes == 0
    for n in range(40):
        do(host, "dc", receipt(f"n{n}", f"sku-{n}", 5))
    host.snapshot_due()
    first = item.snapshot_bytes
    assert first > 0
    assert item.tail_bytes == 0
    host.snapshot_due()
    assert item.snapshot_bytes == first


def test_stopping_snapshots_whatever_has_a_tail(journal: Journal) -> None:
    """The next start reads a snapshot and no tail; a ledger without news keeps the one it has."""
    host = host_of(journal, "dc", "idle")
    do(host, "dc", receipt("m1", "fig", 5))
    host.snapshot_all()
    opened = journal.open("location/dc")
    assert opened.snapshot == Snapshot(1, bytes_of(host, "dc"))
    assert opened.tail == []
    assert journal.open("location/idle").snapshot is None


def test_a_snapshot_that_fails_stops_neither_the_others_nor_the_host(journal: Journal, tmp_path: Path) -> None:
    """It is tried again when the tail has doubled, not every second: making one takes processor time."""
    gated = GatedJournal(journal)
    deaths = Deaths()
    host = host_of(gated, "dc", "shop", snapshot_bytes=100, die=deaths, fold=fold_here(tmp_path))
    gated.unsnapped.add("location/dc")
    for name in ("dc", "shop"):
        for n in range(5):
            do(host, name, receipt(f"m{n}", "fig", 1))
    for _ in range(3):
        host.snapshot_due()
    assert gated.tried == ["location/dc", "location/shop"]
    for n in range(10):
        do(host, "dc", receipt(f"more-{n}", "fig", 1))
    gated.unsnapped.clear()
    host.snapshot_due()
    assert gated.tried[2:] == ["location/dc"]
    assert (host.hosted["dc"].tail_bytes, host.hosted["dc"].failed_bytes) == (0, 0)
    assert deaths == []


def test_a_ledger_that_cannot_be_folded_is_packed_in_its_host(journal: Journal) -> None:
    """When its tail has doubled: the log does not grow for ever."""

    def fail(shard: str, version: int) -> bytes:
        raise FoldFailedError(shard, f"no memory at {version}")

    host = host_of(journal, "dc", snapshot_bytes=100, fold=fail)
    for n in range(5):
        do(host, "dc", receipt(f"m{n}", "fig", 1))
    host.snapshot_due()
    assert host.hosted["dc"].snapshot_bytes == 0
    for n in range(10):
        do(host, "dc", receipt(f"more-{n}", "fig", 1))
    host.snapshot_due()
    assert host.hosted["dc"].tail_bytes == 0
    assert journal.open("location/dc").snapshot == Snapshot(15, bytes_of(host, "dc"))


def test_a_second_host_of_the_same_ledger_fences_the_first(journal: Journal) -> None:
    """There is one writer: the one who opened last. The older one dies at its next append."""
    deaths = Deaths()
    old = host_of(journal, "dc", die=deaths)
    do(old, "dc", receipt("m1", "fig", 5))
    new = host_of(journal, "dc")
    with pytest.raises(Exception, match="newer writer"):
        do(old, "dc", hold("r1", "fig", 5))
    assert deaths[0].startswith("Fenced")
    assert do(new, "dc", hold("r2", "fig", 5)).status == ReserveStatus.HELD


def test_an_entry_that_cannot_be_replayed_names_its_version(journal: Journal, tmp_path: Path) -> None:
    """Sound bytes that this build does not understand stop the location with an error of ours, nothing else."""
    epoch = journal.open("location/dc").epoch
    journal.append([Write("location/dc", epoch, Entry(1, codec.pack([((99, "future"), "", "")])))])
    item = Hosted("dc", LedgerLimits())
    with pytest.raises(BrokenInvariantError, match=r"location/dc.*entry 1 cannot be replayed.*KeyError"):
        item.recover(journal)
    assert item.status is Status.RECOVERING


def test_a_snapshot_that_cannot_be_read_names_its_version(journal: Journal) -> None:
    """The same for snapshots."""
    epoch = journal.open("location/dc").epoch
    journal.append([Write("location/dc", epoch, Entry(1, b""))])
    journal.save_snapshot("location/dc", epoch, Snapshot(1, b"nonsense"))
    with pytest.raises(BrokenInvariantError, match=r"location/dc.*snapshot 1 cannot be restored"):
        Hosted("dc", LedgerLimits()).recover(journal)


def test_other_limits_are_a_journaled_event(journal: Journal) -> None:
    """Changed settings bound what is lived from now on; what was lived before is replayed under its own bounds."""
    host = host_of(journal, "dc", limits=LedgerLimits(requests_max=2))
    do(host, "dc", receipt("m1", "fig", 50))
    for n in range(4):
        do(host, "dc", hold(f"r{n}", "fig", 1))
    assert len(ledger_of(host, "dc").requests.by_id) == 2
    again = host_of(journal, "dc", limits=LedgerLimits(requests_max=3))
    assert len(ledger_of(again, "dc").requests.by_id) == 2
    do(again, "dc", hold("r4", "fig", 1))
    assert len(ledger_of(again, "dc").requests.by_id) == 3
    once_more = host_of(journal, "dc", limits=LedgerLimits(requests_max=3))
    assert bytes_of(once_more, "dc") == bytes_of(again, "dc")


def test_a_ledger_that_a_wrong_clock_led_ahead_still_expires_holds(journal: Journal) -> None:
    """After a clock that was a year ahead a hold of a minute still lasts a minute."""
    clock = Clock()
    year_ns = 365 * 86_400 * 10**9
    clock.now_ns += year_ns
    host = host_of(journal, "dc", clock=clock)
    do(host, "dc", receipt("m1", "fig", 50))
    clock.now_ns -= year_ns
    again = host_of(journal, "dc", clock=clock)
    do(again, "dc", hold("r1", "fig", 1))
    clock.now_ns += 59 * 10**9
    again.tick()
    assert stock_of(again, "fig").held == 1
    clock.now_ns += 10**9
    again.tick()
    assert stock_of(again, "fig").held == 0


def test_a_batch_too_large_for_one_entry_becomes_several(journal: Journal) -> None:
    """Whatever comes in one batch, no journal entry goes beyond what a journal takes."""
    host = host_of(journal, "dc")
    lines = tuple((f"sku-{n:059d}", 1) for n in range(10_000))
    run(host, *(("dc", receipt(sku, sku, 1)) for sku, _ in lines))
    many = [("dc", Reserve(f"q{n}", f"k-q{n}", lines, 60 * 10**9)) for n in range(30)]
    progress, results = run(host, *many)
    assert [result.status for result in results] == [1, *[4] * 29]
    assert progress["dc"][0] > 2
    assert bytes_of(host_of(journal, "dc"), "dc") == bytes_of(host, "dc")


def test_the_journal_settings_of_a_unit_name_one_file(tmp_path: Path) -> None:
    """A unit is a file, so that an actor's group commit is one fsync."""
    with JournalSettings(str(tmp_path / "journal")).store().writer(UNIT) as journal:
        host_of(journal, "dc", "shop")
    assert [path.name for path in (tmp_path / "journal" / "units").glob("*.sqlite")] == [f"{UNIT}.sqlite"]
