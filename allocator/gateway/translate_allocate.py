"""Allocate, transfer and reject between the contract and the core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocator.core import codec
from allocator.core.limits import NS_PER_S, TTL_DEFAULT_NS, TTL_MAX_NS, TTL_MIN_NS
from allocator.gateway.translate_spanning import fill_opened_reservation
from allocator.v1.common_pb2 import FulfilmentMode
from allocator.v1.reservation_pb2 import AllocateRequest, AllocateResponse
from allocator.v1.sourcing_pb2 import SourcingOrder

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from allocator.core.protocol.answers import OpenResult
    from allocator.core.protocol.coordinator import Terms
    from allocator.core.protocol.types import Asked
    from allocator.gateway.faults import Faults

PICKUP_WINDOW_MIN_S: Final = 60
PICKUP_WINDOW_MAX_S: Final = 60 * 86_400


def ttl_of(request: AllocateRequest, faults: Faults) -> int:
    """How long to hold, ns."""
    if not request.HasField("ttl"):
        return TTL_DEFAULT_NS
    return faults.length("ttl", request.ttl, TTL_MIN_NS // NS_PER_S, TTL_MAX_NS // NS_PER_S)


def pickup_window_ns(request: AllocateRequest, faults: Faults) -> int:
    """How long units wait for the customer, ns; 0 for ever."""
    if not request.HasField("pickup_window"):
        return 0
    if request.order.mode != FulfilmentMode.FULFILMENT_MODE_PICKUP:
        faults.add("pickup_window", "it is for mode PICKUP only")
    return faults.length("pickup_window", request.pickup_window, PICKUP_WINDOW_MIN_S, PICKUP_WINDOW_MAX_S)


def asked_of(request: Message) -> Asked:
    """The call as the caller made it, field by field: what a repeat has to ask for again."""
    fields: list[tuple[str, str]] = [("method", type(request).__name__.removesuffix("Request"))]
    for field, value in request.ListFields():
        if field.name not in {"request_id", "name"}:
            fields.append((field.name, _text(value)))
    return tuple(fields)


def kept(response: AllocateResponse, order: SourcingOrder) -> bytes:
    """What the home keeps: the answer for a repeat, and the order, to source again what a location declines."""
    return codec.pack((response.SerializeToString(), order.SerializeToString(deterministic=True)))


def order_kept(answer: bytes) -> SourcingOrder | None:
    """The order that was kept with a reservation; None when it was not sourced."""
    if not answer:
        return None
    try:
        _, order = codec.unpack(answer)
        return SourcingOrder.FromString(order)
    except ValueError:  # a reserve at named locations keeps its answer only
        return None


def fill_allocated(response: AllocateResponse, terms: Terms, result: OpenResult, version: int) -> None:
    """Write the home's answer into `response`."""
    told, _ = codec.unpack(result.answer)
    response.MergeFromString(told)
    response.repeated_request = result.repeated
    if result.parts:
        fill_opened_reservation(response.reservation, terms.home, result, terms.channel, terms.order)
        response.reservation.version = version


def _text(value: Any) -> str:  # noqa: ANN401  # a field of any message
    return " ".join(str(value).split()) or "set"
