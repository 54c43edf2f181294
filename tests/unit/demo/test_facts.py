from __future__ import annotations

from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.facts import StockFact, StockFile, WatchedFolder

FILE = StockFile("till.csv", "demo/till", (StockFact("leeds", "A", "sale", 2, "1"),))


def test_a_dropped_file_waits_until_it_is_done(tmp_path: Path) -> None:
    """The folder itself tells what was taken in."""
    folder = WatchedFolder(tmp_path)
    folder.drop(FILE)
    assert folder.waiting == ["till.csv"]
    (tmp_path / "done").mkdir()
    (tmp_path / "inbox" / "till.csv").rename(tmp_path / "done" / "till.csv")
    assert folder.waiting == []


def test_only_whole_files_are_dropped(tmp_path: Path) -> None:
    """Nothing half-written is left in the inbox."""
    WatchedFolder(tmp_path).drop(FILE)
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["till.csv"]
    assert (tmp_path / "inbox" / "till.csv").read_bytes() == FILE.content()


async def test_what_is_refused_ends_the_play(tmp_path: Path) -> None:
    """A line that the service could not read would be missing from the audit."""
    folder = WatchedFolder(tmp_path)
    folder.drop(FILE)
    (tmp_path / "failed").mkdir()
    (tmp_path / "failed" / "till.csv.rejects.jsonl").write_text("{}")
    with pytest.raises(DemoError, match=r"till\.csv\.rejects\.jsonl"):
        await folder.taken_in(60)


async def test_what_is_not_taken_in_ends_the_play(tmp_path: Path) -> None:
    """It does not wait for ever."""
    folder = WatchedFolder(tmp_path)
    folder.drop(FILE)
    with pytest.raises(DemoError, match=r"not taken in within 0 s: till\.csv"):
        await folder.taken_in(0)


def test_a_sale_takes_and_all_else_brings() -> None:
    """An adjustment has its own sign."""
    kinds = ("receipt", "return", "sale", "adjustment")
    assert [StockFact("leeds", "A", kind, 2, "1").delta for kind in kinds] == [2, 2, -2, 2]  # type: ignore[arg-type]
