"""Locations between the contract and the core, field by field, because an update names its fields."""

from __future__ import annotations

import math
import re
from datetime import date
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from allocator.core.ids import is_id
from allocator.core.network.types import CHANNELS_MAX, CUT_OFFS_MAX, HANDLING_DAYS_MAX, Kind, Location, Mode
from allocator.gateway.errors import ApiError, too_many
from allocator.gateway.faults import Faults, has_control
from allocator.gateway.limits import (
    LABEL_LENGTH_MAX,
    LABELS_MAX,
    MINUTES_PER_DAY,
    OPENING_EXCEPTIONS_MAX,
    OPENING_HOURS_MAX,
    PRIORITY_MAX,
    SOURCE_LENGTH_MAX,
)
from allocator.gateway.names import location_name
from allocator.v1.common_pb2 import FulfilmentMode
from allocator.v1.network_pb2 import Location as WireLocation
from allocator.v1.network_pb2 import LocationKind, LocationState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from google.protobuf.field_mask_pb2 import FieldMask
    from google.protobuf.message import Message

    from allocator.v1.network_pb2 import OpeningException

    Reader = Callable[[WireLocation, str, Faults], Any]

_OPEN, _CLOSED = LocationState.LOCATION_STATE_OPEN, LocationState.LOCATION_STATE_CLOSED
_KINDS: Final = frozenset(kind.value for kind in Kind)
_MODES: Final = frozenset(mode.value for mode in Mode)
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_DAYS: Final = range(1, 8)
_TIME_ZONE_DEFAULT: Final = "Etc/UTC"


def to_location(location: str, message: WireLocation, faults: Faults) -> Location:
    """A location to create; an unspecified state is OPEN."""
    values = _read(message, tuple(_READERS), faults)
    if message.state == LocationState.LOCATION_STATE_UNSPECIFIED:
        values["open"] = True
    actor_group = faults.optional_id("location.actor_group", message.actor_group)
    return Location(location=location, actor_group=actor_group, **values)


def to_update(
    location: str, message: WireLocation, fields: Sequence[str], faults: Faults
) -> tuple[Location, tuple[str, ...]]:
    """The new values and the core's names of the fields to change."""
    values = _read(message, fields, faults)
    if "state" in fields and message.state == LocationState.LOCATION_STATE_UNSPECIFIED:
        faults.add("location.state", "it must be OPEN or CLOSED")
    return Location(location=location, **values), tuple(sorted(values))


def fields_to_change(
    message: Message, mask: FieldMask | None, known: Iterable[str], immutable: Iterable[str], faults: Faults
) -> list[str]:
    """The fields that an update names, or all that are not empty when there is no mask.

    Raises:
        ApiError: FIELD_IMMUTABLE.
    """
    if mask is None or not mask.paths:
        present = {field.name for field, _ in message.ListFields()}
        return [name for name in known if name in present]
    for path in mask.paths:
        if path in immutable:
            detail = f"{path} is set once, at create"
            raise ApiError("FIELD_IMMUTABLE", detail, {"field": path})
        if path not in known:
            faults.add("update_mask", f"{path[:40]!r} is not a field that can be changed")
    return [name for name in known if name in mask.paths]


def fill_location(message: WireLocation, location: Location) -> None:
    """Write a location."""
    message.name = location_name(location.location)
    message.display_name = location.display_name
    message.kind = LocationKind.ValueType(location.kind)
    message.state = _OPEN if location.open else _CLOSED
    message.country_code = location.country_code
    message.city = location.city
    if location.position is not None:
        message.position.latitude, message.position.longitude = location.position
    message.time_zone = location.time_zone or _TIME_ZONE_DEFAULT
    for day, opens, closes in location.hours:
        message.opening_hours.add(day=day, open_minute=opens, close_minute=closes)
    for when, closed, opens, closes, name in location.exceptions:
        exception = message.opening_exceptions.add(
            closed=closed, open_minute=opens, close_minute=closes, display_name=name
        )
        local = date.fromisoformat(when)
        exception.date.year, exception.date.month, exception.date.day = local.year, local.month, local.day
    message.priority = location.priority
    message.labels.update(dict(location.labels))
    message.actor_group = location.actor_group
    message.channels.extend(location.channels)
    message.modes.extend(map(FulfilmentMode.ValueType, location.modes))
    for service_level, minute in location.cut_offs:
        message.cut_offs.add(service_level=service_level, minute=minute)
    message.handling_days = location.handling_days


def _read(message: WireLocation, fields: Iterable[str], faults: Faults) -> dict[str, Any]:
    values = {}
    for field in fields:
        name, read = _READERS[field]
        values[name] = read(message, f"location.{field}", faults)
    return values


def _text(name: str) -> Reader:
    return lambda message, field, faults: faults.text(field, getattr(message, name), SOURCE_LENGTH_MAX)


def _state(message: WireLocation, field: str, faults: Faults) -> bool:
    faults.choice(field, message.state, LocationState.values())
    return message.state == _OPEN


def _country(message: WireLocation, field: str, faults: Faults) -> str:
    if message.country_code and not _COUNTRY.fullmatch(message.country_code):
        faults.add(field, "it must be two capital letters (ISO 3166-1 alpha-2), such as GB")
    return message.country_code


def _position(message: WireLocation, field: str, faults: Faults) -> tuple[float, float] | None:
    if not message.HasField("position"):
        return None
    latitude, longitude = message.position.latitude, message.position.longitude
    for name, degrees, most in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if not math.isfinite(degrees) or abs(degrees) > most:
            faults.add(f"{field}.{name}", f"{degrees}; -{most} to {most} are allowed")
    return latitude, longitude


def _time_zone(message: WireLocation, field: str, faults: Faults) -> str:
    try:
        if message.time_zone:
            ZoneInfo(message.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, or a name too long for a file
        faults.add(field, "it is not an IANA time zone such as Europe/London")
    return message.time_zone


def _hours(message: WireLocation, field: str, faults: Faults) -> tuple[tuple[int, int, int], ...]:
    if len(message.opening_hours) > OPENING_HOURS_MAX:
        raise too_many(field, len(message.opening_hours), OPENING_HOURS_MAX)
    spans: list[tuple[int, int, int]] = []
    for n, span in enumerate(message.opening_hours):
        day = faults.choice(f"{field}[{n}].day", span.day, _DAYS)
        opens, closes = _span(f"{field}[{n}]", span.open_minute, span.close_minute, faults)
        if any(day == other and opens < until and since < closes for other, since, until in spans):
            faults.add(f"{field}[{n}]", "it overlaps another span of the day")
        spans.append((day, opens, closes))
    return tuple(spans)


def _exceptions(message: WireLocation, field: str, faults: Faults) -> tuple[tuple[str, bool, int, int, str], ...]:
    if len(message.opening_exceptions) > OPENING_EXCEPTIONS_MAX:
        raise too_many(field, len(message.opening_exceptions), OPENING_EXCEPTIONS_MAX)
    rows: list[tuple[str, bool, int, int, str]] = []
    for n, exception in enumerate(message.opening_exceptions):
        row = _exception(exception, f"{field}[{n}]", faults)
        if rows and row[0] < rows[-1][0]:
            faults.add(f"{field}[{n}].date", "exceptions must be in the order of dates")
        if rows and row[0] == rows[-1][0] and (row[1] or rows[-1][1]):
            faults.add(f"{field}[{n}].date", "a date that is closed all day occurs once")
        rows.append(row)
    return tuple(rows)


def _exception(exception: OpeningException, field: str, faults: Faults) -> tuple[str, bool, int, int, str]:
    when = exception.date
    try:
        day = date(when.year, when.month, when.day).isoformat()
    except ValueError:
        faults.add(f"{field}.date", f"{when.year}-{when.month}-{when.day} is not a date")
        day = ""
    opens, closes = exception.open_minute, exception.close_minute
    if not exception.closed:
        _span(field, opens, closes, faults)
    elif opens or closes:
        faults.add(f"{field}.closed", "closed all day has no minutes")
    name = faults.text(f"{field}.display_name", exception.display_name, SOURCE_LENGTH_MAX)
    return day, exception.closed, opens, closes, name


def _span(field: str, opens: int, closes: int, faults: Faults) -> tuple[int, int]:
    faults.units(f"{field}.open_minute", opens, 0, MINUTES_PER_DAY - 1)
    if not opens < closes <= MINUTES_PER_DAY:
        faults.add(f"{field}.close_minute", f"{closes}; above open_minute, up to {MINUTES_PER_DAY}, is allowed")
    return opens, closes


def _labels(message: WireLocation, field: str, faults: Faults) -> tuple[tuple[str, str], ...]:
    if len(message.labels) > LABELS_MAX:
        raise too_many(field, len(message.labels), LABELS_MAX)
    pairs = tuple(sorted(message.labels.items()))
    for key, value in pairs:
        if not is_id(key) or len(value) > LABEL_LENGTH_MAX or has_control(value):
            problem = f"keys are ids, values up to {LABEL_LENGTH_MAX} characters without control characters"
            faults.add(field, f"{key[:40]!r}: {problem}")
    return pairs


def _channels(message: WireLocation, field: str, faults: Faults) -> tuple[str, ...]:
    if len(message.channels) > CHANNELS_MAX:
        raise too_many(field, len(message.channels), CHANNELS_MAX)
    for n, channel in enumerate(message.channels):
        faults.id(f"{field}[{n}]", channel)
        if channel in message.channels[:n]:
            faults.add(f"{field}[{n}]", f"{channel[:40]!r} is there twice")
    return tuple(message.channels)


def _modes(message: WireLocation, field: str, faults: Faults) -> tuple[int, ...]:
    if len(message.modes) > len(_MODES):
        raise too_many(field, len(message.modes), len(_MODES))
    for n, mode in enumerate(message.modes):
        faults.choice(f"{field}[{n}]", mode, _MODES)
        if mode in message.modes[:n]:
            faults.add(f"{field}[{n}]", "a mode is there twice")
    return tuple(map(int, message.modes))


def _cut_offs(message: WireLocation, field: str, faults: Faults) -> tuple[tuple[str, int], ...]:
    if len(message.cut_offs) > CUT_OFFS_MAX:
        raise too_many(field, len(message.cut_offs), CUT_OFFS_MAX)
    minutes: dict[str, int] = {}
    for n, cut_off in enumerate(message.cut_offs):
        level = faults.optional_id(f"{field}[{n}].service_level", cut_off.service_level)
        if level in minutes:
            faults.add(f"{field}[{n}].service_level", "a service level has one cut-off time")
        minutes[level] = faults.units(f"{field}[{n}].minute", cut_off.minute, 0, MINUTES_PER_DAY)
    return tuple(minutes.items())


_READERS: Final[Mapping[str, tuple[str, Reader]]] = {
    "display_name": ("display_name", _text("display_name")),
    "kind": ("kind", lambda message, field, faults: faults.choice(field, message.kind, _KINDS)),
    "state": ("open", _state),
    "country_code": ("country_code", _country),
    "city": ("city", _text("city")),
    "position": ("position", _position),
    "time_zone": ("time_zone", _time_zone),
    "opening_hours": ("hours", _hours),
    "opening_exceptions": ("exceptions", _exceptions),
    "priority": ("priority", lambda message, field, faults: faults.units(field, message.priority, 0, PRIORITY_MAX)),
    "labels": ("labels", _labels),
    "channels": ("channels", _channels),
    "modes": ("modes", _modes),
    "cut_offs": ("cut_offs", _cut_offs),
    "handling_days": (
        "handling_days",
        lambda message, field, faults: faults.units(field, message.handling_days, 0, HANDLING_DAYS_MAX),
    ),
}
"""Field of the contract -> the core's name for it, and how to read it."""

LOCATION_FIELDS: Final = tuple(_READERS)
IMMUTABLE_FIELDS: Final = ("name", "actor_group")
