"""Sourcing: how good plans are against the exact optimum, and how fast one is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from bench import allocating, speed
from bench.quality import (
    SHAPES,
    Instance,
    Quality,
    cheapest_single_first,
    instances,
    nearest_first,
    optimum,
    planned,
    quality,
)
from bench.registry import Bench, Figure, Figures, scenario

SEED: Final = 2015

METHODS: Final[dict[str, Callable[[Instance], list[list[float]]]]] = {
    "source": planned,
    "nearest first": nearest_first,
    "cheapest single first": cheapest_single_first,
}


class Size(NamedTuple):
    """How many instances are solved exactly, and how many orders are planned for the speed."""

    instances: int = 2_000
    orders: int = 200


@scenario(
    "sourcing",
    Figure("mean_cost_ratio", "cost of a plan / cost of the optimum, mean of 2,000 instances", at_most=1.01),
    Figure("worst_cost_ratio", "the same, the worst of them", at_most=1.15),
    Figure("optimal_share", "share of the plans that are optimal"),
    Figure("nearest_mean_ratio", "the mean, when the nearest location gives what it has, then the next"),
    Figure("nearest_worst_ratio", "the worst of that"),
    Figure("single_mean_ratio", "the mean, when the cheapest location that has most gives it, then the next"),
    Figure("single_worst_ratio", "the worst of that"),
    Figure("plan_400_p50_ms", "an order of 5 lines planned over 400 locations, half of them within", at_most=1.0),
    Figure("plan_400_p99_ms", "the same, 99 in 100"),
    Figure("plans_400_p50_ms", "the same with three plans to fall through, half of them within"),
    Figure("plan_20_p50_ms", "an order of 5 lines planned over 20 locations, half of them within", at_most=0.2),
    Figure("plan_20_p99_ms", "the same, 99 in 100"),
    Figure("plans_20_p50_ms", "the same with three plans to fall through, half of them within"),
    Figure("reserves_per_s", "single-line reserves of a real service, in the same run"),
    Figure("allocates_per_s", "single-line orders sourced and held by it"),
    Figure("allocate_ratio_reserve", "the second as a share of the first", at_least=0.5),
)
def measure(bench: Bench) -> Figures:
    """Sourcing: cost against HiGHS on seeded instances, time for one order, and Allocate beside Reserve over gRPC."""
    return run(bench, Size()) | allocating.measure(bench)


def run(bench: Bench, size: Size) -> Figures:
    """Measure at a given size.

    Quality: half of the instances for each shape, solved exactly beside. Speed: orders planned one after the other,
    each with stock of its own, with one plan (what Allocate asks for first) and with three, for a quarter of the time
    each way and network.
    """
    rows = compare(bench, size)
    fast = {count: speed.measure(count, size.orders, bench.seconds / 4) for count in (400, 20)}
    three = {count: speed.measure(count, size.orders, bench.seconds / 4, plans_max=3) for count in (400, 20)}
    ours, nearest, single = (rows[name] for name in METHODS)
    return {
        "mean_cost_ratio": ours.mean,
        "worst_cost_ratio": ours.worst,
        "optimal_share": ours.optimal,
        "nearest_mean_ratio": nearest.mean,
        "nearest_worst_ratio": nearest.worst,
        "single_mean_ratio": single.mean,
        "single_worst_ratio": single.worst,
        "plan_400_p50_ms": fast[400].p50_ms,
        "plan_400_p99_ms": fast[400].p99_ms,
        "plans_400_p50_ms": three[400].p50_ms,
        "plan_20_p50_ms": fast[20].p50_ms,
        "plan_20_p99_ms": fast[20].p99_ms,
        "plans_20_p50_ms": three[20].p50_ms,
    }


def compare(bench: Bench, size: Size) -> dict[str, Quality]:
    """Every method against the optimum, over the instances of all shapes."""
    chosen: list[Instance] = []
    for shape in SHAPES:
        chosen += instances(shape, size.instances // len(SHAPES), SEED)
    optima = [_told(bench, optimum, chosen, number) for number in range(len(chosen))]
    return {name: quality([one.cost(method(one)) for one in chosen], optima) for name, method in METHODS.items()}


def _told(bench: Bench, solve: Callable[[Instance], float], chosen: Sequence[Instance], number: int) -> float:
    if number % 100 == 0:
        bench.tell(f"optimum of instance {number:,} of {len(chosen):,}")
    return solve(chosen[number])
