"""What is stored wrongly is found, named and never skipped."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from allocator.journal import (
    Entry,
    FormatUnknown,
    Journal,
    JournalDamaged,
    JournalStore,
    Snapshot,
    Write,
    limits,
)

Tamper = Callable[..., int]
LARGE = bytes(2 * limits.SNAPSHOT_CHUNK_BYTES + 5)

FLIP = "UPDATE entries SET payload = :payload WHERE version = 3"
ENTRY_DAMAGES = {
    "payload": (FLIP, "its checksum is"),
    "checksum": ("UPDATE entries SET checksum = checksum + 1 WHERE version = 3", "its checksum is"),
    "epoch": ("UPDATE entries SET epoch = epoch + 1 WHERE version = 3", "its checksum is"),
    "gap": ("DELETE FROM entries WHERE version = 3", "entry 3 is missing"),
    "swapped": (
        "UPDATE entries SET version = CASE version WHEN 3 THEN 99 ELSE version END WHERE version = 3",
        "entry 3 is missing",
    ),
    "other shard": ("UPDATE entries SET shard = 'dc-2' WHERE version = 3", "entry 3 is missing"),
}


@pytest.mark.parametrize(("statement", "what"), ENTRY_DAMAGES.values(), ids=ENTRY_DAMAGES.keys())
def test_a_damaged_entry_stops_the_shard_and_is_named(
    journal: Journal, store: JournalStore, filled: int, tamper: Tamper, statement: str, what: str
) -> None:
    """Writer and reader name the file, the shard, the entry, the damage and the command that shows more."""
    tamper(statement, **({"payload": b"payload-X"} if "payload" in statement else {}))
    with store.reader() as reader:
        for use in (lambda: journal.open("dc-1"), lambda: reader.read("dc-1", 0, 100)):
            with pytest.raises(JournalDamaged) as caught:
                use()
            damage = caught.value
            assert (damage.shard, damage.version) == ("dc-1", 3)
            assert what in damage.what
            assert damage.file in str(damage)
            assert "entry 3" in str(damage)
            assert str(damage).endswith("allocator journal verify --shard dc-1")
            assert store.where.split(" ")[0] in damage.file
        assert reader.read("dc-1", 3, 2) == [Entry(4, b"payload-4"), Entry(5, b"payload-5")]


@pytest.mark.parametrize("version", [1, 6])
def test_a_missing_first_or_last_entry_is_damage(
    journal: Journal, store: JournalStore, filled: int, tamper: Tamper, version: int
) -> None:
    """The head tells how far the log goes."""
    tamper("DELETE FROM entries WHERE version = :version", version=version)
    with pytest.raises(JournalDamaged, match=f"entry {version} is missing"):
        journal.open("dc-1")
    with store.reader() as reader, pytest.raises(JournalDamaged, match=f"entry {version} is missing"):
        reader.read("dc-1", 0, 100)


def test_an_entry_beyond_the_head_is_damage(journal: Journal, filled: int, tamper: Tamper) -> None:
    """A head that went back would hand out versions twice."""
    tamper("UPDATE heads SET version = 4")
    with pytest.raises(JournalDamaged, match="beyond the shard's head 4"):
        journal.open("dc-1")


def test_a_lost_head_is_damage(journal: Journal, store: JournalStore, filled: int, tamper: Tamper) -> None:
    """A shard that was written to never starts from nothing."""
    tamper("DELETE FROM heads")
    with pytest.raises(JournalDamaged, match="its head is missing"):
        journal.open("dc-1")
    with store.reader() as reader:
        with pytest.raises(JournalDamaged, match="its head is missing"):
            reader.head("dc-1")
        assert [damage.what for damage in reader.verify("dc-1")] == [
            "its head is missing, though it was written to before"
        ]


@pytest.mark.parametrize("table", ["entries", "snapshots"])
def test_an_unknown_format_asks_for_an_upgrade(
    journal: Journal, store: JournalStore, filled: int, tamper: Tamper, table: str
) -> None:
    """A row of a newer release says which formats this build reads."""
    journal.save_snapshot("dc-1", filled, Snapshot(2, b"state"))
    tamper(f"UPDATE {table} SET format = 7 WHERE version IN (2, 4)")
    with pytest.raises(FormatUnknown, match=r"format 7; this build reads 1\. Upgrade allocator"):
        journal.open("dc-1")
    with store.reader() as reader:
        assert any("format 7" in damage.what for damage in reader.verify("dc-1"))


def test_an_unknown_layout_of_the_tables_asks_for_an_upgrade(
    store: JournalStore, journal: Journal, tamper_catalog: Tamper
) -> None:
    """A build never works on the tables of a newer release."""
    tamper_catalog("UPDATE layout SET version = 2")
    for use in (lambda: store.writer("u"), store.reader, store.cursors):
        with pytest.raises(FormatUnknown, match="layout of the tables"):
            use()


SNAPSHOT_DAMAGES = {
    "piece": ("UPDATE snapshot_chunks SET payload = :payload WHERE number = 1", "piece 1 of its snapshot"),
    "piece missing": ("DELETE FROM snapshot_chunks WHERE number = 1", "piece 1"),
    "end missing": ("DELETE FROM snapshot_chunks WHERE number = 2", "its snapshot"),
    "row": ("UPDATE snapshots SET size = size - 1", "does not match its checksum"),
    "row's version": ("UPDATE snapshots SET version = version + 1", "does not match its checksum"),
}


@pytest.mark.parametrize(("statement", "what"), SNAPSHOT_DAMAGES.values(), ids=SNAPSHOT_DAMAGES.keys())
def test_a_damaged_snapshot_stops_the_shard_and_its_log_is_kept(
    journal: Journal, store: JournalStore, filled: int, tamper: Tamper, statement: str, what: str
) -> None:
    """The entries it includes are then the only truth, so a cut refuses to delete them."""
    journal.save_snapshot("dc-1", filled, Snapshot(5, LARGE))
    tamper(statement, **({"payload": b"other"} if "payload" in statement else {}))
    with store.reader() as reader:
        for use in (
            lambda: journal.cut("dc-1"),
            lambda: journal.open("dc-1"),
            lambda: reader.latest_snapshot("dc-1"),
        ):
            with pytest.raises(JournalDamaged, match=what):
                use()
        assert len(reader.read("dc-1", 0, 100)) == 6
        assert [what in damage.what for damage in reader.verify("dc-1")] == [True]


def test_a_cut_log_without_its_snapshot_is_damage(
    journal: Journal, store: JournalStore, filled: int, tamper: Tamper
) -> None:
    """The state before the cut is lost: nobody starts from the middle."""
    journal.save_snapshot("dc-1", filled, Snapshot(4, b"state"))
    journal.cut("dc-1")
    tamper("DELETE FROM snapshots")
    with pytest.raises(JournalDamaged, match="up to 4 were cut"):
        journal.open("dc-1")
    with store.reader() as reader:
        assert ["up to 4 were cut" in damage.what for damage in reader.verify("dc-1")] == [True]


def test_verify_lists_every_damage_and_a_sound_shard_has_none(
    journal: Journal, store: JournalStore, tamper: Tamper
) -> None:
    """It walks on after the first finding, over pages, pieces and gaps."""
    last = 2 * limits.VERIFY_ROWS_MAX + 10
    for shard in ("dc-1", "dc-2"):
        epoch = journal.open(shard).epoch
        journal.append([Write(shard, epoch, Entry(version, b"x")) for version in range(1, last + 1)])
        journal.save_snapshot(shard, epoch, Snapshot(3, LARGE))
    for statement in (
        "DELETE FROM entries WHERE shard = 'dc-1' AND version BETWEEN 10 AND 12",
        "UPDATE entries SET checksum = 0 WHERE shard = 'dc-1' AND version = 13",
        f"UPDATE entries SET format = 9 WHERE shard = 'dc-1' AND version = {limits.VERIFY_ROWS_MAX + 50}",
        f"DELETE FROM entries WHERE shard = 'dc-1' AND version = {last}",
        "UPDATE snapshot_chunks SET checksum = 0 WHERE shard = 'dc-1' AND number IN (0, 2)",
    ):
        assert tamper(statement)
    with store.reader() as reader:
        found = [(damage.version, damage.what) for damage in reader.verify("dc-1")]
        assert list(reader.verify("dc-2")) == []
    assert [version for version, _ in found] == [3, 3, 10, 13, limits.VERIFY_ROWS_MAX + 50, last]
    assert "piece 0" in found[0][1]
    assert "piece 2" in found[1][1]
    assert found[2][1] == "the entries 10 to 12 are missing"
    assert "checksum is 0" in found[3][1]
    assert "format 9" in found[4][1]
    assert found[5][1] == f"entry {last} is missing"


def test_entries_can_be_inspected_though_they_are_damaged(store: JournalStore, filled: int, tamper: Tamper) -> None:
    """People see what is there, and what is wrong with it."""
    tamper(FLIP, payload=b"payload-X")
    with store.reader() as reader:
        details = reader.inspect("dc-1", 1, 3)
    assert [detail.version for detail in details] == [2, 3, 4]
    assert [detail.payload for detail in details] == [b"payload-2", b"payload-X", b"payload-4"]
    assert [bool(detail.damage) for detail in details] == [False, True, False]
    assert {detail.epoch for detail in details} == {filled}
