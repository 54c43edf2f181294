"""Counts, policy and stock between the contract and the core. Movements have a module of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocator.core.commands import GetStock, Lines, PolicyLine, SetCount, SetStockPolicy
from allocator.core.limits import LINES_MAX, QUANTITY_MAX, QUOTAS_PER_SKU_MAX, SKUS_PER_CALL_MAX
from allocator.gateway.errors import too_many
from allocator.gateway.faults import Faults
from allocator.gateway.limits import DISPOSITION_MOVES_MAX, REASON_LENGTH_MAX, SOURCE_LENGTH_MAX
from allocator.gateway.names import location_name
from allocator.gateway.translate_movement import MovementTeller
from allocator.gateway.translate_supply import fill_supply
from allocator.v1.inventory_pb2 import SetCountStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allocator.core.results import CountResult, Done, StockView
    from allocator.v1.inventory_pb2 import (
        DispositionMove,
        GetStockRequest,
        SetCountRequest,
        SetCountResponse,
        SetStockPolicyRequest,
        SetStockPolicyResponse,
        Stock,
        StockPolicyLine,
    )
    from allocator.v1.inventory_pb2 import Quota as WireQuota

VERSION_MAX: Final = 2**63 - 1


def to_count(request: SetCountRequest, request_id: str) -> tuple[str, SetCount]:
    """The location and the command of a SetCount.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    _bound("lines", len(request.lines), LINES_MAX)
    faults = Faults()
    location = faults.name("location", request.location)
    as_of_ns = 0
    if not request.HasField("as_of_time"):
        faults.add("as_of_time", "it must be set")
    elif (as_of_ns := faults.time("as_of_time", request.as_of_time)) == 1:
        faults.add("as_of_time", "it must be after 1970")
    command = SetCount(
        faults.request_id(request_id),
        _counts(request, faults),
        as_of_ns,
        faults.text("source", request.source, SOURCE_LENGTH_MAX),
        faults.text("reference", request.reference, SOURCE_LENGTH_MAX),
        faults.text("reason", request.reason, REASON_LENGTH_MAX),
        faults.units("expected_version", request.expected_version, 0, VERSION_MAX),
        request.validate_only,
    )
    faults.check()
    return location, command


def fill_count(response: SetCountResponse, location: str, result: CountResult, version: int) -> None:
    """Write the answer to a SetCount."""
    response.status = SetCountStatus.ValueType(result.status)
    shortages = {shortage.sku: shortage for shortage in result.shortages}
    teller = MovementTeller()
    for sku, counted, before, after in result.lines:
        line = response.lines.add(
            sku=sku, counted=counted, on_hand_before=before, on_hand_after=after, drift=after - before
        )
        if sku in shortages:
            teller.fill_shortage(line.shortage, location, shortages[sku])
    response.versions.add(location=location_name(location), version=version)
    response.repeated_request = result.repeated


def to_policy(request: SetStockPolicyRequest, request_id: str) -> tuple[str, SetStockPolicy]:
    """The location and the command of a SetStockPolicy.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    _bound("lines", len(request.lines), LINES_MAX)
    faults = Faults()
    location = faults.name("location", request.location)
    faults.request_id(request_id)
    if not request.lines:
        faults.add("lines", f"none; 1 to {LINES_MAX} are needed")
    lines = tuple([_policy_line(line, f"lines[{n}]", faults) for n, line in enumerate(request.lines)])
    _check_once([line.sku for line in lines], lambda n: f"lines[{n}].sku", "this SKU stands there twice", faults)
    faults.check()
    return location, SetStockPolicy(request_id, lines, request.allow_missing)


def fill_policy(response: SetStockPolicyResponse, location: str, result: Done, version: int) -> None:
    """Write the answer to a SetStockPolicy."""
    response.versions.add(location=location_name(location), version=version)
    response.repeated_request = result.repeated
    teller = MovementTeller()
    for shortage in result.shortages:
        teller.fill_shortage(response.shortages.add(), location, shortage)


def to_get_stock(request: GetStockRequest) -> tuple[str, GetStock]:
    """The location and the query of a GetStock.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    _bound("skus", len(request.skus), SKUS_PER_CALL_MAX)
    faults = Faults()
    location = faults.name("location", request.location)
    if not request.skus:
        faults.add("skus", f"none; 1 to {SKUS_PER_CALL_MAX} are needed")
    skus = tuple([faults.id(f"skus[{n}]", sku) for n, sku in enumerate(request.skus)])
    faults.check()
    return location, GetStock(skus)


def fill_stock(message: Stock, location: str, view: StockView, version: int) -> None:
    """Write every component of one SKU."""
    message.sku = view.sku
    message.location = location_name(location)
    message.on_hand = view.on_hand
    for disposition, units in view.unsellable:
        message.unsellable.add(disposition=disposition, quantity=units)
    message.held = view.held
    message.committed = view.committed
    message.safety_stock = view.safety_stock
    for channel, quota, reserved in view.quotas:
        message.quotas.add(channel=channel, quota=quota, reserved=reserved, unused=max(0, quota - reserved))
    message.available = view.available
    message.version = version
    message.incoming = view.incoming
    message.waiting = view.waiting
    for supply in view.supplies:
        fill_supply(message.supplies.add(), supply)


def _counts(request: SetCountRequest, faults: Faults) -> Lines:
    if not request.lines:
        faults.add("lines", f"none; 1 to {LINES_MAX} are needed")
    lines = []
    for n, line in enumerate(request.lines):
        sku = faults.id(f"lines[{n}].sku", line.sku)
        lines.append((sku, faults.units(f"lines[{n}].quantity", line.quantity, 0, QUANTITY_MAX)))
    problem = "this SKU is counted twice; counts are absolute and cannot be summed"
    _check_once([sku for sku, _ in lines], lambda n: f"lines[{n}].sku", problem, faults)
    return tuple(lines)


def _policy_line(line: StockPolicyLine, field: str, faults: Faults) -> PolicyLine:
    safety_stock = None
    if line.HasField("safety_stock"):
        safety_stock = faults.units(f"{field}.safety_stock", line.safety_stock, 0, QUANTITY_MAX)
    quotas = _quotas(line.quotas.quotas, f"{field}.quotas.quotas", faults) if line.HasField("quotas") else None
    moves = _moves(line.disposition_moves, f"{field}.disposition_moves", faults)
    return PolicyLine(faults.id(f"{field}.sku", line.sku), safety_stock, quotas, moves)


def _quotas(quotas: Sequence[WireQuota], field: str, faults: Faults) -> Lines:
    _bound(field, len(quotas), QUOTAS_PER_SKU_MAX)
    pairs = []
    for n, quota in enumerate(quotas):
        channel = faults.id(f"{field}[{n}].channel", quota.channel)
        pairs.append((channel, faults.units(f"{field}[{n}].quantity", quota.quantity, 0, QUANTITY_MAX)))
    channels = [channel for channel, _ in pairs]
    _check_once(channels, lambda n: f"{field}[{n}].channel", "this channel stands there twice", faults)
    return tuple(pairs)


def _moves(moves: Sequence[DispositionMove], field: str, faults: Faults) -> tuple[tuple[str, str, int], ...]:
    _bound(field, len(moves), DISPOSITION_MOVES_MAX)
    taken = []
    for n, move in enumerate(moves):
        source = faults.optional_id(f"{field}[{n}].from_disposition", move.from_disposition)
        target = faults.optional_id(f"{field}[{n}].to_disposition", move.to_disposition)
        if source == target:
            faults.add(f"{field}[{n}].from_disposition", "it must differ from to_disposition")
        taken.append((source, target, faults.units(f"{field}[{n}].quantity", move.quantity, 1, QUANTITY_MAX)))
    return tuple(taken)


def _bound(field: str, count: int, most: int) -> None:
    if count > most:
        raise too_many(field, count, most)


def _check_once(values: Sequence[str], field: Callable[[int], str], problem: str, faults: Faults) -> None:
    if len(set(values)) == len(values):
        return
    seen: set[str] = set()
    for n, value in enumerate(values):
        if value in seen:
            faults.add(field(n), problem)
        seen.add(value)
