"""The fake's InventoryService and AvailabilityService."""
# ruff: noqa: ANN401, ARG002, N802 - gRPC names the methods, and hands each a context whether it wants one or not.

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
from google.rpc import error_details_pb2

from allocator.v1 import availability_pb2, common_pb2
from allocator.v1 import inventory_pb2 as pb
from allocator.v1.availability_pb2_grpc import AvailabilityServiceServicer
from allocator.v1.inventory_pb2_grpc import InventoryServiceServicer
from tests.unit.client.fake_state import Refusal, State, available, page

_SIGN = {1: 1, 2: -1, 3: 1, 4: 1, 5: -1, 6: 1, 7: 0, 9: -1}


class FakeInventory(InventoryServiceServicer):
    """Movements add up; counts replace."""

    def __init__(self, state: State) -> None:
        self._state = state

    def RecordMovements(self, request: pb.RecordMovementsRequest, context: Any) -> pb.RecordMovementsResponse:
        """Record a batch."""
        return self._record(request)

    def StreamMovements(self, request_iterator: Any, context: Any) -> Iterator[pb.StreamMovementsResponse]:
        """Record batches."""
        for request in request_iterator:
            with self._state.lock:
                answer = self._record(request.batch)
            yield pb.StreamMovementsResponse(batch=answer)

    def SetCount(self, request: pb.SetCountRequest, context: Any) -> pb.SetCountResponse:
        """Set on_hand."""
        results = []
        for line in request.lines:
            stock = self._state.stock_of(request.location, line.sku)
            before = stock.on_hand
            if not request.validate_only:
                stock.on_hand = line.quantity
            results.append(
                pb.CountLineResult(
                    sku=line.sku,
                    counted=line.quantity,
                    on_hand_before=before,
                    on_hand_after=line.quantity,
                    drift=line.quantity - before,
                )
            )
        done = "VALIDATED" if request.validate_only else "APPLIED"
        return pb.SetCountResponse(
            status=pb.SetCountStatus.Value(f"SET_COUNT_STATUS_{done}"),
            lines=results,
            versions=self._state.version_list([request.location]),
        )

    def SetStockPolicy(self, request: pb.SetStockPolicyRequest, context: Any) -> pb.SetStockPolicyResponse:
        """Set safety stock and quotas."""
        stocks = self._state.stock[self._state.known(request.location)]
        for line in request.lines:
            if request.allow_missing:
                stocks.setdefault(line.sku, pb.Stock(sku=line.sku, location=request.location))
            stock = self._state.stock_of(request.location, line.sku)
            if line.HasField("safety_stock"):
                stock.safety_stock = line.safety_stock
            if line.HasField("quotas"):
                del stock.quotas[:]
                for quota in line.quotas.quotas:
                    stock.quotas.add(channel=quota.channel, quota=quota.quantity, unused=quota.quantity)
        self._state.bump(request.location)
        return pb.SetStockPolicyResponse(versions=self._state.version_list([request.location]))

    def GetStock(self, request: pb.GetStockRequest, context: Any) -> pb.GetStockResponse:
        """Read some."""
        return pb.GetStockResponse(
            stocks=[self._now(self._state.stock_of(request.location, sku)) for sku in request.skus]
        )

    def ListStock(self, request: pb.ListStockRequest, context: Any) -> pb.ListStockResponse:
        """Read a page."""
        stocks = list(self._state.stock[self._state.known(request.location)].values())
        items, token = page(stocks, request.page_size, request.page_token)
        return pb.ListStockResponse(stocks=map(self._now, items), next_page_token=token)

    def SetSupply(self, request: pb.SetSupplyRequest, context: Any) -> pb.SetSupplyResponse:
        """Announce supply: it is kept with the stock of its SKU."""
        stocks = self._state.stock[self._state.known(request.location)]
        for line in request.lines:
            stock = stocks.setdefault(line.sku, pb.Stock(sku=line.sku, location=request.location))
            told = stock.supplies.add(supply=line.supply, sku=line.sku, kind=line.kind or 1)
            told.quantity = told.open = line.quantity
            told.expect_time.CopyFrom(line.expect_time)
            stock.incoming += line.quantity
        self._state.bump(request.location)
        return pb.SetSupplyResponse(versions=self._state.version_list([request.location]))

    def ListSupply(self, request: pb.ListSupplyRequest, context: Any) -> pb.ListSupplyResponse:
        """Read a page of supply."""
        stocks = self._state.stock[self._state.known(request.location)].values()
        supplies = [told for stock in stocks if request.sku in ("", stock.sku) for told in stock.supplies]
        items, token = page(supplies, request.page_size, request.page_token)
        return pb.ListSupplyResponse(supplies=items, next_page_token=token)

    def _now(self, stock: pb.Stock) -> pb.Stock:
        stock.available, stock.version = available(stock), self._state.versions[stock.location]
        return stock

    def _record(self, batch: pb.RecordMovementsRequest) -> pb.RecordMovementsResponse:
        if not batch.movements:
            violation = error_details_pb2.BadRequest.FieldViolation(field="movements", description="at least 1")
            raise Refusal(
                grpc.StatusCode.INVALID_ARGUMENT,
                "the request is malformed",
                error_details_pb2.ErrorInfo(reason="INVALID", domain="allocator.v1"),
                error_details_pb2.BadRequest(field_violations=[violation]),
            )
        results = [self._recorded(movement) for movement in batch.movements]
        names = sorted({movement.location for movement in batch.movements} & self._state.locations.keys())
        for name in names:
            self._state.bump(name)
        return pb.RecordMovementsResponse(results=results, versions=self._state.version_list(names))

    def _recorded(self, movement: pb.StockMovement) -> pb.MovementResult:
        if movement.location not in self._state.locations:
            return pb.MovementResult(
                status=pb.MovementStatus.MOVEMENT_STATUS_REJECTED,
                rejection=pb.MovementRejection.MOVEMENT_REJECTION_LOCATION_UNKNOWN,
                detail=f"there is no {movement.location!r}",
            )
        if movement.location in self._state.stopped:
            return pb.MovementResult(
                status=pb.MovementStatus.MOVEMENT_STATUS_REJECTED,
                rejection=pb.MovementRejection.MOVEMENT_REJECTION_LOCATION_STOPPED,
                detail=f"{movement.location} stands still",
            )
        stocks = self._state.stock[movement.location]
        stock = stocks.setdefault(movement.sku, pb.Stock(sku=movement.sku, location=movement.location))
        key = (movement.source, movement.movement_id)
        if key in self._state.movements:
            status = pb.MovementStatus.MOVEMENT_STATUS_DUPLICATE
        else:
            self._state.movements.add(key)
            status = pb.MovementStatus.MOVEMENT_STATUS_APPLIED
            stock.on_hand += _SIGN.get(movement.type, 0) * movement.quantity
        result = pb.MovementResult(status=status, on_hand=stock.on_hand)
        missing = stock.held + stock.committed - stock.on_hand
        if missing > 0:
            result.shortage.CopyFrom(
                pb.Shortage(
                    sku=stock.sku,
                    location=stock.location,
                    missing=missing,
                    reservations=list(self._state.reservations)[:1],
                    reservations_total=1,
                )
            )
        return result


class FakeAvailability(AvailabilityServiceServicer):
    """Reads what the others wrote."""

    def __init__(self, state: State) -> None:
        self._state = state

    def CheckAvailability(
        self, request: availability_pb2.CheckAvailabilityRequest, context: Any
    ) -> availability_pb2.CheckAvailabilityResponse:
        """Check a cart."""
        names = self._names(request)
        lines = [self._line(line, names) for line in request.lines]
        return availability_pb2.CheckAvailabilityResponse(
            sufficient=all(line.sufficient for line in lines),
            lines=lines,
            versions=self._state.version_list(names),
            ages=self._ages(names),
        )

    def BatchGetAvailability(
        self, request: availability_pb2.BatchGetAvailabilityRequest, context: Any
    ) -> availability_pb2.BatchGetAvailabilityResponse:
        """Read a matrix."""
        names = self._names(request)
        cells = np.array([[self._units(name, sku) for name in names] for sku in request.skus], dtype="<i8")
        known = {sku for stocks in self._state.stock.values() for sku in stocks}
        return availability_pb2.BatchGetAvailabilityResponse(
            skus=request.skus,
            locations=names,
            cells=cells.tobytes(),
            unknown_skus=[sku for sku in request.skus if sku not in known],
            versions=self._state.version_list(names),
            ages=self._ages(names),
        )

    def WatchAvailability(
        self, request: availability_pb2.WatchAvailabilityRequest, context: Any
    ) -> Iterator[availability_pb2.WatchAvailabilityResponse]:
        """Tell the full picture of locations that moved since, then stay open."""
        seen = {resume.location: resume.version for resume in request.resume_versions}
        names = [name for name in self._names(request) if seen.get(name) != self._state.versions[name]]
        if names:
            yield availability_pb2.WatchAvailabilityResponse(
                changes=[
                    availability_pb2.AvailabilityChange(sku=sku, location=name, available=self._units(name, sku))
                    for name in names
                    for sku in request.skus
                ],
                versions=self._state.version_list(names),
                snapshot=not seen,
            )
        self._state.closing.wait(timeout=30)

    def QueryAvailability(self, request_iterator: Any, context: Any) -> Iterator[Any]:
        """Answer checks, each with its answer or its error."""
        for request in request_iterator:
            try:
                with self._state.lock:
                    answer = self.CheckAvailability(request.check, context)
            except Refusal as refusal:
                yield availability_pb2.QueryAvailabilityResponse(error=refusal.status())
            else:
                yield availability_pb2.QueryAvailabilityResponse(check=answer)

    def _names(self, request: Any) -> list[str]:
        if request.location_group:
            return list(self._state.groups[request.location_group].locations)
        return [self._state.known(name) for name in request.locations] or sorted(self._state.locations)

    def _line(self, line: availability_pb2.AvailabilityLine, names: list[str]) -> availability_pb2.CheckedLine:
        units = {name: self._units(name, line.sku) for name in names}
        return availability_pb2.CheckedLine(
            sku=line.sku,
            requested=line.quantity,
            sufficient=sum(units.values()) >= line.quantity,
            total=sum(units.values()),
            quantities=[
                availability_pb2.LocationQuantity(location=name, available=left) for name, left in units.items() if left
            ],
        )

    def _units(self, name: str, sku: str) -> int:
        stock = self._state.stock[name].get(sku)
        return available(stock) if stock is not None else 0

    def _ages(self, names: list[str]) -> list[common_pb2.LocationAge]:
        ages = [common_pb2.LocationAge(location=name) for name in names]
        for age in ages:
            age.age.FromMicroseconds(1_500)
        return ages
