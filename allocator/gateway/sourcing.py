"""SourcingService: ranks the places that can serve an order, and says why."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from allocator.gateway import translate_sourcing as t
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls, unary
from allocator.gateway.faults import Faults
from allocator.gateway.reach import reach
from allocator.v1 import sourcing_pb2 as pb
from allocator.v1.sourcing_pb2_grpc import SourcingServiceServicer

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.core.sourcing.types import SourcingOrder
    from allocator.gateway.planner import Planner
    from allocator.runtime.router import Router


class SourcingServicer(SourcingServiceServicer):
    """Plans on this gateway's copy of the stock.

    Args:
        router: the way to the ledgers.
        calls: bounds and bookkeeping of calls.
        planner: of this gateway.
        clock_ns: wall clock, ns since 1970 UTC.
    """

    def __init__(
        self, router: Router, calls: Calls, planner: Planner, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.calls = calls
        self._router = router
        self._planner = planner
        self._clock_ns = clock_ns

    @unary
    async def Source(self, request: pb.SourceRequest, call: Call) -> pb.SourceResponse:
        """Rank plans for an order."""
        if request.min_versions:
            await reach(self._router, request.min_versions, call)
        faults = Faults()
        plans_max = t.to_plans_max(request, faults)
        order = self._order(request, faults)
        response = pb.SourceResponse()
        t.fill_sourcing(response, self._planner.source(order, plans_max=plans_max))
        return response

    @unary
    async def ExplainSourcing(self, request: pb.ExplainSourcingRequest, call: Call) -> pb.ExplainSourcingResponse:
        """Say of every location why it is in the best plan, or is not."""
        if request.min_versions:
            await reach(self._router, request.min_versions, call)
        order = self._order(request, Faults())
        response = pb.ExplainSourcingResponse()
        t.fill_explanation(response, self._planner.explain(order))
        return response

    def _order(self, request: pb.SourceRequest | pb.ExplainSourcingRequest, faults: Faults) -> SourcingOrder:
        if not request.HasField("order"):
            faults.add("order", "it must be set")
            faults.check()
        return self._planner.to_order(request.order, faults, self._clock_ns())
