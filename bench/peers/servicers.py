"""The servicers of every peer: as much of `allocator.v1` as the scenarios need, in front of any `Store`.

Versions and ages are left out of the answers: no store here has them, and making them up would only cost time.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any, Final, NoReturn

import grpc
from grpc.aio import ServicerContext
from grpc_health.v1 import health, health_pb2_grpc

from allocator.v1 import availability_pb2 as a
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import reservation_pb2 as r
from allocator.v1.availability_pb2_grpc import (
    AvailabilityServiceServicer,
    add_AvailabilityServiceServicer_to_server,
)
from allocator.v1.inventory_pb2_grpc import InventoryServiceServicer, add_InventoryServiceServicer_to_server
from allocator.v1.reservation_pb2_grpc import ReservationServiceServicer, add_ReservationServiceServicer_to_server
from bench.peers.store import Hold, Outcome, Receipt, ReusedError, Store

TTL_DEFAULT_MS: Final = 900_000
_HELD: Final = r.LineStatus.LINE_STATUS_HELD
_SHORT: Final = r.LineStatus.LINE_STATUS_INSUFFICIENT_STOCK
_NOT_HELD: Final = r.LineStatus.LINE_STATUS_NOT_HELD
_POLICIES: Final = (r.RESERVE_POLICY_UNSPECIFIED, r.RESERVE_POLICY_ALL_OR_NOTHING)


def registrations(store: Store) -> tuple[tuple[Callable[[Any, Any], None], Any], ...]:
    """Pairs of a generated `add_..._to_server` and the servicer to register, for any front.

    They serve from the first moment, as health says: the store is open before.
    """
    return (
        (add_AvailabilityServiceServicer_to_server, Availability(store)),  # type: ignore[abstract]  # others: UNIMPLEMENTED
        (add_ReservationServiceServicer_to_server, Reservations(store)),  # type: ignore[abstract]  # as above
        (add_InventoryServiceServicer_to_server, Inventory(store)),  # type: ignore[abstract]  # as above
        (health_pb2_grpc.add_HealthServicer_to_server, health.aio.HealthServicer()),
    )


class Availability(AvailabilityServiceServicer):
    """Checks of carts, read from the store each time."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def CheckAvailability(  # noqa: N802  # gRPC's name
        self, request: a.CheckAvailabilityRequest, context: ServicerContext[Any, Any]
    ) -> a.CheckAvailabilityResponse:
        """Check a cart; a SKU that was never stocked is one that is not there."""
        if request.location_group or request.HasField("promise_by"):
            await _unserved(context, "location_group and promise_by")
        wanted: dict[str, int] = {}
        for asked in request.lines:
            wanted[asked.sku] = wanted.get(asked.sku, 0) + asked.quantity
        places = await self._store.check(list(wanted), request.locations)
        response = a.CheckAvailabilityResponse()
        enough = True
        for (sku, units), found in zip(wanted.items(), places, strict=True):
            line = response.lines.add(sku=sku, requested=units)
            add, total = line.quantities.add, 0
            for location, available in found:
                add(location=location, available=available)
                total += available
            line.total = total
            line.sufficient = total >= units
            enough = enough and total >= units
        response.sufficient = enough
        return response


class Reservations(ReservationServiceServicer):
    """Holds, all or nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def Reserve(  # noqa: N802  # gRPC's name
        self, request: r.ReserveRequest, context: ServicerContext[Any, Any]
    ) -> r.ReserveResponse:
        """Hold the lines of an order."""
        if request.policy not in _POLICIES or request.HasField("promise_by"):
            await _unserved(context, "policy PARTIAL and promise_by")
        lines: dict[tuple[str, str], int] = {}
        for line in request.lines:
            if line.quantity < 1 or not line.location:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a line needs a location and a quantity above 0")
            key = line.sku, line.location
            lines[key] = lines.get(key, 0) + line.quantity
        if not lines:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no lines")
        now_ms = time.time_ns() // 1_000_000
        asked = tuple((sku, location, units) for (sku, location), units in lines.items())
        hold = Hold(
            request.request_id or str(uuid.uuid4()),
            asked,
            now_ms,
            now_ms + (request.ttl.ToMilliseconds() or TTL_DEFAULT_MS),
        )
        try:
            outcome = await self._store.reserve(hold)
        except ReusedError as error:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, str(error))
        return _held(request, hold, outcome) if outcome.held else _refused(hold, outcome)


class Inventory(InventoryServiceServicer):
    """Receipts in, stock out."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def RecordMovements(  # noqa: N802  # gRPC's name
        self, request: i.RecordMovementsRequest, context: ServicerContext[Any, Any]
    ) -> i.RecordMovementsResponse:
        """Record receipts; other movements are not what is compared."""
        if any(movement.type != i.MOVEMENT_TYPE_RECEIPT for movement in request.movements):
            await _unserved(context, "movements other than receipts")
        receipts = [Receipt(m.source, m.movement_id, m.location, m.sku, m.quantity) for m in request.movements]
        response = i.RecordMovementsResponse()
        for new, on_hand in await self._store.receive(receipts):
            status = i.MOVEMENT_STATUS_APPLIED if new else i.MOVEMENT_STATUS_DUPLICATE
            response.results.add(status=status, on_hand=on_hand)
        return response

    async def GetStock(  # noqa: N802  # gRPC's name
        self,
        request: i.GetStockRequest,
        context: ServicerContext[Any, Any],  # noqa: ARG002  # gRPC's call
    ) -> i.GetStockResponse:
        """Read the units on hand and held."""
        response = i.GetStockResponse()
        rows = await self._store.stock(request.location, request.skus)
        for sku, (on_hand, held) in zip(request.skus, rows, strict=True):
            response.stocks.add(
                sku=sku, location=request.location, on_hand=on_hand, held=held, available=on_hand - held
            )
        return response


def _held(request: r.ReserveRequest, hold: Hold, outcome: Outcome) -> r.ReserveResponse:
    home = min(location for _, location, _ in hold.lines)
    response = r.ReserveResponse(status=r.RESERVE_STATUS_HELD, repeated_request=outcome.repeated)
    reservation = response.reservation
    reservation.name = f"reservations/{hold.request_id}"
    reservation.state = r.RESERVATION_STATE_HELD
    reservation.home_location = home
    reservation.channel, reservation.order = request.channel, request.order
    for sku, location, units in hold.lines:
        response.lines.add(sku=sku, location=location, status=_HELD, requested=units, held=units)
        reservation.lines.add(sku=sku, location=location, held=units, open=units)
    reservation.create_time.FromMilliseconds(outcome.created_ms)
    reservation.update_time.FromMilliseconds(outcome.created_ms)
    reservation.expire_time.FromMilliseconds(outcome.expires_ms)
    return response


def _refused(hold: Hold, outcome: Outcome) -> r.ReserveResponse:
    response = r.ReserveResponse(status=r.RESERVE_STATUS_INSUFFICIENT_STOCK)
    for (sku, location, units), available in zip(hold.lines, outcome.available, strict=True):
        status = _SHORT if available < units else _NOT_HELD
        response.lines.add(sku=sku, location=location, status=status, requested=units, available=max(0, available))
    return response


async def _unserved(context: ServicerContext[Any, Any], what: str) -> NoReturn:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"a peer does not serve {what}")
    raise AssertionError
