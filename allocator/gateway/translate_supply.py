"""Incoming supply between the contract and the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocator.core.commands import SetSupply, SupplyKind, SupplyLine
from allocator.core.limits import LINES_MAX, QUANTITY_MAX
from allocator.gateway.errors import too_many
from allocator.gateway.faults import Faults
from allocator.gateway.names import location_name
from allocator.gateway.times import timestamp
from allocator.gateway.translate_movement import MovementTeller
from allocator.v1.inventory_pb2 import SupplyKind as WireKind

if TYPE_CHECKING:
    from allocator.core.results import Done, SupplyView
    from allocator.v1.inventory_pb2 import ExpectedSupply, ListSupplyRequest, SetSupplyRequest, SetSupplyResponse
    from allocator.v1.inventory_pb2 import SupplyLine as WireLine

_KINDS: Final = frozenset((0, *(kind.value for kind in SupplyKind)))


def to_supply(request: SetSupplyRequest, request_id: str) -> tuple[str, SetSupply]:
    """The location and the command of a SetSupply.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    count = len(request.lines)
    if count > LINES_MAX:
        raise too_many("lines", count, LINES_MAX)
    faults = Faults()
    location = faults.name("location", request.location)
    faults.request_id(request_id)
    if not count:
        faults.add("lines", f"none; 1 to {LINES_MAX} are needed")
    seen: set[tuple[str, str]] = set()
    for n, line in enumerate(request.lines):
        if (line.supply, line.sku) in seen:
            faults.add(f"lines[{n}].sku", "this SKU stands there twice for the supply")
        seen.add((line.supply, line.sku))
    lines = tuple([_line(line, f"lines[{n}]", faults) for n, line in enumerate(request.lines)])
    faults.check()
    return location, SetSupply(request_id, lines)


def fill_set(response: SetSupplyResponse, location: str, result: Done, version: int) -> None:
    """Write the answer to a SetSupply."""
    response.versions.add(location=location_name(location), version=version)
    response.repeated_request = result.repeated
    teller = MovementTeller()
    for shortage in result.supply_shortages:
        teller.fill_shortage(response.supply_shortages.add(), location, shortage)


def to_filter(request: ListSupplyRequest) -> tuple[str, str]:
    """The location and the SKU that a ListSupply asks for.

    Raises:
        ApiError: INVALID.
    """
    faults = Faults()
    location = faults.name("location", request.location)
    sku = faults.optional_id("sku", request.sku)
    faults.check()
    return location, sku


def fill_supply(message: ExpectedSupply, view: SupplyView) -> None:
    """Write what is expected of one SKU."""
    message.supply = view.supply
    message.sku = view.sku
    message.kind = WireKind.ValueType(view.kind)
    message.quantity = view.quantity
    message.received = view.received
    message.open = view.open
    if view.expect_ns:
        message.expect_time.CopyFrom(timestamp(view.expect_ns))


def _line(line: WireLine, field: str, faults: Faults) -> SupplyLine:
    quantity = faults.units(f"{field}.quantity", line.quantity, 0, QUANTITY_MAX)
    if quantity and not line.HasField("expect_time"):
        faults.add(f"{field}.expect_time", "it must be set for units that are expected")
    return SupplyLine(
        faults.id(f"{field}.supply", line.supply),
        faults.id(f"{field}.sku", line.sku),
        quantity,
        faults.time(f"{field}.expect_time", line.expect_time) if line.HasField("expect_time") else 0,
        faults.choice(f"{field}.kind", line.kind, _KINDS),
    )
