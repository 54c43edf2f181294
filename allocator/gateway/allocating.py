"""Allocate: plan on the read model, hold, and fall through to the next plan when a location says no."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.core.ids import is_request_id, reservation_id
from allocator.core.limits import TTL_DEFAULT_NS
from allocator.core.protocol.answers import OpenResult
from allocator.core.protocol.coordinator import ATTEMPTS_MAX, Terms, Wanted
from allocator.core.protocol.types import Open
from allocator.core.results import ReserveResult, ReserveStatus
from allocator.core.sourcing.types import Filter
from allocator.gateway.errors import ApiError
from allocator.gateway.faults import Faults
from allocator.gateway.homes import Homes
from allocator.gateway.translate_allocate import asked_of, fill_allocated, kept, pickup_window_ns, ttl_of
from allocator.gateway.translate_reservation import fill_versions
from allocator.gateway.translate_sourcing import fill_plan, to_filter
from allocator.runtime.conversation import Talk
from allocator.v1.reservation_pb2 import AllocateRequest, AllocateResponse, AllocateStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allocator.core.protocol.coordinator import Holds
    from allocator.core.protocol.coordinator import Planner as Planning
    from allocator.core.sourcing.types import Plan, Sourcing, SourcingOrder
    from allocator.gateway.call import Call
    from allocator.gateway.planner import Planner
    from allocator.gateway.spanning import Spanning
    from allocator.runtime.router import Router

TIME_LEFT_MIN_S: Final = 0.2
"""Time before the caller's deadline in which no further plan is tried."""


_FULL: Final = (ReserveStatus.LOCATION_CLOSED, ReserveStatus.NO_CAPACITY)


class Allocating:
    """Sources and holds orders, through one gateway process."""

    def __init__(self, router: Router, planner: Planner, spanning: Spanning) -> None:
        self._router = router
        self._planner = planner
        self._spanning = spanning
        self._homes = Homes(router)

    async def allocate(self, request: AllocateRequest, call: Call) -> AllocateResponse:
        """Find the best places for an order and hold it there."""
        request_id, now_ns = call.named(request.request_id), time.time_ns()
        try:
            asked = self._read(request, now_ns)
        except ApiError:  # what was right when it was asked first gets the first answer, even if it is wrong today
            home = await self._known(request, now_ns, call, everywhere=True)
            if not home:
                raise
            return await self._answer(_Asked(request, home), lambda _: (), lambda _: b"", call)
        if not self._router.network.locations:
            status = AllocateStatus.ALLOCATE_STATUS_NO_ELIGIBLE_LOCATION
            return AllocateResponse(status=status, emptied_by=to_filter(Filter.GROUP))
        home = await self._known(request, now_ns, call) or self._homes.home(request_id)
        assert asked.order is not None
        search = Search(self._planner, asked.order, call)
        return await self._answer(
            asked._replace(home=home), search.plan, lambda holds: kept(search.told(holds), request.order), call
        )

    def _read(self, request: AllocateRequest, now_ns: int) -> _Asked:
        """What is asked for, checked."""
        faults = Faults()
        faults.request_id(request.request_id)
        faults.optional_id("order_reference", request.order_reference)
        ttl_ns = ttl_of(request, faults)
        window_ns = pickup_window_ns(request, faults)
        order = self._planner.to_order(request.order, faults, now_ns)
        return _Asked(request, "", ttl_ns, now_ns + window_ns if window_ns else 0, order)

    async def _known(self, request: AllocateRequest, now_ns: int, call: Call, *, everywhere: bool = False) -> str:
        """The home that knows the caller's request id from before the network changed; "" when there is none."""
        if not is_request_id(request.request_id) or not self._router.network.locations:
            return ""
        return await self._homes.known(request.request_id, now_ns, call, everywhere=everywhere)

    async def _answer(
        self, asked: _Asked, plan: Planning, answer: Callable[[Holds | None], bytes], call: Call
    ) -> AllocateResponse:
        """Hold by the plans, have the home conclude, and tell."""
        request, home, order = asked.request, asked.home, asked.order
        reservation = reservation_id(home, call.request_id)
        channel, reference = request.order.channel, request.order_reference
        by_ns = order.promise_by_ns if order is not None else 0
        terms = Terms(reservation, home, asked.ttl_ns, channel, reference, promise_by_ns=by_ns, sourced=True)

        def conclude(holds: Holds | None) -> Open:
            parts = holds.parts if holds is not None else ()
            until_ns = asked.pick_until_ns if parts else 0
            told = answer(holds)
            return Open(
                call.request_id, reservation, parts, asked.ttl_ns, channel, reference, until_ns, asked_of(request), told
            )

        talk = Talk(self._router, call.trail)
        result = await self._spanning.settle(talk, terms, plan, conclude)
        assert isinstance(result, OpenResult)
        response = AllocateResponse()
        fill_allocated(response, terms, result, talk.versions.get(home, 0))
        fill_versions(response.versions, talk.versions)
        return response


class _Asked(NamedTuple):
    """An Allocate as it was asked for; without `order` it is a repeat that only its home can answer."""

    request: AllocateRequest
    home: str
    ttl_ns: int = TTL_DEFAULT_NS
    pick_until_ns: int = 0
    order: SourcingOrder | None = None


class Search:
    """The plans for one order, each after what the locations said to those before it."""

    def __init__(self, planner: Planner, order: SourcingOrder, call: Call) -> None:
        self._planner = planner
        self.order = order
        self._call = call
        self._sourcing: Sourcing | None = None
        self._unheard = False
        self.tried = 0
        self.held: Plan | None = None

    def plan(self, attempts: Sequence[Holds]) -> Sequence[Wanted]:
        """What to hold next; nothing when there is no plan or no time left."""
        left_s = self._call.time_left_s()
        if len(attempts) == ATTEMPTS_MAX or (attempts and left_s is not None and left_s < TIME_LEFT_MIN_S):
            return ()
        said = heard(attempts)
        self._unheard = said.unheard
        self._sourcing = self._planner.source(self.order, said.refused, said.full)
        if not self._sourcing.plans:
            return ()
        self.tried += 1
        self.held = self._sourcing.plans[0]
        return wanted(self.held)

    def told(self, holds: Holds | None) -> AllocateResponse:
        """The answer, but for the reservation."""
        response = AllocateResponse(plans_tried=self.tried)
        sourcing = self._sourcing
        if holds is not None and self.held is not None:
            fill_plan(response.plan, self.held)
            short = bool(self.held.shortfall)
            response.status = (
                AllocateStatus.ALLOCATE_STATUS_PARTIALLY_HELD if short else AllocateStatus.ALLOCATE_STATUS_HELD
            )
        elif sourcing is None or sourcing.plans or self._unheard:
            response.status = AllocateStatus.ALLOCATE_STATUS_OUTRUN
        elif sourcing.emptied_by is not None:
            response.status = AllocateStatus.ALLOCATE_STATUS_NO_ELIGIBLE_LOCATION
            response.emptied_by = to_filter(sourcing.emptied_by)
        else:
            response.status = AllocateStatus.ALLOCATE_STATUS_INSUFFICIENT_STOCK
            if sourcing.partial is not None:
                fill_plan(response.partial, sourcing.partial)
        return response


class Said(NamedTuple):
    """What locations said to attempts: (SKU, location, units it really has), and which cannot take anything.

    `unheard`: some of the latter gave no answer, or an error.
    """

    refused: tuple[tuple[str, str, int], ...]
    full: frozenset[str]
    unheard: bool = False


def heard(attempts: Sequence[Holds]) -> Said:
    """What the locations of refused attempts said; one that gave no answer, or an error, is passed over."""
    refused: list[tuple[str, str, int]] = []
    full: set[str] = set()
    for holds in attempts:
        for (location, _), answer in zip(holds.calls, holds.answers, strict=True):
            if not isinstance(answer, ReserveResult) or answer.status in {
                ReserveStatus.LOCATION_CLOSED,
                ReserveStatus.NO_CAPACITY,
            }:
                full.add(location)
            else:
                refused += [(line.sku, location, line.available) for line in answer.lines if line.held < line.requested]
    unheard = any(not isinstance(answer, ReserveResult) for holds in attempts for answer in holds.answers)
    return Said(tuple(refused), frozenset(full), unheard)


def wanted(plan: Plan) -> tuple[Wanted, ...]:
    """What a plan holds, location by location."""
    by_location: dict[str, list[tuple[str, int]]] = {}
    for sku, location, quantity in plan.assignments:
        by_location.setdefault(location, []).append((sku, quantity))
    return tuple(Wanted(location, tuple(lines)) for location, lines in by_location.items())
