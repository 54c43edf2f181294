"""Transfer and reject: units of a reservation move to other locations, in one decision of its home."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

import structlog

from allocator.core import commands as c
from allocator.core.limits import TTL_DEFAULT_NS
from allocator.core.protocol.coordinator import Terms, Wanted, placed
from allocator.core.protocol.types import Amend, Fate, Move
from allocator.core.results import Rejected, ReserveResult, State, TransitionStatus
from allocator.gateway import translate_reservation as t
from allocator.gateway.allocating import Search
from allocator.gateway.errors import ApiError, from_rejected
from allocator.gateway.faults import Faults
from allocator.gateway.names import location_name
from allocator.gateway.translate_allocate import asked_of, order_kept
from allocator.runtime.conversation import Talk
from allocator.v1.reservation_pb2 import (
    RejectAssignmentRequest,
    RejectAssignmentResponse,
    RejectReason,
    TransferReservationRequest,
    TransferReservationResponse,
    TransferStatus,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.core.commands import PlacedLines
    from allocator.core.protocol.answers import AmendResult
    from allocator.core.protocol.coordinator import Conclusion, Holds
    from allocator.core.protocol.coordinator import Planner as Attempts
    from allocator.core.results import ReservationView
    from allocator.core.sourcing.types import SourcingOrder
    from allocator.gateway.call import Call
    from allocator.gateway.planner import Planner
    from allocator.gateway.spanning import Spanning
    from allocator.runtime.router import Router

log = structlog.get_logger("allocator.amending")

_FATES = {
    RejectReason.REJECT_REASON_NOT_IN_STOCK: Fate.LOST,
    RejectReason.REJECT_REASON_DAMAGED: Fate.DAMAGED,
    RejectReason.REJECT_REASON_NO_CAPACITY: Fate.RELEASED,
}
_ENDED = {
    State.EXPIRED: TransitionStatus.EXPIRED,
    State.RELEASED: TransitionStatus.RELEASED,
    State.FULFILLED: TransitionStatus.FULFILLED,
}
_TRANSFER_OF = {
    TransitionStatus.DONE: TransferStatus.TRANSFER_STATUS_DONE,
    TransitionStatus.EXPIRED: TransferStatus.TRANSFER_STATUS_EXPIRED,
    TransitionStatus.RELEASED: TransferStatus.TRANSFER_STATUS_RELEASED,
    TransitionStatus.FULFILLED: TransferStatus.TRANSFER_STATUS_FULFILLED,
    TransitionStatus.LINES_EXCEED_OPEN: TransferStatus.TRANSFER_STATUS_LINES_EXCEED_OPEN,
}
_REFUSED_BY_TARGET = {
    3: TransferStatus.TRANSFER_STATUS_LOCATION_CLOSED,
    4: TransferStatus.TRANSFER_STATUS_INSUFFICIENT_STOCK,
    5: TransferStatus.TRANSFER_STATUS_NO_CAPACITY,
}
"""By `ReserveStatus` of the location that was to take over."""


class _Taken(NamedTuple):
    """The open units that a call is about, or why it is refused before anything is held."""

    moves: tuple[tuple[str, str, int, str], ...] = ()
    refusal: TransitionStatus | None = None

    @property
    def lines(self) -> c.Lines:
        """Units by SKU."""
        return c.merge_lines(tuple((sku, units) for _, sku, units, _ in self.moves))


class Amending:
    """Moves units of reservations, through one gateway process."""

    def __init__(self, router: Router, planner: Planner, spanning: Spanning) -> None:
        self._router = router
        self._planner = planner
        self._spanning = spanning

    async def transfer(
        self, request: TransferReservationRequest, target: t.Target, home: str, call: Call
    ) -> TransferReservationResponse:
        """Move open units to another location."""
        request_id = call.named(request.request_id)
        to_location = target.faults.name("to_location", request.to_location)
        lines, places = t.open_lines(request.lines, target.faults)
        target.faults.check()
        await self._spanning.check_location(to_location)
        view = await self._view(home, target.reservation, call)
        taken = _take(view, home, lines, places, besides=to_location)
        asked = asked_of(request)
        refused: list[Holds] = []

        def plan(attempts: Sequence[Holds]) -> Sequence[Wanted]:
            refused[:] = attempts
            return () if attempts or not taken.lines else (Wanted(to_location, taken.lines),)

        def conclude(holds: Holds | None) -> Amend:
            answer = TransferReservationResponse(status=_transfer_status(taken, refused))
            if holds is None:
                return Amend(request_id, view.reservation, asked=asked, answer=answer.SerializeToString())
            for _, sku, units, location in taken.moves:
                answer.moved.add(sku=sku, quantity=units, location=location_name(location))
            moves = tuple(Move(hold, sku, units) for hold, sku, units, _ in taken.moves)
            return Amend(
                request_id, view.reservation, moves, holds.parts, asked=asked, answer=answer.SerializeToString()
            )

        response = TransferReservationResponse()
        result = await self._amend(home, view, plan, conclude, response, call)
        if result.status == TransitionStatus.DONE:
            response.MergeFromString(result.answer)
        else:
            response.status = _TRANSFER_OF[TransitionStatus(result.status)]
        return response

    async def reject(
        self, request: RejectAssignmentRequest, target: t.Target, home: str, call: Call
    ) -> RejectAssignmentResponse:
        """Take units off the location that declines them, and find others that have them."""
        request_id = call.named(request.request_id)
        location = target.faults.name("location", request.location)
        target.faults.choice("reason", request.reason, tuple(_FATES))
        lines, places = t.open_lines(request.lines, target.faults)
        _check_places(request, target.faults)
        target.faults.check()
        await self._spanning.check_location(location)
        view = await self._view(home, target.reservation, call)
        places = tuple((sku, units, location) for sku, units in lines) or places
        taken = _take(view, home, (), places, only=location)
        search = self._search(view, taken, location, call) if not request.skip_resourcing else None
        asked = asked_of(request)

        def plan(attempts: Sequence[Holds]) -> Sequence[Wanted]:
            return search.plan(attempts) if search is not None and taken.lines else ()

        def conclude(holds: Holds | None) -> Amend:
            answer = _rejected(taken, holds)
            if taken.refusal is not None:
                return Amend(request_id, view.reservation, asked=asked, answer=answer.SerializeToString())
            fate = _FATES[request.reason]
            full = request.reason == RejectReason.REJECT_REASON_NO_CAPACITY
            return Amend(
                request_id,
                view.reservation,
                tuple(Move(hold, sku, units, fate) for hold, sku, units, _ in taken.moves),
                holds.parts if holds is not None else (),
                tuple(dict.fromkeys(hold for hold, *_ in taken.moves)) if full else (),
                asked,
                answer.SerializeToString(),
            )

        response = RejectAssignmentResponse()
        by_ns = search.order.promise_by_ns if search is not None else 0
        result = await self._amend(home, view, plan, conclude, response, call, sourced=True, promise_by_ns=by_ns)
        if result.status == TransitionStatus.DONE:
            response.MergeFromString(result.answer)
        else:
            response.status = t.wire_transition(result.status)
        return response

    async def move_away(self, reservation: str, location: str, sku: str, units: int, call: Call) -> int:
        """Have others take over up to `units` of a reservation that `location` cannot serve; returns how many did.

        Without others nothing changes.

        Raises:
            ApiError, OutcomeUnknownError, OverloadedError.
        """
        home = self._router.network.home_of(reservation) or ""
        view = await self._view(home, reservation, call)
        all_there = _take(view, home, (), (), only=location)
        open_here = sum(left for _, name, left, _ in all_there.moves if name == sku)
        taken = _take(view, home, (), ((sku, min(units, open_here), location),), only=location)
        search = self._search(view, taken, location, call) if open_here else None
        if search is None:
            return 0
        request_id = uuid4().hex

        def conclude(holds: Holds | None) -> Amend:
            if holds is None:
                return Amend(request_id, reservation)
            over = dict(c.merge_lines(tuple((name, got) for part in holds.parts for name, got in part.lines)))
            moves = []
            for hold, name, left, _ in taken.moves:
                some = min(left, over.get(name, 0))
                over[name] = over.get(name, 0) - some
                moves.append(Move(hold, name, some))
            return Amend(request_id, reservation, tuple(move for move in moves if move.quantity), holds.parts)

        response = RejectAssignmentResponse()
        by_ns = search.order.promise_by_ns
        result = await self._amend(home, view, search.plan, conclude, response, call, sourced=True, promise_by_ns=by_ns)
        return sum(got for part in result.parts for _, got in part.lines)

    async def _view(self, home: str, reservation: str, call: Call) -> ReservationView:
        result, _ = await self._router.submit(home, c.GetReservation(reservation, whole=True), call.trail)
        if isinstance(result, Rejected):
            raise from_rejected(result, home, reservation=reservation)
        view: ReservationView = result.rows[0]
        return view

    async def _amend(  # noqa: PLR0913  # the parts of one conversation
        self,
        home: str,
        view: ReservationView,
        plan: Attempts,
        conclude: Conclusion,
        response: TransferReservationResponse | RejectAssignmentResponse,
        call: Call,
        *,
        sourced: bool = False,
        promise_by_ns: int = 0,
    ) -> AmendResult:
        """Hold, conclude, and bring the decision to the participants."""
        terms = Terms(
            view.reservation,
            home,
            TTL_DEFAULT_NS,
            view.channel,
            view.order,
            promise_by_ns=promise_by_ns,
            sourced=sourced,
        )
        talk = Talk(self._router, call.trail)
        result: AmendResult = await self._spanning.settle(talk, terms, plan, conclude)
        versions = dict(talk.versions)
        if result.owed:
            versions |= await self._spanning.spread(home, result.owed, call)
        response.repeated_request = result.repeated
        t.fill_versions(response.versions, versions)
        if result.view is not None:
            t.fill_reservation(response.reservation, home, result.view, versions.get(home, 0))
        return result

    def _search(self, view: ReservationView, taken: _Taken, location: str, call: Call) -> Search | None:
        """Plans for what the location declines, on the terms of the order; None when there is none to go by."""
        kept = order_kept(view.answer)
        if kept is None:
            return None
        try:
            known = self._planner.to_order(kept, Faults(), view.created_ns)
        except ApiError as error:  # a profile, lane or location that it names has left the network since
            log.info("not sourced again", reservation=view.reservation, error=error.message)
            return None
        weights = {sku: grams for sku, _, grams in known.lines}
        order: SourcingOrder = known._replace(
            lines=tuple((sku, units, weights.get(sku, 0)) for sku, units in taken.lines),
            excluded=(*known.excluded, location),
            now_ns=time.time_ns(),
            backorder=True,
        )
        if order.promise_by_ns <= order.now_ns:
            order = order._replace(promise_by_ns=0)
        return Search(self._planner, order, call)


def _take(
    view: ReservationView, home: str, lines: c.Lines, places: PlacedLines, *, besides: str = "", only: str = ""
) -> _Taken:
    """The open units of `view` that are meant: those named, else all that are not at `besides`, or are at `only`."""
    if view.state in _ENDED:
        return _Taken(refusal=_ENDED[State(view.state)])
    rows = [
        (line.hold or view.reservation, line.sku, line.quantity - line.fulfilled - line.released, line.location or home)
        for line in view.lines
    ]
    rows = [row for row in rows if row[2] and row[3] != besides and only in {"", row[3]}]
    asked = places or tuple((sku, units, "") for sku, units in lines)
    if not asked:
        return _Taken(tuple(rows)) if rows else _Taken(refusal=TransitionStatus.LINES_EXCEED_OPEN)
    taken: list[tuple[str, str, int, str]] = []
    for sku, units, location in asked:
        missing = units
        for n, (hold, row_sku, left, place) in enumerate(rows):
            some = min(missing, left) if row_sku == sku and location in {"", place} else 0
            if some:
                rows[n] = (hold, row_sku, left - some, place)
                taken.append((hold, sku, some, place))
                missing -= some
        if missing:
            return _Taken(refusal=TransitionStatus.LINES_EXCEED_OPEN)
    return _Taken(tuple(taken))


def _transfer_status(taken: _Taken, refused: Sequence[Holds]) -> TransferStatus.ValueType:
    if taken.refusal is not None:
        return _TRANSFER_OF[taken.refusal]
    statuses = [answer.status for holds in refused for answer in holds.answers if isinstance(answer, ReserveResult)]
    return _REFUSED_BY_TARGET[statuses[0]] if statuses else TransferStatus.TRANSFER_STATUS_DONE


def _rejected(taken: _Taken, holds: Holds | None) -> RejectAssignmentResponse:
    """The answer to a rejection, but for the reservation: what is rid of, who takes over, and what nobody does."""
    answer = RejectAssignmentResponse(status=t.wire_transition(taken.refusal or TransitionStatus.DONE))
    for _, sku, units, location in taken.moves:
        answer.rejected.add(sku=sku, quantity=units, location=location_name(location))
    missing = dict(taken.lines)
    for sku, units, location in placed(holds.parts) if holds is not None else ():
        answer.assignments.add(sku=sku, quantity=units, location=location_name(location))
        missing[sku] -= units
    for sku, units in missing.items():
        if units:
            answer.shortfalls.add(sku=sku, quantity=units)
    return answer


def _check_places(request: RejectAssignmentRequest, faults: Faults) -> None:
    for n, line in enumerate(request.lines):
        if line.location not in {"", request.location}:
            faults.add(f"lines[{n}].location", f"{line.location!r}; it is {request.location!r} that declines")
