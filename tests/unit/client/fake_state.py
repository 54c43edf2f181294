"""What the fake server knows."""
# ruff: noqa: ANN401 - requests and answers of many kinds.

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import code_pb2, error_details_pb2, status_pb2

from allocator.v1 import common_pb2, inventory_pb2, network_pb2, reservation_pb2


class Refusal(Exception):  # noqa: N818  # it is how the fake says no
    """An error to answer with."""

    def __init__(self, code: grpc.StatusCode, message: str, *details: Message) -> None:
        super().__init__(code, message, *details)
        self.code, self.message, self.details = code, message, details

    def status(self) -> status_pb2.Status:
        """The error inside an answer."""
        status = status_pb2.Status(code=code_pb2.Code.Value(self.code.name), message=self.message)
        for detail in self.details:
            status.details.add().Pack(detail)
        return status


@dataclass
class State:
    """Locations with their stock, and everything else by name."""

    locations: dict[str, network_pb2.Location] = field(default_factory=dict)
    groups: dict[str, network_pb2.LocationGroup] = field(default_factory=dict)
    lanes: dict[str, network_pb2.Lane] = field(default_factory=dict)
    profiles: dict[str, network_pb2.SourcingProfile] = field(default_factory=dict)
    stock: dict[str, dict[str, inventory_pb2.Stock]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    reservations: dict[str, reservation_pb2.Reservation] = field(default_factory=dict)
    answers: dict[str, tuple[bytes, Any]] = field(default_factory=dict)
    movements: set[tuple[str, str]] = field(default_factory=set)
    capacities: dict[str, network_pb2.Capacity] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    stopped: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)

    def add(self, location: str, **on_hand: int) -> State:
        """Add a location with stock."""
        name = f"locations/{location}"
        self.locations[name] = network_pb2.Location(
            name=name,
            kind=network_pb2.LocationKind.LOCATION_KIND_STORE,
            state=network_pb2.LocationState.LOCATION_STATE_OPEN,
        )
        self.versions[name] = 1
        self.stock[name] = {
            sku: inventory_pb2.Stock(sku=sku, location=name, on_hand=units) for sku, units in on_hand.items()
        }
        return self

    def bump(self, location: str) -> None:
        """Close a batch at a location."""
        self.versions[location] += 1

    def known(self, location: str) -> str:
        """The location, if there is one."""
        if location not in self.locations:
            info = error_details_pb2.ErrorInfo(
                reason="LOCATION_UNKNOWN",
                domain="allocator.v1",
                metadata={"location": location.partition("/")[2]},
            )
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"there is no {location!r}", info)
        return location

    def stock_of(self, location: str, sku: str) -> inventory_pb2.Stock:
        """The stock of a SKU, if there is any."""
        stock = self.stock[self.known(location)].get(sku)
        if stock is None:
            info = error_details_pb2.ErrorInfo(reason="SKU_UNKNOWN", domain="allocator.v1", metadata={"sku": sku})
            raise Refusal(grpc.StatusCode.NOT_FOUND, f"SKU {sku!r} was never stocked at {location}", info)
        return stock

    def version_list(self, locations: Iterable[str]) -> list[common_pb2.LocationVersion]:
        """Versions as the contract has them."""
        return [common_pb2.LocationVersion(location=name, version=self.versions[name]) for name in locations]

    def first_answer(self, request: Any) -> Any:
        """The answer that the request id got before, if any."""
        before = self.answers.get(request.request_id)
        if before is None:
            return None
        content, answer = before
        if content != request.SerializeToString(deterministic=True):
            info = error_details_pb2.ErrorInfo(
                reason="REQUEST_ID_REUSED", domain="allocator.v1", metadata={"field": "lines"}
            )
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, "the request id was used for other content", info)
        again = type(answer)()
        again.CopyFrom(answer)
        again.repeated_request = True
        return again

    def remember(self, request: Any, answer: Any) -> Any:
        """Keep an answer for its request id."""
        self.answers[request.request_id] = (request.SerializeToString(deterministic=True), answer)
        return answer


def available(stock: inventory_pb2.Stock) -> int:
    """Units that can be promised."""
    return max(0, stock.on_hand - stock.held - stock.committed - stock.safety_stock)


def page(items: Sequence[Any], size: int, token: str) -> tuple[Sequence[Any], str]:
    """A page and the token of the next."""
    start, size = int(token or 0), size or 100
    end = start + size
    return items[start:end], str(end) if end < len(items) else ""


def moment(seconds: int) -> Timestamp:
    """A time."""
    return Timestamp(seconds=seconds)
