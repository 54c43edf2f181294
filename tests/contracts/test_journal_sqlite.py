"""The journal on SQLite: files, disks, and what happens to them."""

from __future__ import annotations

import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event, text

from allocator.journal import (
    Entry,
    Journal,
    JournalDamaged,
    JournalError,
    JournalSettings,
    JournalStore,
    JournalUnavailable,
    Opened,
    Snapshot,
    Write,
)
from allocator.journal.sqlite import SqliteBackend

DISK_BYTES = 4 * 1024 * 1024
RECORD_BYTES = 30
"""At least what an entry takes in a SQLite file."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a journal will be."""
    return tmp_path / "journal"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little space; skipped where this user may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["/bin/umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def full_files() -> Iterator[list[int]]:
    """Bounds every database file that is opened to so many pages, while the list has a number."""
    pages: list[int] = []

    @event.listens_for(Engine, "connect")
    def bound(connection: object, _: object) -> None:
        for count in pages:
            connection.execute(f"PRAGMA max_page_count={count}")  # type: ignore[attr-defined]

    yield pages
    event.remove(Engine, "connect", bound)


def fill(directory: Path, shard: str = "dc-1", count: int = 6, snapshot: int = 3, *, cut: bool = False) -> Opened:
    """Make a journal with a shard in unit `u`; return what opening it gives, but for the epoch."""
    entries = [Entry(version, f"payload-{version}".encode()) for version in range(1, count + 1)]
    with JournalStore(str(directory)).writer("u") as journal:
        epoch = journal.open(shard).epoch
        journal.append([Write(shard, epoch, entry) for entry in entries])
        journal.save_snapshot(shard, epoch, Snapshot(snapshot, b"state" * 1000))
        if cut:
            assert journal.cut(shard) == snapshot
    return Opened(epoch, Snapshot(snapshot, b"state" * 1000), entries[snapshot:])


def append_without_end(journal: Journal, epoch: int, acknowledged: list[Entry]) -> None:
    """Append entry after entry to `dc-1`, and note each that was acknowledged."""
    while True:
        entry = Entry(len(acknowledged) + 1, bytes([len(acknowledged) % 256]) * 10_000)
        journal.append([Write("dc-1", epoch, entry)])
        acknowledged.append(entry)


def test_every_commit_reaches_the_disk(directory: Path) -> None:
    """Each connection of a writer has synchronous=FULL (2) in WAL mode, also the later ones of its pool."""
    databases = SqliteBackend(directory).writer("u")
    for database in databases:
        with database.engine.connect() as first, database.engine.connect() as second:
            for connection in (first, second):
                assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
                assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
                connection.rollback()
        database.close()


def test_a_reader_cannot_write(directory: Path) -> None:
    """Its connections refuse to."""
    fill(directory)
    database = SqliteBackend(directory).unit_for_reading("u")
    with pytest.raises(JournalUnavailable, match="readonly"), database.writing() as connection:
        connection.execute(text("DELETE FROM entries"))
    database.close()


def test_files_are_for_their_user_only(directory: Path) -> None:
    """The journal says what a shop sells."""
    store = JournalStore(str(directory))
    with store, store.lock(), store.writer("u") as journal:
        journal.append([Write("dc-1", journal.open("dc-1").epoch, Entry(1, b"x"))])
        store.register_cursor("erp")
        files = [path for path in directory.rglob("*") if path.is_file()]
        assert {path.name for path in files} >= {"lock", "catalog.sqlite", "u.sqlite", "u.sqlite-wal"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("unit", ["u", "a/b", "..", "locations/köln 1%", "x?mode=ro#"])
def test_any_unit_has_a_file_of_its_own(directory: Path, unit: str) -> None:
    """Odd characters neither leave the directory nor meet another unit."""
    store = JournalStore(str(directory / "odd #?% name"))
    with store.writer(unit) as journal:
        journal.append([Write("dc-1", journal.open("dc-1").epoch, Entry(1, b"x"))])
    with store.reader() as reader:
        assert reader.status("dc-1").unit == unit
        assert Path(reader.status("dc-1").file).parent == directory / "odd #?% name" / "units"
        assert Path(reader.status("dc-1").file).exists()


def test_a_full_disk_is_unavailable_and_loses_nothing(small_disk: Path) -> None:
    """What was acknowledged before is there after space was freed, and the journal goes on."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(DISK_BYTES // 2))
    store = JournalStore(str(small_disk / "journal"))
    acknowledged: list[Entry] = []
    with store.writer("u") as journal:
        epoch = journal.open("dc-1").epoch
        with pytest.raises(JournalUnavailable, match=r"full.*free space"):
            append_without_end(journal, epoch, acknowledged)
        with pytest.raises(JournalUnavailable):
            journal.save_snapshot("dc-1", epoch, Snapshot(1, bytes(DISK_BYTES)))
    assert len(acknowledged) > 20
    ballast.unlink()
    with store.writer("u") as journal:
        opened = journal.open("dc-1")
        assert opened.tail == acknowledged
        journal.append([Write("dc-1", opened.epoch, Entry(len(acknowledged) + 1, b"goes on"))])
    with store.reader() as reader:
        assert list(reader.verify("dc-1")) == []


def test_a_full_file_is_unavailable_and_loses_nothing(directory: Path, full_files: list[int]) -> None:
    """The same without a disk of its own: the file may not grow any more."""
    store = JournalStore(str(directory))
    with store.writer("u") as journal:
        epoch = journal.open("dc-1").epoch
    full_files.append(60)
    acknowledged: list[Entry] = []
    with store.writer("u") as journal:
        epoch = journal.open("dc-1").epoch
        with pytest.raises(JournalUnavailable, match=r"full.*free space"):
            append_without_end(journal, epoch, acknowledged)
    full_files.clear()
    with store.writer("u") as journal:
        assert acknowledged
        assert journal.open("dc-1").tail == acknowledged


def test_a_path_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """The message names it and says what to check."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalUnavailable, match=r"file/journal.*check that the path exists"):
        JournalStore(str(tmp_path / "file" / "journal")).writer("u")


@pytest.mark.parametrize("size", [0, 100, 4096 + 10, 3 * 4096])
def test_a_truncated_file_is_damage(directory: Path, size: int) -> None:
    """The message names the file, and `verify` says more."""
    fill(directory)
    path = directory / "units" / "u.sqlite"
    path.write_bytes(path.read_bytes()[:size])
    store = JournalStore(str(directory))
    with pytest.raises(JournalDamaged, match=r"u\.sqlite"), store.writer("u") as journal:
        journal.open("dc-1")
    with store.reader() as reader:
        assert list(reader.verify("dc-1"))


def test_a_file_that_is_no_database_is_damage(directory: Path) -> None:
    """Whatever it holds."""
    fill(directory)
    (directory / "units" / "u.sqlite").write_bytes(b"nonsense" * 2000)
    store = JournalStore(str(directory))
    with pytest.raises(JournalDamaged, match=r"u\.sqlite.*not a database"), store.writer("u") as journal:
        journal.open("dc-1")
    with store.reader() as reader:
        assert "not a database" in next(reader.verify("dc-1")).what


def test_a_broken_page_is_damage_with_details(directory: Path) -> None:
    """`verify` adds what SQLite itself finds."""
    fill(directory, count=2000)
    path = directory / "units" / "u.sqlite"
    content = bytearray(path.read_bytes())
    middle = len(content) // 4096 // 2 * 4096
    content[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(content)
    store = JournalStore(str(directory))
    with pytest.raises(JournalDamaged, match="malformed"), store.writer("u") as journal:
        journal.open("dc-1")
    with store.reader() as reader:
        assert len(list(reader.verify("dc-1"))) > 1


def test_a_lost_unit_file_is_damage(directory: Path) -> None:
    """A shard that was written to never starts from nothing."""
    fill(directory)
    (directory / "units" / "u.sqlite").unlink()
    store = JournalStore(str(directory))
    with store.reader() as reader, pytest.raises(JournalDamaged, match="file is missing"):
        reader.head("dc-1")
    with pytest.raises(JournalDamaged, match="head is missing"), store.writer("u") as journal:
        journal.open("dc-1")


def test_a_lost_catalog_is_damage(directory: Path) -> None:
    """An empty one would start shards from nothing as soon as they change their unit."""
    fill(directory)
    (directory / "catalog.sqlite").unlink()
    store = JournalStore(str(directory))
    for use in (lambda: store.writer("u"), store.reader, store.cursors):
        with pytest.raises(JournalDamaged, match=r"catalog\.sqlite.*1 unit files"):
            use()


@pytest.mark.parametrize("cut", [False, True], ids=["whole log", "log cut"])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_changes_what_is_read(tmp_path: Path, *, cut: bool, place: float, bit: int) -> None:
    """Wherever it is in the unit's file: the same state comes back, or an error.

    A snapshot that is not found any more is made up for by a log that has all of its entries, not by one that was cut.
    """
    sound, broken = tmp_path / "sound", tmp_path / "broken"
    if not sound.exists():
        fill(sound, cut=cut)
    entries = [Entry(version, f"payload-{version}".encode()) for version in range(1, 7)]
    right: list[tuple[Snapshot | None, list[Entry]]] = [(Snapshot(3, b"state" * 1000), entries[3:])]
    if not cut:
        right.append((None, entries))
    size = len((sound / "units" / "u.sqlite").read_bytes())
    opened = opened_with_a_flip(sound, broken, int(place * size), bit)
    assert opened is None or opened[1:] in right


@pytest.mark.parametrize("end", [b"payload-6", b"dc-1\x06\x06"], ids=["row", "index"])
def test_no_flipped_bit_of_a_record_goes_unnoticed(tmp_path: Path, end: bytes) -> None:
    """Whatever it makes of the lengths, types and numbers in an entry's row, or in the index that leads to it."""
    sound, broken = tmp_path / "sound", tmp_path / "broken"
    fill(sound, cut=True)
    place = (sound / "units" / "u.sqlite").read_bytes().index(end) + len(end)
    for byte in range(place - RECORD_BYTES, place):
        for bit in range(8):
            opened = opened_with_a_flip(sound, broken, byte, bit)
            assert opened is None or [entry.version for entry in opened.tail] == [4, 5, 6]


def opened_with_a_flip(sound: Path, broken: Path, place: int, bit: int) -> Opened | None:
    """Open a copy in which one bit of the unit's file is another; None when that is an error, as it should be."""
    shutil.rmtree(broken, ignore_errors=True)
    shutil.copytree(sound, broken)
    path = broken / "units" / "u.sqlite"
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    store = JournalStore(str(broken))
    with suppress(JournalError), store.reader() as reader:
        list(reader.verify("dc-1"))
        reader.inspect("dc-1", 3, 10)
    try:
        with store.reader() as reader:
            read = reader.read("dc-1", 3, 10)
        with store.writer("u") as journal:
            opened = journal.open("dc-1")
    except JournalError:
        return None
    assert read == opened.tail[-len(read) :]
    return opened


def test_settings_are_all_it_takes(directory: Path) -> None:
    """The address in its three spellings is the same journal."""
    expected = fill(directory)
    for url in (str(directory), f"sqlite:///{directory}", f"{directory}/"):
        with JournalSettings(url).store().reader() as reader:
            assert reader.read("dc-1", 3, 10) == expected.tail
