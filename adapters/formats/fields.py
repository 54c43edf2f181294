"""What the fields of a movement look like, whatever the wire format; the limits are those of the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from adapters.formats.movement import FormatError, ns_of, shortened
from allocator.core.commands import MovementType, SupplyKind
from allocator.core.ids import ID_PATTERN

TEXT_LENGTH_MAX: Final = 128
"""Characters of source, movement_id, reference and corrects."""
REASON_LENGTH_MAX: Final = 64
_YEAR_END: Final = 2200
_INT64: Final = 1 << 63
_PRINTABLE: Final = r"^\P{Cc}*$"
# Plain numbers, dates without a time and local times are refused: each could be read in more than one way.
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_TYPES: Final = {kind.name.lower(): kind for kind in MovementType}
_SUPPLY_KINDS: Final = {kind.name.lower(): kind for kind in SupplyKind}
_FLAGS: Final = {"true": True, "false": False}


def _movement_type(value: object) -> MovementType:
    kind = _TYPES.get(value.strip().lower()) if isinstance(value, str) else None
    if kind is None:
        raise ValueError
    return kind


def _supply_kind(value: object) -> SupplyKind:
    kind = _SUPPLY_KINDS.get(value.strip().lower()) if isinstance(value, str) else None
    if kind is None:
        raise ValueError
    return kind


def _flag(value: object) -> bool:
    flag = _FLAGS.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise ValueError  # noqa: TRY004  # what pydantic takes for a finding
    return flag


def _time_ns(value: object) -> int:
    text = value.upper() if isinstance(value, str) else ""
    if not _TIME.fullmatch(text):
        raise ValueError
    ns = ns_of(datetime.fromisoformat(text))
    if ns <= 0 or int(text[:4]) >= _YEAR_END:
        raise ValueError
    return ns


def _sequence(value: object) -> int:
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value
    if type(number) is not int or not 0 <= number < _INT64:
        raise ValueError
    return number


def _bare_id(collection: str) -> PlainValidator:
    """An id, also when it comes as the API names it: `reservations/{id}`."""
    pattern = re.compile(ID_PATTERN)

    def check(value: object) -> str:
        text = value.removeprefix(f"{collection}/") if isinstance(value, str) else ""
        if not pattern.fullmatch(text):
            raise ValueError
        return text

    return PlainValidator(check)


Id = Annotated[str, StringConstraints(pattern=f"^{ID_PATTERN}$")]
OptionalId = Annotated[str, StringConstraints(pattern=f"^(?:{ID_PATTERN})?$")]
Location = Annotated[str, _bare_id("locations")]
Reservation = Annotated[str, _bare_id("reservations")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=TEXT_LENGTH_MAX, pattern=_PRINTABLE)]
Text = Annotated[str, StringConstraints(max_length=TEXT_LENGTH_MAX, pattern=_PRINTABLE)]
Reason = Annotated[str, StringConstraints(max_length=REASON_LENGTH_MAX, pattern=_PRINTABLE)]
TimeNs = Annotated[int, PlainValidator(_time_ns)]
Sequence = Annotated[int, PlainValidator(_sequence)]
Kind = Annotated[MovementType, PlainValidator(_movement_type)]
Flag = Annotated[bool, PlainValidator(_flag)]
Supplies = Annotated[SupplyKind, PlainValidator(_supply_kind)]
Quantity = Annotated[int, Field(ge=-_INT64, lt=_INT64)]


class MovementFields(BaseModel):
    """What every format says of a movement in the same words."""

    # An unknown field is refused: a misspelt occurred_at that is passed over would count stock wrongly.
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    sku: Id
    type: Kind
    quantity: Quantity
    disposition: OptionalId | None = None
    from_disposition: OptionalId | None = None
    reservation: Reservation | Literal[""] | None = None
    reason: Reason | None = None
    reference: Text | None = None
    corrects: Text | None = None
    recorded_at: TimeNs | None = None
    supply: OptionalId | None = None
    expect_at: TimeNs | None = None
    final: Flag | None = None
    supply_kind: Supplies | None = None


_ID: Final = "an id (a letter or digit, then up to 63 letters, digits or . _ : / -)"
_WHEN: Final = "a time with its zone between 1970 and 2200, such as 2026-01-31T08:00:00Z"
_TEXT: Final = f"at most {TEXT_LENGTH_MAX} characters without control characters"
_NAME: Final = f"1 to {TEXT_LENGTH_MAX} characters without control characters"
EXPECTED: Final = {
    "sku": _ID,
    "location": _ID,
    "type": f"one of {', '.join(_TYPES)}",
    "quantity": "a whole number of units",
    "source": _NAME,
    "movement_id": _NAME,
    "sequence": "a whole number, 0 or more",
    "disposition": _ID,
    "from_disposition": _ID,
    "reservation": _ID,
    "occurred_at": _WHEN,
    "recorded_at": _WHEN,
    "reason": f"at most {REASON_LENGTH_MAX} characters without control characters",
    "reference": _TEXT,
    "corrects": _TEXT,
    "supply": _ID,
    "expect_at": _WHEN,
    "final": "true or false",
    "supply_kind": f"one of {', '.join(_SUPPLY_KINDS)}",
}
"""What each field should be, in words."""


def format_error(line: int, error: ValidationError, expected: Mapping[str, str]) -> FormatError:
    """The first finding of `error` in words; `expected` tells by its path what each field should be."""
    first = error.errors(include_url=False, include_context=False)[0]
    path = _path(first)
    if first["type"] == "missing":
        return FormatError(line, path, expected[path], "nothing")
    if first["type"] == "extra_forbidden":
        parent, dot, name = path.rpartition(".")
        known = (known.removeprefix(parent + dot) for known in expected if known.startswith(parent + dot))
        return FormatError(line, path, f"only {', '.join(known)}", shortened(name))
    return FormatError(line, path, expected[path], shortened(first["input"]))


def _path(details: ErrorDetails) -> str:
    """The path of a field; what comes after it names the member of a union."""
    names = [str(part) for part in details["loc"]]
    return ".".join(names[: 2 if names[0] == "data" else 1])
