"""Moving shards between units, which on SQLite are files."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from allocator.journal import (
    Cursor,
    Entry,
    Fenced,
    Journal,
    JournalDamaged,
    JournalStore,
    SettingsInvalid,
    ShardElsewhere,
    Snapshot,
    Write,
)
from allocator.journal.catalog import Catalog
from allocator.journal.regroup import Move, Moved
from allocator.journal.sqlite import SqliteBackend

SHARDS = ("a", "b", "c", "d")


def fill(store: JournalStore, units: dict[str, list[str]]) -> None:
    """Give every shard three entries, a snapshot at 2 and one entry cut behind a cursor."""
    store.assign(units)
    store.register_cursor("erp")
    for unit, shards in units.items():
        with store.writer(unit) as journal:
            for shard in shards:
                epoch = journal.open(shard).epoch
                journal.append([Write(shard, epoch, Entry(v, f"{shard}-{v}".encode())) for v in (1, 2, 3)])
                journal.save_snapshot(shard, epoch, Snapshot(2, f"state of {shard}".encode()))
                store.advance_cursor("erp", shard, 1)
                journal.cut(shard)


def check(store: JournalStore, units: dict[str, list[str]]) -> None:
    """Everything `fill` wrote is there, and in these units."""
    with store.reader() as reader:
        for unit, shards in units.items():
            for shard in shards:
                assert reader.status(shard).unit == unit
                assert reader.read(shard, 1, 10) == [Entry(v, f"{shard}-{v}".encode()) for v in (2, 3)]
                assert list(reader.verify(shard)) == []
    for unit, shards in units.items():
        with store.writer(unit) as journal:
            for shard in shards:
                opened = journal.open(shard)
                assert opened.snapshot == Snapshot(2, f"state of {shard}".encode())
                assert opened.tail == [Entry(3, f"{shard}-3".encode())]
    assert store.cursors() == [Cursor("erp", shard, 1) for shard in SHARDS]


@pytest.mark.parametrize(
    "units",
    [
        {"u": ["a", "b", "c", "d"]},
        {"u": ["a"], "v": ["b"], "w": ["c"], "x": ["d"]},
        {"v": ["a", "b"], "u": ["c", "d"]},
        {"fresh": ["a", "d"], "v": ["b", "c"]},
    ],
)
def test_regrouping_loses_nothing(store: JournalStore, units: dict[str, list[str]]) -> None:
    """Shards are packed, spread and swapped; back again, too; and each goes on from where it was."""
    before = {"u": ["a", "b"], "v": ["c", "d"]}
    fill(store, before)
    store.assign(units)
    check(store, units)
    store.assign(before)
    check(store, before)


def test_an_assignment_that_changes_nothing_moves_nothing(store: JournalStore) -> None:
    """Every start assigns."""
    units = {"u": ["a", "b"], "v": ["c", "d"]}
    fill(store, units)
    assert store.assign(units) == []
    assert store.assign({}) == []
    check(store, units)


def test_a_shard_may_be_assigned_before_it_is_first_opened(store: JournalStore) -> None:
    """It has no rows yet, so nothing is missing, and it can be assigned elsewhere."""
    store.assign({"u": ["a"]})
    store.assign({"v": ["a"]})
    with store.writer("v") as journal:
        assert journal.open("a").tail == []


def test_a_shard_in_two_units_is_refused(store: JournalStore) -> None:
    """It has one writer."""
    with pytest.raises(SettingsInvalid, match="both in unit 'u' and in 'v'"):
        store.assign({"u": ["a"], "v": ["a"]})


@pytest.fixture
def files(tmp_path: Path) -> SqliteBackend:
    """A journal on SQLite."""
    return SqliteBackend(tmp_path / "journal")


@pytest.fixture
def file_store(files: SqliteBackend) -> JournalStore:
    """The same as a store."""
    return JournalStore(str(files.directory))


def test_a_unit_does_not_open_what_belongs_to_another(file_store: JournalStore) -> None:
    """Otherwise a shard would have two logs."""
    fill(file_store, {"u": ["a", "b"], "v": ["c", "d"]})
    with (
        file_store.writer("v") as journal,
        pytest.raises(ShardElsewhere, match="belongs to unit 'u', not 'v'"),
    ):
        journal.open("a")


@pytest.mark.parametrize("steps_done", range(5))
def test_a_crash_in_the_middle_of_a_move_loses_nothing(
    files: SqliteBackend, file_store: JournalStore, steps_done: int
) -> None:
    """The next assignment gets there from any step, and a writer left over loses nothing either."""
    fill(file_store, {"u": ["a", "b"], "v": ["c", "d"]})
    with file_store.writer("u") as left_over:
        epoch = left_over.open("a").epoch
        interrupt(files, "a", steps_done)
        acknowledged = try_append(left_over, epoch)
        if steps_done:
            with pytest.raises(ShardElsewhere):
                left_over.open("a")
    assert acknowledged == (steps_done == 0)
    file_store.assign({"v": ["a", "b"], "u": ["c", "d"]})
    with file_store.writer("v") as journal:
        assert [entry.version for entry in journal.open("a").tail] == ([3, 4] if acknowledged else [3])
    if not acknowledged:
        check(file_store, {"v": ["a", "b"], "u": ["c", "d"]})


@pytest.mark.parametrize("steps_done", range(5))
def test_a_move_that_is_given_up_after_a_crash_loses_nothing(
    files: SqliteBackend, file_store: JournalStore, steps_done: int
) -> None:
    """The next start may want the old grouping again."""
    units = {"u": ["a", "b"], "v": ["c", "d"]}
    fill(file_store, units)
    interrupt(files, "a", steps_done)
    file_store.assign(units)
    check(file_store, units)


def test_a_reader_follows_a_shard_that_moves(file_store: JournalStore) -> None:
    """It need not be opened again."""
    fill(file_store, {"u": ["a", "b"], "v": ["c", "d"]})
    with file_store.reader() as reader:
        before = reader.read("a", 1, 10)
        file_store.assign({"v": ["a"]})
        assert reader.read("a", 1, 10) == before
        assert reader.status("a").unit == "v"


def test_what_was_moved_is_told(file_store: JournalStore) -> None:
    """For the log."""
    fill(file_store, {"u": ["a", "b"], "v": ["c", "d"]})
    assert file_store.assign({"v": ["a"], "w": ["c"]}) == [Moved("a", "u", "v"), Moved("c", "v", "w")]


def test_a_shard_that_the_catalog_lost_is_not_started_anew(
    file_store: JournalStore, catalog_without: Callable[[str], None]
) -> None:
    """A catalog from an old backup, say: the assignment stops and names the unit that has the shard."""
    fill(file_store, {"u": ["a", "b"], "v": ["c", "d"]})
    catalog_without("a")
    with pytest.raises(JournalDamaged, match="does not know that unit 'u' has this shard, up to entry 3"):
        file_store.assign({"v": ["a"]})


def test_an_old_catalog_deletes_nothing(files: SqliteBackend, file_store: JournalStore) -> None:
    """Where it has a shard in the wrong unit, the rows in the right one are no left-over."""
    before, after = {"u": ["a", "b"], "v": ["c", "d"]}, {"v": ["a", "b"], "u": ["c", "d"]}
    fill(file_store, before)
    file_store.close()
    backup = files.catalog_path.read_bytes()
    file_store.assign(after)
    file_store.close()
    current = files.catalog_path.read_bytes()
    files.catalog_path.write_bytes(backup)
    with pytest.raises(JournalDamaged, match="does not know that unit"):
        file_store.assign(before)
    file_store.close()
    files.catalog_path.write_bytes(current)
    check(file_store, after)


def ruin(files: SqliteBackend, store: JournalStore, unit: str) -> None:
    """Overwrite the file of a unit."""
    store.close()
    path = files.unit_path(unit)
    for log in path.parent.glob(f"{path.name}-*"):
        log.unlink()
    path.write_bytes(b"this is no database" * 1_000)


def test_a_damaged_unit_stops_nobody_whose_shards_stay(files: SqliteBackend, file_store: JournalStore) -> None:
    """Its own writer says what is wrong; the others go on, and shards between them can move."""
    fill(file_store, {"u": ["a", "b"], "v": ["c"], "w": ["d"]})
    ruin(files, file_store, "v")
    assert file_store.assign({"u": ["a"], "v": ["c"], "w": ["b", "d"]}) == [Moved("b", "u", "w")]
    with file_store.writer("w") as journal:
        assert [journal.open(shard).tail for shard in ("b", "d")] == [[Entry(3, b"b-3")], [Entry(3, b"d-3")]]
    with pytest.raises(JournalDamaged, match=r"v\.sqlite"):
        file_store.writer("v")


@pytest.mark.parametrize("units", [{"u": ["a", "c"]}, {"v": ["a", "c"]}])
def test_a_damaged_unit_gives_and_takes_no_shard(
    files: SqliteBackend, file_store: JournalStore, units: dict[str, list[str]]
) -> None:
    """Nothing is moved then, and everything else is where it was."""
    fill(file_store, {"u": ["a", "b"], "v": ["c"], "w": ["d"]})
    ruin(files, file_store, "v")
    with pytest.raises(JournalDamaged, match=r"v\.sqlite"):
        file_store.assign(units)
    with file_store.writer("u") as journal:
        assert journal.open("a").tail == [Entry(3, b"a-3")]


def test_a_damaged_unit_of_which_the_catalog_knows_nothing_stops_the_start(
    files: SqliteBackend, file_store: JournalStore, catalog_without: Callable[[str], None]
) -> None:
    """It may have shards that an old catalog lost, and they must not be started anew elsewhere."""
    fill(file_store, {"u": ["a", "b"], "v": ["c"], "w": ["d"]})
    catalog_without("c")
    ruin(files, file_store, "v")
    with pytest.raises(JournalDamaged, match=r"v\.sqlite"):
        file_store.assign({"u": ["a", "b", "c"]})


@pytest.mark.parametrize("steps_done", range(5))
def test_what_a_move_left_over_is_kept_while_its_home_is_damaged(
    files: SqliteBackend, file_store: JournalStore, steps_done: int
) -> None:
    """It may be the only copy that can be read."""
    fill(file_store, {"u": ["a", "b"], "v": ["c", "d"]})
    interrupt(files, "a", steps_done)
    moved = steps_done > 2
    home, other = ("v", "u") if moved else ("u", "v")
    ruin(files, file_store, home)
    file_store.assign({})
    with closing(sqlite3.connect(files.unit_path(other))) as connection:
        (kept,) = connection.execute("SELECT count(*) FROM heads WHERE shard = 'a'").fetchone()
    assert kept == (steps_done in {2, 3})


@pytest.fixture
def catalog_without(files: SqliteBackend) -> Callable[[str], None]:
    """Make the catalog forget a shard."""

    def forget(shard: str) -> None:
        database = files.catalog()
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM shards WHERE shard = ?", (shard,))
        database.close()

    return forget


def interrupt(files: SqliteBackend, shard: str, steps_done: int) -> None:
    """Move a shard from `u` to `v`, but only so many steps."""
    with (
        closing(Catalog(files.catalog(), files.tables.catalog)) as catalog,
        closing(Move(files, catalog, "u", "v")) as move,
    ):
        assert len(list(islice(move.steps([shard]), steps_done))) == min(steps_done, 4)


def try_append(journal: Journal, epoch: int) -> bool:
    """Append version 4 to shard `a`; whether it was acknowledged."""
    try:
        journal.append([Write("a", epoch, Entry(4, b"late"))])
    except Fenced:
        return False
    return True
