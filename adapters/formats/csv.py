"""CSV with a header row: sku, location, type and quantity, and any of the other fields of a movement.

A record is one line, so a damaged quote harms one line and not the rest of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import ConfigDict, ValidationError

from adapters.formats.fields import EXPECTED, Location, MovementFields, Name, Sequence, TimeNs, format_error
from adapters.formats.lines import (
    UTF8_EXPECTED,
    RawLine,
    content_digest,
    opened,
    raw_lines,
    too_long,
)
from adapters.formats.movement import START, FormatError, Line, Place, StockMovement, shortened

NAME: Final = "csv"
SOURCE_DEFAULT: Final = "file"
"""The source of movements that name none."""
_BLANKS: Final = " \t"
REQUIRED: Final = ("sku", "location", "type", "quantity")


class _Row(MovementFields):
    # Every cell is text.
    model_config = ConfigDict(strict=False, extra="forbid", frozen=True)

    location: Location
    source: Name | None = None
    movement_id: Name | None = None
    sequence: Sequence = 0
    occurred_at: TimeNs | None = None


class CsvRows:
    """Reads the rows under one header.

    Args:
        header: the header line.
        digest: of the file's content; makes the ids of movements that have none, so that the same file gives
            them the same ids whenever it comes.
        source: of movements that name none.
        delimiter: one character.
    """

    def __init__(self, header: bytes, *, digest: str, source: str = SOURCE_DEFAULT, delimiter: str = ",") -> None:
        self._digest, self._source, self._delimiter = digest, source, delimiter
        cells = self._cells(1, header)
        self.columns = [] if isinstance(cells, FormatError) else [cell.strip(_BLANKS).lower() for cell in cells]
        self.problem = cells if isinstance(cells, FormatError) else _header_problem(self.columns)

    def parse(self, number: int, raw: bytes) -> StockMovement | FormatError | None:
        """The movement in row `number`; None when all of its cells are empty."""
        if self.problem is not None:
            return self.problem._replace(line=number, found=f"{self.problem.found} in line 1")
        cells = self._cells(number, raw)
        if isinstance(cells, FormatError):
            return cells
        values = {
            column: text for column, cell in zip(self.columns, cells, strict=False) if (text := cell.strip(_BLANKS))
        }
        if not values:
            return None
        if len(cells) != len(self.columns):
            return FormatError(number, "", f"{len(self.columns)} cells, as in the header", f"{len(cells)}")
        try:
            row = _Row.model_validate(values)
        except ValidationError as error:
            return format_error(number, error, EXPECTED)
        return self._movement(number, row)

    def _movement(self, number: int, row: _Row) -> StockMovement:
        return StockMovement(
            row.location,
            row.source or self._source,
            row.movement_id or f"{self._digest}:{number}",
            row.sequence,
            row.sku,
            row.type,
            row.quantity,
            row.disposition or "",
            row.from_disposition or "",
            row.reservation or "",
            row.occurred_at or 0,
            row.recorded_at or 0,
            row.reason or "",
            row.reference or "",
            row.corrects or "",
            row.supply or "",
            row.expect_at or 0,
            row.final or False,
            row.supply_kind,
        )

    def _cells(self, number: int, raw: bytes) -> list[str] | FormatError:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return FormatError(number, "", UTF8_EXPECTED, shortened(raw))
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except csv.Error as error:
            return FormatError(number, "", "cells of one line, quotes in pairs", str(error))


def parse_csv(
    file: Path | BinaryIO,
    *,
    source: str = SOURCE_DEFAULT,
    delimiter: str = ",",
    digest: str = "",
    after: Place = START,
) -> Iterator[Line]:
    """Yield the rows of a file, from a place on; empty ones are passed over.

    When the header is not usable, it and every row under it come out as errors.

    Args:
        file: its path, or a binary stream that can seek.
        source: of movements that name none.
        delimiter: one character.
        digest: of its content, if it is known already.
        after: where to go on.

    Raises:
        OSError: it cannot be read.
    """
    with opened(file) as stream:
        digest = digest or content_digest(stream)
        header = next(raw_lines(stream, START), None)
        if header is None:
            return
        rows = CsvRows(header.raw, digest=digest, source=source, delimiter=delimiter)
        if after == START and rows.problem is not None:
            yield Line(1, header.end, header.raw, rows.problem)
        for line in raw_lines(stream, max(after, Place(1, header.end))):
            outcome = _outcome(rows, line)
            if outcome is not None:
                yield Line(line.number, line.end, line.raw, outcome)


def read_header(file: Path | BinaryIO) -> bytes:
    """The header line of a file; empty when there is none."""
    with opened(file) as stream:
        header = next(raw_lines(stream, START), None)
    return header.raw if header is not None else b""


def _outcome(rows: CsvRows, line: RawLine) -> StockMovement | FormatError | None:
    return rows.parse(line.number, line.raw) if line.whole else too_long(line.number)


def _header_problem(columns: list[str]) -> FormatError | None:
    expected = f"a header row with {', '.join(REQUIRED)}, and any of {', '.join(list(EXPECTED)[len(REQUIRED) :])}"
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in EXPECTED]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    for what, names in (("no column", missing), ("the unknown column", unknown), ("twice the column", twice)):
        if names:
            return FormatError(1, "", expected, f"{what} {', '.join(map(shortened, names))}")
    return None
