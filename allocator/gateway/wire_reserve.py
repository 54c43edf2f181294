"""The answer to the commonest reserve by hand: one line, held in full. `fill_reserve` makes all others."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.core.limits import NS_PER_S
from allocator.core.results import ReserveStatus
from allocator.gateway.names import RESERVATIONS, location_name
from allocator.gateway.wire import bytes_field, int_field, int_tag, varint
from allocator.v1.common_pb2 import LocationVersion
from allocator.v1.reservation_pb2 import LineStatus, Reservation, ReservationLine, ReservationState, ReserveLineResult
from allocator.v1.reservation_pb2 import ReserveResponse as Response

if TYPE_CHECKING:
    from allocator.core.commands import Reserve
    from allocator.core.results import ReserveResult

_HELD: Final = ReserveStatus.HELD.value
_STATUS: Final = int_field(Response.STATUS_FIELD_NUMBER, _HELD)
_STATE: Final = int_field(Reservation.STATE_FIELD_NUMBER, ReservationState.RESERVATION_STATE_HELD)
_LINE_STATUS: Final = int_field(ReserveLineResult.STATUS_FIELD_NUMBER, LineStatus.LINE_STATUS_HELD)
_REQUESTED: Final = int_tag(ReserveLineResult.REQUESTED_FIELD_NUMBER)
_LINE_HELD: Final = int_tag(ReserveLineResult.HELD_FIELD_NUMBER)
_HELD_UNITS: Final = int_tag(ReservationLine.HELD_FIELD_NUMBER)
_OPEN_UNITS: Final = int_tag(ReservationLine.OPEN_FIELD_NUMBER)
_VERSION: Final = int_tag(LocationVersion.VERSION_FIELD_NUMBER)
_RESERVATION_VERSION: Final = int_tag(Reservation.VERSION_FIELD_NUMBER)
# Looked up once: the library takes as long to find a number as to write a field.
_NAME: Final = Reservation.NAME_FIELD_NUMBER
_RESERVATION_LINES: Final = Reservation.LINES_FIELD_NUMBER
_CHANNEL: Final = Reservation.CHANNEL_FIELD_NUMBER
_ORDER: Final = Reservation.ORDER_FIELD_NUMBER
_RESERVATION: Final = Response.RESERVATION_FIELD_NUMBER
_ANSWER_LINES: Final = Response.LINES_FIELD_NUMBER
_VERSIONS: Final = Response.VERSIONS_FIELD_NUMBER


class _Place(NamedTuple):
    """The name of a location as it stands in a line, in a reservation and in a version."""

    line: bytes
    home: bytes
    version: bytes


def held_bytes(location: str, command: Reserve, result: ReserveResult, version: int) -> bytes | None:
    """The answer, serialised, to a reserve of one line that is held in full; None for any other."""
    if result.status != _HELD or len(result.lines) != 1 or result.repeated or result.lines[0].waiting:
        return None
    place, line, units = _place(location), result.lines[0], varint(result.lines[0].held)
    where = bytes_field(1, line.sku.encode()) + place.line  # alike in both kinds of line
    at_line = b"".join((where, _LINE_STATUS, _REQUESTED, units, _LINE_HELD, units))
    held_line = b"".join((where, _HELD_UNITS, units, _OPEN_UNITS, units))
    at_version = varint(version)
    reservation = b"".join((
        bytes_field(_NAME, (RESERVATIONS + result.reservation).encode()),
        _STATE,
        place.home,
        bytes_field(_RESERVATION_LINES, held_line),
        bytes_field(_CHANNEL, command.channel.encode()) if command.channel else b"",
        bytes_field(_ORDER, command.order.encode()) if command.order else b"",
        _times(result.created_ns, result.expires_ns),
        _RESERVATION_VERSION,
        at_version,
    ))  # fmt: skip
    return b"".join((
        _STATUS,
        bytes_field(_RESERVATION, reservation),
        bytes_field(_ANSWER_LINES, at_line),
        _version(location, version),
    ))  # fmt: skip


@lru_cache(maxsize=16_384)  # more than a network may have locations
def _place(location: str) -> _Place:
    name = location_name(location).encode()
    return _Place(
        bytes_field(ReserveLineResult.LOCATION_FIELD_NUMBER, name),
        bytes_field(Reservation.HOME_LOCATION_FIELD_NUMBER, name),
        bytes_field(LocationVersion.LOCATION_FIELD_NUMBER, name),
    )


@lru_cache(maxsize=1_024)  # reserves of one batch are made at the same time
def _times(created_ns: int, expires_ns: int) -> bytes:
    created = _stamp(created_ns)
    return (
        bytes_field(Reservation.CREATE_TIME_FIELD_NUMBER, created)
        + bytes_field(Reservation.EXPIRE_TIME_FIELD_NUMBER, _stamp(expires_ns))
        + bytes_field(Reservation.UPDATE_TIME_FIELD_NUMBER, created)
    )


@lru_cache(maxsize=1_024)  # as above
def _version(location: str, version: int) -> bytes:
    return bytes_field(_VERSIONS, _place(location).version + _VERSION + varint(version))


def _stamp(at_ns: int) -> bytes:
    seconds, nanos = divmod(at_ns, NS_PER_S)
    return int_field(1, seconds) + int_field(2, nanos)
