"""AvailabilityService: reads of the gateway's own copy of the stock, which never wait for a ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from allocator.core.limits import PROMISE_HORIZON_DEFAULT_NS, QUANTITY_MAX
from allocator.gateway import translate_availability as t
from allocator.gateway.calls import Call, Calls, stream, unary
from allocator.gateway.errors import fault, too_many
from allocator.gateway.limits import LOCATIONS_PER_CALL_MAX
from allocator.gateway.promises import to_promise
from allocator.gateway.reach import reach
from allocator.gateway.scope import Scopes, versions_wanted
from allocator.gateway.watch import Filter, Watch, WatchHub
from allocator.v1.availability_pb2 import (
    BatchGetAvailabilityRequest,
    BatchGetAvailabilityResponse,
    CheckAvailabilityRequest,
    CheckAvailabilityResponse,
    QueryAvailabilityRequest,
    QueryAvailabilityResponse,
    WatchAvailabilityRequest,
    WatchAvailabilityResponse,
)
from allocator.v1.availability_pb2_grpc import AvailabilityServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from allocator.runtime.router import Router


class AvailabilityServicer(AvailabilityServiceServicer):
    """Answers from the read model.

    Args:
        router: the way to the ledgers.
        calls: bounds and bookkeeping of calls.
        horizon_ns: how far ahead units are promised.
        clock_ns: wall clock, ns since 1970 UTC.
    """

    def __init__(
        self,
        router: Router,
        calls: Calls,
        horizon_ns: int = PROMISE_HORIZON_DEFAULT_NS,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.calls = calls
        self._horizon_ns = horizon_ns
        self._clock_ns = clock_ns
        self._router = router
        self._model = router.model
        self._scopes = Scopes(router.network, router.model)
        self._states = t.StateTeller(router.model)
        self._hub = WatchHub(router.model)

    @unary
    async def CheckAvailability(self, request: CheckAvailabilityRequest, call: Call) -> CheckAvailabilityResponse:
        """Check a cart."""
        response = CheckAvailabilityResponse()
        await self._check(request, response, call)
        return response

    @unary
    async def BatchGetAvailability(
        self, request: BatchGetAvailabilityRequest, call: Call
    ) -> BatchGetAvailabilityResponse:
        """Read a packed matrix."""
        skus = t.to_skus(request, repeats=False)
        scope = self._scopes.in_order(request.locations, request.location_group)
        if len(scope.names) > LOCATIONS_PER_CALL_MAX:
            raise too_many("locations", len(scope.names), LOCATIONS_PER_CALL_MAX)
        if request.min_versions:
            await reach(self._router, request.min_versions, call)
        response = BatchGetAvailabilityResponse()
        t.fill_matrix(response, self._model, scope, skus, request.channel)
        self._states.fill(response, scope)
        return response

    @stream
    async def WatchAvailability(
        self,
        request: WatchAvailabilityRequest,
        call: Call,  # noqa: ARG002  # the shape of a handler
    ) -> AsyncIterator[WatchAvailabilityResponse]:
        """Stream changes until the caller has enough."""
        skus = t.to_skus(request, repeats=True)
        if request.HasField("threshold") and not 1 <= request.threshold <= QUANTITY_MAX:
            raise fault("threshold", f"{request.threshold}; 1 to {QUANTITY_MAX} are allowed")
        scope = self._scopes.find(request.locations, request.location_group)
        resumed = versions_wanted("resume_versions", request.resume_versions, self._router.network)
        everywhere = not request.locations and not request.location_group
        only = None if everywhere else frozenset(scope.locations)
        watch = Watch(Filter(skus, request.channel, only, request.threshold), self._model)
        self._hub.add(watch)
        try:
            watch.begin(scope.locations, resumed)
            while True:
                for message in watch.messages():
                    yield message
                async with self.calls.waiting():
                    await watch.news.wait()
        finally:
            self._hub.remove(watch)

    @stream
    async def QueryAvailability(
        self, request: AsyncIterator[QueryAvailabilityRequest], call: Call
    ) -> AsyncIterator[QueryAvailabilityResponse]:
        """Answer a stream of checks in order."""
        async for query in self.calls.requests(request):
            response = QueryAvailabilityResponse()
            try:
                if not query.HasField("check"):
                    raise fault("check", "it must be set")
                await self._check(query.check, response.check, call)
            except Exception as error:  # noqa: BLE001  # a bad check is answered, and the stream goes on
                response.error.CopyFrom(self.calls.told_inside(call, error))
            yield response

    async def _check(self, request: CheckAvailabilityRequest, response: CheckAvailabilityResponse, call: Call) -> None:
        lines = t.to_lines(request)
        promise = None
        if request.HasField("promise_by"):
            promise = to_promise(request.promise_by, self._clock_ns(), self._horizon_ns)
        scope = self._scopes.find(request.locations, request.location_group)
        if request.min_versions:
            await reach(self._router, request.min_versions, call)
        t.fill_check(response, self._model, scope, lines, request.channel, promise)
        self._states.fill_check(response, scope)
