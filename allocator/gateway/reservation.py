"""ReservationService: holds and their fate."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, NamedTuple

from allocator.core import commands as c
from allocator.core.results import Reason, Rejected, ReserveResult
from allocator.gateway import pages
from allocator.gateway import translate_reservation as t
from allocator.gateway.allocating import Allocating
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls, stream, unary
from allocator.gateway.errors import from_rejected, location_unknown, reservation_unknown
from allocator.gateway.faults import Faults
from allocator.gateway.glance import at_a_glance
from allocator.gateway.limits import LOCATIONS_PER_PAGE_MAX
from allocator.gateway.many_reserves import ManyReserves
from allocator.gateway.names import RESERVATIONS, location_name
from allocator.gateway.newcomers import Newcomers
from allocator.gateway.spanning import check_stocked
from allocator.gateway.translate_spanning import to_spanning
from allocator.gateway.wire_reserve import held_bytes
from allocator.runtime.batcher import HoldContext
from allocator.runtime.errors import OverloadedError
from allocator.v1.reservation_pb2 import (
    AllocateRequest,
    AllocateResponse,
    BatchReserveRequest,
    BatchReserveResponse,
    CommitReservationRequest,
    CommitReservationResponse,
    ExtendReservationRequest,
    ExtendReservationResponse,
    FulfilReservationRequest,
    FulfilReservationResponse,
    GetReservationRequest,
    GetReservationResponse,
    ListReservationsRequest,
    ListReservationsResponse,
    RejectAssignmentRequest,
    RejectAssignmentResponse,
    ReleaseReservationRequest,
    ReleaseReservationResponse,
    ReservationState,
    ReserveRequest,
    ReserveResponse,
    StreamReserveRequest,
    StreamReserveResponse,
    TransferReservationRequest,
    TransferReservationResponse,
)
from allocator.v1.reservation_pb2_grpc import ReservationServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from allocator.core.results import ReservationPage
    from allocator.gateway.amending import Amending
    from allocator.gateway.planner import Planner
    from allocator.gateway.spanning import Spanning
    from allocator.runtime.batcher import Answer
    from allocator.runtime.router import Router

_STATES = tuple(ReservationState.values())


class Reserving(NamedTuple):
    """A reserve that the ledger of its location decides."""

    location: str
    command: c.Reserve
    answer: asyncio.Future[Answer]


def _failed(error: OverloadedError) -> asyncio.Future[Answer]:
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    answer.set_exception(error)
    return answer


class ReservationServicer(ReservationServiceServicer):
    """Holds units for orders at the ledgers of their locations."""

    def __init__(self, router: Router, calls: Calls, planner: Planner, spanning: Spanning, amending: Amending) -> None:
        self.calls = calls
        self._router = router
        self._newcomers = Newcomers(router)
        self._planner = planner
        self._spanning = spanning
        self._allocating = Allocating(router, planner, spanning)
        self._amending = amending
        self._many = ManyReserves(router, calls, self._reserve)

    def _begin(self, data: bytes) -> Reserving | None:
        """Begin the usual reserve: at one location that is known, with an id of its own and nothing odd about it."""
        request = ReserveRequest.FromString(data)
        request_id = request.request_id
        if not request_id or request.HasField("promise_by"):
            return None
        told = t.to_reserve(request, request_id)
        if told is None or told[0] not in self._router.network.locations:
            return None
        try:
            answer = self._router.submit(*told, HoldContext(request_id))
        except OverloadedError as error:  # told on the long way, and not asked for a second time
            answer = _failed(error)
        return Reserving(*told, answer)

    def _finish(self, reserving: Reserving) -> bytes | None:
        """The answer to the usual reserve, when it is the usual answer."""
        result, version = reserving.answer.result()
        usual = type(result) is ReserveResult
        return held_bytes(reserving.location, reserving.command, result, version) if usual else None

    @at_a_glance(_begin, _finish)
    @unary
    async def Reserve(  # type: ignore[override]  # bytes pass, see `methods`
        self, request: ReserveRequest, call: Call
    ) -> ReserveResponse | bytes:
        """Hold lines at one location."""
        response = ReserveResponse()
        decided = await self._decide(request, response, call)
        if decided is None:
            return response
        ready = held_bytes(*decided)
        if ready is None:
            t.fill_reserve(response, *decided)
        return ready or response

    @unary
    async def Allocate(self, request: AllocateRequest, call: Call) -> AllocateResponse:
        """Find the best places and hold there."""
        return await self._allocating.allocate(request, call)

    @unary
    async def BatchReserve(self, request: BatchReserveRequest, call: Call) -> BatchReserveResponse:
        """Hold for many independent orders, each with its own outcome."""
        return await self._many.batch(request, call)

    @stream
    async def StreamReserve(
        self, request: AsyncIterator[StreamReserveRequest], call: Call
    ) -> AsyncIterator[StreamReserveResponse]:
        """Hold for many independent orders, each answered as soon as those before it are."""
        async with aclosing(self._many.stream(request, call)) as answers:
            async for answer in answers:
                yield answer

    @unary
    async def CommitReservation(self, request: CommitReservationRequest, call: Call) -> CommitReservationResponse:
        """Held becomes committed."""
        target = t.to_target(request)
        command = t.to_commit(target, call.named(request.request_id))
        response = CommitReservationResponse()
        await self._transition(target, await self._home(target), command, response, call)
        return response

    @unary
    async def ExtendReservation(self, request: ExtendReservationRequest, call: Call) -> ExtendReservationResponse:
        """A hold gets a new expiry."""
        target = t.to_target(request)
        command = t.to_extend(request, target, call.named(request.request_id))
        response = ExtendReservationResponse()
        await self._transition(target, await self._home(target), command, response, call)
        return response

    @unary
    async def ReleaseReservation(self, request: ReleaseReservationRequest, call: Call) -> ReleaseReservationResponse:
        """Units are given back."""
        target = t.to_target(request)
        home = await self._home(target)
        command = t.to_release(request, target, call.named(request.request_id))
        response = ReleaseReservationResponse()
        t.fill_moved(response, *await self._transition(target, home, command, response, call))
        return response

    @unary
    async def FulfilReservation(self, request: FulfilReservationRequest, call: Call) -> FulfilReservationResponse:
        """Committed units left the building."""
        target = t.to_target(request)
        home = await self._home(target)
        command = t.to_fulfil(request, target, call.named(request.request_id))
        response = FulfilReservationResponse()
        t.fill_moved(response, *await self._transition(target, home, command, response, call))
        return response

    @unary
    async def TransferReservation(self, request: TransferReservationRequest, call: Call) -> TransferReservationResponse:
        """Held units move to another location."""
        target = t.to_target(request)
        home = await self._home_checked(target)
        return await self._amending.transfer(request, target, home, call)

    @unary
    async def RejectAssignment(self, request: RejectAssignmentRequest, call: Call) -> RejectAssignmentResponse:
        """A location declines; others take over."""
        target = t.to_target(request)
        home = await self._home_checked(target)
        return await self._amending.reject(request, target, home, call)

    @unary
    async def GetReservation(self, request: GetReservationRequest, call: Call) -> GetReservationResponse:
        """Read one reservation from its home."""
        faults = Faults()
        reservation = faults.name("name", request.name, RESERVATIONS)
        faults.check()
        home = await self._home_of(reservation)
        if not home:
            raise reservation_unknown(reservation)
        result, _ = await self._router.submit(home, c.GetReservation(reservation), call.trail)
        if isinstance(result, Rejected):
            raise from_rejected(result, home, reservation=reservation)
        response = GetReservationResponse()
        t.fill_reservation(response.reservation, home, result.rows[0], result.version)
        return response

    @unary
    async def ListReservations(self, request: ListReservationsRequest, call: Call) -> ListReservationsResponse:
        """Read a page of reservations, location by location."""
        faults = Faults()
        only = faults.name("location", request.location) if request.location else ""
        faults.choice("state", request.state, _STATES)
        faults.optional_id("order", request.order)
        faults.check()
        if only and not await self._knows(only):
            raise location_unknown(only)
        room = pages.size(request.page_size)
        filters = ("reservations", request.location, request.state, request.order, request.held_here)
        first, after = pages.read_token(request.page_token, *filters) if request.page_token else ("", 0)
        response = ListReservationsResponse()
        for n, location in enumerate(self._locations(only, first)):
            if room == 0 or n == LOCATIONS_PER_PAGE_MAX:
                response.next_page_token = pages.make_token((location, 0), *filters)
                break
            start = after if location == first else 0
            query = c.ListReservations(start, room, request.state, request.order, request.held_here)
            page = await self._read(location, query, call)
            for view in page.rows:
                t.fill_reservation(response.reservations.add(), location, view, page.version)
                if view.home:
                    response.reservations[-1].home_location = location_name(view.home)
            room -= len(page.rows)
            if page.next_after:
                response.next_page_token = pages.make_token((location, page.next_after), *filters)
                break
        return response

    async def _reserve(self, request: ReserveRequest, response: ReserveResponse, call: Call) -> None:
        """Have the ledgers of the locations decide on a reserve and write the answer."""
        decided = await self._decide(request, response, call)
        if decided is not None:
            t.fill_reserve(response, *decided)

    async def _decide(
        self, request: ReserveRequest, response: ReserveResponse, call: Call
    ) -> tuple[str, c.Reserve, ReserveResult, int] | None:
        """What the ledger of the location decided, to be written; None when several did and the answer is written."""
        request_id = call.named(request.request_id)
        reserving = call.work or await self._submit(request, request_id, call)
        if reserving is None:
            await self._spanning.reserve(to_spanning(request, request_id), response, call)
            return None
        location, command, answer = reserving
        result, version = await answer
        if isinstance(result, Rejected) and result.reason == Reason.SKU_UNKNOWN:
            check_stocked(self._router.model, command.lines, location)
            command = command._replace(elsewhere=True)
            result, version = await self._router.submit(location, command, call.trail)
        if isinstance(result, Rejected):
            raise from_rejected(result, location)
        return location, command, result, version

    async def _submit(self, request: ReserveRequest, request_id: str, call: Call) -> Reserving | None:
        """Have the ledger of the location decide on a reserve; None when that is for several."""
        if request.HasField("promise_by"):
            self._planner.check_promise(request.promise_by)
        told = t.to_reserve(request, request_id)
        if told is None:
            return None
        location, command = told
        if location not in self._router.network.locations:
            await self._knows(location)
        return Reserving(location, command, self._router.submit(location, command, call.trail))

    async def _knows(self, location: str) -> bool:
        return await self._newcomers.arrived(lambda: location in self._router.network.locations)

    async def _home(self, target: t.Target) -> str:
        return await self._home_of(target.reservation) if target.reservation else ""

    async def _home_checked(self, target: t.Target) -> str:
        """The home of a reservation whose request has no fault so far."""
        home = await self._home(target)
        if not home and not target.faults.found:
            raise reservation_unknown(target.reservation)
        return home

    async def _home_of(self, reservation: str) -> str:
        """The location that decides the fate of `reservation`; "" when there is none."""
        home = self._router.network.home_of(reservation)
        if home is None and await self._newcomers.arrived(lambda: self._router.network.home_of(reservation)):
            home = self._router.network.home_of(reservation)
        return home or ""

    async def _transition(
        self, target: t.Target, home: str, command: c.Transition, response: t.TransitionResponse, call: Call
    ) -> tuple[str, Any]:
        """Have the home decide and write its answer; returns the home and the result."""
        target.faults.check()
        if not home:
            raise reservation_unknown(target.reservation)
        result, version = await self._router.submit(home, command, call.trail)
        if isinstance(result, Rejected):
            raise from_rejected(result, home, reservation=target.reservation)
        versions = {home: version}
        if result.owed:
            versions |= await self._spanning.spread(home, result.owed, call)
        t.fill_transition(response, home, result, versions)
        return home, result

    async def _read(self, location: str, query: c.ListReservations, call: Call) -> ReservationPage:
        result, _ = await self._router.submit(location, query, call.trail)
        if isinstance(result, Rejected):
            raise from_rejected(result, location)
        page: ReservationPage = result
        return page

    def _locations(self, only: str, first: str) -> Iterator[str]:
        """The ledgers to list, in the order of names, from `first` on."""
        names = (only,) if only else sorted(self._router.network.locations)
        return (name for name in names if name >= first)
