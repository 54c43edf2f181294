"""The fake's SourcingService, and the calls of its ReservationService that source."""
# ruff: noqa: ANN401, ARG002, N802 - gRPC names the methods, and hands each a context whether it wants one or not.

from __future__ import annotations

from typing import Any

from google.type.date_pb2 import Date  # type: ignore[import-untyped]  # it has no py.typed

from allocator.v1 import reservation_pb2 as r
from allocator.v1 import sourcing_pb2 as pb
from allocator.v1.sourcing_pb2_grpc import SourcingServiceServicer
from tests.unit.client.fake_reservations import MADE_AT, FakeReservations
from tests.unit.client.fake_state import State, available, moment

PARCEL_MICROS = 5_000_000


class FakeSourcing(SourcingServiceServicer):
    """Takes what there is, location by location."""

    def __init__(self, state: State) -> None:
        self._state = state

    def Source(self, request: pb.SourceRequest, context: Any) -> pb.SourceResponse:
        """One plan, if there is one."""
        answer = pb.SourceResponse()
        _fill(answer, plan_of(self._state, request.order))
        return answer

    def ExplainSourcing(self, request: pb.ExplainSourcingRequest, context: Any) -> pb.ExplainSourcingResponse:
        """The same, and what became of each location."""
        plan = plan_of(self._state, request.order)
        answer = pb.ExplainSourcingResponse()
        _fill(answer, plan)
        chosen = {parcel.location: parcel for parcel in plan.parcels}
        for name in self._state.locations:
            verdict = answer.verdicts.add(location=name)
            if name in chosen:
                parcel = chosen[name]
                verdict.outcome = pb.SourcingOutcome.SOURCING_OUTCOME_CHOSEN
                verdict.units, verdict.score, verdict.lane = parcel.units, parcel.score, parcel.lane
                verdict.distance_km = parcel.distance_km
                verdict.delivery_date.CopyFrom(parcel.delivery_date)
                verdict.terms.extend(parcel.terms)
            else:
                verdict.outcome = pb.SourcingOutcome.SOURCING_OUTCOME_FILTERED
                verdict.filter = pb.SourcingFilter.SOURCING_FILTER_STOCK
                verdict.detail = "it has none of what is ordered"
        return answer


class FakeAllocations(FakeReservations):
    """Reservations at several locations."""

    def Allocate(self, request: r.AllocateRequest, context: Any) -> r.AllocateResponse:
        """Hold what the plan says."""
        answer: r.AllocateResponse | None = self._state.first_answer(request)
        if answer is not None:
            return answer
        plan, answer = plan_of(self._state, request.order), r.AllocateResponse(plans_tried=1)
        if not plan.assignments:
            answer.status = r.AllocateStatus.ALLOCATE_STATUS_NO_ELIGIBLE_LOCATION
            answer.emptied_by = pb.SourcingFilter.SOURCING_FILTER_STOCK
        elif plan.shortfalls and not request.order.allow_shortfall:
            answer.status = r.AllocateStatus.ALLOCATE_STATUS_INSUFFICIENT_STOCK
            answer.partial.CopyFrom(plan)
        else:
            partly = r.AllocateStatus.ALLOCATE_STATUS_PARTIALLY_HELD
            answer.status = partly if plan.shortfalls else r.AllocateStatus.ALLOCATE_STATUS_HELD
            answer.plan.CopyFrom(plan)
            answer.reservation.CopyFrom(self._hold_plan(request, plan))
            answer.versions.extend(self._state.version_list([parcel.location for parcel in plan.parcels]))
        self._state.remember(request, answer)
        return answer

    def TransferReservation(self, request: r.TransferReservationRequest, context: Any) -> Any:
        """Move what is elsewhere."""
        answer = self._state.first_answer(request)
        if answer is not None:
            return answer
        reservation, to = self._known(request.name), self._state.known(request.to_location)
        answer = r.TransferReservationResponse(status=r.TransferStatus.TRANSFER_STATUS_DONE)
        for line in [line for line in reservation.lines if line.location != to and line.open]:
            if available(self._state.stock_of(to, line.sku)) < line.open:
                answer.status = r.TransferStatus.TRANSFER_STATUS_INSUFFICIENT_STOCK
                continue
            answer.moved.add(sku=line.sku, quantity=line.open, location=line.location)
            self._move_line(reservation, line, to, line.open)
        answer.reservation.CopyFrom(reservation)
        answer.versions.extend(self._state.version_list([to]))
        return self._state.remember(request, answer)

    def RejectAssignment(self, request: r.RejectAssignmentRequest, context: Any) -> Any:
        """Write off what is not there, and find others."""
        answer = self._state.first_answer(request)
        if answer is not None:
            return answer
        reservation, where = self._known(request.name), self._state.known(request.location)
        answer = r.RejectAssignmentResponse(status=r.TransitionStatus.TRANSITION_STATUS_DONE)
        for line in [line for line in reservation.lines if line.location == where and line.open]:
            units = line.open
            answer.rejected.add(sku=line.sku, quantity=units, location=where)
            others = [name for name in self._state.stock if name != where and not request.skip_resourcing]
            other = next((name for name in others if self._has(name, line.sku, units)), "")
            self._state.stock[where][line.sku].on_hand -= units
            if other:
                answer.assignments.add(sku=line.sku, location=other, quantity=units)
                self._move_line(reservation, line, other, units)
            else:
                answer.shortfalls.add(sku=line.sku, quantity=units)
                self._state.stock[where][line.sku].held -= units
                line.open, line.released = 0, units
        answer.reservation.CopyFrom(reservation)
        answer.versions.extend(self._state.version_list([where]))
        return self._state.remember(request, answer)

    def _has(self, location: str, sku: str, units: int) -> bool:
        stock = self._state.stock[location].get(sku)
        return stock is not None and available(stock) >= units

    def _move_line(self, reservation: r.Reservation, line: r.ReservationLine, to: str, units: int) -> None:
        self._state.stock[line.location][line.sku].held -= units
        self._state.stock[to][line.sku].held += units
        line.open, line.released = 0, units
        reservation.lines.add(sku=line.sku, location=to, held=units, open=units)

    def _hold_plan(self, request: r.AllocateRequest, plan: pb.SourcingPlan) -> r.Reservation:
        name = f"reservations/home-{request.request_id}"
        reservation = self._state.reservations[name] = r.Reservation(
            name=name,
            state=r.ReservationState.RESERVATION_STATE_HELD,
            home_location=plan.parcels[0].location,
            channel=request.order.channel,
            order=request.order_reference,
            create_time=moment(MADE_AT),
            expire_time=moment(MADE_AT + (request.ttl.seconds or 900)),
            update_time=moment(MADE_AT),
        )
        for part in plan.assignments:
            reservation.lines.add(sku=part.sku, location=part.location, held=part.quantity, open=part.quantity)
            self._state.stock[part.location][part.sku].held += part.quantity
        if request.HasField("pickup_window"):
            reservation.pickup_end_time.FromSeconds(MADE_AT + request.pickup_window.seconds)
        return reservation


def plan_of(state: State, order: pb.SourcingOrder) -> pb.SourcingPlan:
    """Each line from the first locations that have some of it."""
    plan = pb.SourcingPlan()
    units: dict[str, int] = {}
    for line in order.lines:
        left = line.quantity
        for name, stocks in state.stock.items():
            part = min(left, available(stocks[line.sku])) if line.sku in stocks else 0
            if part:
                plan.assignments.add(sku=line.sku, location=name, quantity=part)
                units[name] = units.get(name, 0) + part
                left -= part
        if left:
            plan.shortfalls.add(sku=line.sku, quantity=left)
    for name, count in units.items():
        parcel = plan.parcels.add(location=name, units=count, lane="lanes/van", distance_km=42.5, score=5.0)
        parcel.dispatch_date.CopyFrom(Date(year=2026, month=3, day=2))
        parcel.delivery_date.CopyFrom(Date(year=2026, month=3, day=3))
        parcel.cost_micros = PARCEL_MICROS
        parcel.terms.add(kind=pb.SourcingTermKind.SOURCING_TERM_KIND_COST, raw=5.0, weight=1.0, weighted=5.0)
        plan.cost_micros += PARCEL_MICROS
        plan.score += 5.0
        plan.delivery_date.CopyFrom(parcel.delivery_date)
    return plan


def _fill(answer: pb.SourceResponse | pb.ExplainSourcingResponse, plan: pb.SourcingPlan) -> None:
    if not plan.assignments:
        answer.emptied_by = pb.SourcingFilter.SOURCING_FILTER_STOCK
    elif plan.shortfalls:
        answer.partial.CopyFrom(plan)
    else:
        answer.plans.append(plan)
