"""CloudEvents 1.0, JSON, one event per line: the canonical form of a movement on the wire.

`id` is unique per `source`, `partitionkey` the location, `time` when it happened, `sequence` optionally the position
in the source's stream; `data` has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.formats.fields import (
    EXPECTED,
    Location,
    MovementFields,
    Name,
    Sequence,
    TimeNs,
    format_error,
)
from adapters.formats.lines import UTF8_EXPECTED, opened, raw_lines, too_long
from adapters.formats.movement import START, FormatError, Line, Place, StockMovement, shortened

NAME: Final = "cloudevents"
_EXPECTED: Final = {
    "specversion": "1.0",
    "id": EXPECTED["movement_id"],
    "source": EXPECTED["source"],
    "type": "the name of this kind of event",
    "partitionkey": f"the location, {EXPECTED['location']}",
    "time": EXPECTED["occurred_at"],
    "sequence": EXPECTED["sequence"],
    "data": "an object with the movement",
    **{f"data.{name}": EXPECTED[name] for name in MovementFields.model_fields},
}


class _Event(BaseModel):
    # Attributes this build does not know are extensions, and CloudEvents lets anyone add some.
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)

    specversion: Literal["1.0"]
    id: Name
    source: Name
    type: Name
    partitionkey: Location
    time: TimeNs | None = None
    sequence: Sequence | None = None
    data: MovementFields


def parse_cloudevents(file: Path | BinaryIO, *, after: Place = START) -> Iterator[Line]:
    """Yield the lines of a file of events, from a place on; blank ones are passed over.

    Args:
        file: its path, or a binary stream that can seek.
        after: where to go on.

    Raises:
        OSError: it cannot be read.
    """
    with opened(file) as stream:
        for number, end, raw, whole in raw_lines(stream, after):
            if not whole:
                yield Line(number, end, raw, too_long(number))
            elif raw.strip():
                yield Line(number, end, raw, parse_event(number, raw))


def parse_event(number: int, raw: bytes) -> StockMovement | FormatError:
    """The movement in one event; `number` is the line's, for messages."""
    try:
        event = _Event.model_validate_json(raw)
    except ValidationError as error:
        return _error(number, raw, error)
    data = event.data
    return StockMovement(
        event.partitionkey,
        event.source,
        event.id,
        event.sequence or 0,
        data.sku,
        data.type,
        data.quantity,
        data.disposition or "",
        data.from_disposition or "",
        data.reservation or "",
        event.time or 0,
        data.recorded_at or 0,
        data.reason or "",
        data.reference or "",
        data.corrects or "",
        data.supply or "",
        data.expect_at or 0,
        data.final or False,
        data.supply_kind,
    )


def _error(number: int, raw: bytes, error: ValidationError) -> FormatError:
    first = error.errors(include_url=False)[0]
    if first["loc"]:
        return format_error(number, error, _EXPECTED)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return FormatError(number, "", UTF8_EXPECTED, shortened(raw))
    found = first["msg"] if first["type"] == "json_invalid" else shortened(text)
    return FormatError(number, "", "a JSON object, an event of CloudEvents 1.0", found)
