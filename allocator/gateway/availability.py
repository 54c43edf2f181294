"""AvailabilityService: reads of the gateway's own copy of the stock, which never wait for a ledger."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from allocator.core.limits import PROMISE_HORIZON_DEFAULT_NS, QUANTITY_MAX
from allocator.gateway import translate_availability as t
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls, stream, unary
from allocator.gateway.checked import Checker
from allocator.gateway.errors import fault, too_many
from allocator.gateway.glance import at_a_glance
from allocator.gateway.limits import LOCATIONS_PER_CALL_MAX
from allocator.gateway.methods import takes_bytes
from allocator.gateway.promises import to_promise
from allocator.gateway.reach import reach
from allocator.gateway.scope import Scopes, versions_wanted
from allocator.gateway.states import StateTeller
from allocator.gateway.watch import Filter, WatchHub
from allocator.gateway.wire import bytes_field, only_bytes_field
from allocator.v1.availability_pb2 import (
    BatchGetAvailabilityRequest,
    CheckAvailabilityRequest,
    QueryAvailabilityRequest,
    QueryAvailabilityResponse,
    WatchAvailabilityRequest,
)
from allocator.v1.availability_pb2_grpc import AvailabilityServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from allocator.runtime.router import Router

_CHECK: Final = 1
"""The field of a query with the check, and of its answer with the answer to that."""


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
        self._checker = Checker(router.model, self._scopes)
        self._check_states = StateTeller(router.model, versions=3, ages=4)
        self._matrix_states = StateTeller(router.model, versions=5, ages=6)
        self._hub = WatchHub(router.model)

    def _glance(self, request: bytes) -> tuple[bytes, ...] | None:
        found = self._checker.glance(request)
        return None if found is None else (*found[0], self._check_states.tell(found[1]))

    @at_a_glance(_glance)
    @unary
    @takes_bytes
    async def CheckAvailability(  # type: ignore[override]  # bytes pass, see `methods`
        self, request: bytes | CheckAvailabilityRequest, call: Call
    ) -> bytes:
        """Check a cart."""
        data = request if isinstance(request, bytes) else request.SerializeToString()
        answer = self._glance(data)
        if answer is not None:
            return b"".join(answer)
        return await self._look(t.parsed(CheckAvailabilityRequest, data), call)

    @unary
    async def BatchGetAvailability(  # type: ignore[override]  # bytes pass, see `methods`
        self, request: BatchGetAvailabilityRequest, call: Call
    ) -> bytes:
        """Read a packed matrix."""
        skus = t.to_skus(request, self._model.rows, repeats=False)
        scope = self._scopes.in_order(request.locations, request.location_group)
        if len(scope.names) > LOCATIONS_PER_CALL_MAX:
            raise too_many("locations", len(scope.names), LOCATIONS_PER_CALL_MAX)
        if request.min_versions:
            await reach(self._router, request.min_versions, call)
        return t.to_matrix(self._model, scope, skus, request.channel) + self._matrix_states.tell(scope)

    @stream
    async def WatchAvailability(  # type: ignore[override]  # bytes pass, see `methods`
        self,
        request: WatchAvailabilityRequest,
        call: Call,  # noqa: ARG002  # the shape of a handler
    ) -> AsyncIterator[bytes]:
        """Stream changes until the caller has enough."""
        skus = t.to_skus(request, self._model.rows, repeats=True)
        if request.HasField("threshold") and not 1 <= request.threshold <= QUANTITY_MAX:
            raise fault("threshold", f"{request.threshold}; 1 to {QUANTITY_MAX} are allowed")
        scope = self._scopes.find(request.locations, request.location_group)
        resumed = versions_wanted("resume_versions", request.resume_versions, self._router.network)
        everywhere = not request.locations and not request.location_group
        only = None if everywhere else frozenset(scope.locations)
        wanted = Filter(tuple(skus), request.channel, only, request.threshold)
        watch = self._hub.open(wanted, scope.locations, resumed)
        try:
            while True:
                for message in watch.messages():
                    yield message
                async with self.calls.waiting():
                    await watch.news.wait()
        finally:
            self._hub.close(watch)

    @stream
    @takes_bytes
    async def QueryAvailability(  # type: ignore[override]  # bytes pass, see `methods`
        self, request: AsyncIterator[bytes | QueryAvailabilityRequest], call: Call
    ) -> AsyncIterator[bytes]:
        """Answer a stream of checks in order."""
        async for query in self.calls.requests(request):
            data = query if isinstance(query, bytes) else query.SerializeToString()
            try:
                answer = await self._answer(only_bytes_field(_CHECK, data), data, call)
            except Exception as error:  # noqa: BLE001  # a bad check is answered, and the stream goes on
                answer = QueryAvailabilityResponse(error=self.calls.told_inside(call, error)).SerializeToString()
            yield answer

    async def _answer(self, check: bytes | None, data: bytes, call: Call) -> bytes:
        """The answer to one query of a stream."""
        answer = self._glance(check) if check else None
        if answer is not None:
            return bytes_field(_CHECK, b"".join(answer))
        query = t.parsed(QueryAvailabilityRequest, data)
        if not query.HasField("check"):
            raise fault("check", "it must be set")
        return bytes_field(_CHECK, await self._look(query.check, call))

    async def _look(self, request: CheckAvailabilityRequest, call: Call) -> bytes:
        """Answer a check that a glance was not enough for."""
        cart = t.to_cart(request, self._model.rows)
        promise = None
        if request.HasField("promise_by"):
            promise = to_promise(request.promise_by, self._clock_ns(), self._horizon_ns)
        scope = self._scopes.find(request.locations, request.location_group)
        if request.min_versions:
            await reach(self._router, request.min_versions, call)
        return self._checker.check(scope, cart, request.channel, promise) + self._check_states.tell(scope)
