"""Lines that were refused, kept with the reason: JSON lines that can be dropped into an inbox as they are.

Each line is then read as it was in its first file, so that its movement has the same id.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.formats import cloudevents, csv
from adapters.formats.lines import opened, raw_lines
from adapters.formats.movement import START, FormatError, Line, Origin, Place, StockMovement, shortened

NAME: Final = "rejects"
# A kept line stands escaped in its row, and base64 is longer than what it encodes.
ROW_BYTES_MAX: Final = 1_048_576


class RejectClass(StrEnum):
    """What can be done about a refused line."""

    UNREADABLE = "unreadable"
    """It is no movement: correct it."""
    UNKNOWN_LOCATION = "unknown_location"
    """It passes once the location is there: drop the file again."""
    LOCATION_STOPPED = "location_stopped"
    """The journal of its location is damaged: drop the file again once that is mended."""
    REFUSED = "refused"
    """The core's rules say no, and will again."""


class RejectedBy(StrEnum):
    """Who refused a line."""

    FORMAT = "format"
    CORE = "core"


class RejectRow(BaseModel):
    """One refused line, as it is kept.

    Attributes:
        file: name of the file in which the line was met first.
        line: its number there.
        reject_class: what can be done about it.
        by: who refused it.
        reason: why, for people.
        raw: its text.
        raw_base64: instead of `raw`, when it is not UTF-8.
        format, digest, source, delimiter, header, attempts: as in `Origin`.
        at: when it was refused, ISO 8601.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    file: str
    line: int = Field(ge=0)
    reject_class: RejectClass = Field(alias="class")
    by: RejectedBy
    reason: str
    raw: str | None = None
    raw_base64: str | None = None
    format: str
    digest: str = ""
    source: str = ""
    delimiter: str = ""
    header: str = ""
    attempts: int = Field(1, ge=1)
    at: str = ""

    @classmethod
    def of(
        cls, origin: Origin, raw: bytes, reject_class: RejectClass, *, by: RejectedBy, reason: str, at: str
    ) -> RejectRow:
        """The row for a line that was met first at `origin`."""
        try:
            text, encoded = raw.decode(), None
        except UnicodeDecodeError:
            text, encoded = None, base64.b64encode(raw).decode("ascii")
        known = origin._replace(attempts=origin.attempts + 1)._asdict()
        return cls(reject_class=reject_class, by=by, reason=reason, raw=text, raw_base64=encoded, at=at, **known)

    def dump(self) -> bytes:
        """The row as a line of JSON."""
        return self.model_dump_json(by_alias=True, exclude_none=True).encode() + b"\n"

    @property
    def origin(self) -> Origin:
        """Where the line was met first."""
        return Origin(**{name: getattr(self, name) for name in Origin._fields})

    @property
    def raw_bytes(self) -> bytes:
        """The line as it was."""
        return base64.b64decode(self.raw_base64) if self.raw_base64 is not None else (self.raw or "").encode()


def parse_rejects(file: Path | BinaryIO, *, after: Place = START) -> Iterator[Line]:
    """Yield the lines kept in a file of refused ones, from a place on, each read as in its first file.

    Args:
        file: its path, or a binary stream that can seek.
        after: where to go on.

    Raises:
        OSError: it cannot be read.
    """
    with opened(file) as stream:
        for number, end, raw, _ in raw_lines(stream, after, bytes_max=ROW_BYTES_MAX):
            if not raw.strip():
                continue
            row = _row(number, raw)
            if isinstance(row, FormatError):
                yield Line(number, end, raw, row)
                continue
            outcome = _reread(row)
            if outcome is not None:
                yield Line(number, end, row.raw_bytes, outcome, row.origin)


def _row(number: int, raw: bytes) -> RejectRow | FormatError:
    try:
        row = RejectRow.model_validate_json(raw)
        row.raw_bytes  # noqa: B018  # decoded here, where an error has a line
    except (ValidationError, binascii.Error):
        return FormatError(number, "", "a row as it was written to failed/", shortened(raw))
    return row


def _reread(row: RejectRow) -> StockMovement | FormatError | None:
    if row.format == cloudevents.NAME:
        return cloudevents.parse_event(row.line, row.raw_bytes)
    if row.format == csv.NAME:
        header = row.header.encode()
        rows = csv.CsvRows(header, digest=row.digest, source=row.source, delimiter=row.delimiter)
        return rows.parse(row.line, row.raw_bytes)
    return FormatError(row.line, "format", f"{cloudevents.NAME} or {csv.NAME}", shortened(row.format))
