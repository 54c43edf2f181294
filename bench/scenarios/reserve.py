"""Single-line reserves over gRPC, each durable before it is answered, and a recount of who got what."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any, Final, NamedTuple

import grpc
import numpy as np
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from allocator.v1 import reservation_pb2 as pb
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub
from bench.load import Calls, Load, Measured
from bench.load import run as run_load
from bench.pace import ClosedLoop
from bench.registry import Bench, Figure, Figures, scenario
from bench.service import Service
from bench.stock import Cell, held_units, receive

PLENTY: Final = 1_000_000
SCARCE: Final = 1
SCARCE_EVERY: Final = 100
"""Of one SKU in a hundred there is a single unit, so that refusals are among what is measured."""
TTL_S: Final = 4 * 3600
TIMEOUT_S: Final = 30.0


class Size(NamedTuple):
    """How big the network and the load are."""

    locations: int = 4
    skus: int = 10_000
    processes: int = 2
    in_flight: int = 128
    warm_up_s: float = 2.0


@scenario(
    "reserve",
    Figure("requests_per_s", "reserves answered, held or refused"),
    Figure("p50_ms", "half of them were answered within"),
    Figure("p99_ms", "99 in 100 of them were answered within"),
    Figure("refused_per_s", "of them refused: there was too little"),
    Figure("oversold", "units promised beyond what was there", exactly=0),
    Figure("lost", "units acknowledged that the ledgers do not hold", exactly=0),
    Figure("errors", "calls that ended in an error"),
)
def measure(bench: Bench) -> Figures:
    """Single-line reserves over gRPC, uniform over 10,000 SKUs at 4 locations, each fsynced before its answer."""
    with Service(bench.folder, _locations(Size())) as service:
        return run(bench, service.address, Size())


def run(bench: Bench, address: str, size: Size) -> Figures:
    """Measure a service with the locations of `size`, whoever serves it.

    Closed loop: a fixed number of calls is always under way. Afterwards every SKU is recounted: what callers were
    told they hold, against what was there and against what the ledgers say is held.
    """
    receive(address, _opening(size), bench.tell)
    pace = ClosedLoop(size.in_flight)
    load = Load(address, partial(Reserves, size), pace, size.processes, size.warm_up_s, bench.seconds)
    measured = run_load(load, bench.tell)
    bench.tell("recounting")
    return (
        figures(measured)
        | _recount(address, size, sum(measured.tallies))
        | {
            "refused_per_s": measured.outcomes["INSUFFICIENT_STOCK"] / (size.warm_up_s + bench.seconds),
        }
    )


def figures(measured: Measured) -> Figures:
    """What every load over gRPC tells."""
    return {
        "requests_per_s": measured.requests_per_s,
        "p50_ms": measured.percentile_ms(50),
        "p99_ms": measured.percentile_ms(99),
        "errors": measured.errors,
    }


class Reserves(Calls):
    """Reserves of one unit of a random SKU at a random location; counts by location and SKU what is held."""

    def __init__(self, size: Size, number: int) -> None:
        self._size = size
        self._lots = random.Random(number)
        self._skus = [_sku(i) for i in range(size.skus)]
        self._locations = [f"locations/{name}" for name in _locations(size)]
        self._held: NDArray[np.int64] = np.zeros((size.locations, size.skus), dtype=np.int64)
        self._reserve: Any = None

    def connect(self, channel: grpc.aio.Channel) -> None:
        """Take the channel to send on."""
        self._reserve = ReservationServiceStub(channel).Reserve

    async def send(self) -> str:
        """Reserve, and note what is held."""
        place, sku = self._lots.randrange(self._size.locations), self._lots.randrange(self._size.skus)
        line = pb.ReserveLine(sku=self._skus[sku], quantity=1, location=self._locations[place])
        request = pb.ReserveRequest(lines=[line], request_id=str(uuid.uuid4()), ttl=Duration(seconds=TTL_S))
        answer = await self._reserve(request, timeout=TIMEOUT_S)
        if answer.status == pb.RESERVE_STATUS_HELD:
            self._held[place, sku] += 1
        return pb.ReserveStatus.Name(answer.status).removeprefix("RESERVE_STATUS_")

    def tally(self) -> NDArray[np.int64]:
        """Units held by location and SKU, int64."""
        return self._held


def _opening(size: Size) -> Iterator[Cell]:
    for location in _locations(size):
        for i in range(size.skus):
            yield location, _sku(i), _units(i)


def _recount(address: str, size: Size, acknowledged: NDArray[np.int64]) -> Figures:
    oversold = lost = 0
    skus = [_sku(i) for i in range(size.skus)]
    opening = np.array([_units(i) for i in range(size.skus)], dtype=np.int64)
    for location, told in zip(_locations(size), acknowledged, strict=True):
        on_hand, held = (np.array(column, dtype=np.int64) for column in held_units(address, location, skus))
        oversold += int(np.maximum(np.maximum(told, held) - np.minimum(opening, on_hand), 0).sum())
        lost += int(np.maximum(told - held, 0).sum())
    return {"oversold": oversold, "lost": lost}


def _units(i: int) -> int:
    return SCARCE if i % SCARCE_EVERY == 0 else PLENTY


def _locations(size: Size) -> list[str]:
    return [f"bench-{number}" for number in range(1, size.locations + 1)]


def _sku(i: int) -> str:
    return f"reserve-{i:08d}"
