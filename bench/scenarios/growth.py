"""Growth: the same carts on ever bigger networks, and what a gateway and its locations need for them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from allocator.client import Client, LocationGroup
from allocator.v1 import availability_pb2 as pb
from bench.answers import first_number
from bench.errors import BenchError
from bench.fresh import in_fresh_process
from bench.http2 import Call, Calls, Kind
from bench.load import Load
from bench.networks import sku_name, write_stock
from bench.pace import ClosedLoop
from bench.registry import Bench, Figure, Figures, scenario
from bench.reserving import count_errors
from bench.rounds import in_turn, rate_per_s
from bench.scenarios.availability import CARTS, CHECK
from bench.service import Service

GROUP: Final = "near"
UNITS: Final = 100
MIB: Final = 2**20
SETTINGS: Final = {"runtime": {"actors": 1}}


class Step(NamedTuple):
    """How big one network is."""

    locations: int
    skus: int


class Size(NamedTuple):
    """Which networks, and the load on each.

    Attributes:
        steps: the networks, the smallest first.
        near: the first so many locations stock every SKU and are where carts are looked up.
        part: SKUs that each of the others stocks.
        lines: of a cart.
    """

    steps: tuple[Step, ...] = (
        Step(4, 10_000),
        Step(40, 10_000),
        Step(40, 100_000),
        Step(400, 100_000),
        Step(400, 1_000_000),
    )
    near: int = 4
    part: int = 5_000
    lines: int = 3
    processes: int = 2
    in_flight: int = 128
    warm_up_s: float = 1.0
    rounds: int = 2


class Rates(NamedTuple):
    """Checks per second: the same carts on every network, and carts of all the SKUs it has."""

    same: float
    spread: float


class Memory(NamedTuple):
    """Resident bytes of the gateway, and of the actor that has the locations."""

    gateway: int
    actor: int


@scenario(
    "growth",
    Figure("requests_per_s", "carts checked on the largest network: 1,000,000 SKUs, 400 locations"),
    Figure("ratio_small", "as a share of the rate on 10,000 SKUs and 4 locations, the same carts", at_least=0.8),
    Figure("ratio_small_spread", "the same, with carts spread over all SKUs of either network"),
    Figure(
        "gateway_bytes_per_cell", "resident memory of the gateway, empty to full, for a SKU at a location", at_most=16
    ),
    Figure("actor_bytes_per_sku", "the same of the actor for a SKU that a location stocks", at_most=150),
    Figure("gateway_gib", "resident memory of the largest network's gateway"),
    Figure("started_s", "until the largest network serves, its stock in snapshots"),
    Figure("insufficient", "answers that missed stock that is there", exactly=0),
    Figure("errors", "calls that ended in an error"),
)
def measure(bench: Bench) -> Figures:
    """CheckAvailability at 4 locations while the network around them grows to 1,000,000 SKUs and 400 locations."""
    return run(bench, Size())


def run(bench: Bench, size: Size) -> Figures:
    """Measure at a given size.

    The smallest network runs beside each larger one, and they are asked in turn. Ledgers have a row for each SKU that
    a location stocks: 4 locations stock everything, the others 5,000 SKUs each, 6 million rows in the end, as the
    ledgers of 400 full locations would take 60 GB. The gateway's matrix has all the cells nevertheless: every SKU has
    a row, and a row has all the locations.
    """
    bench.tell("an empty network of the largest size")
    small, largest = size.steps[0], size.steps[-1]
    full = empty = _empty(bench, largest)
    wrong: Figures = {"insufficient": 0, "errors": 0}
    with _stocked(bench, size, small) as reference:
        for step in size.steps[1:]:
            with _stocked(bench, size, step) as service:
                full = _memory(service)
                rates = _rates(bench, size, {"small": (reference, small), "large": (service, step)}, wrong)
                if not bench.points:
                    bench.points.append(_point(small, reference, _memory(reference), rates["small"], rates["small"]))
                bench.points.append(_point(step, service, full, rates["large"], rates["small"]))
    last = bench.points[-1]
    return {
        **{name: last[name] for name in ("requests_per_s", "ratio_small", "ratio_small_spread", "started_s")},
        "gateway_bytes_per_cell": (full.gateway - empty.gateway) / (largest.locations * largest.skus),
        "actor_bytes_per_sku": (full.actor - empty.actor) / _rows(size, largest),
        "gateway_gib": full.gateway / 2**30,
        **wrong,
    }


class Checks(Calls):
    """Checks of random carts of the first `skus` SKUs at the group."""

    def __init__(self, lines: int, skus: int, number: int) -> None:
        lots = random.Random(number)
        self._kind = Kind("check", CHECK, _judge)
        self._carts = [Call(self._kind, _cart(lots.sample(range(skus), lines))) for _ in range(CARTS)]
        self._sent = 0

    def next(self) -> Call:
        """The next cart."""
        self._sent += 1
        return self._carts[self._sent % CARTS]


def _judge(answer: bytes, note: object) -> str:
    del note
    return "sufficient" if first_number(answer) else "insufficient"


def _cart(skus: list[int]) -> bytes:
    lines = [pb.AvailabilityLine(sku=sku_name(i), quantity=1) for i in skus]
    return pb.CheckAvailabilityRequest(lines=lines, location_group=f"locationGroups/{GROUP}").SerializeToString()


@contextmanager
def _stocked(bench: Bench, size: Size, step: Step) -> Iterator[Service]:
    """A service of one network with its stock and the group."""
    folder, names = bench.folder / f"{step.locations}-{step.skus}", _locations(step.locations)
    bench.tell(f"{step.locations} locations, {step.skus:,} SKUs: writing {_rows(size, step):,} rows of stock")
    in_fresh_process(write_stock, folder, _stock(size, step), UNITS)
    bench.tell("starting")
    with Service(folder, names, bench.front, settings=SETTINGS) as service:
        with Client(service.address) as client:
            client.create_group(LocationGroup(GROUP, tuple(names[: size.near])))
        yield service


def _empty(bench: Bench, step: Step) -> Memory:
    """A network without stock."""
    with Service(bench.folder / "empty", _locations(step.locations), bench.front, settings=SETTINGS) as service:
        return _memory(service)


def _rates(bench: Bench, size: Size, asked: Mapping[str, tuple[Service, Step]], wrong: Figures) -> dict[str, Rates]:
    """Everybody with the same carts, and with carts of all the SKUs there are, in turn; counts what went wrong."""
    loads: dict[str, Load] = {}
    for name, (service, step) in asked.items():
        for carts, skus in (("same", size.steps[0].skus), ("spread", step.skus)):
            make = partial(Checks, size.lines, skus)
            pace, seconds = ClosedLoop(size.in_flight), bench.seconds / 2
            loads[f"{name} {carts}"] = Load(service.address, make, pace, size.processes, size.warm_up_s, seconds)
    measured = in_turn(loads, bench.tell, size.rounds)
    for part in (part for parts in measured.values() for part in parts):
        wrong["insufficient"] += part.outcomes["insufficient"]
    wrong["errors"] += count_errors(measured, bench.tell)
    rates = {name: rate_per_s(parts) for name, parts in measured.items()}
    return {name: Rates(rates[f"{name} same"], rates[f"{name} spread"]) for name in asked}


def _point(step: Step, service: Service, memory: Memory, rates: Rates, small: Rates) -> dict[str, float]:
    return {
        "locations": step.locations,
        "skus": step.skus,
        "requests_per_s": rates.same,
        "ratio_small": rates.same / small.same,
        "ratio_small_spread": rates.spread / small.spread,
        "gateway_mib": memory.gateway / MIB,
        "actor_mib": memory.actor / MIB,
        "started_s": service.started_s,
    }


def _memory(service: Service) -> Memory:
    """Of a service with one gateway and one actor."""
    gateway = actor = 0
    for process in service.processes():
        with suppress(psutil.NoSuchProcess):
            command, size = process.cmdline(), process.memory_info().rss
            if Path(command[0]).name == "envoy" or "allocator.gateway" in command:
                gateway += size
            elif command[0].startswith("ray::LocationActor"):
                actor += size
    if not gateway or not actor:
        raise BenchError("the processes of the service cannot be told apart")
    return Memory(gateway, actor)


def _stock(size: Size, step: Step) -> dict[str, range]:
    """SKUs by location: all of them near, and a part elsewhere, every location beginning somewhere else."""
    stock = {}
    for number, location in enumerate(_locations(step.locations)):
        part = min(size.part, step.skus)
        start = number * part % (step.skus - part + 1)
        stock[location] = range(step.skus) if number < size.near else range(start, start + part)
    return stock


def _rows(size: Size, step: Step) -> int:
    return sum(map(len, _stock(size, step).values()))


def _locations(count: int) -> list[str]:
    return [f"growth-{number:04d}" for number in range(count)]
