"""Short words for the tests of a gateway: the stubs, the requests they make most, and errors taken apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from allocator.v1 import availability_pb2 as availability
from allocator.v1 import inventory_pb2 as inventory
from allocator.v1 import network_pb2 as network
from allocator.v1 import reservation_pb2 as reservation
from allocator.v1.availability_pb2_grpc import AvailabilityServiceStub
from allocator.v1.inventory_pb2_grpc import InventoryServiceStub
from allocator.v1.network_pb2_grpc import NetworkServiceStub
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub
from allocator.v1.sourcing_pb2_grpc import SourcingServiceStub
from tests.support.gateway import fresh

DC, STORE_1, STORE_2 = "locations/dc-1", "locations/store-1", "locations/store-2"
LOCATIONS = (DC, STORE_1, STORE_2)
DOMAIN = "allocator.v1"
M = TypeVar("M", bound=Message)
_VERSION = re.compile(r"version: \d+")


class Api:
    """The services over one channel."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.availability = AvailabilityServiceStub(channel)
        self.reservations = ReservationServiceStub(channel)
        self.inventory = InventoryServiceStub(channel)
        self.network = NetworkServiceStub(channel)
        self.sourcing = SourcingServiceStub(channel)

    def receive(self, sku: str, quantity: int, at: str = DC) -> inventory.RecordMovementsResponse:
        """Record a receipt."""
        return self.record([receipt(sku, quantity, at)])

    def record(self, movements: Iterable[inventory.StockMovement]) -> inventory.RecordMovementsResponse:
        """Record movements."""
        return self.inventory.RecordMovements(make(inventory.RecordMovementsRequest, movements=movements))

    def stocked(self, quantity: int, at: str = DC) -> str:
        """A new SKU with that much on hand."""
        sku = fresh()
        self.receive(sku, quantity, at)
        return sku

    def reserve(self, *lines: tuple[str, int], at: str = DC, **fields: object) -> reservation.ReserveResponse:
        """Reserve at one location."""
        return self.reservations.Reserve(reserve(*lines, at=at, **fields))

    def held(self, *lines: tuple[str, int], at: str = DC, **fields: object) -> reservation.Reservation:
        """A reservation that was granted."""
        response = self.reserve(*lines, at=at, **fields)
        assert response.status == reservation.RESERVE_STATUS_HELD
        return response.reservation

    def commit(self, name: str, **fields: object) -> reservation.CommitReservationResponse:
        """Commit a reservation."""
        return self.reservations.CommitReservation(make(reservation.CommitReservationRequest, name=name, **fields))

    def release(self, name: str, *lines: tuple[str, int], **fields: object) -> reservation.ReleaseReservationResponse:
        """Release a reservation, or some lines of it."""
        request = make(reservation.ReleaseReservationRequest, name=name, lines=line_quantities(lines), **fields)
        return self.reservations.ReleaseReservation(request)

    def fulfil(self, name: str, *lines: tuple[str, int], **fields: object) -> reservation.FulfilReservationResponse:
        """Fulfil a reservation, or some lines of it."""
        request = make(reservation.FulfilReservationRequest, name=name, lines=line_quantities(lines), **fields)
        return self.reservations.FulfilReservation(request)

    def extend(self, name: str, ttl_s: int = 60, **fields: object) -> reservation.ExtendReservationResponse:
        """Extend a hold."""
        request = make(reservation.ExtendReservationRequest, name=name, ttl={"seconds": ttl_s}, **fields)
        return self.reservations.ExtendReservation(request)

    def reservation(self, name: str) -> reservation.Reservation:
        """A reservation as it stands."""
        request = make(reservation.GetReservationRequest, name=name)
        return self.reservations.GetReservation(request).reservation

    def check(self, *lines: tuple[str, int], **fields: object) -> availability.CheckAvailabilityResponse:
        """Check a cart."""
        return self.availability.CheckAvailability(cart(*lines, **fields))

    def available(self, sku: str, at: str = DC, channel: str = "") -> int:
        """What one location can promise."""
        return self.check((sku, 1), locations=[at], channel=channel).lines[0].total

    def stock(self, sku: str, at: str = DC) -> inventory.Stock:
        """Every component of one SKU."""
        request = make(inventory.GetStockRequest, location=at, skus=[sku])
        return self.inventory.GetStock(request).stocks[0]

    def set_policy(self, sku: str, at: str = DC, **line: object) -> inventory.SetStockPolicyResponse:
        """Set the policy of one SKU."""
        request = make(inventory.SetStockPolicyRequest, location=at, lines=[{"sku": sku, **line}])
        return self.inventory.SetStockPolicy(request)

    def everything(self) -> list[str]:
        """The whole state as callers can read it: to see that nothing changed."""
        listed = self.network.ListLocations(make(network.ListLocationsRequest, page_size=1000))
        groups = self.network.ListLocationGroups(make(network.ListLocationGroupsRequest, page_size=1000))
        lanes = self.network.ListLanes(make(network.ListLanesRequest, page_size=1000))
        profiles = self.network.ListSourcingProfiles(make(network.ListSourcingProfilesRequest, page_size=1000))
        found = [str(listed), str(groups), str(lanes), str(profiles)]
        for location in listed.locations:
            request = make(inventory.ListStockRequest, location=location.name, page_size=1000)
            found.append(str(self.inventory.ListStock(request)))
        reservations = make(reservation.ListReservationsRequest, page_size=1000)
        found.append(str(self.reservations.ListReservations(reservations)))
        return found


@dataclass(frozen=True)
class Failure:
    """An error taken apart."""

    code: grpc.StatusCode | int
    reason: str
    message: str
    metadata: dict[str, str]
    fields: list[str] = field(default_factory=list)
    retry_s: float = 0.0


def make(message: Callable[..., M], /, **fields: object) -> M:
    """A message with these fields; nested ones may be dictionaries, which the type stubs do not know."""
    return message(**fields)


def receipt(sku: str, quantity: int, at: str = DC, **fields: object) -> inventory.StockMovement:
    """A receipt with an id of its own."""
    return movement(inventory.MOVEMENT_TYPE_RECEIPT, sku, quantity, at, **fields)


def movement(kind: int, sku: str, quantity: int, at: str = DC, **fields: object) -> inventory.StockMovement:
    """A movement with an id of its own."""
    row = {"source": "//test", "movement_id": fresh("movement"), "location": at, "sku": sku, "quantity": quantity}
    return make(inventory.StockMovement, **{"type": kind, **row, **fields})


def reserve(*lines: tuple[str, int], at: str = DC, **fields: object) -> reservation.ReserveRequest:
    """A request to hold lines at one location, with an id of its own as those of most callers."""
    rows = [{"sku": sku, "quantity": quantity, "location": at} for sku, quantity in lines]
    return make(reservation.ReserveRequest, **{"lines": rows, "request_id": uuid4().hex, **fields})


def cart(*lines: tuple[str, int], **fields: object) -> availability.CheckAvailabilityRequest:
    """A request to check lines."""
    rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    return make(availability.CheckAvailabilityRequest, **{"lines": rows, **fields})


def line_quantities(lines: Iterable[tuple[str, int]]) -> list[reservation.LineQuantity]:
    """Lines of a release or a fulfilment, at the home location."""
    return [make(reservation.LineQuantity, sku=sku, quantity=quantity) for sku, quantity in lines]


def taken(queue: SimpleQueue[M | None]) -> Iterator[M]:
    """What is put into the queue, until None: the requests of a stream that stays open."""
    while (item := queue.get()) is not None:
        yield item


def health(channel: grpc.Channel) -> Any:  # noqa: ANN401  # the stub has no types
    """The health service."""
    return health_pb2_grpc.HealthStub(channel)


def health_request(service: str = "") -> health_pb2.HealthCheckRequest:
    """A question to the health service: about the whole server, or one of its services."""
    return health_pb2.HealthCheckRequest(service=service)


def now() -> Timestamp:
    """The time."""
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp


def failure_of(error: BaseException | None) -> Failure:
    """What an error says; it has exactly one ErrorInfo, of our domain."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # an RpcError of a call is one
    assert status is not None, f"{error} has no details"
    return failure_in(status)


def failure_in(status: status_pb2.Status) -> Failure:
    """What an error inside an answer says."""
    infos = _all(status, error_details_pb2.ErrorInfo)
    assert [info.domain for info in infos] == [DOMAIN]
    fields = [
        violation.field for bad in _all(status, error_details_pb2.BadRequest) for violation in bad.field_violations
    ]
    retries = _all(status, error_details_pb2.RetryInfo)
    retry_s = retries[0].retry_delay.ToTimedelta().total_seconds() if retries else 0.0
    code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
    return Failure(code, infos[0].reason, status.message, dict(infos[0].metadata), fields, retry_s)


def failure(call: Callable[..., object], *args: object, **kwargs: object) -> Failure:
    """What `call` fails with."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*args, **kwargs)
    return failure_of(caught.value)


@contextmanager
def nothing_changes(api: Api, *, versions: bool = True) -> Iterator[None]:
    """What happens inside leaves no trace that a caller could see, except new versions when those do not count."""
    before = api.everything()
    yield
    after = api.everything()
    if not versions:  # a refusal is remembered, and so has a version of its own
        before, after = ([_VERSION.sub("", part) for part in parts] for parts in (before, after))
    assert after == before


def _all(status: status_pb2.Status, cls: type[M]) -> list[M]:
    found = []
    for detail in status.details:
        message = cls()
        if detail.Unpack(message):
            found.append(message)
    return found
