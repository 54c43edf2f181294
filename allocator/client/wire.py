"""Plain values to messages and back: ids, times, lines, enums."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from allocator.client.errors import invalid
from allocator.client.types.lines import LineQuantity, Lines, PlacedLines
from allocator.v1 import common_pb2

E = TypeVar("E", bound=StrEnum)


class EnumMap(Generic[E]):
    """One of our enums and its twin in the contract: `VALUE` is `NAME_OF_ENUM_VALUE` there."""

    def __init__(self, cls: type[E], twin: Any) -> None:  # noqa: ANN401  # a generated enum
        prefix = screaming(twin.DESCRIPTOR.name)
        self._numbers: dict[str, int] = {member: twin.Value(prefix + member) for member in cls}
        self._members = {number: cls(value) for value, number in self._numbers.items()}
        self._unknown = self._members[0]

    def parse(self, number: int) -> E:
        """Our value for the contract's number; UNSPECIFIED for one this build does not know."""
        return self._members.get(number, self._unknown)

    def number(self, value: E | str) -> Any:  # noqa: ANN401  # the generated enum's own int type
        """The contract's number.

        Raises:
            InvalidRequest: there is no such value.
        """
        found = self._numbers.get(value)
        if found is None:
            known = ", ".join(name for name in self._numbers if name != self._unknown)
            raise invalid(type(self._unknown).__name__, f"{value!r} is not one of {known}")
        return found


def screaming(name: str) -> str:
    """The prefix of an enum's values in the contract: ReserveStatus has RESERVE_STATUS_."""
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name)[1:] + "_"


def location_name(location: str) -> str:
    """The contract's name of a location; "" stays "" (none)."""
    return f"locations/{location}" if location else ""


def group_name(group: str) -> str:
    """The contract's name of a location group; "" stays ""."""
    return f"locationGroups/{group}" if group else ""


def lane_name(lane: str) -> str:
    """The contract's name of a lane."""
    return f"lanes/{lane}"


def profile_name(profile: str) -> str:
    """The contract's name of a sourcing profile; "" stays ""."""
    return f"sourcingProfiles/{profile}" if profile else ""


def mask(fields: Iterable[str] | None) -> FieldMask | None:
    """The mask of these fields; None stays None (absent)."""
    return None if fields is None else FieldMask(paths=fields)


def reservation_name(reservation: str) -> str:
    """The contract's name of a reservation; "" stays ""."""
    return f"reservations/{reservation}" if reservation else ""


def plain_id(name: str) -> str:
    """The id in any name of the contract."""
    return name.partition("/")[2]


def pairs(lines: Lines) -> list[tuple[str, int]]:
    """Lines as pairs of SKU and quantity."""
    return list(lines.items()) if isinstance(lines, Mapping) else list(lines)


def placed(lines: PlacedLines, at: str) -> list[tuple[str, int, str]]:
    """Lines as SKU, quantity and the contract's name of their location; those that name none are at `at`."""
    items = lines.items() if isinstance(lines, Mapping) else lines
    whole = [line if isinstance(line, LineQuantity) else LineQuantity(line[0], at, line[1]) for line in items]
    return [(line.sku, line.quantity, location_name(line.location or at)) for line in whole]


def timestamp(name: str, at: datetime | None) -> Timestamp | None:
    """The contract's time; None stays None (absent).

    Raises:
        InvalidRequest: it has no time zone, so it names no point in time.
    """
    if at is None:
        return None
    if at.utcoffset() is None:
        raise invalid(name, f"{at.isoformat()} has no time zone; use datetime.now(UTC) or astimezone()")
    message = Timestamp()
    message.FromDatetime(at)
    return message


def moment(message: Timestamp) -> datetime:
    """A time in UTC, to the microsecond."""
    return message.ToDatetime(tzinfo=UTC)


def duration(seconds: float | None) -> Duration | None:
    """The contract's length of time; None stays None (absent).

    Raises:
        InvalidRequest: it is not a number of seconds that could be told.
    """
    if seconds is None:
        return None
    message = Duration()
    try:
        message.FromTimedelta(timedelta(seconds=seconds))
    except (OverflowError, ValueError):
        raise invalid("seconds", f"{seconds!r} is no length of time") from None
    return message


def version_list(versions: Mapping[str, int] | None) -> list[common_pb2.LocationVersion]:
    """The contract's versions."""
    return [
        common_pb2.LocationVersion(location=location_name(location), version=version)
        for location, version in (versions or {}).items()
    ]


def versions_of(messages: Iterable[common_pb2.LocationVersion]) -> dict[str, int]:
    """Versions by location."""
    return {plain_id(message.location): message.version for message in messages}


def ages_of(messages: Iterable[common_pb2.LocationAge]) -> dict[str, float]:
    """Ages by location, seconds."""
    # Not ToTimedelta: of a thousand columns it would take most of the time that reading the answer takes.
    told = ((message.location, message.age) for message in messages)
    return {plain_id(location): age.seconds + age.nanos / 1e9 for location, age in told}
