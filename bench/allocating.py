"""Allocate beside plain Reserve on one service, in one run: single-line orders of one unit."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.type.latlng_pb2 import LatLng

from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as pb
from allocator.v1.common_pb2 import FULFILMENT_MODE_SHIP_FROM_STORE
from allocator.v1.network_pb2_grpc import NetworkServiceStub
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub
from allocator.v1.sourcing_pb2 import OrderLine, SourcingOrder
from bench.load import Calls, Load
from bench.load import run as run_load
from bench.pace import ClosedLoop
from bench.registry import Bench, Figures
from bench.service import Service
from bench.stock import receive

LOCATIONS: Final = tuple(f"bench-{number}" for number in range(1, 5))
SKUS: Final = 1_000
PLENTY: Final = 1_000_000
IN_FLIGHT: Final = 64
PROCESSES: Final = 2
WARM_UP_S: Final = 2.0
TTL: Final = Duration(seconds=4 * 3600)
TIMEOUT_S: Final = 30.0
LEVEL: Final = "standard"


def measure(bench: Bench) -> Figures:
    """Both rates, and the one as a share of the other: Reserve, Allocate, Allocate, Reserve, so that drift cancels."""
    folder = bench.folder / "allocate"
    folder.mkdir(parents=True)
    with Service(folder, LOCATIONS) as service:
        _open(service.address)
        cells = ((name, _sku(i), PLENTY) for name in LOCATIONS for i in range(SKUS))
        receive(service.address, cells, bench.tell)
        rates: dict[str, list[float]] = {"reserve": [], "allocate": []}
        for name in ("reserve", "allocate", "allocate", "reserve"):
            rates[name].append(_rate(bench, service.address, name))
    reserve, allocate = (sum(rates[name]) / 2 for name in ("reserve", "allocate"))
    return {
        "reserves_per_s": reserve,
        "allocates_per_s": allocate,
        "allocate_ratio_reserve": allocate / reserve,
    }


def _rate(bench: Bench, address: str, name: str) -> float:
    make = partial(_CALLS[name])
    load = Load(address, make, ClosedLoop(IN_FLIGHT), PROCESSES, WARM_UP_S, bench.seconds / 2)
    bench.tell(f"{name}:")
    measured = run_load(load, bench.tell)
    if measured.errors:
        bench.tell(f"{name}: {measured.errors} errors, {dict(measured.outcomes)}")
    return measured.requests_per_s


def _open(address: str) -> None:
    """One lane from everywhere, and every location on the map."""
    with grpc.insecure_channel(address) as channel:
        network = NetworkServiceStub(channel)
        lane = n.Lane(service_level=LEVEL, parcel_micros=5_000_000, kg_km_micros=700)
        network.CreateLane(n.CreateLaneRequest(lane_id="standard", lane=lane), timeout=TIMEOUT_S)
        for number, name in enumerate(LOCATIONS):
            place = n.Location(name=f"locations/{name}", position=LatLng(latitude=50 + number, longitude=-number))
            network.UpdateLocation(n.UpdateLocationRequest(location=place), timeout=TIMEOUT_S)


class _Orders(Calls):
    """Orders of one unit of a random SKU."""

    def __init__(self, number: int) -> None:
        self._lots = random.Random(number)
        self._stub: Any = None

    def connect(self, channel: grpc.aio.Channel) -> None:
        """Take the channel to send on."""
        self._stub = ReservationServiceStub(channel)


class Reserves(_Orders):
    """At a random location."""

    async def send(self) -> str:
        """Reserve."""
        sku, location = _sku(self._lots.randrange(SKUS)), self._lots.choice(LOCATIONS)
        line = pb.ReserveLine(sku=sku, quantity=1, location=f"locations/{location}")
        request = pb.ReserveRequest(lines=[line], request_id=str(uuid.uuid4()), ttl=TTL)
        answer = await self._stub.Reserve(request, timeout=TIMEOUT_S)
        return pb.ReserveStatus.Name(answer.status)


class Allocates(_Orders):
    """To a random place on the map."""

    async def send(self) -> str:
        """Allocate."""
        line = OrderLine(sku=_sku(self._lots.randrange(SKUS)), quantity=1, unit_weight_grams=500)
        place = LatLng(latitude=self._lots.uniform(50, 54), longitude=self._lots.uniform(-4, 0))
        order = SourcingOrder(
            lines=[line], mode=FULFILMENT_MODE_SHIP_FROM_STORE, service_level=LEVEL, destination=place
        )
        request = pb.AllocateRequest(order=order, request_id=str(uuid.uuid4()), ttl=TTL)
        answer = await self._stub.Allocate(request, timeout=TIMEOUT_S)
        return pb.AllocateStatus.Name(answer.status)


_CALLS: Final[dict[str, Callable[[int], Calls]]] = {"reserve": Reserves, "allocate": Allocates}


def _sku(i: int) -> str:
    return f"allocate-{i:06d}"
