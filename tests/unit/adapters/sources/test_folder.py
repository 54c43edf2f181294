from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import SourceUnavailableError
from adapters.formats import StockMovement
from adapters.sources.folder import FolderOptions, FolderSource
from adapters.sources.port import Batch
from tests.unit.adapters.helpers import LedgerCore, event, pump_all

HEADER = b"sku,location,type,quantity\n"
Drop = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The watched folder."""
    return tmp_path / "feed"


@pytest.fixture
def drop(root: Path) -> Drop:
    """Drop a file into the inbox."""

    def drop(name: str, content: bytes) -> Path:
        path = root / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return drop


def watching(root: Path, source: str = "file", delimiter: str = ",") -> FolderSource:
    """A source on the folder."""
    options = FolderOptions(path=root, poll_s=0.001, source=source, delimiter=delimiter)
    return FolderSource("feed", options, root.parent)


def names(folder: Path) -> list[str]:
    """Files in a folder."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def rejects(root: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a file of refused lines."""
    return [json.loads(line) for line in (root / "failed" / f"{name}.rejects.jsonl").read_text().splitlines()]


async def fetched(source: FolderSource, limit: int = 100) -> Batch:
    """The next batch."""
    while (batch := await source.fetch(limit)) is None:
        pass
    return batch


async def test_a_file_goes_from_the_inbox_to_done(root: Path, drop: Drop) -> None:
    """Once all of its lines are settled."""
    content = HEADER + b"SKU-1,london-1,receipt,5\n"
    drop("stock.csv", content)
    core = LedgerCore()
    await pump_all(watching(root), core)
    assert core.on_hand() == {"SKU-1": 5}
    assert (root / "done" / "stock.csv").read_bytes() == content
    assert names(root / "inbox") == names(root / "work") == names(root / "failed") == []


async def test_files_are_read_oldest_first(root: Path, drop: Drop) -> None:
    """Whatever their names are."""
    for age, name in enumerate(["b.jsonl", "c.jsonl", "a.jsonl"]):
        os.utime(drop(name, event(name) + b"\n"), (1_000 + age, 1_000 + age))
    async with watching(root) as source:
        batches = [await fetched(source) for _ in range(3)]
    found = [record.outcome for batch in batches for record in batch.records]
    assert [m.movement_id for m in found if isinstance(m, StockMovement)] == ["b.jsonl", "c.jsonl", "a.jsonl"]


@pytest.mark.parametrize("name", [".hidden.csv", "half.csv.tmp", "half.csv.PART", "half.part"])
async def test_a_file_that_is_still_written_is_left_alone(root: Path, drop: Drop, name: str) -> None:
    """It does not count as waiting either."""
    drop(name, HEADER)
    async with watching(root) as source:
        assert await source.fetch(10) is None
        assert (await source.progress()).waiting == 0
    assert names(root / "inbox") == [name]


async def test_folders_and_links_are_left_alone(root: Path, drop: Drop, tmp_path: Path) -> None:
    """Only files are claimed."""
    outside = tmp_path / "outside.csv"
    outside.write_bytes(HEADER)
    (root / "inbox" / "folder.csv").mkdir(parents=True)
    (root / "inbox" / "link.csv").symlink_to(outside)
    async with watching(root) as source:
        assert await source.fetch(10) is None


async def test_an_empty_file_is_done(root: Path, drop: Drop) -> None:
    """There is nothing to settle in it."""
    for name in ("a.csv", "b.jsonl", "c.csv"):
        drop(name, HEADER if name == "c.csv" else b"")
    core = LedgerCore()
    await pump_all(watching(root), core)
    assert names(root / "done") == ["a.csv", "b.jsonl", "c.csv"]
    assert core.batches == []


async def test_refused_lines_are_kept_with_number_reason_and_who_refused_them(root: Path, drop: Drop) -> None:
    """The file is done all the same, and its good lines are recorded."""
    rows = b"SKU-1,london-1,receipt,5\nSKU-1,london-1,receipt\nSKU-1,london-1,sale,0\n\xff\nSKU-1,paris-1,sale,1\n"
    drop("stock.csv", HEADER + rows)
    core = LedgerCore()
    await pump_all(watching(root), core)
    assert core.on_hand() == {"SKU-1": 5}
    assert names(root / "done") == ["stock.csv"]
    found = [(row["line"], row["class"], row["by"]) for row in rejects(root, "stock.csv")]
    assert found == [
        (3, "unreadable", "format"),
        (4, "refused", "core"),
        (5, "unreadable", "format"),
        (6, "unknown_location", "core"),
    ]
    kept = rejects(root, "stock.csv")
    assert kept[0]["raw"] == "SKU-1,london-1,receipt"
    assert kept[0]["reason"] == "line 3: expected 4 cells, as in the header, found 3"
    assert kept[2]["raw_base64"] == "/w=="
    assert all(row["file"] == "stock.csv" and row["at"] for row in kept)


async def test_refused_lines_pass_when_they_are_dropped_again_and_the_cause_is_gone(root: Path, drop: Drop) -> None:
    """With the ids they had: what was recorded meanwhile is not recorded twice."""
    drop("stock.csv", HEADER + b"SKU-1,london-1,receipt,5\nSKU-2,leeds-2,receipt,7\nSKU-1,london-1\n")
    core = LedgerCore("london-1", "leeds-2")
    leeds = core.ledgers.pop("leeds-2")
    await pump_all(watching(root), core)
    core.ledgers["leeds-2"] = leeds
    failed = root / "failed" / "stock.csv.rejects.jsonl"
    failed.rename(root / "inbox" / failed.name)
    await pump_all(watching(root), core)
    assert core.on_hand() == {"SKU-1": 5}
    assert core.on_hand("leeds-2") == {"SKU-2": 7}
    (row,) = rejects(root, "stock.csv.rejects.jsonl")
    assert (row["file"], row["line"], row["attempts"]) == ("stock.csv", 4, 2)
    counts = await pump_all_again(root, drop, core)
    assert core.on_hand("leeds-2") == {"SKU-2": 7}
    assert counts == 2


async def pump_all_again(root: Path, drop: Drop, core: LedgerCore) -> int:
    """Drop the first file once more; returns the duplicates."""
    drop("again.csv", (root / "done" / "stock.csv").read_bytes())
    return (await pump_all(watching(root), core)).duplicates


async def test_a_file_that_was_taken_whole_counts_once_however_often_it_comes(root: Path, drop: Drop) -> None:
    """Also when the core has forgotten the ids of its movements."""
    content = HEADER + b"SKU-1,london-1,receipt,5\n" * 3
    for name in ("a.csv", "b.csv"):
        drop(name, content)
    core = LedgerCore()
    await pump_all(watching(root), core)
    drop("a.csv", content)
    forgetful = LedgerCore()
    await pump_all(watching(root), forgetful)
    assert core.on_hand() == {"SKU-1": 15}
    assert forgetful.batches == []
    assert names(root / "done") == ["a.2.csv", "a.csv", "b.csv"]


async def test_a_file_with_refused_lines_may_come_again(root: Path, drop: Drop) -> None:
    """The core tells what it has of it."""
    content = HEADER + b"SKU-1,london-1,receipt,5\nSKU-1,leeds-2,receipt,5\n"
    core = LedgerCore("london-1", "leeds-2")
    leeds = core.ledgers.pop("leeds-2")
    drop("a.csv", content)
    await pump_all(watching(root), core)
    core.ledgers["leeds-2"] = leeds
    drop("a.csv", content)
    await pump_all(watching(root), core)
    assert core.on_hand() == core.on_hand("leeds-2") == {"SKU-1": 5}


async def test_a_file_of_an_unknown_kind_fails_with_a_reason(root: Path, drop: Drop) -> None:
    """It is kept beside the reason, and the others go on."""
    drop("stock.xml", b"<stock/>")
    drop("stock.csv", HEADER + b"SKU-1,london-1,receipt,5\n")
    core = LedgerCore()
    await pump_all(watching(root), core)
    assert core.on_hand() == {"SKU-1": 5}
    assert (root / "failed" / "stock.xml").read_bytes() == b"<stock/>"
    (row,) = rejects(root, "stock.xml")
    assert "must end with one of" in row["reason"]
    assert (row["class"], row["by"]) == ("unreadable", "format")


async def test_a_name_may_be_long_odd_or_taken(root: Path, drop: Drop) -> None:
    """What was filed away before stays, and no file gets stuck for its name."""
    long = "x" * 251 + ".csv"
    odd = os.fsdecode(b"caf\xe9 \n.csv")
    for content in (b"SKU-1,nowhere,receipt,1\n", b"SKU-1,nowhere,receipt,2\n"):
        for name in (long, odd):
            drop(name, HEADER + content)
        await pump_all(watching(root), LedgerCore())
    done = names(root / "done")
    assert len(done) == len(names(root / "failed")) == 4
    assert {long, odd} < set(done)
    (row,) = rejects(root, os.fsdecode(b"caf\xe9 \n.csv"))
    assert row["file"] == "caf\ufffd \n.csv"


async def test_a_file_is_resumed_with_its_header_and_ids(root: Path, drop: Drop) -> None:
    """From the line after the last one that was settled, even if it has grown since."""
    drop("stock.csv", HEADER + b"SKU-1,london-1,receipt,1\n" * 4)
    async with watching(root) as source:
        first = await fetched(source, 2)
        await source.commit(first.position)
        second = await fetched(source, 2)
    (claimed,) = (root / "work").glob("*/stock.csv")
    with claimed.open("ab") as stream:
        stream.write(b"SKU-1,london-1,receipt,1\n")
    async with watching(root) as source:
        again = await fetched(source)
    assert [record.outcome for record in again.records[:2]] == [record.outcome for record in second.records]
    assert len(again.records) == 3


async def test_an_empty_folder_in_work_is_cleared(root: Path) -> None:
    """It is what a crash between two steps leaves."""
    left = root / "work" / "20260131T080000000000-000"
    left.mkdir(parents=True)
    (left / ".place").write_text("{}")
    async with watching(root) as source:
        assert await source.fetch(10) is None
    assert list((root / "work").iterdir()) == []


async def test_a_place_that_cannot_be_read_starts_the_file_again(root: Path, drop: Drop) -> None:
    """The core tells what it has of it."""
    drop("stock.csv", HEADER + b"SKU-1,london-1,receipt,1\nx\n")
    core = LedgerCore()
    async with watching(root) as source:
        batch = await fetched(source, 1)
        await core.record([m for m in (r.outcome for r in batch.records) if isinstance(m, StockMovement)])
        await source.commit(batch.position)
    (place,) = (root / "work").glob("*/.place")
    place.write_bytes(b"\x00")
    await pump_all(watching(root), core)
    assert core.on_hand() == {"SKU-1": 1}
    assert len(rejects(root, "stock.csv")) == 1


async def test_one_process_at_a_time_watches_a_folder(root: Path) -> None:
    """The second one says so, and may have it afterwards."""
    async with watching(root):
        second = watching(root)
        with pytest.raises(SourceUnavailableError, match="watched by another process"):
            await second.open()
        await second.close()
    async with second:
        assert await second.fetch(1) is None


async def test_settings_of_csv_files_apply(root: Path, drop: Drop) -> None:
    """The delimiter, and the source of movements that name none."""
    drop("stock.csv", b"sku;location;type;quantity\nSKU-1;london-1;receipt;1\n")
    async with watching(root, source="//till", delimiter=";") as source:
        batch = await fetched(source)
    (record,) = batch.records
    assert isinstance(record.outcome, StockMovement)
    assert record.outcome.source == "//till"
    assert str(record.place) == "stock.csv, line 2"


async def test_progress_tells_what_waits(root: Path, drop: Drop) -> None:
    """Files, bytes, and how far the one being read is."""
    drop("a.csv", HEADER + b"SKU-1,london-1,receipt,1\n" * 3)
    drop("b.csv", HEADER)
    async with watching(root) as source:
        batch = await fetched(source, 2)
        await source.commit(batch.position)
        waiting, detail = await source.progress()
    assert waiting == 2
    assert detail == {"bytes": 27 + 75 + 27, "file": "a.csv", "line": 3}


async def test_the_folder_is_below_the_data_directory_by_default(tmp_path: Path) -> None:
    """Under the name of the adapter."""
    assert FolderSource("pos", FolderOptions(), tmp_path).root == tmp_path / "sources" / "pos"
    assert FolderSource("pos", FolderOptions(path=Path("in")), tmp_path).root == tmp_path / "in"
    assert FolderSource("pos", FolderOptions(path=Path("/srv/in")), tmp_path).root == Path("/srv/in")
