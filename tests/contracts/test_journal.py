"""The contract of the journal: every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from allocator.journal import (
    Entry,
    Fenced,
    Journal,
    JournalStore,
    JournalUnavailable,
    SettingsInvalid,
    ShardUnknown,
    Snapshot,
    TooLarge,
    Trimmed,
    VersionGap,
    Write,
    limits,
)


def entries(first: int, last: int) -> list[Entry]:
    """The entries that `filled` and `writes` make."""
    return [Entry(version, f"payload-{version}".encode()) for version in range(first, last + 1)]


def writes(shard: str, epoch: int, first: int, last: int) -> list[Write]:
    """The same as writes."""
    return [Write(shard, epoch, entry) for entry in entries(first, last)]


def test_a_new_shard_opens_empty_with_a_first_epoch(journal: Journal) -> None:
    """Nothing was ever written: no snapshot, no tail."""
    opened = journal.open("dc-1")
    assert (opened.epoch, opened.snapshot, opened.tail) == (1, None, [])


def test_what_was_appended_comes_back_in_order(journal: Journal, store: JournalStore, filled: int) -> None:
    """The tail holds every entry, also for another writer and for a reader."""
    journal.close()
    with store.writer("u") as again, store.reader() as reader:
        assert again.open("dc-1").tail == entries(1, 6)
        assert reader.read("dc-1", 0, 100) == entries(1, 6)
        assert reader.head("dc-1") == 6


@pytest.mark.parametrize("payload", [b"", b"\0\xff\0", bytes(range(256)) * 9000], ids=["empty", "binary", "large"])
def test_any_payload_comes_back_byte_for_byte(journal: Journal, payload: bytes) -> None:
    """Payloads are opaque."""
    journal.append([Write("dc-1", journal.open("dc-1").epoch, Entry(1, payload))])
    assert journal.open("dc-1").tail == [Entry(1, payload)]


@pytest.mark.parametrize("shard", ["$network", "stores/leeds:7", "Köln-Süd", "a b", "x" * 128])
def test_any_printable_name_is_a_shard(journal: Journal, store: JournalStore, shard: str) -> None:
    """Names are kept as they are."""
    journal.append(writes(shard, journal.open(shard).epoch, 1, 1))
    with store.reader() as reader:
        assert reader.shards() == [shard]
        assert reader.head(shard) == 1


@pytest.mark.parametrize("shard", ["", "x" * 129, "a\0b", "a\nb"])
def test_a_name_that_is_none_is_refused(journal: Journal, shard: str) -> None:
    """Empty, too long and unprintable names say what is expected."""
    with pytest.raises(SettingsInvalid, match="1 to 128 printable characters"):
        journal.open(shard)


def test_every_open_takes_a_higher_epoch(journal: Journal, writer_of: Callable[[str], Journal]) -> None:
    """Epochs grow, whoever opens."""
    other = writer_of("u")
    assert [journal.open("dc-1").epoch, other.open("dc-1").epoch, journal.open("dc-1").epoch] == [1, 2, 3]


def test_an_old_epoch_cannot_append(journal: Journal, writer_of: Callable[[str], Journal], filled: int) -> None:
    """Once another writer opened the shard, the first one is fenced and writes nothing."""
    successor = writer_of("u")
    opened = successor.open("dc-1")
    with pytest.raises(Fenced) as caught:
        journal.append(writes("dc-1", filled, 7, 7))
    assert caught.value.args == ("dc-1", filled, opened.epoch)
    successor.append([Write("dc-1", opened.epoch, Entry(7, b"mine"))])
    assert successor.open("dc-1").tail == [*entries(1, 6), Entry(7, b"mine")]


def test_an_old_epoch_among_many_shards_writes_nothing_at_all(
    journal: Journal, writer_of: Callable[[str], Journal]
) -> None:
    """A group over several shards is all or nothing."""
    epochs = {shard: journal.open(shard).epoch for shard in ("a", "b", "c")}
    writer_of("u").open("b")
    with pytest.raises(Fenced, match="'b'"):
        journal.append([write for shard in epochs for write in writes(shard, epochs[shard], 1, 3)])
    assert [journal.open(shard).tail for shard in epochs] == [[], [], []]


def test_an_old_epoch_cannot_save_a_snapshot(
    journal: Journal, writer_of: Callable[[str], Journal], filled: int
) -> None:
    """A fenced writer's snapshot is refused and never seen."""
    successor = writer_of("u")
    successor.open("dc-1")
    with pytest.raises(Fenced):
        journal.save_snapshot("dc-1", filled, Snapshot(6, b"zombie"))
    assert successor.open("dc-1").snapshot is None


def test_a_shard_that_nobody_opened_cannot_be_written(journal: Journal) -> None:
    """There is no epoch without `open`."""
    with pytest.raises(Fenced, match="not open here"):
        journal.append(writes("dc-1", 1, 1, 1))


@pytest.mark.parametrize("version", [0, 5, 6, 8])
def test_a_version_that_does_not_follow_is_refused(journal: Journal, filled: int, version: int) -> None:
    """A repeated and a skipped version are refused alike."""
    with pytest.raises(VersionGap) as caught:
        journal.append([Write("dc-1", filled, Entry(version, b"other"))])
    assert caught.value.args == ("dc-1", 7, version)
    assert journal.open("dc-1").tail == entries(1, 6)


def test_a_gap_inside_a_group_is_refused(journal: Journal) -> None:
    """The entries of one shard in one append follow each other."""
    epoch = journal.open("dc-1").epoch
    with pytest.raises(VersionGap):
        journal.append([*writes("dc-1", epoch, 1, 2), *writes("dc-1", epoch, 4, 4)])
    assert journal.open("dc-1").tail == []


def test_two_epochs_of_one_shard_in_a_group_are_refused(journal: Journal) -> None:
    """At most one of them can be current."""
    epoch = journal.open("dc-1").epoch
    with pytest.raises(Fenced):
        journal.append([*writes("dc-1", epoch, 1, 1), *writes("dc-1", epoch - 1, 2, 2)])


def test_entries_of_shards_may_come_mixed(journal: Journal) -> None:
    """A group need not be sorted by shard."""
    a, b = journal.open("a").epoch, journal.open("b").epoch
    mixed = [write for pair in zip(writes("b", b, 1, 3), writes("a", a, 1, 3), strict=True) for write in pair]
    journal.append(mixed)
    assert journal.open("a").tail == journal.open("b").tail == entries(1, 3)


def test_appending_nothing_is_nothing(journal: Journal) -> None:
    """An empty group is no error."""
    journal.append([])


def test_a_payload_over_the_maximum_is_a_clear_error(journal: Journal) -> None:
    """The maximum is named, and nothing is written."""
    epoch = journal.open("dc-1").epoch
    with pytest.raises(TooLarge, match="67,108,864 are the maximum"):
        journal.append([Write("dc-1", epoch, Entry(1, bytes(limits.ENTRY_BYTES_MAX + 1)))])
    assert journal.open("dc-1").tail == []


def test_a_snapshot_comes_back_with_the_tail_after_it(journal: Journal, filled: int) -> None:
    """Recovery starts from the snapshot and needs only the later entries."""
    journal.save_snapshot("dc-1", filled, Snapshot(4, b"state-4"))
    opened = journal.open("dc-1")
    assert opened.snapshot == Snapshot(4, b"state-4")
    assert opened.tail == entries(5, 6)


@pytest.mark.parametrize("size", [0, 1, limits.SNAPSHOT_CHUNK_BYTES, 3 * limits.SNAPSHOT_CHUNK_BYTES + 17])
def test_a_snapshot_of_any_size_comes_back_whole(journal: Journal, store: JournalStore, filled: int, size: int) -> None:
    """Pieces are put together again, for the writer and for a reader."""
    snapshot = Snapshot(6, (bytes(range(251)) * (size // 251 + 1))[:size])
    journal.save_snapshot("dc-1", filled, snapshot)
    assert journal.open("dc-1").snapshot == snapshot
    with store.reader() as reader:
        assert reader.latest_snapshot("dc-1") == snapshot
        assert reader.status("dc-1").snapshot_bytes == size


def test_a_newer_snapshot_replaces_the_older(journal: Journal, filled: int, tamper: Callable[..., int]) -> None:
    """Only the newest is kept, with no piece of the others."""
    for version in (2, 4, 6):
        journal.save_snapshot("dc-1", filled, Snapshot(version, bytes(2 * limits.SNAPSHOT_CHUNK_BYTES + version)))
    opened = journal.open("dc-1")
    assert opened.snapshot == Snapshot(6, bytes(2 * limits.SNAPSHOT_CHUNK_BYTES + 6))
    assert tamper("DELETE FROM snapshots") == 1
    assert tamper("DELETE FROM snapshot_chunks") == 3


@pytest.mark.parametrize("version", [3, 4])
def test_a_snapshot_that_is_not_newer_changes_nothing(journal: Journal, filled: int, version: int) -> None:
    """A late snapshot does not turn recovery back."""
    journal.save_snapshot("dc-1", filled, Snapshot(4, b"state-4"))
    journal.save_snapshot("dc-1", filled, Snapshot(version, b"late"))
    assert journal.open("dc-1").snapshot == Snapshot(4, b"state-4")


def test_a_snapshot_ahead_of_the_log_is_refused(journal: Journal, filled: int) -> None:
    """A snapshot of what is not durable would be a state out of nowhere."""
    with pytest.raises(VersionGap):
        journal.save_snapshot("dc-1", filled, Snapshot(7, b"future"))


def test_a_snapshot_left_half_done_is_never_seen(
    journal: Journal, filled: int, store: JournalStore, tamper: Callable[..., int]
) -> None:
    """Pieces without their row do not count, and the next snapshot takes their place."""
    tamper(
        "INSERT INTO snapshot_chunks (shard, version, epoch, number, checksum, payload)"
        " VALUES ('dc-1', 6, :epoch, 0, 1, :payload)",
        epoch=filled,
        payload=b"half",
    )
    with store.reader() as reader:
        assert reader.latest_snapshot("dc-1") is None
        assert list(reader.verify("dc-1")) == []
        journal.save_snapshot("dc-1", filled, Snapshot(6, b"whole"))
        assert reader.latest_snapshot("dc-1") == Snapshot(6, b"whole")


def test_a_cut_goes_up_to_the_snapshot(journal: Journal, store: JournalStore, filled: int) -> None:
    """Without cursors everything the snapshot includes goes, and recovery sees no difference."""
    assert journal.cut("dc-1") == 0
    journal.save_snapshot("dc-1", filled, Snapshot(4, b"state-4"))
    assert journal.cut("dc-1") == 4
    assert journal.cut("dc-1") == 0
    with store.reader() as reader:
        assert reader.status("dc-1").first_available == 5
        assert list(reader.verify("dc-1")) == []
    opened = journal.open("dc-1")
    assert (opened.snapshot, opened.tail) == (Snapshot(4, b"state-4"), entries(5, 6))


def test_a_cut_stays_behind_the_slowest_cursor(journal: Journal, store: JournalStore, filled: int) -> None:
    """What a follower has not passed is kept, until it passes it or is dropped."""
    journal.save_snapshot("dc-1", filled, Snapshot(6, b"state-6"))
    for name, version in (("fast", 5), ("slow", 2)):
        store.register_cursor(name)
        store.advance_cursor(name, "dc-1", version)
    assert journal.cut("dc-1") == 2
    store.advance_cursor("slow", "dc-1", 4)
    assert journal.cut("dc-1") == 2
    store.drop_cursor("slow")
    assert journal.cut("dc-1") == 1


def test_a_cursor_that_has_not_begun_holds_everything(journal: Journal, store: JournalStore, filled: int) -> None:
    """Registered without a position means 0."""
    journal.save_snapshot("dc-1", filled, Snapshot(6, b"state-6"))
    store.register_cursor("erp")
    assert journal.cut("dc-1") == 0


def test_a_cut_of_many_entries_goes_in_pieces(journal: Journal) -> None:
    """More entries than one transaction deletes."""
    epoch, last = journal.open("dc-1").epoch, 2 * limits.CUT_ROWS_MAX + 3
    journal.append(writes("dc-1", epoch, 1, last + 1))
    journal.save_snapshot("dc-1", epoch, Snapshot(last, b"state"))
    assert journal.cut("dc-1") == last
    assert journal.open("dc-1").tail == entries(last + 1, last + 1)


def test_a_reader_behind_the_cut_is_told_where_to_begin(journal: Journal, store: JournalStore, filled: int) -> None:
    """It gets an error with the first version still there, never a silent gap."""
    journal.save_snapshot("dc-1", filled, Snapshot(4, b"state-4"))
    journal.cut("dc-1")
    with store.reader() as reader:
        with pytest.raises(Trimmed) as caught:
            reader.read("dc-1", 3, 10)
        assert caught.value.first_available == 5
        assert reader.read("dc-1", 4, 10) == entries(5, 6)


def test_appends_go_on_while_a_snapshot_is_saved_and_the_log_is_cut(journal: Journal, store: JournalStore) -> None:
    """One thread appends, another one snapshots and cuts; both find what they wrote."""
    epoch = journal.open("dc-1").epoch
    journal.append(writes("dc-1", epoch, 1, 50))
    with ThreadPoolExecutor(1) as upkeep:
        snapshot = Snapshot(50, bytes(range(256)) * 40_000)
        saving = upkeep.submit(journal.save_snapshot, "dc-1", epoch, snapshot)
        cutting = upkeep.submit(journal.cut, "dc-1")
        last = 50
        while not cutting.done():
            last += 1
            journal.append(writes("dc-1", epoch, last, last))
        saving.result()
        assert cutting.result() == 50
    opened = journal.open("dc-1")
    assert (opened.snapshot, opened.tail) == (snapshot, entries(51, last))
    with store.reader() as reader:
        assert list(reader.verify("dc-1")) == []


def test_a_reader_reads_in_pages(journal: Journal, store: JournalStore, filled: int) -> None:
    """The last version of a page is where the next one begins; an empty page is the end."""
    with store.reader() as reader:
        assert reader.read("dc-1", 0, 4) == entries(1, 4)
        assert reader.read("dc-1", 4, 4) == entries(5, 6)
        assert reader.read("dc-1", 6, 4) == []
        assert reader.read("dc-1", 0, 0) == []


def test_a_page_ends_early_when_it_grows_too_large(journal: Journal, store: JournalStore) -> None:
    """The bytes of a page are bounded, and at least one entry always comes."""
    epoch, size = journal.open("dc-1").epoch, limits.READ_BYTES_MAX // 4
    for version in range(1, 7):
        journal.append([Write("dc-1", epoch, Entry(version, bytes(size)))])
    with store.reader() as reader:
        assert [entry.version for entry in reader.read("dc-1", 0, 100)] == [1, 2, 3, 4, 5]
        assert [entry.version for entry in reader.read("dc-1", 5, 100)] == [6]


def test_a_reader_sees_shards_of_all_units(writer_of: Callable[[str], Journal], store: JournalStore) -> None:
    """Readers know no units."""
    for unit, shard in (("u", "b"), ("v", "a"), ("w", "c")):
        writer = writer_of(unit)
        writer.append(writes(shard, writer.open(shard).epoch, 1, 2))
    with store.reader() as reader:
        assert reader.shards() == ["a", "b", "c"]
        assert [reader.read(shard, 0, 9) for shard in reader.shards()] == [entries(1, 2)] * 3


def test_a_reader_is_told_that_a_shard_does_not_exist(journal: Journal, store: JournalStore) -> None:
    """An unknown name is an error that repeats it."""
    with store.reader() as reader, pytest.raises(ShardUnknown, match="'nowhere'"):
        reader.head("nowhere")


def test_a_reader_makes_nothing(store: JournalStore) -> None:
    """Reading where no journal is says so."""
    with pytest.raises(JournalUnavailable):
        store.reader()
    with pytest.raises(JournalUnavailable):
        store.reader()


def test_a_reader_sees_whole_groups_only(journal: Journal, store: JournalStore) -> None:
    """A reader never sees half of a group over two shards."""
    epochs = {shard: journal.open(shard).epoch for shard in ("a", "b")}
    done = threading.Event()

    def append_groups() -> None:
        for version in range(1, 60):
            journal.append([write for shard in epochs for write in writes(shard, epochs[shard], version, version)])
        done.set()

    with ThreadPoolExecutor(1) as appending, store.reader() as reader:
        running = appending.submit(append_groups)
        while not done.is_set() and not running.done():
            first = reader.head("a")
            assert reader.head("b") >= first
        running.result()
        assert reader.head("a") == reader.head("b") == 59


def test_status_tells_where_a_shard_stands(journal: Journal, store: JournalStore, filled: int) -> None:
    """Everything a person asks first."""
    journal.save_snapshot("dc-1", filled, Snapshot(4, b"state"))
    journal.cut("dc-1")
    with store.reader() as reader:
        status = reader.status("dc-1")
    assert status[:2] == ("dc-1", "u")
    assert status[3:] == (filled, 6, 5, 4, 5)


def test_two_writers_who_fight_for_a_shard_lose_nothing(store: JournalStore) -> None:
    """Each opens again when it was fenced; what either was acknowledged is in the log, in order."""
    start = threading.Barrier(2)

    def fight(name: bytes) -> list[bytes]:
        acknowledged: list[bytes] = []
        with store.writer("u") as writer:
            start.wait()
            while len(acknowledged) < 15:
                try:
                    opened = writer.open("dc-1")
                    version = len(opened.tail)
                    while len(acknowledged) < 15:
                        version += 1
                        payload = b"%s-%d" % (name, len(acknowledged))
                        writer.append([Write("dc-1", opened.epoch, Entry(version, payload))])
                        acknowledged.append(payload)
                except Fenced:
                    continue
        return acknowledged

    with ThreadPoolExecutor(2) as fighters:
        told = list(fighters.map(fight, [b"left", b"right"]))
    with store.reader() as reader:
        log = [entry.payload for entry in reader.read("dc-1", 0, 1000)]
    assert [payload for payload in log if payload.startswith(b"left")] == told[0]
    assert [payload for payload in log if payload.startswith(b"right")] == told[1]


def test_many_writers_may_make_the_journal_at_once(store: JournalStore) -> None:
    """Actors start together on an empty disk or schema."""
    count = 6
    start = threading.Barrier(count)

    def begin(number: int) -> int:
        start.wait()
        with store.writer(f"unit-{number}") as writer:
            return writer.open(f"shard-{number}").epoch

    with ThreadPoolExecutor(count) as starters:
        assert list(starters.map(begin, range(count))) == [1] * count
    with store.reader() as reader:
        assert len(reader.shards()) == count
