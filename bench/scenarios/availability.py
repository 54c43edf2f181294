"""Checks of small carts over gRPC: the call that comes thousands of times for every order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import grpc

from allocator.v1 import availability_pb2 as pb
from allocator.v1.availability_pb2_grpc import AvailabilityServiceStub
from bench.errors import BenchError
from bench.load import Calls, Load
from bench.load import run as run_load
from bench.pace import ClosedLoop
from bench.registry import Bench, Figure, Figures, scenario
from bench.scenarios.reserve import figures
from bench.service import Service
from bench.stock import Cell, receive

CARTS: Final = 4_096
"""Different requests a process has made before it starts, so that making them is not measured."""
TIMEOUT_S: Final = 30.0


class Size(NamedTuple):
    """How big the network, the carts and the load are."""

    locations: int = 12
    skus: int = 10_000
    lines: int = 3
    processes: int = 2
    in_flight: int = 128
    warm_up_s: float = 2.0


@scenario(
    "availability",
    Figure("requests_per_s", "carts checked"),
    Figure("p50_ms", "half of them were answered within"),
    Figure("p99_ms", "99 in 100 of them were answered within"),
    Figure("insufficient", "answers that missed stock that is there", exactly=0),
    Figure("errors", "calls that ended in an error"),
)
def measure(bench: Bench) -> Figures:
    """CheckAvailability over gRPC: carts of 3 lines, looked up at 12 locations of 10,000 SKUs each."""
    with Service(bench.folder, _locations(Size())) as service:
        return run(bench, service.address, Size())


def run(bench: Bench, address: str, size: Size) -> Figures:
    """Measure a service with the locations of `size`, whoever serves it.

    Closed loop. Every SKU is at every location, so that every answer is as long as it can get; the generator reads
    each of them.
    """
    receive(address, _opening(size), bench.tell)
    pace = ClosedLoop(size.in_flight)
    load = Load(address, partial(Checks, size), pace, size.processes, size.warm_up_s, bench.seconds)
    measured = run_load(load, bench.tell)
    if not measured.outcomes["sufficient"]:
        raise BenchError(f"no cart was sufficient: {dict(measured.outcomes)}")
    return figures(measured) | {"insufficient": measured.outcomes["insufficient"]}


class Checks(Calls):
    """Checks of random carts at all locations."""

    def __init__(self, size: Size, number: int) -> None:
        lots = random.Random(number)
        self._carts = [_cart(lots, size) for _ in range(CARTS)]
        self._cells = size.lines * size.locations
        self._next = 0
        self._check: Any = None

    def connect(self, channel: grpc.aio.Channel) -> None:
        """Take the channel to send on."""
        self._check = AvailabilityServiceStub(channel).CheckAvailability

    async def send(self) -> str:
        """Check the next cart and read the answer."""
        self._next = (self._next + 1) % CARTS
        answer = await self._check(self._carts[self._next], timeout=TIMEOUT_S)
        cells = sum(len(line.quantities) for line in answer.lines)
        return "sufficient" if answer.sufficient and cells == self._cells else "insufficient"


def _cart(lots: random.Random, size: Size) -> pb.CheckAvailabilityRequest:
    skus = lots.sample(range(size.skus), size.lines)
    return pb.CheckAvailabilityRequest(lines=[pb.AvailabilityLine(sku=_sku(i), quantity=1) for i in skus])


def _opening(size: Size) -> Iterator[Cell]:
    for location in _locations(size):
        for i in range(size.skus):
            yield location, _sku(i), 100


def _locations(size: Size) -> list[str]:
    return [f"bench-{number}" for number in range(1, size.locations + 1)]


def _sku(i: int) -> str:
    return f"check-{i:08d}"
