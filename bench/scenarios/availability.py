"""Checks of small carts over gRPC: the call that comes thousands of times for every order."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Final, NamedTuple

from allocator.gateway.fronts import ENVOY, GRPCIO
from allocator.v1 import availability_pb2 as pb
from bench.answers import first_number
from bench.echo import Echo, record
from bench.errors import BenchError
from bench.http2 import Call, Calls, Kind
from bench.load import Load
from bench.load import run as run_load
from bench.measured import Measured
from bench.pace import ClosedLoop, OpenLoop
from bench.peers import Peer, available
from bench.processes import alone
from bench.registry import Bench, Figure, Figures, scenario
from bench.rounds import in_turn, rate_per_s
from bench.service import Service
from bench.stock import Cell, receive

CARTS: Final = 4_096
"""Different requests a process has made before it starts, so that making them is not measured."""
PARSED_EVERY: Final = 64
"""One answer in so many is parsed and its cells are counted; of the others the first bytes tell."""
CHECK: Final = "/allocator.v1.AvailabilityService/CheckAvailability"
UNITS: Final = 100
SERVICE: Final = "service"
ECHO: Final = "echo"
PEERS: Final = {
    "redis": ("redis", GRPCIO),
    "postgres": ("postgres", GRPCIO),
    "redis_envoy": ("redis", ENVOY),
    "postgres_envoy": ("postgres", ENVOY),
}
"""What is measured beside the service, and on which front."""
OTHERS: Final = (ECHO, GRPCIO, *PEERS)


class Size(NamedTuple):
    """How big the network, the carts and the load are."""

    locations: int = 12
    skus: int = 10_000
    lines: int = 3
    processes: int = 2
    in_flight: int = 128
    warm_up_s: float = 1.0
    rounds: int = 2


@scenario(
    "availability",
    Figure("requests_per_s", "carts checked, 128 calls under way"),
    Figure("full_p99_ms", "99 in 100 of those were answered within"),
    Figure("ratio_echo", "the rate as a share of a bare echo's of the same messages on the same front", at_least=0.8),
    Figure("ratio_grpcio", "times the rate of the same service on grpc.aio", at_least=4),
    Figure("ratio_redis", "times the rate of the Redis peer on grpc.aio", at_least=4),
    Figure("ratio_postgres", "times the rate of the PostgreSQL peer on grpc.aio", at_least=4),
    Figure("ratio_redis_envoy", "times the rate of the Redis peer on Envoy"),
    Figure("ratio_postgres_envoy", "times the rate of the PostgreSQL peer on Envoy"),
    *(Figure(f"{name}_per_s", "the rate it was compared with") for name in OTHERS),
    Figure("p50_ms", "on schedule at half of the rate, half of the checks were answered within"),
    Figure("p99_ms", "99 in 100 of those were answered within", at_most=5),
    Figure("echo_p99_ms", "the same of the bare echo at the very rate: what front, generator and machine make of it"),
    Figure("cpu_us", "CPU time of all processes of the service for one of those, µs"),
    Figure("late_ms", "99 in 100 of those were taken up by the generator within"),
    Figure("insufficient", "answers that missed stock that is there, of anybody", exactly=0),
    Figure("errors", "calls that ended in an error, of anybody"),
)
def measure(bench: Bench) -> Figures:
    """CheckAvailability over gRPC: carts of 3 lines, looked up at 12 locations of 10,000 SKUs each."""
    size = Size()
    with ExitStack() as stack:
        service = stack.enter_context(_service(bench, SERVICE, bench.front, size))
        others = dict(_others(bench, stack, service.front, size))
        return run(bench, service, others, size)


def run(bench: Bench, service: Service, others: Mapping[str, str], size: Size) -> Figures:
    """Measure a service with the locations of `size`, an echo on the same front, and whoever is at other addresses.

    Closed loop, in two rounds: everybody for half of the time, then in the reverse order. Then the echo and the
    service alone, at half of the service's rate on schedule. Every SKU is at every location, so that every answer is
    as long as it can get; the generator looks at each of them.
    """
    for address in (service.address, *others.values()):
        receive(address, opening(size), bench.tell)
    load = Load(
        service.address,
        partial(Checks, size),
        ClosedLoop(size.in_flight),
        size.processes,
        size.warm_up_s,
        bench.seconds,
    )
    answers = record(service.address, Checks(size, 0))
    with Echo(bench.folder / ECHO, service.front, answers) as echo:
        asked = {SERVICE: service.address, ECHO: echo.address, **others}
        loads = {name: load._replace(address=address) for name, address in asked.items()}
        parts = in_turn(loads, bench.tell, size.rounds)
        rates = {name: rate_per_s(measured) for name, measured in parts.items()}
        half = OpenLoop(rates[SERVICE] / 2)
        with alone(echo.address):
            echoed = run_load(loads[ECHO]._replace(pace=half), bench.tell)
    before_s = service.cpu_s()
    with alone(service.address):
        timed = run_load(load._replace(pace=half), bench.tell)
    cpu_s = service.cpu_s() - before_s
    everything = [timed, *(part for measured in parts.values() for part in measured)]
    return {
        "requests_per_s": rates[SERVICE],
        "full_p99_ms": max(part.percentile_ms(99) for part in parts[SERVICE]),
        **{f"ratio_{name}": rates[SERVICE] / rates[name] for name in rates if name != SERVICE},
        **{f"{name}_per_s": rates[name] for name in rates if name != SERVICE},
        "p50_ms": timed.percentile_ms(50),
        "p99_ms": timed.percentile_ms(99),
        "echo_p99_ms": echoed.percentile_ms(99),
        "cpu_us": cpu_s / timed.outcomes.total() * 1e6,
        "late_ms": timed.late_ms(99),
        **_wrong(everything),
    }


class Checks(Calls):
    """Checks of random carts at all locations.

    Args:
        size: of carts and network.
        number: of the process.
        sku: name of SKU number i.
    """

    def __init__(self, size: Size, number: int, sku: Callable[[int], str] | None = None) -> None:
        lots = random.Random(number)
        self._kind = Kind("check", CHECK, self._judge)
        self._carts = [Call(self._kind, _cart(lots, size, sku or sku_name)) for _ in range(CARTS)]
        self._cells = size.lines * size.locations
        self._sent = self._judged = 0

    def next(self) -> Call:
        """The next cart."""
        self._sent += 1
        return self._carts[self._sent % CARTS]

    def _judge(self, answer: bytes, note: Any) -> str:  # noqa: ANN401  # none
        del note
        self._judged += 1
        whole = self._judged % PARSED_EVERY != 1 or self._count(answer) == self._cells
        return "sufficient" if whole and first_number(answer) else "insufficient"

    @staticmethod
    def _count(answer: bytes) -> int:
        return sum(len(line.quantities) for line in pb.CheckAvailabilityResponse.FromString(answer).lines)


def opening(size: Size) -> Iterator[Cell]:
    """Some of every SKU everywhere."""
    for location in locations(size.locations):
        for i in range(size.skus):
            yield location, sku_name(i), UNITS


def locations(count: int) -> list[str]:
    """Ids of so many locations."""
    return [f"bench-{number}" for number in range(1, count + 1)]


def sku_name(i: int) -> str:
    """SKU number i."""
    return f"check-{i:08d}"


def _service(bench: Bench, name: str, front: str | None, size: Size) -> Service:
    """With all locations in one actor: checks never ask one, and each takes a little CPU of whoever is measured."""
    settings = {"runtime": {"actors": 1}}
    return Service(bench.folder / name, locations(size.locations), front, settings=settings)


def _others(bench: Bench, stack: ExitStack, front: str, size: Size) -> Iterator[tuple[str, str]]:
    """Start everybody the service is compared with, each with its address; tell who is left out."""
    if front == GRPCIO:
        bench.leave_out("the service is measured on it", *_figures(GRPCIO))
    else:
        yield GRPCIO, stack.enter_context(_service(bench, GRPCIO, GRPCIO, size)).address
    for name, (kind, on) in PEERS.items():
        if reason := available(kind, on):
            bench.leave_out(reason, *_figures(name))
            continue
        folder = bench.folder / name
        folder.mkdir()
        yield name, stack.enter_context(Peer(kind, folder, on)).address


def _figures(name: str) -> tuple[str, str]:
    return f"ratio_{name}", f"{name}_per_s"


def _wrong(everything: list[Measured]) -> Figures:
    if not all(part.outcomes["sufficient"] for part in everything):
        raise BenchError(f"somebody found no cart sufficient: {[dict(part.outcomes) for part in everything]}")
    return {
        "insufficient": sum(part.outcomes["insufficient"] for part in everything),
        "errors": sum(part.errors for part in everything),
    }


def _cart(lots: random.Random, size: Size, sku: Callable[[int], str]) -> bytes:
    lines = [pb.AvailabilityLine(sku=sku(i), quantity=1) for i in lots.sample(range(size.skus), size.lines)]
    return pb.CheckAvailabilityRequest(lines=lines).SerializeToString()
