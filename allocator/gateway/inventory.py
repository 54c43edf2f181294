"""InventoryService: stock and the movements that change it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from allocator.core.commands import ListStock, ListSupply, Movement
from allocator.core.results import Rejected
from allocator.gateway import pages
from allocator.gateway import translate_inventory as t
from allocator.gateway import translate_movement as tm
from allocator.gateway import translate_supply as ts
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls, stream, unary
from allocator.gateway.errors import fault, from_rejected, location_unknown, too_many
from allocator.gateway.faults import Faults
from allocator.gateway.limits import MOVEMENTS_MAX
from allocator.gateway.names import location_name
from allocator.gateway.newcomers import Newcomers
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError
from allocator.v1.inventory_pb2 import (
    GetStockRequest,
    GetStockResponse,
    ListStockRequest,
    ListStockResponse,
    ListSupplyRequest,
    ListSupplyResponse,
    RecordMovementsRequest,
    RecordMovementsResponse,
    SetCountRequest,
    SetCountResponse,
    SetStockPolicyRequest,
    SetStockPolicyResponse,
    SetSupplyRequest,
    SetSupplyResponse,
    StreamMovementsRequest,
    StreamMovementsResponse,
)
from allocator.v1.inventory_pb2_grpc import InventoryServiceServicer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from allocator.gateway.resourcing import Resourcing
    from allocator.runtime.batcher import Answer
    from allocator.runtime.router import Router
    from allocator.v1.inventory_pb2 import MovementResult

    Placed = dict[str, list[tuple[int, Movement]]]
    """Location -> its movements with their places in the request, in order."""


class InventoryServicer(InventoryServiceServicer):
    """Records stock facts at the ledgers of their locations, and reads stock from there."""

    def __init__(self, router: Router, calls: Calls, resourcing: Resourcing) -> None:
        self.calls = calls
        self._router = router
        self._resourcing = resourcing
        self._newcomers = Newcomers(router)

    @unary
    async def RecordMovements(self, request: RecordMovementsRequest, call: Call) -> RecordMovementsResponse:
        """Record a batch of movements."""
        response = RecordMovementsResponse()
        await self._record(request, response, call)
        return response

    @stream
    async def StreamMovements(
        self, request: AsyncIterator[StreamMovementsRequest], call: Call
    ) -> AsyncIterator[StreamMovementsResponse]:
        """Record a stream of batches, one after the other."""
        async for part in self.calls.requests(request):
            if not part.HasField("batch"):
                raise fault("batch", "it must be set")
            response = StreamMovementsResponse()
            await self._record(part.batch, response.batch, call)
            yield response

    @unary
    async def SetCount(self, request: SetCountRequest, call: Call) -> SetCountResponse:
        """Set on_hand to what was counted."""
        location, command = t.to_count(request, call.named(request.request_id))
        result, version = await self._ask(location, command, call, [line.sku for line in request.lines])
        response = SetCountResponse()
        t.fill_count(response, location, result, version)
        if result.shortages and not result.repeated:
            self._resourcing.begin(location, result.shortages, call)
        return response

    @unary
    async def SetStockPolicy(self, request: SetStockPolicyRequest, call: Call) -> SetStockPolicyResponse:
        """Set safety stock and quotas, move units between dispositions."""
        location, command = t.to_policy(request, call.named(request.request_id))
        result, version = await self._ask(location, command, call, [line.sku for line in request.lines])
        response = SetStockPolicyResponse()
        t.fill_policy(response, location, result, version)
        if result.shortages and not result.repeated:
            self._resourcing.begin(location, result.shortages, call)
        return response

    @unary
    async def GetStock(self, request: GetStockRequest, call: Call) -> GetStockResponse:
        """Read every component of some SKUs at one location."""
        location, query = t.to_get_stock(request)
        page, _ = await self._ask(location, query, call, query.skus)
        response = GetStockResponse()
        for view in page.rows:
            t.fill_stock(response.stocks.add(), location, view, page.version)
        return response

    @unary
    async def ListStock(self, request: ListStockRequest, call: Call) -> ListStockResponse:
        """Read a page of the SKUs of one location."""
        faults = Faults()
        location = faults.name("location", request.location)
        faults.check()
        room = pages.size(request.page_size)
        filters = ("stock", request.location)
        start = pages.read_token(request.page_token, *filters)[0] if request.page_token else 0
        page, _ = await self._ask(location, ListStock(start, room), call)
        response = ListStockResponse()
        for view in page.rows:
            t.fill_stock(response.stocks.add(), location, view, page.version)
        if page.next_start:
            response.next_page_token = pages.make_token((page.next_start,), *filters)
        return response

    @unary
    async def SetSupply(self, request: SetSupplyRequest, call: Call) -> SetSupplyResponse:
        """Announce what is expected, or replace what was announced."""
        location, command = ts.to_supply(request, call.named(request.request_id))
        result, version = await self._ask(location, command, call)
        if not result.repeated:
            self._resourcing.begin(location, result.supply_shortages, call)
        response = SetSupplyResponse()
        ts.fill_set(response, location, result, version)
        return response

    @unary
    async def ListSupply(self, request: ListSupplyRequest, call: Call) -> ListSupplyResponse:
        """Read a page of what is expected at one location."""
        location, sku = ts.to_filter(request)
        filters = ("supply", request.location, request.sku, str(request.include_ended))
        after = pages.read_token(request.page_token, *filters)[0] if request.page_token else 0
        query = ListSupply(after, pages.size(request.page_size), sku, request.include_ended)
        page, _ = await self._ask(location, query, call)
        response = ListSupplyResponse()
        for view in page.rows:
            ts.fill_supply(response.supplies.add(), view)
        if page.next_after:
            response.next_page_token = pages.make_token((page.next_after,), *filters)
        return response

    async def _ask(
        self, location: str, command: tuple[Any, ...], call: Call, skus: Sequence[str] = ()
    ) -> tuple[Any, int]:
        """Have the ledger answer; an error answer is raised."""
        if not await self._newcomers.arrived(lambda: location in self._router.network.locations):
            raise location_unknown(location)
        result, version = await self._router.submit(location, command, call.trail)
        if isinstance(result, Rejected):
            raise from_rejected(result, location, skus)
        return result, version

    async def _record(self, request: RecordMovementsRequest, response: RecordMovementsResponse, call: Call) -> None:
        """Record one batch, all locations side by side and each in order, and write what became of it."""
        count = len(request.movements)
        if count > MOVEMENTS_MAX:
            raise too_many("movements", count, MOVEMENTS_MAX)
        faults = Faults()
        if not count:
            faults.add("movements", f"none; 1 to {MOVEMENTS_MAX} are needed")
        faults.request_id(request.request_id)
        faults.check()
        call.named(request.request_id)
        results = [response.results.add() for _ in range(count)]
        placed = await self._at_known(self._placed(request, results), results)
        commands = [[movement for _, movement in movements] for movements in placed.values()]
        answers = await self._submit(tuple(placed), commands, call)
        _check_answered(tuple(placed), answers)
        teller = tm.MovementTeller()
        versions = {}
        for (location, movements), batch in zip(placed.items(), answers, strict=True):
            for (place, _), (result, version) in zip(movements, batch, strict=True):
                if isinstance(result, Rejected):
                    tm.fill_not_taken(results[place], location, result)
                else:
                    teller.fill_result(results[place], location, result)
                    versions[location] = version
                    if result.shortage is not None or result.supply_shortage is not None:
                        self._resourcing.begin(location, (result.shortage, result.supply_shortage), call)
        for location in sorted(versions):
            response.versions.add(location=location_name(location), version=versions[location])

    def _placed(self, request: RecordMovementsRequest, results: Sequence[MovementResult]) -> Placed:
        """The movements by location; malformed ones are answered at once."""
        placed: Placed = {}
        for place, message in enumerate(request.movements):
            told = tm.to_plain_movement(message)
            if told is None:
                faults = Faults()
                told = tm.to_movement(message, faults)
                if faults.found:
                    tm.fill_faulty(results[place], faults)
                    continue
            location, movement = told
            placed.setdefault(location, []).append((place, movement))
        return placed

    async def _at_known(self, placed: Placed, results: Sequence[MovementResult]) -> Placed:
        """Those at locations of the network; the others are answered."""
        known = self._router.network.locations
        if placed.keys() <= known.keys():
            return placed
        await self._newcomers.arrived(lambda: placed.keys() <= self._router.network.locations.keys())
        known = self._router.network.locations
        for location in placed.keys() - known.keys():
            for place, _ in placed[location]:
                tm.fill_nowhere(results[place], location)
        return {location: movements for location, movements in placed.items() if location in known}

    async def _submit(
        self, locations: Sequence[str], commands: Sequence[Sequence[Movement]], call: Call
    ) -> Sequence[Sequence[Answer]]:
        """The answers of all locations, or the error of the batch as a whole."""
        submits = [
            self._router.submit_in_order(location, movements, call.trail)
            for location, movements in zip(locations, commands, strict=True)
        ]
        outcomes = await asyncio.gather(*submits, return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if errors and all(isinstance(error, OverloadedError) for error in errors) and len(errors) < len(outcomes):
            raise OutcomeUnknownError(f"some locations recorded their movements, others not: {errors[0]}")
        for error in sorted(errors, key=lambda error: isinstance(error, OverloadedError)):
            raise error
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]


def _check_answered(locations: Sequence[str], answers: Sequence[Sequence[Answer]]) -> None:
    """Raise what a ledger could not decide: the whole batch is to come again then.

    Raises:
        OutcomeUnknownError: some movements were recorded all the same.
        ApiError: none was.
    """
    undecided = [
        (location, result)
        for location, batch in zip(locations, answers, strict=True)
        for result, _ in batch
        if isinstance(result, Rejected) and not tm.is_not_taken(result)
    ]
    if not undecided:
        return
    error = from_rejected(undecided[0][1], undecided[0][0])
    if any(not isinstance(result, Rejected) for batch in answers for result, _ in batch):
        raise OutcomeUnknownError(f"some movements were recorded, others not: {error.message}")
    raise error
