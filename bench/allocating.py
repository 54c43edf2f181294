"""Allocate beside plain Reserve on one service, in one run: single-line orders of one unit."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import grpc
from google.protobuf.duration_pb2 import Duration

from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as pb
from allocator.v1.common_pb2 import FULFILMENT_MODE_SHIP_FROM_STORE
from allocator.v1.network_pb2_grpc import NetworkServiceStub
from allocator.v1.sourcing_pb2 import OrderLine, SourcingOrder
from bench.answers import first_number, words
from bench.errors import BenchError
from bench.http2 import Call, Calls, Kind
from bench.load import Load
from bench.load import run as run_load
from bench.pace import ClosedLoop
from bench.registry import Bench, Figures
from bench.service import Service
from bench.stock import receive

PLENTY: Final = 1_000_000
TTL: Final = Duration(seconds=4 * 3600)
TIMEOUT_S: Final = 30.0
LEVEL: Final = "standard"
RESERVED: Final = words(pb.ReserveStatus.items())
ALLOCATED: Final = words(pb.AllocateStatus.items())
SERVICE: Final = "/allocator.v1.ReservationService"


class Size(NamedTuple):
    """How big the network and the load are."""

    locations: int = 4
    skus: int = 1_000
    in_flight: int = 64
    processes: int = 2
    warm_up_s: float = 2.0

    @property
    def names(self) -> list[str]:
        """The locations."""
        return [f"bench-{number}" for number in range(1, self.locations + 1)]


def measure(bench: Bench) -> Figures:
    """Both rates on a service of its own."""
    folder = bench.folder / "allocate"
    folder.mkdir(parents=True)
    with Service(folder, Size().names, bench.front) as service:
        return run(bench, service.address, Size())


def run(bench: Bench, address: str, size: Size) -> Figures:
    """Both rates, and the one as a share of the other: Reserve, Allocate, Allocate, Reserve, so that drift cancels."""
    _open(address, size)
    cells = ((name, _sku(i), PLENTY) for name in size.names for i in range(size.skus))
    receive(address, cells, bench.tell)
    rates: dict[str, list[float]] = {"reserve": [], "allocate": []}
    for name in ("reserve", "allocate", "allocate", "reserve"):
        rates[name].append(_rate(bench, address, name, size))
    reserve, allocate = (sum(rates[name]) / 2 for name in ("reserve", "allocate"))
    return {
        "reserves_per_s": reserve,
        "allocates_per_s": allocate,
        "allocate_ratio_reserve": allocate / reserve,
    }


def _rate(bench: Bench, address: str, name: str, size: Size) -> float:
    make = partial(_CALLS[name], size)
    load = Load(address, make, ClosedLoop(size.in_flight), size.processes, size.warm_up_s, bench.seconds / 2)
    measured = run_load(load, lambda text: bench.tell(f"{name}: {text}"))
    if measured.outcomes.keys() != {"HELD"}:
        raise BenchError(f"{name}: not all were held: {dict(measured.outcomes)}")
    return measured.requests_per_s


def _open(address: str, size: Size) -> None:
    """One lane from everywhere, and every location on the map."""
    with grpc.insecure_channel(address) as channel:
        network = NetworkServiceStub(channel)
        lane = n.Lane(service_level=LEVEL, parcel_micros=5_000_000, kg_km_micros=700)
        network.CreateLane(n.CreateLaneRequest(lane_id="standard", lane=lane), timeout=TIMEOUT_S)
        for number, name in enumerate(size.names):
            place = n.Location(name=f"locations/{name}")
            place.position.latitude, place.position.longitude = 50 + number, -number
            network.UpdateLocation(n.UpdateLocationRequest(location=place), timeout=TIMEOUT_S)


class _Orders(Calls):
    """Orders of one unit of a random SKU."""

    def __init__(self, size: Size, number: int) -> None:
        self._size = size
        self._lots = random.Random(number)


class Reserves(_Orders):
    """At a random location."""

    _kind = Kind("reserve", f"{SERVICE}/Reserve", lambda answer, _: RESERVED[first_number(answer)])

    def next(self) -> Call:
        """Reserve."""
        sku, location = _sku(self._lots.randrange(self._size.skus)), self._lots.choice(self._size.names)
        line = pb.ReserveLine(sku=sku, quantity=1, location=f"locations/{location}")
        request = pb.ReserveRequest(lines=[line], request_id=str(uuid.uuid4()), ttl=TTL)
        return Call(self._kind, request.SerializeToString())


class Allocates(_Orders):
    """To a random place on the map."""

    _kind = Kind("allocate", f"{SERVICE}/Allocate", lambda answer, _: ALLOCATED[first_number(answer)])

    def next(self) -> Call:
        """Allocate."""
        line = OrderLine(sku=_sku(self._lots.randrange(self._size.skus)), quantity=1, unit_weight_grams=500)
        order = SourcingOrder(lines=[line], mode=FULFILMENT_MODE_SHIP_FROM_STORE, service_level=LEVEL)
        order.destination.latitude, order.destination.longitude = self._lots.uniform(50, 54), self._lots.uniform(-4, 0)
        request = pb.AllocateRequest(order=order, request_id=str(uuid.uuid4()), ttl=TTL)
        return Call(self._kind, request.SerializeToString())


_CALLS: Final[dict[str, Callable[[Size, int], Calls]]] = {"reserve": Reserves, "allocate": Allocates}


def _sku(i: int) -> str:
    return f"allocate-{i:06d}"
