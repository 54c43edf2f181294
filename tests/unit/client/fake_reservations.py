"""The fake's ReservationService."""
# ruff: noqa: ANN401, ARG002, N802 - gRPC names the methods, and hands each a context whether it wants one or not.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from google.rpc import error_details_pb2

from allocator.v1 import reservation_pb2 as pb
from allocator.v1.reservation_pb2_grpc import ReservationServiceServicer
from tests.unit.client.fake_state import Refusal, State, available, moment, page

MADE_AT = 1_700_000_000


class FakeReservations(ReservationServiceServicer):
    """Reserves from the stock of one location, whole or in part."""

    def __init__(self, state: State) -> None:
        self._state = state

    def Reserve(self, request: pb.ReserveRequest, context: Any) -> pb.ReserveResponse:
        """Hold lines."""
        return self._reserve(request)

    def BatchReserve(self, request: pb.BatchReserveRequest, context: Any) -> pb.BatchReserveResponse:
        """Hold for each, or tell its error."""
        return pb.BatchReserveResponse(results=map(self._result, request.reserves))

    def StreamReserve(self, request_iterator: Any, context: Any) -> Iterator[pb.StreamReserveResponse]:
        """Hold for each, or tell its error."""
        for request in request_iterator:
            with self._state.lock:
                result = self._result(request.reserve)
            if result.HasField("error"):
                yield pb.StreamReserveResponse(error=result.error)
            else:
                yield pb.StreamReserveResponse(reserve=result.reserve)

    def CommitReservation(self, request: pb.CommitReservationRequest, context: Any) -> Any:
        """Held becomes committed."""

        def commit(reservation: pb.Reservation) -> tuple[Any, list[pb.LineQuantity]]:
            for line in reservation.lines:
                stock = self._state.stock[line.location][line.sku]
                stock.held -= line.open
                stock.committed += line.open
            reservation.state = pb.ReservationState.RESERVATION_STATE_COMMITTED
            reservation.ClearField("expire_time")
            return pb.TransitionStatus.TRANSITION_STATUS_DONE, []

        return self._transition(request, pb.CommitReservationResponse, commit)

    def ExtendReservation(self, request: pb.ExtendReservationRequest, context: Any) -> Any:
        """Move the end of the hold."""

        def extend(reservation: pb.Reservation) -> tuple[Any, list[pb.LineQuantity]]:
            if reservation.state == pb.ReservationState.RESERVATION_STATE_COMMITTED:
                return pb.TransitionStatus.TRANSITION_STATUS_COMMITTED, []
            reservation.expire_time.FromSeconds(MADE_AT + request.ttl.seconds)
            return pb.TransitionStatus.TRANSITION_STATUS_DONE, []

        return self._transition(request, pb.ExtendReservationResponse, extend)

    def ReleaseReservation(self, request: pb.ReleaseReservationRequest, context: Any) -> Any:
        """Give back."""
        return self._transition(
            request, pb.ReleaseReservationResponse, lambda reservation: self._move(reservation, request, leaves=False)
        )

    def FulfilReservation(self, request: pb.FulfilReservationRequest, context: Any) -> Any:
        """Take out of the building."""

        def fulfil(reservation: pb.Reservation) -> tuple[Any, list[pb.LineQuantity]]:
            if reservation.state == pb.ReservationState.RESERVATION_STATE_HELD:
                return pb.TransitionStatus.TRANSITION_STATUS_NOT_COMMITTED, []
            return self._move(reservation, request, leaves=True)

        return self._transition(request, pb.FulfilReservationResponse, fulfil)

    def GetReservation(self, request: pb.GetReservationRequest, context: Any) -> pb.GetReservationResponse:
        """Read one."""
        return pb.GetReservationResponse(reservation=self._known(request.name))

    def ListReservations(self, request: pb.ListReservationsRequest, context: Any) -> pb.ListReservationsResponse:
        """Read a page."""
        found = [
            reservation
            for reservation in self._state.reservations.values()
            if request.location in ("", reservation.home_location)
            and request.state in (0, reservation.state)
            and request.order in ("", reservation.order)
        ]
        for reservation in found:
            reservation.version = self._state.versions[reservation.home_location]
        items, token = page(found, request.page_size, request.page_token)
        return pb.ListReservationsResponse(reservations=items, next_page_token=token)

    def _result(self, request: pb.ReserveRequest) -> pb.BatchReserveResult:
        try:
            return pb.BatchReserveResult(reserve=self._reserve(request))
        except Refusal as refusal:
            return pb.BatchReserveResult(error=refusal.status())

    def _reserve(self, request: pb.ReserveRequest) -> pb.ReserveResponse:
        answer: pb.ReserveResponse | None = self._state.first_answer(request)
        if answer is not None:
            return answer
        where = request.lines[0].location
        lines = [self._line(line, partial=request.policy == 2) for line in request.lines]
        short = [line for line in lines if line.held < line.requested]
        held = [line for line in lines if line.held]
        answer = pb.ReserveResponse(lines=lines)
        if not held or (short and request.policy != 2):
            answer.status = pb.ReserveStatus.RESERVE_STATUS_INSUFFICIENT_STOCK
            for line in held:
                line.held = 0
        else:
            partly = pb.ReserveStatus.RESERVE_STATUS_PARTIALLY_HELD
            answer.status = partly if short else pb.ReserveStatus.RESERVE_STATUS_HELD
            answer.reservation.CopyFrom(self._hold(request, where, held))
        self._state.bump(where)
        answer.versions.extend(self._state.version_list([where]))
        self._state.remember(request, answer)
        return answer

    def _line(self, line: pb.ReserveLine, *, partial: bool) -> pb.ReserveLineResult:
        left = available(self._state.stock_of(line.location, line.sku))
        whole = left >= line.quantity
        return pb.ReserveLineResult(
            sku=line.sku,
            location=line.location,
            status=pb.LineStatus.LINE_STATUS_HELD if whole else pb.LineStatus.LINE_STATUS_INSUFFICIENT_STOCK,
            requested=line.quantity,
            held=line.quantity if whole else left if partial else 0,
            available=0 if whole else left,
        )

    def _hold(self, request: pb.ReserveRequest, where: str, lines: list[pb.ReserveLineResult]) -> pb.Reservation:
        name = f"reservations/home-{request.request_id}"
        reservation = self._state.reservations[name] = pb.Reservation(
            name=name,
            state=pb.ReservationState.RESERVATION_STATE_HELD,
            home_location=where,
            lines=[pb.ReservationLine(sku=line.sku, location=where, held=line.held, open=line.held) for line in lines],
            channel=request.channel,
            order=request.order,
            create_time=moment(MADE_AT),
            expire_time=moment(MADE_AT + (request.ttl.seconds or 900)),
            update_time=moment(MADE_AT),
            version=self._state.versions[where] + 1,
        )
        for line in lines:
            self._state.stock[where][line.sku].held += line.held
        return reservation

    def _move(self, reservation: pb.Reservation, request: Any, *, leaves: bool) -> tuple[Any, list[pb.LineQuantity]]:
        wanted = {line.sku: line.quantity for line in request.lines}
        moved = []
        for line in reservation.lines:
            units = wanted.get(line.sku, 0) if wanted else line.open
            if units > line.open:
                return pb.TransitionStatus.TRANSITION_STATUS_LINES_EXCEED_OPEN, []
            moved.append(pb.LineQuantity(sku=line.sku, quantity=units, location=line.location))
        for line, part in zip(reservation.lines, moved, strict=True):
            self._settle(reservation, line, part.quantity, leaves=leaves)
        if not any(line.open for line in reservation.lines):
            end = "FULFILLED" if leaves else "RELEASED"
            reservation.state = pb.ReservationState.Value(f"RESERVATION_STATE_{end}")
        return pb.TransitionStatus.TRANSITION_STATUS_DONE, [part for part in moved if part.quantity]

    def _settle(self, reservation: pb.Reservation, line: pb.ReservationLine, units: int, *, leaves: bool) -> None:
        stock = self._state.stock[line.location][line.sku]
        line.open -= units
        if reservation.state == pb.ReservationState.RESERVATION_STATE_HELD:
            stock.held -= units
        else:
            stock.committed -= units
        if leaves:
            line.fulfilled += units
            stock.on_hand -= units
        else:
            line.released += units

    def _transition(self, request: Any, response: type[Any], act: Any) -> Any:
        answer = self._state.first_answer(request)
        if answer is not None:
            return answer
        reservation = self._known(request.name)
        ended = {
            3: pb.TransitionStatus.TRANSITION_STATUS_FULFILLED,
            4: pb.TransitionStatus.TRANSITION_STATUS_RELEASED,
        }
        status, moved = (ended[reservation.state], []) if reservation.state in ended else act(reservation)
        self._state.bump(reservation.home_location)
        answer = response(
            status=status,
            reservation=reservation,
            versions=self._state.version_list([reservation.home_location]),
        )
        if moved:
            answer.moved.extend(moved)
        return self._state.remember(request, answer)

    def _known(self, name: str) -> pb.Reservation:
        reservation = self._state.reservations.get(name)
        if reservation is None:
            info = error_details_pb2.ErrorInfo(reason="RESERVATION_UNKNOWN", domain="allocator.v1")
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"there is no {name!r}", info)
        return reservation
