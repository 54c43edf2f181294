"""Checks and reserves together, as shops send them: hundreds of looks for each order."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from allocator.v1 import reservation_pb2 as pb
from bench.answers import first_number, words
from bench.http2 import Call, Calls, Kind, Mix
from bench.load import Load
from bench.load import run as run_load
from bench.measured import Measured
from bench.pace import ClosedLoop, OpenLoop
from bench.registry import Bench, Figure, Figures, scenario
from bench.scenarios import availability
from bench.scenarios.availability import UNITS, Checks, locations, sku_name
from bench.service import Service
from bench.stock import Cell, held_units, receive

RESERVE: Final = "/allocator.v1.ReservationService/Reserve"
STATUSES: Final = words(pb.ReserveStatus.items())
TTL: Final = Duration(seconds=4 * 3600)
KINDS: Final = ("check", "reserve")


class Size(NamedTuple):
    """How big the network and the load are.

    Attributes:
        carts: what is checked.
        checks: for each reserve.
        scarce: SKUs of which every location has one unit; half of the reserves are of them, and no check is.
    """

    carts: availability.Size = availability.Size()
    checks: int = 700
    scarce: int = 10


@scenario(
    "mixed",
    Figure("requests_per_s", "calls of both kinds answered, 128 under way"),
    *(
        Figure(f"full_{kind}_p{part}_ms", f"{part} in 100 of its {kind}s took less")
        for kind in KINDS
        for part in (50, 99)
    ),
    *(
        Figure(f"{kind}_p{part}_ms", f"on schedule at half of the rate, {part} in 100 {kind}s took less")
        for kind in KINDS
        for part in (50, 99)
    ),
    Figure("late_ms", "99 in 100 calls of the schedule were taken up by the generator within"),
    Figure("reserves", "reserves answered in both parts"),
    Figure("refused", "of them refused: the unit was gone"),
    Figure("insufficient", "checks that missed stock that is there", exactly=0),
    Figure("oversold", "units promised beyond what was there", exactly=0),
    Figure("lost", "units acknowledged that the ledgers do not hold", exactly=0),
    Figure("errors", "calls that ended in an error"),
)
def measure(bench: Bench) -> Figures:
    """700 checks of 3 lines at 12 locations for each durable reserve: at full speed, and at half of it on schedule."""
    size = Size()
    with Service(bench.folder / "service", locations(size.carts.locations), bench.front) as service:
        return run(bench, service.address, size)


def run(bench: Bench, address: str, size: Size) -> Figures:
    """Measure a service with the locations of `size`: closed loop, then on schedule, each for the time given.

    Reserves are few, so their percentiles need time: at 10,000 calls/s it is 14 of them each second.
    """
    receive(address, chain(availability.opening(size.carts), _opening(size)), bench.tell)
    carts = size.carts
    pace = ClosedLoop(carts.in_flight)
    load = Load(address, partial(_mix, size, 0), pace, carts.processes, carts.warm_up_s, bench.seconds)
    full = run_load(load, bench.tell)
    half = OpenLoop(full.requests_per_s / 2)
    timed = run_load(load._replace(make=partial(_mix, size, carts.processes), pace=half), bench.tell)
    bench.tell("recounting")
    return {
        "requests_per_s": full.requests_per_s,
        **_latencies(full, "full_"),
        **_latencies(timed, ""),
        "late_ms": timed.late_ms(99),
        "reserves": _count(full, timed, "HELD") + _count(full, timed, "INSUFFICIENT_STOCK"),
        "refused": _count(full, timed, "INSUFFICIENT_STOCK"),
        "insufficient": _count(full, timed, "insufficient"),
        **_recount(address, size, sum(told for part in (full, timed) for _, told in part.tallies)),
        "errors": full.errors + timed.errors,
    }


class Reserves(Calls):
    """Reserves of one unit anywhere, half of them of something scarce; counts by location and SKU what is held."""

    def __init__(self, size: Size, number: int) -> None:
        self._lots = random.Random(number)
        self._size = size
        self._held = _no_units(size)
        self._kind = Kind("reserve", RESERVE, self._judge)

    def next(self) -> Call:
        """Reserve."""
        skus = self._size.carts.skus
        scarce = self._lots.random() < 1 / 2
        sku = skus + self._lots.randrange(self._size.scarce) if scarce else self._lots.randrange(skus)
        location = self._lots.randrange(self._size.carts.locations)
        line = pb.ReserveLine(sku=sku_name(sku), quantity=1, location=f"locations/bench-{location + 1}")
        request = pb.ReserveRequest(lines=[line], request_id=str(uuid.uuid4()), ttl=TTL)
        return Call(self._kind, request.SerializeToString(), (location, sku))

    def _judge(self, answer: bytes, cell: tuple[int, int]) -> str:
        status = first_number(answer)
        if status == pb.RESERVE_STATUS_HELD:
            self._held[cell] += 1
        return STATUSES[status]

    def tally(self) -> NDArray[np.int64]:
        """Units held by location and SKU, int64."""
        return self._held


def _mix(size: Size, first: int, number: int) -> Calls:
    """What process `number` sends. Parts have seeds of their own from `first` on, so that each sends something else."""
    seed = first + number
    return Mix(((size.checks, Checks(size.carts, seed)), (1, Reserves(size, seed))), seed)


def _latencies(measured: Measured, prefix: str) -> Figures:
    return {f"{prefix}{kind}_p{part}_ms": measured.percentile_ms(part, kind) for kind in KINDS for part in (50, 99)}


def _count(full: Measured, timed: Measured, outcome: str) -> int:
    return full.outcomes[outcome] + timed.outcomes[outcome]


def _recount(address: str, size: Size, told: NDArray[np.int64]) -> Figures:
    """What callers were told they hold, against what was there and what the ledgers say is held."""
    opening = np.full(told.shape[1], UNITS)
    opening[size.carts.skus :] = 1
    skus = [sku_name(i) for i in range(told.shape[1])]
    oversold = lost = 0
    for location, acknowledged in zip(locations(size.carts.locations), told, strict=True):
        held = np.array(held_units(address, location, skus)[1])
        oversold += int(np.maximum(np.maximum(acknowledged, held) - opening, 0).sum())
        lost += int(np.maximum(acknowledged - held, 0).sum())
    return {"oversold": oversold, "lost": lost}


def _opening(size: Size) -> Iterator[Cell]:
    """What is scarce."""
    for location in locations(size.carts.locations):
        for i in range(size.scarce):
            yield location, sku_name(size.carts.skus + i), 1


def _no_units(size: Size) -> NDArray[np.int64]:
    return np.zeros((size.carts.locations, size.carts.skus + size.scarce), dtype=np.int64)
