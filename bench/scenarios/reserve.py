"""Single-line reserves over gRPC, each durable before it is answered, and a recount of who got what."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final, NamedTuple

from allocator.gateway.fronts import ENVOY, GRPCIO
from bench.contenders import OURS, Contender, start
from bench.load import Load
from bench.load import run as run_load
from bench.pace import ClosedLoop, OpenLoop
from bench.processes import alone
from bench.registry import Bench, Figure, Figures, scenario
from bench.reserving import Reserves, Shop, add_up, count_errors, held, recount
from bench.rounds import in_turn, rate_per_s
from bench.service import Service
from bench.stock import receive

COMPARED: Final = {
    "postgres": Contender("postgres"),
    "redis": Contender("redis"),
    "ray_unbatched": Contender("ray-unbatched"),
    "redis_everysec": Contender("redis-everysec"),
    "postgres_envoy": Contender("postgres", ENVOY),
    "redis_envoy": Contender("redis", ENVOY),
    "grpcio": Contender(OURS, GRPCIO),
}
PACKED: Final = {
    "per_location": Contender(OURS, "", 4),
    "packed_1": Contender(OURS, "", 1),
    "packed_2": Contender(OURS, "", 2),
}


class Size(NamedTuple):
    """How big the network and the load are."""

    locations: int = 4
    skus: int = 10_000
    processes: int = 2
    in_flight: int = 256
    warm_up_s: float = 1.0
    rounds: int = 2

    @property
    def shop(self) -> Shop:
        """What there is to reserve."""
        return Shop(self.locations, self.skus)


@scenario(
    "reserve",
    Figure("requests_per_s", "reserves answered, held or refused, 256 calls under way"),
    Figure("refused_per_s", "of them refused: there was too little"),
    Figure("full_p99_ms", "99 in 100 of those were answered within"),
    Figure("ratio_postgres", "times the rate of the PostgreSQL peer on grpc.aio", at_least=4),
    Figure("ratio_redis", "times the rate of the Redis peer, appendfsync always, on grpc.aio", at_least=2),
    Figure("ratio_ray_unbatched", "times the rate of one Ray call for each request, on grpc.aio", at_least=5),
    Figure("ratio_redis_everysec", "times the rate of the Redis peer that may lose a second, on grpc.aio"),
    Figure("ratio_postgres_envoy", "times the rate of the PostgreSQL peer on Envoy", at_least=1),
    Figure("ratio_redis_envoy", "times the rate of the Redis peer, appendfsync always, on Envoy", at_least=1),
    Figure("ratio_grpcio", "times the rate of the same service on grpc.aio"),
    *(Figure(f"{name}_per_s", "the rate it was compared with") for name in COMPARED),
    Figure("per_location_per_s", "an actor for each of the 4 locations"),
    Figure("packed_1_per_s", "all locations in one actor"),
    Figure("packed_2_per_s", "all locations in two actors"),
    Figure("p50_ms", "on schedule at half of the rate, half of the reserves were answered within"),
    Figure("p99_ms", "99 in 100 of those were answered within", at_most=20),
    Figure("cpu_us", "CPU time of all processes of the service for one of those, µs"),
    Figure("late_ms", "99 in 100 of those were taken up by the generator within"),
    Figure("oversold", "units promised beyond what was there, by anybody", exactly=0),
    Figure("lost", "units acknowledged that the ledgers do not hold, of anybody", exactly=0),
    Figure("errors", "calls that ended in an error, of anybody"),
)
def measure(bench: Bench) -> Figures:
    """Single-line reserves over gRPC, uniform over 10,000 SKUs at 4 locations, each fsynced before its answer."""
    size = Size()
    names = size.shop.names()
    with ExitStack() as stack:
        service = stack.enter_context(Service(bench.folder / OURS, names, bench.front))
        others = dict(start(bench, stack, COMPARED | PACKED, names, _absent))
        return run(bench, service, others, size)


def run(bench: Bench, service: Service, others: Mapping[str, str], size: Size) -> Figures:
    """Measure a service with the locations of `size`, and whoever is at other addresses.

    Closed loop, in two rounds: everybody for half of the time, then in the reverse order. Then the service alone, at
    half of its rate on schedule. Afterwards every SKU of everybody is recounted: what callers were told they hold,
    against what was there and against what the ledgers say is held.
    """
    asked = {OURS: service.address, **others}
    for address in asked.values():
        receive(address, size.shop.opening(), bench.tell)
    pace = ClosedLoop(size.in_flight)
    make = partial(Reserves, size.shop)
    load = Load(service.address, make, pace, size.processes, size.warm_up_s, bench.seconds)
    parts = in_turn({name: load._replace(address=address) for name, address in asked.items()}, bench.tell, size.rounds)
    rates = {name: rate_per_s(measured) for name, measured in parts.items()}
    before_s = service.cpu_s()
    with alone(service.address):
        timed = run_load(load._replace(pace=OpenLoop(rates[OURS] / 2)), bench.tell)
    cpu_s = service.cpu_s() - before_s
    bench.tell("recounting")
    parts[OURS].append(timed)
    full = parts[OURS][:-1]
    return {
        "requests_per_s": rates[OURS],
        "refused_per_s": sum(part.rate_per_s(outcome="INSUFFICIENT_STOCK") for part in full) / len(full),
        "full_p99_ms": max(part.percentile_ms(99) for part in full),
        **{f"ratio_{name}": rates[OURS] / rates[name] for name in rates if name in COMPARED},
        **{f"{name}_per_s": rates[name] for name in rates if name != OURS},
        "p50_ms": timed.percentile_ms(50),
        "p99_ms": timed.percentile_ms(99),
        "cpu_us": cpu_s / timed.outcomes.total() * 1e6,
        "late_ms": timed.late_ms(99),
        **add_up([recount(asked[name], size.shop, held(measured)) for name, measured in parts.items()]),
        "errors": count_errors(parts, bench.tell),
    }


def _absent(name: str) -> tuple[str, ...]:
    return (f"{name}_per_s",) if name in PACKED else (f"ratio_{name}", f"{name}_per_s")
