"""The tables of the SQL ERP, read as any report would: with plain SQL."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.errors import DemoError

LOOK_S: Final = 0.1
COLUMNS: Final = ("on_hand", "unsellable", "held", "committed", "safety_stock", "available")
_POSITIONS: Final = f"SELECT location, sku, {', '.join(COLUMNS)} FROM positions"  # noqa: S608  # our own names
_POSTINGS: Final = """
    SELECT location, sku, SUM(quantity), SUM(CASE WHEN disposition = '' THEN 0 ELSE quantity END)
    FROM postings GROUP BY location, sku
"""
_CURSORS: Final = "SELECT location, MIN(version, positions_version) FROM cursors"


@dataclass(frozen=True, slots=True)
class ErpTables:
    """What the ERP has, by location and SKU.

    Attributes:
        positions: the numbers of `columns`.
        postings: summed up to `on_hand` and `unsellable`.
        rows: of the postings table.
        columns: of the positions.
    """

    positions: Mapping[tuple[str, str], Mapping[str, int]]
    postings: Mapping[tuple[str, str], Mapping[str, int]]
    rows: int = 0
    columns: tuple[str, ...] = COLUMNS


async def caught_up(path: Path, versions: Mapping[str, int], timeout_s: float) -> None:
    """Wait until the ERP has postings and positions of at least these versions, by location.

    Raises:
        DemoError: it has not in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while behind := _behind(path, versions):
        if time.monotonic() > deadline_s:
            raise DemoError(f"the ERP is behind after {timeout_s:g} s: {', '.join(behind)}")
        await asyncio.sleep(LOOK_S)


def read_erp(path: Path) -> ErpTables:
    """Read the tables.

    Raises:
        DemoError: something was set aside, which no posting of the demo gives a reason for.
    """
    with closing(_connect(path)) as connection:
        aside = connection.execute("SELECT posting_id, refusal FROM set_aside").fetchall()
        if aside:
            raise DemoError(f"the ERP set {len(aside)} postings aside; the first is {aside[0][0]}: {aside[0][1]}")
        return ErpTables(
            positions={
                (location, sku): dict(zip(COLUMNS, numbers, strict=True))
                for location, sku, *numbers in connection.execute(_POSITIONS)
            },
            postings={
                (location, sku): {"on_hand": on_hand, "unsellable": unsellable}
                for location, sku, on_hand, unsellable in connection.execute(_POSTINGS)
            },
            rows=connection.execute("SELECT COUNT(*) FROM postings").fetchone()[0],
        )


def _behind(path: Path, versions: Mapping[str, int]) -> list[str]:
    """Locations of which the ERP has less."""
    if not path.exists():
        return sorted(versions)
    with closing(_connect(path)) as connection:
        try:
            known = dict(connection.execute(_CURSORS).fetchall())
        except sqlite3.OperationalError:  # the tables are not made yet
            known = {}
    return sorted(location for location, version in versions.items() if known.get(location, 0) < version)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
