"""Reserves over several locations between the contract and the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allocator.core.commands import Policy
from allocator.core.ids import reservation_id
from allocator.core.limits import NS_PER_S
from allocator.core.protocol.coordinator import Terms, Wanted
from allocator.core.protocol.types import PARTS_MAX, Open
from allocator.core.results import ReserveResult, ReserveStatus
from allocator.gateway.errors import too_many
from allocator.gateway.names import LOCATIONS, RESERVATIONS, id_in, location_name
from allocator.gateway.translate_reservation import line_status, reserve_times, set_time
from allocator.v1.reservation_pb2 import Reservation, ReservationState, ReserveRequest, ReserveResponse
from allocator.v1.reservation_pb2 import ReserveStatus as WireStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allocator.core.protocol.answers import OpenResult
    from allocator.core.protocol.coordinator import Holds
    from allocator.core.protocol.types import Asked, PartSpec

_REFUSALS = (ReserveStatus.LOCATION_CLOSED, ReserveStatus.INSUFFICIENT_STOCK, ReserveStatus.NO_CAPACITY)


class SpanningReserve(NamedTuple):
    """A reserve whose lines are at several locations, in the order in which they were named."""

    request_id: str
    terms: Terms
    wanted: tuple[Wanted, ...]
    order_of: tuple[tuple[str, str], ...]
    asked: Asked

    def open(self, holds: Holds, *, held: bool) -> Open:
        """What the home is to remember: the reservation, or that it was refused."""
        terms = self.terms
        parts = holds.parts if held else ()
        answer = _answer(self.order_of, holds, held=held).SerializeToString()
        return Open(
            self.request_id,
            terms.reservation,
            parts,
            terms.ttl_ns,
            terms.channel,
            terms.order,
            asked=self.asked,
            answer=answer,
        )


def to_spanning(request: ReserveRequest, request_id: str) -> SpanningReserve:
    """The reserve over several locations in a request that was found sound; its home is the first of them by name.

    Raises:
        ApiError: BATCH_TOO_LARGE.
    """
    sums: dict[tuple[str, str], int] = {}
    for line in request.lines:
        key = id_in(line.location, LOCATIONS) or "", line.sku
        sums[key] = sums.get(key, 0) + line.quantity
    by_location: dict[str, list[tuple[str, int]]] = {}
    for (location, sku), quantity in sums.items():
        by_location.setdefault(location, []).append((sku, quantity))
    if len(by_location) > PARTS_MAX:
        raise too_many("lines", len(by_location), PARTS_MAX, "locations")
    ttl_ns, pick_at_ns, promise_by_ns = reserve_times(request)
    home = min(by_location)
    terms = Terms(
        reservation_id(home, request_id),
        home,
        ttl_ns,
        request.channel,
        request.order,
        request.policy or Policy.ALL_OR_NOTHING,
        pick_at_ns,
        promise_by_ns,
    )
    wanted = tuple(Wanted(location, tuple(lines)) for location, lines in by_location.items())
    return SpanningReserve(request_id, terms, wanted, tuple(sums), _asked(terms, wanted))


def fill_opened(response: ReserveResponse, home: str, result: OpenResult, terms: Terms) -> None:
    """Write the answer of the home into `response`."""
    response.MergeFromString(result.answer)
    response.repeated_request = result.repeated
    if result.parts:
        fill_opened_reservation(response.reservation, home, result, terms.channel, terms.order)


def fill_opened_reservation(message: Reservation, home: str, result: OpenResult, channel: str, order: str) -> None:
    """Write a reservation as it was when it was opened into `message`."""
    message.name = RESERVATIONS + result.reservation
    message.state = ReservationState.RESERVATION_STATE_HELD
    message.home_location = location_name(home)
    message.channel = channel
    message.order = order
    fill_parts(message, result.parts)
    set_time(message.create_time, result.created_ns)
    set_time(message.update_time, result.created_ns)
    set_time(message.expire_time, result.expires_ns)
    if result.pick_until_ns:
        set_time(message.pickup_end_time, result.pick_until_ns)


def fill_parts(message: Reservation, parts: Iterable[PartSpec]) -> None:
    """Write the lines of parts as they were made into `message`."""
    for part in parts:
        name, waiting = location_name(part.location), dict(part.waiting)
        for sku, units in part.lines:
            message.lines.add(sku=sku, location=name, held=units, open=units, waiting=waiting.get(sku, 0))


def _asked(terms: Terms, wanted: Sequence[Wanted]) -> tuple[tuple[str, str], ...]:
    lines = sorted(f"{units} {sku} at {want.location}" for want in wanted for sku, units in want.lines)
    return (
        ("method", "Reserve"),
        ("lines", ", ".join(lines)),
        ("ttl", f"{terms.ttl_ns / NS_PER_S!r} s"),
        ("channel", terms.channel),
        ("policy", Policy(terms.policy).name),
        ("order", terms.order),
        ("pick_time", str(terms.pick_at_ns)),
        ("promise_by", str(terms.promise_by_ns)),
    )


def _answer(order_of: Sequence[tuple[str, str]], holds: Holds, *, held: bool) -> ReserveResponse:
    """What is told of the lines and of the whole; with several refusals the one with the lowest number."""
    response = ReserveResponse()
    found = {}
    statuses: list[int] = []
    for (location, _), result in zip(holds.calls, holds.answers, strict=True):
        if isinstance(result, ReserveResult):
            statuses.append(result.status)
            response.capacity_left = max(response.capacity_left, result.capacity_left)
            found.update({(location, line.sku): line for line in result.lines})
    for location, sku in order_of:
        _, requested, units, available, waiting = found[location, sku]
        line = response.lines.add(sku=sku, location=location_name(location), requested=requested)
        line.held, line.waiting = (units, waiting) if held else (0, 0)
        whole = units == requested  # such a line had enough, also where the reserve as a whole was refused
        line.status = line_status(requested, line.held, requested if whole else available)
        line.available = 0 if line.held == requested else max(available, units)
    response.status = WireStatus.ValueType(_status(statuses, holds, held=held))
    return response


def _status(statuses: Sequence[int], holds: Holds, *, held: bool) -> int:
    if held:
        return ReserveStatus.HELD if holds.whole else ReserveStatus.PARTIALLY_HELD
    return min((status for status in statuses if status in _REFUSALS), default=ReserveStatus.INSUFFICIENT_STOCK)
