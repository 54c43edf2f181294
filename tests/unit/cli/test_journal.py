"""Commands on a journal, written by the real writer."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from allocator.core.codec import pack_batch
from allocator.core.commands import Commit, Fulfil, Movement, MovementType, Reserve, SetCount
from allocator.core.commands import Write as CoreWrite
from allocator.core.ledger import StockLedger
from allocator.journal import Entry, JournalStore, Snapshot, Write
from tests.unit.cli.conftest import Command

NS = 1_000_000_000
LIFE: list[CoreWrite | Movement] = [
    Movement("test", "m1", 0, "APPLE", MovementType.RECEIPT, 10),
    Movement("test", "m2", 0, "PEAR", MovementType.RECEIPT, 5),
    Reserve("r-1", "home-r-1", (("APPLE", 4),), 900 * NS),
    Commit("r-2", "home-r-1"),
    Fulfil("r-3", "home-r-1", (("APPLE", 1),)),
    SetCount("r-4", (("PEAR", 7),), 5 * NS),
    Movement("test", "m3", 0, "APPLE", MovementType.SALE, 2),
]


@pytest.fixture
def ledger() -> StockLedger:
    """The ledger that the journal is of."""
    return StockLedger("leeds")


@pytest.fixture
def data(tmp_path: Path, ledger: StockLedger) -> Path:
    """A data folder whose journal has seven versions of leeds, a snapshot of the fourth, and an ERP's cursor."""
    with JournalStore(str(tmp_path / "journal")) as store, store.writer("actor-1") as journal:
        epoch = journal.open("location/leeds").epoch
        store.register_cursor("erp")
        for number, command in enumerate(LIFE, 1):
            _, events = ledger.execute(command, number * NS)
            entry = Entry(ledger.close_batch(), pack_batch([(event, f"call-{number}", "") for event in events]))
            journal.append([Write("location/leeds", epoch, entry)])
            if number == 4:
                journal.save_snapshot("location/leeds", epoch, Snapshot(4, ledger.snapshot()))
        store.advance_cursor("erp", "location/leeds", 3)
    return tmp_path


def damage(data: Path, sql: str) -> None:
    """Change what is stored behind the journal's back."""
    for path in (data / "journal").rglob("*.sqlite*"):
        connection = sqlite3.connect(path)
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "entries" in tables:
            connection.execute(sql)
            connection.commit()
        connection.close()


def test_a_sound_journal_is_verified(command: Command, data: Path) -> None:
    """All of it, or one shard by name or by location."""
    assert command("journal", "verify", "--data", str(data)).out == "1 shards are sound.\n"
    ran = command("journal", "verify", "--data", str(data), "--shard", "leeds", "--json")
    assert (ran.code, ran.json) == (0, {"ok": True, "shards": 1, "damages": []})


def test_damage_is_listed(command: Command, data: Path) -> None:
    """With shard, version and what is wrong; the entry is shown as it is stored."""
    damage(data, "UPDATE entries SET payload = x'00' WHERE version = 6")
    ran = command("journal", "verify", "--data", str(data), "--json")
    assert ran.code == 1
    assert [(found["shard"], found["version"]) for found in ran.json["damages"]] == [("location/leeds", 6)]
    assert "checksum" in command("journal", "verify", "--data", str(data)).out
    shown = command("journal", "show", "leeds", "6", "--data", str(data))
    assert (shown.code, "It begins with: 00" in shown.out) == (1, True)


def test_the_journal_says_where_it_stands(command: Command, data: Path) -> None:
    """Versions, snapshot and writer by shard."""
    row = command("journal", "status", "--data", str(data), "--json").json
    assert (row["shard"], row["head"], row["snapshot_version"], row["epoch"]) == ("location/leeds", 7, 4, 1)
    assert "location/leeds" in command("journal", "status", "--data", str(data)).out


def test_an_entry_is_shown_with_the_call_behind_it(command: Command, data: Path) -> None:
    """Its events by name, as JSON."""
    entry = command("journal", "show", "leeds", "3", "--data", str(data), "--json").json
    assert (entry["version"], entry["damage"], len(entry["events"])) == (3, "", 1)
    event = entry["events"][0]
    assert (event["event"], event["correlation_id"]) == ("Reserved", "call-3")
    assert event["command"]["lines"] == [["APPLE", 4]]
    assert "Reserved" in command("journal", "show", "location/leeds", "3", "--data", str(data)).out


def test_an_entry_that_is_not_there_says_which_are(command: Command, data: Path) -> None:
    """Beyond the end, and of a shard that nobody knows."""
    ran = command("journal", "show", "leeds", "99", "--data", str(data))
    assert (ran.code, "has the entries 1 to 7, and no 99" in ran.err) == (1, True)
    assert "there is no shard 'mars'" in command("journal", "show", "mars", "1", "--data", str(data)).err


def test_cursors_are_listed_and_dropped(command: Command, data: Path) -> None:
    """A follower that is gone for good must not hold back the cut for ever."""
    row = command("journal", "cursors", "--data", str(data), "--json").json
    assert row == {"name": "erp", "shard": "location/leeds", "version": 3, "head": 7, "behind": 4}
    wrong = command("journal", "cursors", "--data", str(data), "--drop", "pre")
    assert (wrong.code, "there is no cursor 'pre'; there are: erp" in wrong.err) == (1, True)
    assert command("journal", "cursors", "--data", str(data), "--drop", "erp").err == "Dropped erp.\n"
    assert command("journal", "cursors", "--data", str(data), "--json").rows == []


def test_a_sound_journal_has_no_drift(command: Command, data: Path) -> None:
    """Counters, and on hand recounted from the whole log."""
    row = command("audit", "--data", str(data), "--json").json
    assert (row["ok"], row["version"], row["skus"], row["reservations"]) == (True, 7, 2, 1)
    assert row["checked"] == "counters, whole log"
    ran = command("audit", "--data", str(data))
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "1 locations audited, 0 with drift.")


def test_a_journal_that_was_cut_is_audited_from_its_snapshot(command: Command, data: Path) -> None:
    """What is gone cannot be recounted, and the audit says so."""
    with JournalStore(str(data / "journal")) as store, store.writer("actor-1") as journal:
        store.drop_cursor("erp")
        journal.open("location/leeds")
        assert journal.cut("location/leeds") > 0
    row = command("audit", "--data", str(data), "--json").json
    assert (row["ok"], row["checked"]) == (True, "counters")
    ran = command("replay", "leeds", "--to", "2", "--data", str(data))
    assert (ran.code, "the oldest version to replay to is 4" in ran.err) == (1, True)


def test_a_wrong_snapshot_is_drift(command: Command, data: Path, ledger: StockLedger) -> None:
    """One that its own log does not lead to: the recount and the whole replay both see it."""
    ledger.stock.on_hand[0] += 5
    with JournalStore(str(data / "journal")) as store, store.writer("actor-1") as journal:
        epoch = journal.open("location/leeds").epoch
        journal.save_snapshot("location/leeds", epoch, Snapshot(7, ledger.snapshot()))
    ran = command("audit", "--data", str(data))
    assert ran.code == 1
    assert "Drift: leeds: APPLE: on hand is 12, its movements add up to 7" in ran.out
    assert "differs from the snapshot" in ran.out


def test_a_wrong_counter_is_drift(command: Command, data: Path, ledger: StockLedger) -> None:
    """One that the reservations do not explain."""
    ledger.stock.committed[0] += 1
    with JournalStore(str(data / "journal")) as store, store.writer("actor-1") as journal:
        epoch = journal.open("location/leeds").epoch
        journal.save_snapshot("location/leeds", epoch, Snapshot(7, ledger.snapshot()))
    assert "committed of APPLE is 4" in command("audit", "--data", str(data)).out


def test_damage_is_drift(command: Command, data: Path) -> None:
    """A ledger that cannot be rebuilt is not sound, and the line names the command that shows more."""
    damage(data, "UPDATE entries SET payload = x'00' WHERE version = 6")
    ran = command("audit", "--data", str(data))
    assert ran.code == 1
    assert "allocator journal verify --shard location/leeds" in ran.out


def test_a_ledger_is_replayed_to_any_version(command: Command, data: Path) -> None:
    """Its stock as it was then, with the fields of `stock`."""
    now, then, first = (
        {
            row["sku"]: (row["on_hand"], row["held"], row["committed"])
            for row in command("replay", "leeds", "--data", str(data), "--json", *more).rows
        }
        for more in ([], ["--to", "3"], ["--to", "0"])
    )
    assert now == {"APPLE": (7, 0, 3), "PEAR": (7, 0, 0)}
    assert then == {"APPLE": (10, 4, 0), "PEAR": (5, 0, 0)}
    assert first == {}
    assert "leeds at version 5" in command("replay", "leeds", "--data", str(data), "--to", "5").out
    assert "versions up to 7, not 8" in command("replay", "leeds", "--data", str(data), "--to", "8").err


def test_a_folder_without_a_journal_is_told(command: Command, tmp_path: Path) -> None:
    """One line, exit code 1, and nothing is made there."""
    for words in (["audit"], ["journal", "verify"], ["journal", "status"], ["journal", "cursors"], ["replay", "x"]):
        ran = command(*words, "--data", str(tmp_path))
        assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert list(tmp_path.iterdir()) == []


def test_the_settings_file_says_where_the_journal_is(command: Command, data: Path, tmp_path: Path) -> None:
    """Relative to itself."""
    settings = tmp_path / "allocator.toml"
    settings.write_text('data_dir = "."\n', "utf-8")
    assert command("journal", "verify", "--settings", str(settings)).code == 0
    assert command("audit", "--settings", str(settings)).code == 0
    assert command("audit", "--journal", str(data / "journal")).code == 0
