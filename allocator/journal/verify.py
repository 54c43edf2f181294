"""The walk over everything stored for a shard, which lists damages and goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Row, func, select

from allocator.journal.errors import FormatUnknown, JournalDamaged
from allocator.journal.formats import FORMATS_READ, entry_damage, missing
from allocator.journal.limits import VERIFY_ROWS_MAX
from allocator.journal.port import Damage
from allocator.journal.rows import (
    CHUNKS_AT_ONCE,
    ShardView,
    SnapshotRow,
    chunk_damage,
    load_snapshot_row,
    select_chunks,
    stored_entries,
    streamed,
)

_T = TypeVar("_T")


class _Viewer(Protocol):
    """Does a piece of work on a fresh consistent view of the shard."""

    def __call__(self, work: Callable[[ShardView], _T], /) -> _T: ...


class _Page(NamedTuple):
    damages: list[Damage]
    last: int
    more: bool


def damages(view: _Viewer) -> Iterator[Damage]:
    """Yield every damage of the shard that `view` shows.

    Raises:
        JournalDamaged: the database itself cannot read on.
    """
    yield from view(_snapshot_damages)
    yield from view(_cut_damages)
    last, more = 0, True
    while more:
        page_damages, last, more = view(partial(_page, after_version=last))
        yield from page_damages


def row_damage(view: ShardView, row: Row[Any]) -> str:
    """Tell what is wrong with a stored entry by itself; empty when it is sound."""
    head, place = view.head, view.place
    if row.format not in FORMATS_READ:
        return FormatUnknown(place.file, place.shard, row.version, row.format, FORMATS_READ).what
    if damage := entry_damage(place.shard, row):
        return damage
    if row.epoch > head.epoch:
        return f"its epoch {row.epoch} is beyond the shard's epoch {head.epoch}"
    return f"it is beyond the shard's head {head.version}" if row.version > head.version else ""


def _snapshot_damages(view: ShardView) -> list[Damage]:
    try:
        row = load_snapshot_row(view.connection, view.tables, view.place, view.head)
    except (JournalDamaged, FormatUnknown) as error:
        return [_damage(view, error.version, error.what)]
    if row is None:
        return []
    return [_damage(view, row.version, what) for what in _chunk_damages(view, row)]


def _chunk_damages(view: ShardView, row: SnapshotRow) -> list[str]:
    found: list[str] = []
    number = size = 0
    with streamed(view.connection, select_chunks(view.tables, view.place.shard, row), CHUNKS_AT_ONCE) as chunks:
        for chunk in chunks:
            if chunk.number > number:
                found.append(_pieces_missing(number, chunk.number - 1))
            if damage := chunk_damage(view.place.shard, row, chunk.number, chunk):
                found.append(damage)
            number, size = chunk.number + 1, size + len(chunk.payload)
    if number < row.chunks:
        found.append(_pieces_missing(number, row.chunks - 1))
    elif not found and size != row.size:
        found.append(f"its snapshot has {size} bytes in {number} pieces of {row.size} in {row.chunks}")
    return found


def _pieces_missing(first: int, last: int) -> str:
    return f"its snapshot: {missing(first, last, 'piece', 'pieces')}"


def _cut_damages(view: ShardView) -> list[Damage]:
    entries, trimmed = view.tables.entries, view.head.trimmed
    uncut = select(func.min(entries.c.version)).where(entries.c.shard == view.place.shard, entries.c.version <= trimmed)
    found: list[Damage] = []
    if (version := view.connection.execute(uncut).scalar()) is not None:
        found.append(_damage(view, version, f"it is there, though the entries up to {trimmed} were cut"))
    newest = select(func.max(view.tables.snapshots.c.version)).where(view.tables.snapshots.c.shard == view.place.shard)
    if (view.connection.execute(newest).scalar() or 0) < trimmed:
        found.append(_damage(view, None, f"its entries up to {trimmed} were cut, and no snapshot reaches so far"))
    return found


def _page(view: ShardView, after_version: int) -> _Page:
    """Check the next entries. A cut may go on meanwhile, so each page starts behind it."""
    last, found, count = max(after_version, view.head.trimmed), list[Damage](), 0
    with stored_entries(view.connection, view.tables, view.place, last, VERIFY_ROWS_MAX) as rows:
        for row in rows:
            count += 1
            if row.version > last + 1:
                found.append(_damage(view, last + 1, missing(last + 1, row.version - 1)))
            if what := row_damage(view, row):
                found.append(_damage(view, row.version, what))
            last = row.version
    more = count == VERIFY_ROWS_MAX
    if not more and last < view.head.version:
        found.append(_damage(view, last + 1, missing(last + 1, view.head.version)))
    return _Page(found, last, more)


def _damage(view: ShardView, version: int | None, what: str) -> Damage:
    return Damage(view.place.file, view.place.shard, version, what)
