"""A watched folder as a source: CSV files and JSON lines of CloudEvents, see `claims` for the ways of a file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field

from adapters.formats import START, Line, Place, RejectRow, parse_file
from adapters.formats.csv import SOURCE_DEFAULT
from adapters.sources.claims import Claim, ClaimStore
from adapters.sources.port import FETCH_WAIT_MAX_S, Batch, MovementSource, Progress, Record, Rejection


class FolderOptions(BaseModel):
    """Settings of a watched folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(None, description="the folder with inbox, work, done and failed; data_dir/sources/NAME")
    poll_s: float = Field(0.5, gt=0, le=3600, description="how often the inbox is looked at, seconds")
    source: str = Field(
        SOURCE_DEFAULT, min_length=1, max_length=128, description="source of movements in CSV files that name none"
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="between the cells of CSV files")


class FolderPlace(NamedTuple):
    """Where a record stands.

    Attributes:
        claim: its file.
        line: as it was read.
    """

    claim: Claim
    line: Line

    def __str__(self) -> str:
        return f"{self.claim.name}, line {self.line.number}"


class FolderPosition(NamedTuple):
    """How far a file is settled.

    Attributes:
        claim: the file.
        place: in it.
        end: whether nothing follows.
    """

    claim: Claim
    place: Place
    end: bool


class FolderSource(MovementSource):
    """A watched folder.

    Args:
        name: of the adapter.
        options: its settings.
        data_dir: relative paths begin here.
    """

    Options = FolderOptions

    def __init__(self, name: str, options: FolderOptions, data_dir: Path) -> None:
        self._options = options
        self._store = ClaimStore(data_dir / (options.path or Path("sources", name)), lambda: datetime.now(UTC))
        # A thread that was left behind by a cancelled call still has to finish before the next one, or close.
        self._busy = threading.Lock()
        self._claim: Claim | None = None
        self._lines: Iterator[Line] = iter(())
        self._place = START
        self._scan_at_s = 0.0

    @property
    def root(self) -> Path:
        """The folder."""
        return self._store.root

    async def open(self) -> None:
        """Take the folder over, with what a process before left in work."""
        await asyncio.to_thread(self._locked, self._store.open)

    async def fetch(self, limit: int) -> Batch | None:
        """Return the next records of one file; see `MovementSource.fetch`."""
        loop = asyncio.get_running_loop()
        batch = await asyncio.to_thread(self._next, limit)
        if batch is not None:
            return batch
        now_s = loop.time()
        if now_s >= self._scan_at_s:
            self._scan_at_s = now_s + self._options.poll_s
            await asyncio.to_thread(self._locked, self._store.scan)
            batch = await asyncio.to_thread(self._next, limit)
        if batch is None:
            await asyncio.sleep(min(FETCH_WAIT_MAX_S, self._scan_at_s - now_s))
        return batch

    async def commit(self, position: object) -> None:
        """Note durably how far a file is settled, and file it away at its end."""
        await asyncio.to_thread(self._settle, cast("FolderPosition", position))

    async def dead_letter(self, record: Record, rejection: Rejection) -> None:
        """Keep a line for `failed/`; it is durable with the position after it."""
        claim, line = cast("FolderPlace", record.place)
        origin = line.origin or claim.origin(line.number, self._options.source, self._options.delimiter)
        row = RejectRow.of(
            origin,
            record.raw,
            rejection.reject_class,
            by=rejection.by,
            reason=rejection.reason,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        )
        claim.pending.append(row)

    async def progress(self) -> Progress:
        """Tell how many files wait, the one being read among them."""
        files, size = await asyncio.to_thread(self._store.waiting)
        claim = self._claim
        reading = {"file": claim.name, "line": claim.place.line} if claim is not None else {}
        return Progress(files, {"bytes": size, **reading})

    async def close(self) -> None:
        """Let the folder go; what is not settled stays in work."""
        await asyncio.to_thread(self._locked, self._close)

    def _next(self, limit: int) -> Batch | None:
        with self._busy:
            claim = self._claim or self._begin()
            if claim is None:
                return None
            lines = list(islice(self._lines, limit))
            end = len(lines) < limit
            if lines:
                self._place = lines[-1].place
            if end:
                self._claim = None
            records = tuple(Record(line.raw, line.outcome, FolderPlace(claim, line)) for line in lines)
            return Batch(records, FolderPosition(claim, self._place, end))

    def _begin(self) -> Claim | None:
        claim = self._claim = self._store.next()
        if claim is not None:
            self._place = claim.place
            options = self._options
            self._lines = parse_file(
                claim.path,
                claim.kind,
                source=options.source,
                delimiter=options.delimiter,
                digest=claim.digest,
                after=claim.place,
            )
        return claim

    def _settle(self, position: FolderPosition) -> None:
        with self._busy:
            self._store.settle(position.claim, position.place, end=position.end)

    def _close(self) -> None:
        close = getattr(self._lines, "close", None)
        if close is not None:  # a generator has the file open
            close()
        self._claim = None
        self._store.close()

    def _locked(self, work: Callable[[], None]) -> None:
        with self._busy:
            work()
