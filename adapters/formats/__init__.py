"""Wire formats: bytes in, canonical movements or values that say what is wrong out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from adapters.formats import cloudevents, csv, rejects
from adapters.formats.cloudevents import parse_cloudevents
from adapters.formats.csv import parse_csv
from adapters.formats.lines import LINE_BYTES_MAX
from adapters.formats.movement import START, FormatError, Line, Origin, Place, StockMovement
from adapters.formats.rejects import RejectClass, RejectedBy, RejectRow, parse_rejects

__all__ = [
    "LINE_BYTES_MAX",
    "START",
    "SUFFIXES",
    "FormatError",
    "Line",
    "Origin",
    "Place",
    "RejectClass",
    "RejectRow",
    "RejectedBy",
    "StockMovement",
    "format_of",
    "parse_cloudevents",
    "parse_csv",
    "parse_file",
    "parse_rejects",
]

SUFFIXES: Final = {
    ".rejects.jsonl": rejects.NAME,
    ".csv": csv.NAME,
    ".json": cloudevents.NAME,
    ".jsonl": cloudevents.NAME,
    ".ndjson": cloudevents.NAME,
}
"""Format by the end of a file's name; the first that fits counts."""


def format_of(name: str) -> str | None:
    """The format of a file by its name; None when the name does not tell."""
    lower = name.lower()
    return next((kind for suffix, kind in SUFFIXES.items() if lower.endswith(suffix)), None)


def parse_file(
    file: Path | BinaryIO,
    kind: str,
    *,
    source: str = csv.SOURCE_DEFAULT,
    delimiter: str = ",",
    digest: str = "",
    after: Place = START,
) -> Iterator[Line]:
    """Yield the lines of a file whose format is `kind`, as `parse_csv` and the others do."""
    if kind == csv.NAME:
        return parse_csv(file, source=source, delimiter=delimiter, digest=digest, after=after)
    return (parse_cloudevents if kind == cloudevents.NAME else parse_rejects)(file, after=after)
