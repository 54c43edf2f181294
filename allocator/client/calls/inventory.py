"""Calls of InventoryService."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from allocator.client import wire
from allocator.client.call import Call, Page, Pages
from allocator.client.calls.supply import KIND, expected, shortage_of, written
from allocator.client.enums import MovementRejection, MovementStatus, MovementType, SetCountStatus
from allocator.client.types.inventory import (
    ChannelQuota,
    CountLine,
    CountResult,
    Movement,
    MovementResult,
    RecordResult,
    Shortage,
    Stock,
    StockPolicy,
    Written,
)
from allocator.client.types.lines import Lines
from allocator.v1 import inventory_pb2 as pb
from allocator.v1.inventory_pb2_grpc import InventoryServiceStub

_TYPE = wire.EnumMap(MovementType, pb.MovementType)
_STATUS = wire.EnumMap(MovementStatus, pb.MovementStatus)
_REJECTION = wire.EnumMap(MovementRejection, pb.MovementRejection)
_COUNT_STATUS = wire.EnumMap(SetCountStatus, pb.SetCountStatus)


def record(movements: Iterable[Movement], *, request_id: str | None = None) -> Call[RecordResult]:
    """Record up to 10,000 movements, of any locations; one that cannot be recorded is REJECTED by itself.

    Args:
        movements: those of one location are recorded in order. They are told apart by source and movement_id,
            so recording them again is safe.
        request_id: only names the call in logs; None makes one.
    """
    request = pb.RecordMovementsRequest(movements=map(_movement, movements), request_id=request_id or "")
    return Call(InventoryServiceStub, "RecordMovements", request, _recorded, writes=True)


def stream_movements(movements: Iterable[Movement]) -> Call[RecordResult]:
    """One batch of a stream; limits as in `record`."""
    batch = record(movements).request
    request = pb.StreamMovementsRequest(batch=batch)  # type: ignore[arg-type]  # `record` makes this message
    return Call(InventoryServiceStub, "StreamMovements", request, lambda answer: _recorded(answer.batch), writes=True)


def set_count(  # noqa: PLR0913  # each is a field of the contract, and all but three have a default
    location: str,
    counts: Lines,
    *,
    as_of: datetime,
    source: str = "",
    reference: str = "",
    reason: str = "",
    expected_version: int = 0,
    validate_only: bool = False,
    request_id: str | None = None,
) -> Call[CountResult]:
    """Set on_hand of up to 10,000 SKUs to what was counted; all or none.

    Args:
        location: where.
        counts: units by SKU, each once.
        as_of: the counts are true as of this time; movements that occurred later are put back on top.
        source: who counted.
        reference: the counting document.
        reason: for the journal and the ERP.
        expected_version: refuse if on_hand of a SKU changed after this version; 0: no check.
        validate_only: report the drift and change nothing.
        request_id: see `reserve`.

    Raises:
        NotFound: the location is unknown, or a SKU was never stocked there.
    """
    request = pb.SetCountRequest(
        location=wire.location_name(location),
        request_id=request_id or "",
        lines=[pb.CountLine(sku=sku, quantity=quantity) for sku, quantity in wire.pairs(counts)],
        as_of_time=wire.timestamp("as_of", as_of),
        source=source,
        reference=reference,
        reason=reason,
        expected_version=expected_version,
        validate_only=validate_only,
    )
    return Call(InventoryServiceStub, "SetCount", request, _counted, writes=True)


def set_policy(
    location: str,
    policies: Iterable[StockPolicy],
    *,
    allow_missing: bool = False,
    request_id: str | None = None,
) -> Call[Written]:
    """Set safety stock and channel quotas and move units between dispositions; all or none.

    Args:
        location: where.
        policies: up to 10,000, each SKU once.
        allow_missing: register SKUs that the location does not stock yet.
        request_id: see `reserve`.

    Raises:
        NotFound: the location is unknown, or without `allow_missing` a SKU.
    """
    request = pb.SetStockPolicyRequest(
        location=wire.location_name(location),
        request_id=request_id or "",
        lines=map(_policy, policies),
        allow_missing=allow_missing,
    )
    return Call(InventoryServiceStub, "SetStockPolicy", request, written, writes=True)


def stock(location: str, skus: Sequence[str]) -> Call[tuple[Stock, ...]]:
    """Read every component of up to 1,000 SKUs at a location from its ledger, all of one version.

    Raises:
        NotFound: the location is unknown, or a SKU was never stocked there.
    """
    request = pb.GetStockRequest(location=wire.location_name(location), skus=skus)
    return Call(InventoryServiceStub, "GetStock", request, lambda answer: tuple(map(_stock, answer.stocks)))


def list_stock(location: str, *, page_size: int = 1_000) -> Pages[Stock]:
    """List the SKUs of a location in the order they were first stocked; each page is of one version.

    Raises:
        NotFound: the location is unknown.
    """

    def call(token: str) -> Call[Page[Stock]]:
        request = pb.ListStockRequest(location=wire.location_name(location), page_size=page_size, page_token=token)
        return Call(InventoryServiceStub, "ListStock", request, _page)

    return Pages(call)


def _movement(movement: Movement) -> pb.StockMovement:
    return pb.StockMovement(
        source=movement.source,
        movement_id=movement.movement_id,
        location=wire.location_name(movement.location),
        sku=movement.sku,
        type=_TYPE.number(movement.type),
        quantity=movement.quantity,
        sequence=movement.sequence,
        disposition=movement.disposition,
        from_disposition=movement.from_disposition,
        reservation=wire.reservation_name(movement.reservation),
        occurred_time=wire.timestamp("occurred_at", movement.occurred_at),
        recorded_time=wire.timestamp("recorded_at", movement.recorded_at),
        reason=movement.reason,
        reference=movement.reference,
        corrects=movement.corrects,
        supply=movement.supply,
        expect_time=wire.timestamp("expect_at", movement.expect_at),
        final=movement.final,
        supply_kind=KIND.number(movement.supply_kind),
    )


def _policy(policy: StockPolicy) -> pb.StockPolicyLine:
    return pb.StockPolicyLine(
        sku=policy.sku,
        safety_stock=policy.safety_stock,
        quotas=None if policy.quotas is None else _quotas(policy.quotas.items()),
        disposition_moves=[
            pb.DispositionMove(
                from_disposition=move.from_disposition,
                to_disposition=move.to_disposition,
                quantity=move.quantity,
            )
            for move in policy.moves
        ],
    )


def _quotas(quotas: Iterable[tuple[str, int]]) -> pb.Quotas:
    return pb.Quotas(quotas=[pb.Quota(channel=channel, quantity=quantity) for channel, quantity in quotas])


def _recorded(message: pb.RecordMovementsResponse) -> RecordResult:
    return RecordResult(tuple(map(_movement_result, message.results)), wire.versions_of(message.versions))


def _movement_result(message: pb.MovementResult) -> MovementResult:
    return MovementResult(
        status=_STATUS.parse(message.status),
        on_hand=message.on_hand,
        rejection=_REJECTION.parse(message.rejection),
        detail=message.detail,
        shortage=_shortage(message),
        supply_shortage=shortage_of(message.supply_shortage) if message.HasField("supply_shortage") else None,
    )


def _shortage(message: pb.MovementResult | pb.CountLineResult) -> Shortage | None:
    return shortage_of(message.shortage) if message.HasField("shortage") else None


def _counted(message: pb.SetCountResponse) -> CountResult:
    return CountResult(
        status=_COUNT_STATUS.parse(message.status),
        lines=tuple(
            CountLine(line.sku, line.counted, line.on_hand_before, line.on_hand_after, line.drift, _shortage(line))
            for line in message.lines
        ),
        versions=wire.versions_of(message.versions),
        repeated=message.repeated_request,
    )


def _stock(message: pb.Stock) -> Stock:
    return Stock(
        sku=message.sku,
        location=wire.plain_id(message.location),
        on_hand=message.on_hand,
        unsellable={part.disposition: part.quantity for part in message.unsellable},
        held=message.held,
        committed=message.committed,
        safety_stock=message.safety_stock,
        quotas=tuple(ChannelQuota(q.channel, q.quota, q.reserved, q.unused) for q in message.quotas),
        available=message.available,
        version=message.version,
        incoming=message.incoming,
        waiting=message.waiting,
        supplies=tuple(map(expected, message.supplies)),
    )


def _page(message: pb.ListStockResponse) -> Page[Stock]:
    return Page(tuple(map(_stock, message.stocks)), message.next_page_token)
