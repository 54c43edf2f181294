"""How fast `source` is, on made-up networks of a given size."""

from __future__ import annotations

import random
import statistics
import time
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from allocator.core.network.types import Kind, Lane, Location
from allocator.core.sourcing import NetworkTable, SourcingOrder, StockPicture, source
from bench.errors import BenchError
from bench.quality import picture

LINES: Final = 5
SEED: Final = 7
UNITS_MAX: Final = 3
STOCK_MAX: Final = 20
SPLIT: Final = 0.6
"""Share of the orders that no single location has something of every line for, whatever the number of locations."""
START_NS: Final = 1_750_000_000_000_000_000
NS_PER_S: Final = 1_000_000_000
LANES: Final = (
    Lane("parcel", "standard", parcel_micros=3_200_000, kg_micros=250_000, km_micros=1_500, transit=((250, 1), (0, 2))),
    Lane("courier", "express", parcel_micros=7_900_000, kg_micros=600_000, km_micros=4_000, transit=((0, 1),)),
)

Case = tuple[SourcingOrder, StockPicture]


class Speed(NamedTuple):
    """Milliseconds of one call, median and 99th percentile."""

    p50_ms: float
    p99_ms: float


def network(locations: int, chance: random.Random) -> NetworkTable:
    """Locations over a map of the size of Great Britain, with a cut-off time and opening hours."""
    hours = tuple((weekday, 9 * 60, 18 * 60) for weekday in range(1, 7))
    places = [
        Location(
            f"location-{i:04d}",
            kind=Kind.DARK_STORE,
            position=(chance.uniform(50.5, 57.5), chance.uniform(-4.5, 1.0)),
            time_zone="Europe/London",
            hours=hours,
            cut_offs=(("", 16 * 60),),
            priority=chance.randrange(3),
        )
        for i in range(locations)
    ]
    return NetworkTable(places, (), LANES, ZoneInfo)


def cases(locations: int, count: int, chance: random.Random) -> list[Case]:
    """Orders of 5 lines with the stock each of them meets."""
    numbers = np.random.default_rng(chance.getrandbits(32))
    return [_case(locations, chance, numbers, number) for number in range(count)]


def measure(locations: int, count: int, seconds: float, *, plans_max: int = 1) -> Speed:
    """Plan orders with the built-in profile for the time given, each at least once.

    Raises:
        BenchError: no order could be planned.
    """
    chance = random.Random(f"{locations} {SEED}")
    table, orders = network(locations, chance), cases(locations, count, chance)
    planned = sum(len(source(table, *case, plans_max).plans) > 0 for case in orders)
    if not planned:
        raise BenchError(f"none of {count} orders could be planned over {locations} locations")
    times_s: list[float] = []
    end = time.perf_counter() + seconds
    while not times_s or time.perf_counter() < end:
        for case in orders:
            start = time.perf_counter()
            source(table, *case, plans_max)
            times_s.append(time.perf_counter() - start)
    return Speed(statistics.median(times_s) * 1e3, statistics.quantiles(times_s, n=100)[98] * 1e3)


def _case(locations: int, chance: random.Random, numbers: np.random.Generator, number: int) -> Case:
    lines = tuple((f"sku-{i}", chance.randint(1, UNITS_MAX), chance.randint(100, 3_000)) for i in range(LINES))
    destination = chance.uniform(50.5, 57.5), chance.uniform(-4.5, 1.0)
    order = SourcingOrder(lines, START_NS + number * NS_PER_S, "standard", destination=destination, country="GB")
    stocked = (1 - SPLIT ** (1 / locations)) ** (1 / LINES)
    there = numbers.random((LINES, locations)) < stocked
    return order, picture(there * numbers.integers(1, STOCK_MAX, (LINES, locations), endpoint=True))
