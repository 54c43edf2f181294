"""Reservations between the contract and the core. `to_reserve` and `fill_reserve` are on the hot path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.core.commands import Commit, Extend, Fulfil, Lines, PlacedLines, Policy, Release, Reserve, merge_lines
from allocator.core.ids import is_id, is_request_id, reservation_id
from allocator.core.limits import LINES_MAX, NS_PER_S, QUANTITY_MAX, TTL_DEFAULT_NS, TTL_MAX_NS, TTL_MIN_NS
from allocator.core.results import ReserveResult, ReserveStatus
from allocator.gateway.errors import too_many
from allocator.gateway.faults import Faults
from allocator.gateway.limits import REASON_LENGTH_MAX
from allocator.gateway.names import LOCATIONS, RESERVATIONS, id_in, location_in, location_name
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
    from collections.abc import Iterable, Mapping, Sequence

    from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
    from google.protobuf.timestamp_pb2 import Timestamp

    from allocator.core.results import ReservationView, TransitionResult
    from allocator.v1.common_pb2 import LocationVersion
    from allocator.v1.reservation_pb2 import (
        CommitReservationResponse,
        ExtendReservationResponse,
        FulfilReservationResponse,
        LineQuantity,
        RejectAssignmentRequest,
        ReleaseReservationResponse,
        Reservation,
        ReserveLine,
        TransferReservationRequest,
    )

    LinesRequest = ReleaseReservationRequest | FulfilReservationRequest
    AmendRequest = TransferReservationRequest | RejectAssignmentRequest
    NamedRequest = CommitReservationRequest | ExtendReservationRequest | LinesRequest | AmendRequest
    MovingResponse = ReleaseReservationResponse | FulfilReservationResponse
    TransitionResponse = CommitReservationResponse | ExtendReservationResponse | MovingResponse

_TTL_MIN_S: Final = TTL_MIN_NS // NS_PER_S
_TTL_MAX_S: Final = TTL_MAX_NS // NS_PER_S
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


def to_reserve(request: ReserveRequest, request_id: str) -> tuple[str, Reserve] | None:
    """The location and the command of a reserve; `request_id` is the caller's or made for it.

    Returns:
        None when the lines are at several locations: see `translate_spanning`.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    asked = request.lines
    if len(asked) > LINES_MAX:
        raise too_many("lines", len(asked), LINES_MAX)
    if len(asked) == 1:  # as nearly all
        line = asked[0]
        lines: Lines = ((line.sku, line.quantity),)
        apart, location = False, location_in(line.location)
    else:
        lines = tuple([(line.sku, line.quantity) for line in asked])
        names = {line.location for line in asked}
        apart, location = len(names) > 1, location_in(names.pop()) if len(names) == 1 else ""
    ttl_ns, pick_at_ns, promise_by_ns = reserve_times(request)
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
    if not sound or pick_at_ns or promise_by_ns:
        check_reserve(request, lines)
    if apart:
        return None
    command = Reserve(
        request_id,
        reservation_id(location, request_id),
        lines,
        ttl_ns,
        channel,
        policy or _DEFAULT_POLICY,
        order,
        pick_at_ns,
        "",
        False,  # noqa: FBT003  # a row
        promise_by_ns,
    )
    return location, command


def reserve_times(request: ReserveRequest) -> tuple[int, int, int]:
    """How long to hold, when to pick and by when supply may come, ns; 0 for none."""
    ttl_ns, pick_at_ns, promise_by_ns = TTL_DEFAULT_NS, 0, 0
    if request.HasField("ttl"):
        ttl = request.ttl
        ttl_ns = ttl.seconds * NS_PER_S + ttl.nanos
    if request.HasField("pick_time"):
        pick_at_ns = request.pick_time.seconds * NS_PER_S + request.pick_time.nanos or 1
    if request.HasField("promise_by"):
        promise_by_ns = request.promise_by.seconds * NS_PER_S + request.promise_by.nanos or 1
    return ttl_ns, pick_at_ns, promise_by_ns


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
            status = line_status(requested, units, available)
            line = add_line(sku=sku, location=name, status=status, requested=requested, held=units, available=available)
            line.waiting = waiting
    response.versions.add(location=name, version=version)
    if result.repeated:
        response.repeated_request = True
    if held:
        _fill_held(response.reservation, name, command, result, version)
    else:
        response.capacity_left = result.capacity_left


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


def to_release(request: ReleaseReservationRequest, target: Target, request_id: str) -> Release:
    """The command of a release."""
    reason = target.faults.text("reason", request.reason, REASON_LENGTH_MAX)
    lines, placed = open_lines(request.lines, target.faults)
    return Release(request_id, target.reservation, lines, reason, placed)


def to_fulfil(request: FulfilReservationRequest, target: Target, request_id: str) -> Fulfil:
    """The command of a fulfilment."""
    lines, placed = open_lines(request.lines, target.faults)
    return Fulfil(request_id, target.reservation, lines, placed)


def fill_transition(
    response: TransitionResponse, home: str, result: TransitionResult, versions: Mapping[str, int]
) -> None:
    """Write the answer to a transition into `response`."""
    response.status = TransitionStatus.ValueType(result.status)
    fill_versions(response.versions, versions)
    response.repeated_request = result.repeated
    if result.view is not None:
        fill_reservation(response.reservation, home, result.view, versions.get(home, 0))


def wire_transition(status: int) -> TransitionStatus.ValueType:
    """The outcome of a transition as the contract numbers it: alike."""
    return TransitionStatus.ValueType(status)


def fill_versions(messages: RepeatedCompositeFieldContainer[LocationVersion], versions: Mapping[str, int]) -> None:
    """Write versions in the order of names."""
    for location, version in sorted(versions.items()):
        messages.add(location=location_name(location), version=version)


def fill_moved(response: MovingResponse, location: str, result: TransitionResult) -> None:
    """Write the units that a release or fulfilment moved into `response`."""
    name = location_name(location)
    for sku, quantity in result.lines:
        response.moved.add(sku=sku, quantity=quantity, location=name)
    for sku, quantity, place in result.placed:
        response.moved.add(sku=sku, quantity=quantity, location=location_name(place))


def fill_reservation(message: Reservation, location: str, view: ReservationView, version: int) -> None:
    """Write a reservation as it stands into `message`."""
    name = location_name(location)
    message.name = RESERVATIONS + view.reservation
    message.state = ReservationState.ValueType(view.state)
    message.home_location = name
    message.channel = view.channel
    message.order = view.order
    for sku, quantity, fulfilled, released, place, waiting, _ in view.lines:
        line = message.lines.add(sku=sku, held=quantity, fulfilled=fulfilled, released=released, waiting=waiting)
        line.location = location_name(place) if place else name
        line.open = quantity - fulfilled - released
    set_time(message.create_time, view.created_ns)
    set_time(message.update_time, view.updated_ns)
    if view.expires_ns:
        set_time(message.expire_time, view.expires_ns)
    if view.pick_until_ns:
        set_time(message.pickup_end_time, view.pick_until_ns)
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
    set_time(message.create_time, result.created_ns)
    set_time(message.update_time, result.created_ns)
    set_time(message.expire_time, result.expires_ns)
    message.version = version


def set_time(message: Timestamp, at_ns: int) -> None:
    """Write a time, ns since 1970 UTC, into `message`."""
    message.seconds, message.nanos = divmod(at_ns, NS_PER_S)


def line_status(requested: int, held: int, available: int) -> LineStatus.ValueType:
    """What became of a line of which `held` of the `requested` units are held."""
    if held:
        return _HELD if held == requested else _PARTIALLY
    return _INSUFFICIENT if available < requested else _NOT_HELD


def _sound_lines(lines: Lines) -> bool:
    for sku, quantity in lines:
        if not 0 < quantity <= QUANTITY_MAX or not is_id(sku):
            return False
    if len(lines) == 1:
        return True
    merged = merge_lines(lines)
    return bool(lines) and (merged is lines or all(quantity <= QUANTITY_MAX for _, quantity in merged))


def check_reserve(request: ReserveRequest, lines: Lines) -> None:
    """Tell everything that is wrong with a reserve."""
    faults = Faults()
    if not lines:
        faults.add("lines", f"none; 1 to {LINES_MAX} are needed")
    check_lines(request.lines, faults)
    faults.request_id(request.request_id)
    if request.HasField("ttl"):
        faults.length("ttl", request.ttl, _TTL_MIN_S, _TTL_MAX_S)
    faults.optional_id("channel", request.channel)
    faults.choice("policy", request.policy, _POLICIES)
    faults.optional_id("order", request.order)
    if request.HasField("pick_time"):
        faults.time("pick_time", request.pick_time)
    if request.HasField("promise_by"):
        faults.time("promise_by", request.promise_by)
    faults.check()


def check_lines(lines: Iterable[ReserveLine | LineQuantity], faults: Faults, *, anywhere: bool = False) -> None:
    """Check each line, and the sum of those of the same SKU and location; `anywhere` a line may name no location."""
    sums: dict[tuple[str, str], int] = {}
    for n, line in enumerate(lines):
        faults.id(f"lines[{n}].sku", line.sku)
        if line.location or not anywhere:
            faults.name(f"lines[{n}].location", line.location)
        faults.units(f"lines[{n}].quantity", line.quantity, 1, QUANTITY_MAX)
        key = line.sku, line.location
        before = sums.get(key, 0)
        sums[key] = before + line.quantity
        if before <= QUANTITY_MAX < sums[key] and before:
            faults.add(f"lines[{n}].quantity", f"the lines of this SKU sum to {sums[key]}; at most {QUANTITY_MAX}")


def open_lines(lines: Sequence[LineQuantity], faults: Faults) -> tuple[Lines, PlacedLines]:
    """The lines of a release, fulfilment or transfer as the core takes them: anywhere, or some of them placed."""
    if len(lines) > LINES_MAX:
        raise too_many("lines", len(lines), LINES_MAX)
    check_lines(lines, faults, anywhere=True)
    sums: dict[tuple[str, str], int] = {}
    for line in lines:
        key = line.sku, id_in(line.location, LOCATIONS) or ""
        sums[key] = sums.get(key, 0) + line.quantity
    if any(location for _, location in sums):
        return (), tuple((sku, quantity, location) for (sku, location), quantity in sums.items())
    return tuple((sku, quantity) for (sku, _), quantity in sums.items()), ()
