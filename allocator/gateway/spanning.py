"""Calls over several locations: conversations with ledgers that are ended whatever becomes of the caller."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any, Final, TypeVar

from allocator.core.protocol.coordinator import settle
from allocator.gateway.errors import from_rejected, location_unknown, sku_unknown
from allocator.gateway.newcomers import Newcomers
from allocator.gateway.translate_reservation import fill_versions
from allocator.gateway.translate_spanning import fill_opened
from allocator.runtime.conversation import Talk
from allocator.runtime.errors import OutcomeUnknownError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from allocator.core.commands import Lines
    from allocator.core.protocol.answers import AmendResult, OpenResult
    from allocator.core.protocol.coordinator import Concluded, Conclusion, Holds, Planner, Terms, Wanted
    from allocator.core.protocol.types import Follow, Open
    from allocator.gateway.call import Call
    from allocator.gateway.translate_spanning import SpanningReserve
    from allocator.runtime.read_model import AvailabilityModel
    from allocator.runtime.router import Router
    from allocator.v1.reservation_pb2 import ReserveResponse

SPREAD_WAIT_S: Final = 0.5
"""How long an answer waits for participants to follow; their home goes on telling them."""

R = TypeVar("R")


class Spanning:
    """Holds at several locations and their conclusion at a home."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._newcomers = Newcomers(router)
        self._under_way: set[asyncio.Task[Any]] = set()

    async def reserve(self, reserve: SpanningReserve, response: ReserveResponse, call: Call) -> None:
        """Hold lines at the locations that the caller named."""
        for want in reserve.wanted:
            await self.check_location(want.location)
            check_stocked(self._router.model, want.lines, want.location)
        refused: list[Holds] = []

        def plan(attempts: Sequence[Holds]) -> Sequence[Wanted]:
            refused[:] = attempts
            return () if attempts else reserve.wanted

        def conclude(holds: Holds | None) -> Open:
            return reserve.open(holds or refused[-1], held=holds is not None)

        talk = Talk(self._router, call.trail)
        result = await self.settle(talk, reserve.terms, plan, conclude)
        fill_opened(response, reserve.terms.home, result, reserve.terms)
        response.reservation.version = talk.versions.get(reserve.terms.home, 0) if result.parts else 0
        if not result.parts:
            response.ClearField("reservation")
        fill_versions(response.versions, talk.versions)

    async def settle(self, talk: Talk, terms: Terms, plan: Planner, conclude: Conclusion) -> Any:  # noqa: ANN401
        """Hold and conclude, to the end even when the caller goes away; the home's `OpenResult` or `AmendResult`.

        Raises:
            ApiError: a ledger answered with an error.
            OutcomeUnknownError: an answer was lost on the way.
        """
        token = secrets.token_hex(4)
        concluded: Concluded = await self._finish(talk.hold(settle(terms, plan, conclude, token)))
        if concluded.error is not None:
            location, rejected = concluded.error
            raise from_rejected(rejected, location, reservation=terms.reservation)
        if concluded.result is None:
            raise OutcomeUnknownError("a location or its home went away meanwhile")
        result: OpenResult | AmendResult = concluded.result
        return result

    async def spread(self, home: str, owed: Sequence[tuple[str, Follow]], call: Call) -> dict[str, int]:
        """Bring a decision to its participants; returns the versions of those that followed in time."""
        talk = Talk(self._router, call.trail)
        try:
            async with asyncio.timeout(SPREAD_WAIT_S):
                await self._finish(talk.spread(home, owed))
        except TimeoutError:  # their home repeats it
            pass
        return talk.versions

    async def check_location(self, location: str) -> None:
        """Raise LOCATION_UNKNOWN for one that is not in the network."""
        network = self._router.network
        if location not in network.locations:
            await self._newcomers.arrived(lambda: location in network.locations)
        if location not in network.locations:
            raise location_unknown(location)

    async def _finish(self, work: Coroutine[Any, Any, R]) -> R:
        """Await `work`, which goes on when its caller is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)


def check_stocked(model: AvailabilityModel, lines: Lines, location: str = "") -> None:
    """Raise SKU_UNKNOWN for the first SKU that was never stocked anywhere."""
    for sku, _ in lines:
        if sku not in model.rows:
            raise sku_unknown(sku, location)
