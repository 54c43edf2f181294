from __future__ import annotations

from pathlib import Path

import pytest

from adapters.erp.port import Position, Posting
from adapters.erp.sql import SqlErp, SqlOptions
from demo.erp import caught_up, read_erp
from demo.errors import DemoError


def posting(version: int, quantity: int, disposition: str = "") -> Posting:
    """A posting of A in Leeds."""
    return Posting("leeds", version, 1, "A", "receipt", "", disposition, quantity, 1, (), (), (), (), (), 1_000_000_000)


def fill(path: Path) -> Path:
    """Let the real adapter write two postings, the second of damaged units, and the position after them."""
    with SqlErp("books", SqlOptions(), path) as target:
        target.post("leeds", 2, [posting(1, 5), posting(2, 2, "damaged")], 1_000_000_000)
        target.put_positions("leeds", 2, [Position("A", 7, 2, 1, 2, 1, 1)], whole=True)
    return path / "erp" / "books.sqlite"


def test_the_tables_are_read_as_the_adapter_writes_them(tmp_path: Path) -> None:
    """Postings are summed up, positions taken as they are."""
    tables = read_erp(fill(tmp_path))
    assert tables.postings == {("leeds", "A"): {"on_hand": 7, "unsellable": 2}}
    assert list(tables.positions["leeds", "A"].values()) == [7, 2, 1, 2, 1, 1]
    assert tables.rows == 2


async def test_the_erp_has_caught_up_when_it_is_as_far(tmp_path: Path) -> None:
    """Both its postings and its positions must be."""
    await caught_up(fill(tmp_path), {"leeds": 2}, 0)


@pytest.mark.parametrize("versions", [{"leeds": 3}, {"york": 1}])
async def test_an_erp_that_stays_behind_ends_the_play(tmp_path: Path, versions: dict[str, int]) -> None:
    """It names the locations."""
    with pytest.raises(DemoError, match=next(iter(versions))):
        await caught_up(fill(tmp_path), versions, 0)


async def test_an_erp_without_tables_is_behind(tmp_path: Path) -> None:
    """It has nothing yet, which is no error by itself."""
    with pytest.raises(DemoError, match="the ERP is behind"):
        await caught_up(tmp_path / "books.sqlite", {"leeds": 1}, 0)
