"""Calls of ReservationService."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from allocator.client import wire
from allocator.client.call import Call, Page, Pages
from allocator.client.enums import (
    LineStatus,
    ReservationState,
    ReservePolicy,
    ReserveStatus,
    TransitionStatus,
)
from allocator.client.errors import RequestError
from allocator.client.failures import from_status
from allocator.client.types.lines import LineQuantity, PlacedLines
from allocator.client.types.reservations import (
    Reservation,
    ReservationLine,
    Reserve,
    ReserveLine,
    ReserveResult,
    TransitionResult,
)
from allocator.v1 import reservation_pb2 as pb
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub

_POLICY = wire.EnumMap(ReservePolicy, pb.ReservePolicy)
_RESERVE_STATUS = wire.EnumMap(ReserveStatus, pb.ReserveStatus)
_LINE_STATUS = wire.EnumMap(LineStatus, pb.LineStatus)
_STATE = wire.EnumMap(ReservationState, pb.ReservationState)
_TRANSITION_STATUS = wire.EnumMap(TransitionStatus, pb.TransitionStatus)


def reserve(  # noqa: PLR0913  # each is a field of the contract, and all but the first have a default
    lines: PlacedLines,
    *,
    at: str = "",
    ttl_s: float | None = None,
    channel: str = "",
    policy: ReservePolicy = ReservePolicy.ALL_OR_NOTHING,
    order: str = "",
    pick_time: datetime | None = None,
    request_id: str | None = None,
    promise_by: datetime | None = None,
) -> Call[ReserveResult]:
    """Hold units at one or several locations until a time.

    Args:
        lines: quantities by SKU, or pairs of them, or `LineQuantity` for lines at several locations; those of the same
            SKU and location are summed.
        at: location of the lines that name none.
        ttl_s: how long to hold, 1 second to 4 hours; None: 15 minutes.
        channel: sales channel, whose own quotas are open to it.
        policy: hold all lines whole or nothing, or of each what there is.
        order: your own reference.
        pick_time: when the order is to be picked: chooses the capacity window. None: now.
        request_id: up to 36 characters; None makes one. The same again gets the first answer and acts once.
        promise_by: hold what stock lacks against supply that is expected by then; None: from stock only.

    Raises:
        NotFound: the location is unknown, or a SKU was never stocked there.
        RequestIdReused: the id was used for something else.
    """
    request = _reserve_request(Reserve(lines, at, ttl_s, channel, policy, order, pick_time, request_id, promise_by))
    return Call(ReservationServiceStub, "Reserve", request, _reserve_result, writes=True)


def batch_reserve(reserves: Sequence[Reserve]) -> Call[tuple[ReserveResult | RequestError, ...]]:
    """Make up to 1,000 independent reserves, with up to 10,000 lines in all, in one message.

    Returns:
        One for each, in order: its result, which may be a refusal, or the error `reserve` would have raised.
    """
    request = pb.BatchReserveRequest(reserves=map(_reserve_request, reserves))

    def parse(answer: pb.BatchReserveResponse) -> tuple[ReserveResult | RequestError, ...]:
        parts = zip(answer.results, request.reserves, strict=True)
        return tuple(_batch_result(part, reserve.request_id) for part, reserve in parts)

    return Call(ReservationServiceStub, "BatchReserve", request, parse, writes=True)


def stream_reserve(reserve: Reserve) -> Call[ReserveResult | RequestError]:
    """One reserve of a stream; limits as in `reserve`."""
    request = pb.StreamReserveRequest(reserve=_reserve_request(reserve))

    def parse(answer: pb.StreamReserveResponse) -> ReserveResult | RequestError:
        return _batch_result(answer, request.reserve.request_id)

    return Call(ReservationServiceStub, "StreamReserve", request, parse, writes=True)


def commit(name: str, *, request_id: str | None = None) -> Call[TransitionResult]:
    """Commit a reservation: the order is placed, and the units no longer expire.

    Raises:
        NotFound: the reservation is unknown, or ended too long ago to be remembered.
    """
    request = pb.CommitReservationRequest(name=wire.reservation_name(name), request_id=request_id or "")
    return _transition("CommitReservation", request)


def extend(name: str, *, ttl_s: float | None = None, request_id: str | None = None) -> Call[TransitionResult]:
    """Hold for `ttl_s` more, counted from now, 1 second to 4 hours; None: 15 minutes.

    Raises:
        NotFound: the reservation is unknown, or ended too long ago to be remembered.
    """
    request = pb.ExtendReservationRequest(
        name=wire.reservation_name(name), ttl=wire.duration(ttl_s), request_id=request_id or ""
    )
    return _transition("ExtendReservation", request)


def release(
    name: str, lines: PlacedLines = (), *, at: str = "", reason: str = "", request_id: str | None = None
) -> Call[TransitionResult]:
    """Give units back.

    Args:
        name: of the reservation.
        lines: quantities by SKU, pairs of them, or `LineQuantity`; none: all that is open.
        at: location of lines that name none; "": wherever the reservation holds them.
        reason: for the journal and the ERP, up to 256 characters.
        request_id: see `reserve`.

    Raises:
        NotFound: the reservation is unknown, or ended too long ago to be remembered.
    """
    request = pb.ReleaseReservationRequest(
        name=wire.reservation_name(name),
        lines=line_quantities(lines, at),
        reason=reason,
        request_id=request_id or "",
    )
    return _transition("ReleaseReservation", request)


def fulfil(
    name: str, lines: PlacedLines = (), *, at: str = "", request_id: str | None = None
) -> Call[TransitionResult]:
    """Take units out of the building: shipped or picked up. The reservation must be committed.

    Args:
        name: of the reservation.
        lines: quantities by SKU, pairs of them, or `LineQuantity`; none: all that is open.
        at: location of lines that name none; "": wherever the reservation holds them.
        request_id: see `reserve`.

    Raises:
        NotFound: the reservation is unknown, or ended too long ago to be remembered.
    """
    request = pb.FulfilReservationRequest(
        name=wire.reservation_name(name), lines=line_quantities(lines, at), request_id=request_id or ""
    )
    return _transition("FulfilReservation", request)


def reservation(name: str) -> Call[Reservation]:
    """Read a reservation.

    Raises:
        NotFound: it is unknown, or ended too long ago to be remembered.
    """
    request = pb.GetReservationRequest(name=wire.reservation_name(name))
    return Call(
        ReservationServiceStub,
        "GetReservation",
        request,
        lambda answer: parse_reservation(answer.reservation),
    )


def reservations(
    *,
    location: str = "",
    state: ReservationState = ReservationState.UNSPECIFIED,
    order: str = "",
    held_here: bool = False,
    page_size: int = 1_000,
) -> Pages[Reservation]:
    """List reservations by home location, and within one in the order they were made; filters add up.

    Args:
        location: only those with this home.
        state: only those in this state; UNSPECIFIED: any.
        order: only those with this reference.
        held_here: instead all that the location holds units for, each with only its lines of this location.
        page_size: read so many at once, up to 1,000.

    Raises:
        NotFound: the location is unknown.
    """

    def call(token: str) -> Call[Page[Reservation]]:
        request = pb.ListReservationsRequest(
            location=wire.location_name(location),
            state=_STATE.number(state),
            order=order,
            page_size=page_size,
            page_token=token,
            held_here=held_here,
        )
        return Call(ReservationServiceStub, "ListReservations", request, _page)

    return Pages(call)


def parse_reservation(message: pb.Reservation) -> Reservation:
    """A reservation as the contract has it."""
    return Reservation(
        name=wire.plain_id(message.name),
        state=_STATE.parse(message.state),
        home_location=wire.plain_id(message.home_location),
        lines=tuple(map(_reservation_line, message.lines)),
        channel=message.channel,
        order=message.order,
        created_at=wire.moment(message.create_time),
        expires_at=wire.moment(message.expire_time) if message.HasField("expire_time") else None,
        updated_at=wire.moment(message.update_time),
        version=message.version,
        pickup_ends_at=wire.moment(message.pickup_end_time) if message.HasField("pickup_end_time") else None,
    )


def _reserve_request(reserve: Reserve) -> pb.ReserveRequest:
    return pb.ReserveRequest(
        lines=[
            pb.ReserveLine(sku=sku, quantity=units, location=where)
            for sku, units, where in wire.placed(reserve.lines, reserve.at)
        ],
        request_id=reserve.request_id or "",
        ttl=wire.duration(reserve.ttl_s),
        channel=reserve.channel,
        policy=_POLICY.number(reserve.policy),
        order=reserve.order,
        pick_time=wire.timestamp("pick_time", reserve.pick_time),
        promise_by=wire.timestamp("promise_by", reserve.promise_by),
    )


def line_quantities(lines: PlacedLines, at: str) -> list[pb.LineQuantity]:
    """Lines of a reservation as the contract has them; those that name no location are at `at`."""
    return [pb.LineQuantity(sku=sku, quantity=units, location=where) for sku, units, where in wire.placed(lines, at)]


def moved_of(messages: Iterable[pb.LineQuantity]) -> tuple[LineQuantity, ...]:
    """Units that moved."""
    return tuple(LineQuantity(part.sku, wire.plain_id(part.location), part.quantity) for part in messages)


def parse_transition_status(number: int) -> TransitionStatus:
    """A status as the contract has it."""
    return _TRANSITION_STATUS.parse(number)


def _transition(method: str, request: Any) -> Call[TransitionResult]:  # noqa: ANN401  # one of four messages
    return Call(ReservationServiceStub, method, request, _transition_result, writes=True)


def _reserve_result(message: pb.ReserveResponse) -> ReserveResult:
    return ReserveResult(
        status=_RESERVE_STATUS.parse(message.status),
        reservation=parse_reservation(message.reservation) if message.HasField("reservation") else None,
        lines=tuple(map(_reserve_line, message.lines)),
        versions=wire.versions_of(message.versions),
        repeated=message.repeated_request,
        capacity_left=message.capacity_left,
    )


def _reserve_line(message: pb.ReserveLineResult) -> ReserveLine:
    return ReserveLine(
        sku=message.sku,
        location=wire.plain_id(message.location),
        status=_LINE_STATUS.parse(message.status),
        requested=message.requested,
        held=message.held,
        available=message.available,
        waiting=message.waiting,
    )


def _batch_result(
    message: pb.BatchReserveResult | pb.StreamReserveResponse, request_id: str
) -> ReserveResult | RequestError:
    if message.HasField("error"):
        return from_status(message.error, request_id)
    return _reserve_result(message.reserve)


def _transition_result(message: Any) -> TransitionResult:  # noqa: ANN401  # the answer to one of four methods
    return TransitionResult(
        status=_TRANSITION_STATUS.parse(message.status),
        reservation=parse_reservation(message.reservation) if message.HasField("reservation") else None,
        versions=wire.versions_of(message.versions),
        repeated=message.repeated_request,
        moved=moved_of(getattr(message, "moved", ())),
    )


def _reservation_line(message: pb.ReservationLine) -> ReservationLine:
    return ReservationLine(
        sku=message.sku,
        location=wire.plain_id(message.location),
        held=message.held,
        open=message.open,
        fulfilled=message.fulfilled,
        released=message.released,
        waiting=message.waiting,
    )


def _page(message: pb.ListReservationsResponse) -> Page[Reservation]:
    return Page(tuple(map(parse_reservation, message.reservations)), message.next_page_token)
