"""Calls of InventoryService about incoming supply."""

from __future__ import annotations

from collections.abc import Iterable

from allocator.client import wire
from allocator.client.call import Call, Page, Pages
from allocator.client.enums import SupplyKind
from allocator.client.types.inventory import ExpectedSupply, Shortage, SupplyLine, Written
from allocator.v1 import inventory_pb2 as pb
from allocator.v1.inventory_pb2_grpc import InventoryServiceStub

KIND = wire.EnumMap(SupplyKind, pb.SupplyKind)


def set_supply(location: str, lines: Iterable[SupplyLine], *, request_id: str | None = None) -> Call[Written]:
    """Announce what a location expects, or replace what was announced; all lines or none.

    Args:
        location: where it will come to.
        lines: up to 10,000, each supply and SKU once; SKUs not stocked yet are registered.
        request_id: see `reserve`.

    Raises:
        NotFound: the location is unknown.
    """
    request = pb.SetSupplyRequest(
        location=wire.location_name(location), request_id=request_id or "", lines=map(_line, lines)
    )
    return Call(InventoryServiceStub, "SetSupply", request, _set, writes=True)


def list_supply(
    location: str, *, sku: str = "", include_ended: bool = False, page_size: int = 1_000
) -> Pages[ExpectedSupply]:
    """List what a location expects, in the order it was first told; each page is of one version.

    Args:
        location: where it will come to.
        sku: only of this SKU.
        include_ended: also what came, was cancelled or will not come, as far as it is remembered.
        page_size: how many at a time.

    Raises:
        NotFound: the location is unknown.
    """

    def call(token: str) -> Call[Page[ExpectedSupply]]:
        request = pb.ListSupplyRequest(
            location=wire.location_name(location),
            sku=sku,
            include_ended=include_ended,
            page_size=page_size,
            page_token=token,
        )
        return Call(InventoryServiceStub, "ListSupply", request, _page)

    return Pages(call)


def written(message: pb.SetStockPolicyResponse) -> Written:
    """The answer to a setting."""
    return Written(wire.versions_of(message.versions), message.repeated_request)


def expected(message: pb.ExpectedSupply) -> ExpectedSupply:
    """Expected units of one SKU."""
    return ExpectedSupply(
        supply=message.supply,
        sku=message.sku,
        kind=KIND.parse(message.kind),
        quantity=message.quantity,
        received=message.received,
        open=message.open,
        expect_at=wire.moment(message.expect_time) if message.HasField("expect_time") else None,
    )


def shortage_of(message: pb.Shortage) -> Shortage:
    """What is missing of a SKU, and for whom."""
    return Shortage(
        sku=message.sku,
        location=wire.plain_id(message.location),
        missing=message.missing,
        reservations=tuple(map(wire.plain_id, message.reservations)),
        reservations_total=message.reservations_total,
    )


def _set(message: pb.SetSupplyResponse) -> Written:
    shortages = tuple(map(shortage_of, message.supply_shortages))
    return Written(wire.versions_of(message.versions), message.repeated_request, shortages)


def _line(line: SupplyLine) -> pb.SupplyLine:
    return pb.SupplyLine(
        supply=line.supply,
        sku=line.sku,
        quantity=line.quantity,
        expect_time=wire.timestamp("expect_at", line.expect_at),
        kind=KIND.number(line.kind),
    )


def _page(message: pb.ListSupplyResponse) -> Page[ExpectedSupply]:
    return Page(tuple(map(expected, message.supplies)), message.next_page_token)
