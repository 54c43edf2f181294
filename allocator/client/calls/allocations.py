"""Calls of ReservationService that source, and that move units between locations."""

from __future__ import annotations

from allocator.client import wire
from allocator.client.call import Call
from allocator.client.calls.reservations import line_quantities, moved_of, parse_reservation, parse_transition_status
from allocator.client.calls.sourcing import assignments_of, order_message, parse_filter, plan_in, shortfalls_of
from allocator.client.enums import AllocateStatus, RejectReason, TransferStatus
from allocator.client.types.allocations import AllocateResult, RejectResult, TransferResult
from allocator.client.types.lines import Lines, PlacedLines
from allocator.client.types.sourcing import SourcingOrder
from allocator.v1 import reservation_pb2 as pb
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub

_ALLOCATE_STATUS = wire.EnumMap(AllocateStatus, pb.AllocateStatus)
_TRANSFER_STATUS = wire.EnumMap(TransferStatus, pb.TransferStatus)
_REASON = wire.EnumMap(RejectReason, pb.RejectReason)


def allocate(
    order: SourcingOrder,
    *,
    ttl_s: float | None = None,
    order_reference: str = "",
    pickup_window_s: float | None = None,
    request_id: str | None = None,
) -> Call[AllocateResult]:
    """Find the best places for an order and hold it there, all or nothing; when one says no, try the next plan.

    Args:
        order: what is wanted, and where.
        ttl_s: how long to hold, 1 second to 4 hours; None: 15 minutes.
        order_reference: your own reference.
        pickup_window_s: with mode PICKUP: how long units wait for the customer, 1 minute to 60 days; None: for ever.
        request_id: up to 36 characters; None makes one. The same again gets the first answer and acts once.

    Raises:
        NotFound: a SKU, location, group, service level or profile is unknown.
        RequestIdReused: the id was used for something else.
    """
    request = pb.AllocateRequest(
        order=order_message(order),
        request_id=request_id or "",
        ttl=wire.duration(ttl_s),
        order_reference=order_reference,
        pickup_window=wire.duration(pickup_window_s),
    )
    return Call(ReservationServiceStub, "Allocate", request, _allocate_result, writes=True)


def transfer_reservation(
    name: str, to: str, lines: PlacedLines = (), *, at: str = "", request_id: str | None = None
) -> Call[TransferResult]:
    """Move open units of a reservation to another location: held there before they are given back here.

    Args:
        name: of the reservation.
        to: the other location.
        lines: quantities by SKU, pairs of them, or `LineQuantity`; none: all open units that are elsewhere.
        at: location of lines that name none; "": wherever the reservation holds them.
        request_id: see `reserve`.

    Raises:
        NotFound: the location is unknown; or the reservation is, or ended too long ago to be remembered.
    """
    request = pb.TransferReservationRequest(
        name=wire.reservation_name(name),
        request_id=request_id or "",
        to_location=wire.location_name(to),
        lines=line_quantities(lines, at),
    )
    return Call(ReservationServiceStub, "TransferReservation", request, _transfer_result, writes=True)


def reject_assignment(
    name: str,
    at: str,
    reason: RejectReason,
    lines: Lines = (),
    *,
    resource: bool = True,
    request_id: str | None = None,
) -> Call[RejectResult]:
    """Say that a location will not pick: its stock is corrected by the reason, and others take over what they can.

    Args:
        name: of the reservation.
        at: the location that declines.
        reason: why; it decides how the stock is corrected.
        lines: quantities by SKU, or pairs of them; none: all that is open there.
        resource: look for other locations that have the units; False gives them up.
        request_id: see `reserve`.

    Raises:
        NotFound: the location is unknown; or the reservation is, or ended too long ago to be remembered.
    """
    request = pb.RejectAssignmentRequest(
        name=wire.reservation_name(name),
        request_id=request_id or "",
        location=wire.location_name(at),
        reason=_REASON.number(reason),
        lines=line_quantities(lines, at),
        skip_resourcing=not resource,
    )
    return Call(ReservationServiceStub, "RejectAssignment", request, _reject_result, writes=True)


def _allocate_result(message: pb.AllocateResponse) -> AllocateResult:
    return AllocateResult(
        status=_ALLOCATE_STATUS.parse(message.status),
        reservation=parse_reservation(message.reservation) if message.HasField("reservation") else None,
        plan=plan_in(message, "plan"),
        emptied_by=parse_filter(message.emptied_by),
        partial=plan_in(message, "partial"),
        plans_tried=message.plans_tried,
        versions=wire.versions_of(message.versions),
        repeated=message.repeated_request,
    )


def _transfer_result(message: pb.TransferReservationResponse) -> TransferResult:
    return TransferResult(
        status=_TRANSFER_STATUS.parse(message.status),
        reservation=parse_reservation(message.reservation) if message.HasField("reservation") else None,
        versions=wire.versions_of(message.versions),
        repeated=message.repeated_request,
        moved=moved_of(message.moved),
    )


def _reject_result(message: pb.RejectAssignmentResponse) -> RejectResult:
    return RejectResult(
        status=parse_transition_status(message.status),
        reservation=parse_reservation(message.reservation) if message.HasField("reservation") else None,
        versions=wire.versions_of(message.versions),
        repeated=message.repeated_request,
        rejected=moved_of(message.rejected),
        assignments=assignments_of(message.assignments),
        shortfalls=shortfalls_of(message.shortfalls),
    )
