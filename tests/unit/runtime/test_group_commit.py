from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from allocator.core import codec
from allocator.core.commands import Commit, GetStock
from allocator.core.ids import reservation_id
from allocator.core.results import Reason, ReserveStatus, TransitionStatus
from allocator.journal import JournalUnavailable
from allocator.runtime.errors import HostFailedError
from allocator.runtime.host import LedgerHost
from tests.unit.runtime.hosts import Clock, Deaths, bytes_of, do, hold, host_of, receipt, run, stock_of, writer
from tests.unit.runtime.journals import PATIENCE_S, GatedJournal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[GatedJournal]:
    """A journal on disk, with a gate that is open."""
    with GatedJournal(writer(tmp_path)) as journal:
        yield journal


@pytest.fixture
def clock() -> Clock:
    """The host's clock."""
    return Clock()


@pytest.fixture
def deaths() -> Deaths:
    """What the host died of."""
    return Deaths()


@pytest.fixture
def host(journal: GatedJournal, clock: Clock, deaths: Deaths) -> LedgerHost:
    """A host of two locations, the first with 100 figs."""
    host = host_of(journal, "dc", "shop", clock=clock, die=deaths)
    do(host, "dc", receipt("opening", "fig", 100))
    journal.wait_for_append()
    clock.forget_reads()
    return host


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Callers."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


def test_concurrent_callers_each_get_their_own_durable_answer(
    host: LedgerHost, threads: ThreadPoolExecutor, tmp_path: Path
) -> None:
    """Whatever runs side by side, everybody hears of his own hold, and recovery finds all of them."""
    results = list(threads.map(lambda n: do(host, "dc", hold(f"r{n}", "fig", 1)), range(120)))
    granted = [n for n, result in enumerate(results) if result.status == ReserveStatus.HELD]
    assert [results[n].reservation for n in granted] == [reservation_id("dc", f"r{n}") for n in granted]
    assert len(granted) == 100
    with writer(tmp_path) as journal:
        recovered = host_of(journal, "dc", "shop")
        assert stock_of(recovered, "fig").held == 100
        assert bytes_of(recovered, "dc") == bytes_of(host, "dc")


def test_nothing_is_answered_or_published_before_the_journal_has_it(
    host: LedgerHost, journal: GatedJournal, threads: ThreadPoolExecutor
) -> None:
    """While the append is under way there is no answer and no news; then there are both."""
    ring, sequence = host.hosted["dc"].ring, host.sequence
    journal.shut()
    answer = threads.submit(do, host, "dc", hold("r1", "fig", 1))
    journal.wait_for_append()
    assert not answer.done()
    assert (ring.version, ring.since(1), host.sequence) == (1, [], sequence)
    journal.let_go()
    assert answer.result(PATIENCE_S).status == ReserveStatus.HELD
    assert (ring.version, len(ring.since(1) or ()), host.sequence) == (2, 1, sequence + 1)


def test_a_question_is_not_answered_from_what_is_not_durable_yet(
    host: LedgerHost, journal: GatedJournal, threads: ThreadPoolExecutor
) -> None:
    """A reader never sees a hold which a crash could still take back."""
    journal.shut()
    write = threads.submit(do, host, "dc", hold("r1", "fig", 1))
    journal.wait_for_append()
    question = threads.submit(stock_of, host, "fig")
    assert not question.done()
    journal.let_go()
    assert write.result(PATIENCE_S).status == ReserveStatus.HELD
    assert question.result(PATIENCE_S).held == 1


def test_whatever_executes_during_an_append_goes_out_in_the_next_one(
    host: LedgerHost, journal: GatedJournal, clock: Clock, threads: ThreadPoolExecutor
) -> None:
    """Ten callers behind one fsync share the one after it."""
    journal.shut()
    first = threads.submit(do, host, "dc", hold("first", "fig", 1))
    journal.wait_for_append()
    clock.forget_reads()
    names = ["dc", "shop"] * 5
    behind = [threads.submit(do, host, name, receipt(f"m{n}", "fig", 1)) for n, name in enumerate(names)]
    clock.wait_for_reads(10)
    # The clock is read under the lock that a batch executes under: when it was read once more, ten are through.
    last = threads.submit(do, host, "dc", GetStock(("fig",)))
    clock.wait_for_reads(1)
    journal.let_go()
    for answer in (first, *behind, last):
        answer.result(PATIENCE_S)
    assert [len(writes) for writes in journal.appended] == [1, 1, 10]
    versions = [(write.shard, write.entry.version) for write in journal.appended[-1]]
    assert sorted(versions) == [
        *(("location/dc", version) for version in range(3, 8)),
        *(("location/shop", version) for version in range(1, 6)),
    ]


def test_a_batch_that_changes_nothing_is_not_journaled(host: LedgerHost, journal: GatedJournal) -> None:
    """Questions, repeats and errors make no entry, and no version."""
    do(host, "dc", hold("r1", "fig", 1))
    appends = len(journal.appended)
    repeat = do(host, "dc", hold("r1", "fig", 1))
    reused = do(host, "dc", hold("r1", "fig", 2))
    stock_of(host, "fig")
    assert (repeat.repeated, reused.reason, reused.field) == (True, Reason.REQUEST_ID_REUSED, "lines")
    assert len(journal.appended) == appends


def test_when_an_append_fails_the_host_dies_and_nobody_is_told(
    host: LedgerHost, journal: GatedJournal, deaths: Deaths, threads: ThreadPoolExecutor
) -> None:
    """Neither the writer nor those behind him get an answer, and readers no news."""
    ring, sequence = host.hosted["dc"].ring, host.sequence
    journal.shut()
    first = threads.submit(do, host, "dc", hold("r1", "fig", 1))
    journal.wait_for_append()
    behind = threads.submit(do, host, "shop", receipt("m1", "fig", 1))
    journal.fail()
    journal.let_go()
    with pytest.raises(JournalUnavailable):
        first.result(PATIENCE_S)
    with pytest.raises((JournalUnavailable, HostFailedError)):
        behind.result(PATIENCE_S)
    assert deaths[0].startswith("JournalUnavailable: the journal the test is unavailable: told to fail")
    assert (ring.version, host.hosted["shop"].ring.version, host.sequence) == (1, 0, sequence)


def test_after_a_failed_append_every_call_fails(host: LedgerHost, journal: GatedJournal, deaths: Deaths) -> None:
    """Memory is ahead of the disk then, so not even a question is answered from it."""
    journal.fail()
    with pytest.raises(JournalUnavailable):
        do(host, "dc", hold("r1", "fig", 1))
    for name, command in (("dc", hold("r2", "fig", 1)), ("dc", GetStock(("fig",))), ("shop", GetStock(("fig",)))):
        with pytest.raises(HostFailedError, match="told to fail"):
            do(host, name, command)
    with pytest.raises(HostFailedError, match="told to fail"):
        host.tick()
    assert len(deaths) == 1


def test_a_recovery_after_a_failed_append_has_what_was_answered(
    host: LedgerHost, journal: GatedJournal, tmp_path: Path
) -> None:
    """What was acknowledged before is there; what failed may be repeated and happens once."""
    do(host, "dc", hold("kept", "fig", 1))
    journal.fail()
    with pytest.raises(JournalUnavailable):
        do(host, "dc", hold("lost", "fig", 1))
    with writer(tmp_path) as again:
        recovered = host_of(again, "dc", "shop")
        assert stock_of(recovered, "fig").held == 1
        assert do(recovered, "dc", hold("lost", "fig", 1)).status == ReserveStatus.HELD
        assert stock_of(recovered, "fig").held == 2


def test_one_bad_command_does_not_take_its_batch_along(host: LedgerHost, deaths: Deaths) -> None:
    """A command that cannot even be decided is an error for its caller; its neighbours are answered."""
    odd = Commit("c1", {"no": "name"})  # type: ignore[arg-type]  # what no gateway sends
    _, (good, bad, also_good) = run(host, ("dc", hold("r1", "fig", 1)), ("dc", odd), ("dc", hold("r2", "fig", 1)))
    assert (good.status, also_good.status) == (ReserveStatus.HELD, ReserveStatus.HELD)
    assert bad.reason == Reason.INTERNAL
    assert deaths == []


def test_a_command_of_an_unknown_kind_does_not_take_its_batch_along(host: LedgerHost, deaths: Deaths) -> None:
    """What a newer gateway may send is an error for its caller too."""
    commands = (codec.tagged(hold("r1", "fig", 1)), (99, "from", "the", "future"))
    _, (good, bad) = codec.unpack(host.execute(codec.pack(({}, [("dc", array, "", "") for array in commands]))))
    assert codec.untagged(good).status == ReserveStatus.HELD
    assert codec.untagged(bad).reason == Reason.INTERNAL
    assert deaths == []


def test_progress_tells_what_a_reader_does_not_know_yet(host: LedgerHost) -> None:
    """An answer carries the durable version and the changes since the version known; None when it cannot tell."""
    do(host, "dc", hold("r1", "fig", 1))
    progress, _ = run(host, ("dc", hold("r2", "fig", 1)), known={"dc": 1})
    version, changes = progress["dc"]
    assert (version, [change[0] for change in changes]) == (3, [2, 3])
    progress, _ = run(host, ("dc", GetStock(("fig",))), ("shop", GetStock(())), known={"dc": 3})
    assert progress["dc"] == (3, ())
    assert progress["shop"] == (0, None)


def test_transitions_in_one_batch_see_each_other(host: LedgerHost) -> None:
    """A batch executes in order, whatever else it holds."""
    name = reservation_id("dc", "r1")
    _, (held, committed) = run(host, ("dc", hold("r1", "fig", 1)), ("dc", Commit("c1", name)))
    assert (held.status, committed.status) == (ReserveStatus.HELD, TransitionStatus.DONE)
