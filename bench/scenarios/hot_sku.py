"""Everybody wants the same thing: one SKU at one location, while there is plenty and until there is none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final, NamedTuple

from bench.contenders import OURS, Contender, start
from bench.load import Load
from bench.load import run as run_load
from bench.pace import ClosedLoop
from bench.processes import alone
from bench.registry import Bench, Figure, Figures, scenario
from bench.reserving import Reserves, Shop, add_up, count_errors, held, recount
from bench.rounds import in_turn, rate_per_s
from bench.service import Service
from bench.stock import receive

UNIFORM: Final = "uniform"
COMPARED: Final = {"postgres": Contender("postgres"), "redis": Contender("redis")}
PART: Final = 1 / 3
"""Of what could be sold in the time measured, in stock for the last part: it runs out well before the end."""


class Size(NamedTuple):
    """How big the network and the load are."""

    locations: int = 4
    skus: int = 10_000
    processes: int = 2
    in_flight: int = 256
    warm_up_s: float = 1.0
    rounds: int = 2

    @property
    def uniform(self) -> Shop:
        """What is reserved beside the hot SKU."""
        return Shop(self.locations, self.skus)


HOT: Final = Shop(1, 1, "hot", scarce_every=0)


@scenario(
    "hot-sku",
    Figure("requests_per_s", "reserves of one SKU at one location answered, 256 calls under way"),
    Figure("full_p99_ms", "99 in 100 of those were answered within"),
    Figure("ratio_uniform", "as a share of the rate over 10,000 SKUs at 4 locations", at_least=0.8),
    Figure("ratio_postgres", "times the rate of the PostgreSQL peer's hot row on grpc.aio", at_least=4),
    Figure("ratio_redis", "times the rate of the Redis peer, appendfsync always, on grpc.aio"),
    Figure("uniform_per_s", "the rate over all SKUs and locations"),
    *(Figure(f"{name}_per_s", "the rate it was compared with") for name in COMPARED),
    Figure("sold_out_s", "from the first call until the last unit of a limited stock was promised"),
    Figure("stock", "units of that stock"),
    Figure("refused", "reserves refused because it was gone"),
    Figure("unsold", "units of it that nobody got though all were asked for", exactly=0),
    Figure("oversold", "units promised beyond what was there, by anybody", exactly=0),
    Figure("lost", "units acknowledged that the ledgers do not hold, of anybody", exactly=0),
    Figure("errors", "calls that ended in an error, of anybody"),
)
def measure(bench: Bench) -> Figures:
    """Everybody reserves one unit of one SKU at one location, each fsynced before its answer; then until it is gone."""
    size = Size()
    names = size.uniform.names()
    with ExitStack() as stack:
        service = stack.enter_context(Service(bench.folder / OURS, names, bench.front))
        others = dict(start(bench, stack, COMPARED, names, lambda name: (f"ratio_{name}", f"{name}_per_s")))
        return run(bench, service.address, others, size)


def run(bench: Bench, address: str, others: Mapping[str, str], size: Size) -> Figures:
    """Measure a service with the locations of `size`, and peers at other addresses.

    Closed loop, in two rounds: the hot SKU on everybody and ours over all SKUs, each for half of the time, then in the
    reverse order. Then ours with a limited stock of another SKU, a third of what it would sell in the time.
    """
    receive(address, size.uniform.opening(), bench.tell)
    asked = {OURS: address, **others}
    for one in asked.values():
        receive(one, HOT.opening(), bench.tell)
    hot = Load(
        address,
        partial(Reserves, HOT),
        ClosedLoop(size.in_flight),
        size.processes,
        size.warm_up_s,
        bench.seconds,
    )
    loads = {name: hot._replace(address=one) for name, one in asked.items()}
    uniform = {UNIFORM: hot._replace(make=partial(Reserves, size.uniform))}
    parts = in_turn(loads | uniform, bench.tell, size.rounds)
    rates = {name: rate_per_s(measured) for name, measured in parts.items()}
    recounts = [recount(asked[name], HOT, held(parts[name])) for name in asked]
    recounts.append(recount(address, size.uniform, held(parts[UNIFORM])))
    sold_out = _sell_out(bench, hot, int(rates[OURS] * bench.seconds * PART) + 1)
    return {
        "requests_per_s": rates[OURS],
        "full_p99_ms": max(part.percentile_ms(99) for part in parts[OURS]),
        **{f"ratio_{name}": rates[OURS] / rate for name, rate in rates.items() if name != OURS},
        **{f"{name}_per_s": rate for name, rate in rates.items() if name != OURS},
        "stock": sold_out.pop("stock"),
        "refused": sold_out.pop("refused"),
        "sold_out_s": sold_out.pop("sold_out_s"),
        "unsold": sold_out.pop("unsold"),
        **add_up([*recounts, {name: sold_out[name] for name in ("oversold", "lost")}]),
        "errors": sold_out["errors"] + count_errors(parts, bench.tell),
    }


def _sell_out(bench: Bench, hot: Load, units: int) -> Figures:
    """Everybody wants one of so many units."""
    limited = HOT._replace(prefix="limited", plenty=units)
    receive(hot.address, limited.opening(), bench.tell)
    with alone(hot.address):
        measured = run_load(hot._replace(make=partial(Reserves, limited), warm_up_s=0), bench.tell)
    told = held([measured])
    times = [
        times.done_ns[-1] for report in measured.reports for key, times in report.times.items() if key[2] == "HELD"
    ]
    return {
        "stock": units,
        "refused": measured.outcomes["INSUFFICIENT_STOCK"],
        "sold_out_s": (max(times) - measured.start_ns) / 1e9,
        "unsold": units - int(told.sum()),
        **recount(hot.address, limited, told),
        "errors": measured.errors,
    }
