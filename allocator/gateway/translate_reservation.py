"""Reservations between the contract and the core. `to_reserve` and `fill_reserve` are on the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.core.commands import Commit, Extend, Fulfil, Lines, Policy, Release, Reserve, merge_lines
from allocator.core.ids import is_id, is_request_id, reservation_id
from allocator.core.limits import LINES_MAX, NS_PER_S, QUANTITY_MAX, TTL_DEFAULT_NS, TTL_MAX_NS, TTL_MIN_NS
from allocator.core.results import HeldLine, ReserveResult, ReserveStatus
from allocator.gateway.errors import ApiError, Violation, too_many
from allocator.gateway.faults import Faults
from allocator.gateway.limits import REASON_LENGTH_MAX
from allocator.gateway.names import LOCATIONS, RESERVATIONS, id_in, location_name
from allocator.v1.reservation_pb2 import (
    CommitReservationRequest,
    ExtendReservationRequest,
    FulfilReservationRequest,
    LineStatus,
    ReleaseReservationRequest,
    ReservationState,
    ReserveRequest,
    ReserveResponse,
    TransitionStatus,
)
from allocator.v1.reservation_pb2 import ReserveStatus as WireStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp

    from allocator.core.results import ReservationView, TransitionResult
    from allocator.v1.reservation_pb2 import (
        CommitReservationResponse,
        ExtendReservationResponse,
        FulfilReservationResponse,
        LineQuantity,
        ReleaseReservationResponse,
        Reservation,
        ReserveLine,
    )

    LinesRequest = ReleaseReservationRequest | FulfilReservationRequest
    NamedRequest = CommitReservationRequest | ExtendReservationRequest | LinesRequest
    MovingResponse = ReleaseReservationResponse | FulfilReservationResponse
    TransitionResponse = CommitReservationResponse | ExtendReservationResponse | MovingResponse

_TTL_MIN_S: Final = TTL_MIN_NS // NS_PER_S
_TTL_MAX_S: Final = TTL_MAX_NS // NS_PER_S
_LOCATIONS_TOLD_MAX: Final = 16
"""Locations that LINES_SPAN_LOCATIONS names."""
# Plain values: an attribute of an enum costs as much as the rest of a line here. Core and contract number alike.
_HELD, _PARTIALLY = LineStatus.LINE_STATUS_HELD, LineStatus.LINE_STATUS_PARTIALLY_HELD
_INSUFFICIENT, _NOT_HELD = LineStatus.LINE_STATUS_INSUFFICIENT_STOCK, LineStatus.LINE_STATUS_NOT_HELD
_HELD_STATE = ReservationState.RESERVATION_STATE_HELD
_HELD_MAX: Final = ReserveStatus.PARTIALLY_HELD.value
_DEFAULT_POLICY: Final = Policy.ALL_OR_NOTHING.value
_POLICIES: Final = (0, Policy.ALL_OR_NOTHING.value, Policy.PARTIAL.value)


class Target(NamedTuple):
    """Which reservation a transition is about; faults of the request are collected on the way."""

    reservation: str
    faults: Faults


def to_reserve(request: ReserveRequest, request_id: str) -> tuple[str, Reserve]:
    """The location and the command of a reserve; `request_id` is the caller's or made for it.

    Raises:
        ApiError: INVALID, BATCH_TOO_LARGE or LINES_SPAN_LOCATIONS.
    """
    asked = request.lines
    if len(asked) > LINES_MAX:
        raise too_many("lines", len(asked), LINES_MAX)
    lines = tuple([(line.sku, line.quantity) for line in asked])
    names = {line.location for line in asked}
    name = next(iter(names)) if len(names) == 1 else ""
    location = id_in(name, LOCATIONS) or ""
    ttl_ns = TTL_DEFAULT_NS
    if request.HasField("ttl"):
        ttl_ns = request.ttl.seconds * NS_PER_S + request.ttl.nanos
    pick_at_ns = 0
    if request.HasField("pick_time"):
        pick_at_ns = request.pick_time.seconds * NS_PER_S + request.pick_time.nanos or 1
    channel, order, policy = request.channel, request.order, request.policy
    sound = (
        location
        and is_request_id(request_id)
        and TTL_MIN_NS <= ttl_ns <= TTL_MAX_NS
        and policy in _POLICIES
        and not (channel and not is_id(channel))
        and not (order and not is_id(order))
        and _sound_lines(lines)
    )
    if not sound or pick_at_ns:
        _check_reserve(request, lines, len(names))
    command = Reserve(
        request_id,
        reservation_id(location, request_id),
        lines,
        ttl_ns,
        channel,
        policy or _DEFAULT_POLICY,
        order,
        pick_at_ns,
    )
    return location, command


def fill_reserve(
    response: ReserveResponse, location: str, command: Reserve, result: ReserveResult, version: int
) -> None:
    """Write the answer to a reserve into `response`."""
    name = location_name(location)
    held = result.status <= _HELD_MAX
    response.status = WireStatus.ValueType(result.status)
    add_line = response.lines.add
    for sku, requested, units, available, waiting in result.lines:
        if units == requested and not waiting:
            add_line(sku=sku, location=name, status=_HELD, requested=requested, held=units)
        else:
            status = _line_status(requested, units, available)
            line = add_line(sku=sku, location=name, status=status, requested=requested, held=units, available=available)
            line.waiting = waiting
    response.versions.add(location=name, version=version)
    if result.repeated:
        response.repeated_request = True
    if held:
        _fill_held(response.reservation, name, command, result, version)
    else:
        response.capacity_left = result.capacity_left


def unstocked(command: Reserve, available: Sequence[int], *, open_: bool) -> ReserveResult:
    """The refusal of a reserve that names a SKU which other locations stock, and this one never did.

    Args:
        command: what was asked for.
        available: what can be promised of each merged line.
        open_: whether the location takes reservations.
    """
    status = ReserveStatus.INSUFFICIENT_STOCK if open_ else ReserveStatus.LOCATION_CLOSED
    asked = merge_lines(command.lines)
    lines = [HeldLine(sku, quantity, 0, left) for (sku, quantity), left in zip(asked, available, strict=True)]
    return ReserveResult(status.value, "", 0, 0, tuple(lines))


def to_target(request: NamedRequest) -> Target:
    """The reservation that a transition names."""
    faults = Faults()
    reservation = faults.name("name", request.name, RESERVATIONS)
    faults.request_id(request.request_id)
    return Target(reservation, faults)


def to_commit(target: Target, request_id: str) -> Commit:
    """The command of a commit."""
    return Commit(request_id, target.reservation)


def to_extend(request: ExtendReservationRequest, target: Target, request_id: str) -> Extend:
    """The command of an extension."""
    ttl_ns = TTL_DEFAULT_NS
    if request.HasField("ttl"):
        ttl_ns = target.faults.length("ttl", request.ttl, _TTL_MIN_S, _TTL_MAX_S)
    return Extend(request_id, target.reservation, ttl_ns)


def to_release(request: ReleaseReservationRequest, target: Target, request_id: str, home: str) -> Release:
    """The command of a release; `home` is the location of lines that name none."""
    reason = target.faults.text("reason", request.reason, REASON_LENGTH_MAX)
    return Release(request_id, target.reservation, _open_lines(request.lines, target.faults, home), reason)


def to_fulfil(request: FulfilReservationRequest, target: Target, request_id: str, home: str) -> Fulfil:
    """The command of a fulfilment; `home` is the location of lines that name none."""
    return Fulfil(request_id, target.reservation, _open_lines(request.lines, target.faults, home))


def fill_transition(response: TransitionResponse, location: str, result: TransitionResult, version: int) -> None:
    """Write the answer to a transition into `response`, units moved included where it has them."""
    response.status = TransitionStatus.ValueType(result.status)
    response.versions.add(location=location_name(location), version=version)
    response.repeated_request = result.repeated
    if result.view is not None:
        fill_reservation(response.reservation, location, result.view, version)


def fill_moved(response: MovingResponse, location: str, result: TransitionResult) -> None:
    """Write the units that a release or fulfilment moved into `response`."""
    name = location_name(location)
    for sku, quantity in result.lines:
        response.moved.add(sku=sku, quantity=quantity, location=name)


def fill_reservation(message: Reservation, location: str, view: ReservationView, version: int) -> None:
    """Write a reservation as it stands into `message`."""
    name = location_name(location)
    message.name = RESERVATIONS + view.reservation
    message.state = ReservationState.ValueType(view.state)
    message.home_location = name
    message.channel = view.channel
    message.order = view.order
    for sku, quantity, fulfilled, released, location, waiting in view.lines:
        line = message.lines.add(sku=sku, held=quantity, fulfilled=fulfilled, released=released, waiting=waiting)
        line.location = location_name(location) if location else name
        line.open = quantity - fulfilled - released
    _set_time(message.create_time, view.created_ns)
    _set_time(message.update_time, view.updated_ns)
    if view.expires_ns:
        _set_time(message.expire_time, view.expires_ns)
    if view.pick_until_ns:
        _set_time(message.pickup_end_time, view.pick_until_ns)
    message.version = version


def _fill_held(message: Reservation, name: str, command: Reserve, result: ReserveResult, version: int) -> None:
    message.name = RESERVATIONS + result.reservation
    message.state = _HELD_STATE
    message.home_location = name
    message.channel = command.channel
    message.order = command.order
    add_line = message.lines.add
    for sku, _, units, _, waiting in result.lines:
        if units:
            add_line(sku=sku, location=name, held=units, open=units, waiting=waiting)
    _set_time(message.create_time, result.created_ns)
    _set_time(message.update_time, result.created_ns)
    _set_time(message.expire_time, result.expires_ns)
    message.version = version


def _set_time(message: Timestamp, at_ns: int) -> None:
    message.seconds, message.nanos = divmod(at_ns, NS_PER_S)


def _line_status(requested: int, held: int, available: int) -> LineStatus.ValueType:
    if held:
        return _HELD if held == requested else _PARTIALLY
    return _INSUFFICIENT if available < requested else _NOT_HELD


def _sound_lines(lines: Lines) -> bool:
    for sku, quantity in lines:
        if not 0 < quantity <= QUANTITY_MAX or not is_id(sku):
            return False
    merged = merge_lines(lines)
    return bool(lines) and (merged is lines or all(quantity <= QUANTITY_MAX for _, quantity in merged))


def _check_reserve(request: ReserveRequest, lines: Lines, locations: int) -> None:
    """Tell everything that is wrong with a reserve."""
    faults = Faults()
    if not lines:
        faults.add("lines", f"none; 1 to {LINES_MAX} are needed")
    _check_lines(request.lines, faults)
    faults.request_id(request.request_id)
    if request.HasField("ttl"):
        faults.length("ttl", request.ttl, _TTL_MIN_S, _TTL_MAX_S)
    faults.optional_id("channel", request.channel)
    faults.choice("policy", request.policy, _POLICIES)
    faults.optional_id("order", request.order)
    if request.HasField("pick_time"):
        faults.time("pick_time", request.pick_time)
    faults.check()
    if locations > 1:
        raise _span(request.lines, locations)


def _span(lines: Sequence[ReserveLine], locations: int) -> ApiError:
    names = sorted({line.location for line in lines})[:_LOCATIONS_TOLD_MAX]
    message = f"the lines name {locations} locations; reserve at one location at a time"
    violation = Violation("lines", f"they are at {locations} locations; one is allowed")
    return ApiError("LINES_SPAN_LOCATIONS", message, {"locations": ", ".join(names)}, (violation,))


def _check_lines(lines: Iterable[ReserveLine | LineQuantity], faults: Faults, home: str = "") -> None:
    """Check each line, and the sum of those of the same SKU and location; a line without location is at `home`."""
    sums: dict[tuple[str, str], int] = {}
    for n, line in enumerate(lines):
        faults.id(f"lines[{n}].sku", line.sku)
        if line.location or not home:
            faults.name(f"lines[{n}].location", line.location)
        faults.units(f"lines[{n}].quantity", line.quantity, 1, QUANTITY_MAX)
        key = line.sku, line.location or home
        before = sums.get(key, 0)
        sums[key] = before + line.quantity
        if before <= QUANTITY_MAX < sums[key] and before:
            faults.add(f"lines[{n}].quantity", f"the lines of this SKU sum to {sums[key]}; at most {QUANTITY_MAX}")


def _open_lines(lines: Sequence[LineQuantity], faults: Faults, home: str) -> Lines:
    """The lines of a release or fulfilment as the home's ledger takes them.

    A line elsewhere is a line that the reservation does not have: it keeps its location, which no SKU can look like,
    so that the ledger finds nothing open on it and refuses by its own order of precedence.
    """
    if len(lines) > LINES_MAX:
        raise too_many("lines", len(lines), LINES_MAX)
    home_name = location_name(home)
    _check_lines(lines, faults, home_name)
    pairs = [
        (line.sku if line.location in {"", home_name} else f"{line.sku}@{line.location}", line.quantity)
        for line in lines
    ]
    return merge_lines(tuple(pairs))
