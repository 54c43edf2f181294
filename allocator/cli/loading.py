"""Reads files of movements and records them, batch by batch, in the order of lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import typer

from adapters.errors import BatchInvalidError, CoreUnavailableError
from adapters.formats import (
    SUFFIXES,
    FormatError,
    Line,
    Origin,
    RejectClass,
    RejectedBy,
    RejectRow,
    StockMovement,
    format_of,
    parse_file,
)
from adapters.formats.csv import NAME as CSV
from adapters.formats.csv import read_header
from adapters.formats.lines import content_digest
from adapters.sources.core import ClientCore, Core, MovementStatus, Outcome
from allocator.client import AsyncClient
from allocator.core.errors import AllocatorError


class LoadStopped(AllocatorError):  # noqa: N818  # it says what happened; its root carries the Error
    """The service could not be reached any more; what was recorded stays, and loading again is safe."""


class Plan(NamedTuple):
    """A file to load.

    Attributes:
        path: where it is.
        size: bytes.
        origin: how its lines are read, and where a rejected one is from.
    """

    path: Path
    size: int
    origin: Origin

    def lines(self) -> Iterator[Line]:
        """Its lines, movements and what is wrong."""
        origin = self.origin
        return parse_file(
            self.path, origin.format, source=origin.source, delimiter=origin.delimiter, digest=origin.digest
        )


class Tally:
    """What became of the lines: counts by status, in lower case."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    @property
    def rejected(self) -> int:
        """Lines that are not recorded."""
        return self._counts[MovementStatus.REJECTED]

    @property
    def lines(self) -> int:
        """All of them."""
        return self._counts.total()

    def add(self, status: MovementStatus) -> None:
        """Count a line."""
        self._counts[status] += 1

    def by_status(self) -> dict[str, int]:
        """Counts of every status, also of those that did not occur."""
        return {status.value: self._counts[status] for status in MovementStatus}


def plan_of(path: Path, kind: str | None, source: str, delimiter: str) -> Plan:
    """Find out how to read a file.

    Raises:
        BadParameter: its name does not tell, and nobody said.
        OSError: it cannot be read.
    """
    known = sorted(set(SUFFIXES.values()))
    kind = kind or format_of(path.name)
    if kind not in known:
        raise typer.BadParameter(
            f"{path} is none of {', '.join(known)} by its name: add --format", param_hint="'FILE...'"
        )
    if len(delimiter) != 1:
        raise typer.BadParameter(f"one character is expected, not {delimiter!r}", param_hint="'--delimiter'")
    with path.open("rb") as stream:
        digest = content_digest(stream)
    header = read_header(path).decode(errors="replace") if kind == CSV else ""
    origin = Origin(path.name, 0, kind, digest, source, delimiter, header)
    return Plan(path, path.stat().st_size, origin)


class Loader:
    """Loads files into a service.

    Args:
        batch_max: lines of one call.
        rejects: where to keep rejected lines; None: nowhere.
        advance: hears how many bytes more are settled.
    """

    def __init__(self, batch_max: int, rejects: Path | None, advance: Callable[[int], None]) -> None:
        self._batch_max, self._rejects, self._advance = batch_max, rejects, advance
        self.tally = Tally()
        self.reasons: list[str] = []

    async def load(self, client: AsyncClient, plans: Sequence[Plan]) -> None:
        """Load the files, one after the other.

        Raises:
            LoadStopped: the service went away.
        """
        async with client:
            core = ClientCore(client)
            for plan in plans:
                await self._load(core, plan)

    async def _load(self, core: Core, plan: Plan) -> None:
        lines, settled = plan.lines(), 0
        while batch := list(islice(lines, self._batch_max)):
            await self._settle(core, plan, batch)
            self._advance(batch[-1].end - settled)
            settled = batch[-1].end

    async def _settle(self, core: Core, plan: Plan, batch: Sequence[Line]) -> None:
        movements = [line.outcome for line in batch if isinstance(line.outcome, StockMovement)]
        try:
            outcomes = iter(await _record(core, movements) if movements else [])
        except CoreUnavailableError as error:
            message = f"{plan.path.name}: stopped after {self.tally.lines:,} lines, {error.cause}"
            raise LoadStopped(f"{message}; load it again, nothing counts twice") from error.__cause__
        rejected = []
        for line in batch:
            outcome = None if isinstance(line.outcome, FormatError) else next(outcomes)
            self.tally.add(outcome.status if outcome else MovementStatus.REJECTED)
            if outcome is None or outcome.status is MovementStatus.REJECTED:
                rejected.append(self._row(plan, line, outcome))
        self._keep(rejected)

    def _row(self, plan: Plan, line: Line, outcome: Outcome | None) -> RejectRow:
        reason = str(line.outcome) if outcome is None else outcome.reason
        self.reasons.append(f"{plan.path.name}, {reason if outcome is None else f'line {line.number}: {reason}'}")
        return RejectRow.of(
            line.origin or plan.origin._replace(line=line.number),
            line.raw,
            RejectClass.UNREADABLE if outcome is None else outcome.reject_class,
            by=RejectedBy.FORMAT if outcome is None else RejectedBy.CORE,
            reason=reason,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _keep(self, rows: Sequence[RejectRow]) -> None:
        if rows and self._rejects is not None:
            with self._rejects.open("ab") as stream:
                stream.write(b"".join(row.dump() for row in rows))


async def _record(core: Core, movements: Sequence[StockMovement]) -> list[Outcome]:
    """Record a batch; a movement that no batch can hold is rejected by itself."""
    try:
        return await core.record(movements)
    except BatchInvalidError as error:
        if len(movements) == 1:
            return [Outcome(MovementStatus.REJECTED, reason=str(error))]
    half = len(movements) // 2
    return [*await _record(core, movements[:half]), *await _record(core, movements[half:])]
