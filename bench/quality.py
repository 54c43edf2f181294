"""How good plans are: against the exact optimum, and beside what is usually done.

The instances are shaped after Jasin and Sinha, "An LP-Based Correlated Rounding Scheme for Multi-Item Ecommerce Order
Fulfillment" (Operations Research 63, 2015) and Acimovic and Graves, "Making Better Fulfillment Decisions on the Fly in
an Online Retail Environment" (M&SOM 17, 2015): cities, fewer centres, orders of 1 to 5 lines, and the parcel costs of
the former: 8.759 for a parcel, 0.423 for each pound, 0.000541 for each pound and mile. Where cities and centres are,
what is in stock and what is ordered is made up from a seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp  # type: ignore[import-untyped]  # it has no py.typed

from allocator.core.network.types import Kind, Lane, Location, Profile
from allocator.core.sourcing import CAPACITY_UNLIMITED, NetworkTable, SourcingOrder, StockPicture, source
from bench.errors import BenchError

KG_PER_LB: Final = 0.45359237
KM_PER_MILE: Final = 1.609344
EARTH_RADIUS_KM: Final = 6371.0088
NOW_NS: Final = 1_750_000_000_000_000_000
LANE: Final = Lane(
    "parcel",
    "standard",
    parcel_micros=8_759_000,
    kg_micros=round(423_000 / KG_PER_LB),
    kg_km_micros=round(541 / KG_PER_LB / KM_PER_MILE),
)
CHEAPEST: Final = Profile("cheapest", cost=1.0, splits_max=10)

Point = tuple[float, float]


class Shape(NamedTuple):
    """A kind of instance.

    Attributes:
        stocked: chance that a centre has some of a line.
        units: of a line in an order, and of its stock where there is some, at most.
    """

    name: str
    cities: int
    centres: int
    stocked: float = 0.5
    units: int = 3


SHAPES: Final = (Shape("10 cities, 5 centres", 10, 5), Shape("99 cities, 10 centres", 99, 10))


class Instance(NamedTuple):
    """One order in one network.

    Attributes:
        centres: (latitude, longitude) of each.
        lines: (units, grams of a unit) of each.
        stock: units, (lines, centres).
    """

    centres: Sequence[Point]
    city: Point
    lines: Sequence[tuple[int, int]]
    stock: Sequence[Sequence[int]]

    def unit_cost(self, line: int, centre: int) -> float:
        """Micros for a unit of a line from a centre."""
        kg_km_micros = LANE.kg_km_micros * haversine_km(self.centres[centre], self.city)
        return (LANE.kg_micros + kg_km_micros) * self.lines[line][1] / 1_000

    def cost(self, given: Sequence[Sequence[float]]) -> float:
        """Micros of a plan: units, (lines, centres)."""
        centres = range(len(self.centres))
        parcels = sum(any(row[centre] > 0 for row in given) for centre in centres)
        units = sum(row[centre] * self.unit_cost(line, centre) for line, row in enumerate(given) for centre in centres)
        return parcels * LANE.parcel_micros + units


class Quality(NamedTuple):
    """Cost against the optimum: mean and worst ratio, and the share of plans that are optimal."""

    mean: float
    worst: float
    optimal: float


def instances(shape: Shape, count: int, seed: int) -> Iterator[Instance]:
    """Seeded instances that all centres together can serve; a new network for every hundredth part of them."""
    chance = random.Random(f"{shape.name} {seed}")
    cities: list[Point] = []
    centres: list[Point] = []
    for number in range(count):
        if number % max(count // 100, 1) == 0:
            cities = [_point(chance) for _ in range(shape.cities)]
            centres = [_point(chance) for _ in range(shape.centres)]
        yield _instance(shape, chance, centres, chance.choice(cities))


def planned(instance: Instance) -> list[list[float]]:
    """The plan of `source`: units, (lines, centres).

    Raises:
        BenchError: it does not serve the order, or not from what is there.
    """
    names = [f"centre-{i:03d}" for i in range(len(instance.centres))]
    places = [
        Location(name, kind=Kind.DISTRIBUTION_CENTRE, position=point)
        for name, point in zip(names, instance.centres, strict=True)
    ]
    lines = tuple((f"line-{i}", units, grams) for i, (units, grams) in enumerate(instance.lines))
    order = SourcingOrder(lines, NOW_NS, "standard", destination=instance.city, profile=CHEAPEST)
    answer = source(NetworkTable(places, (), (LANE,), ZoneInfo), order, picture(np.array(instance.stock)))
    if not answer.plans:
        raise BenchError("an order that the centres can serve has no plan")
    given = [[0.0] * len(names) for _ in lines]
    for sku, location, units in answer.plans[0].assignments:
        given[int(sku.removeprefix("line-"))][names.index(location)] += units
    _check(instance, given)
    return given


def picture(available: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> StockPicture:
    """Stock, (lines, locations), where nothing else limits."""
    count = available.shape[1]
    unlimited = np.full(count, CAPACITY_UNLIMITED)
    return StockPicture(available, unlimited, unlimited, np.zeros(count, dtype=np.bool_), np.zeros(count))


def optimum(instance: Instance) -> float:
    """Micros of the cheapest plan, exactly: HiGHS on the plain formulation of a facility location problem.

    Raises:
        BenchError: the solver did not prove an optimum.
    """
    lines, centres = len(instance.lines), len(instance.centres)
    need = [units for units, _ in instance.lines]
    cells = [(line, centre) for line in range(lines) for centre in range(centres)]
    costs = [instance.unit_cost(*cell) for cell in cells] + [float(LANE.parcel_micros)] * centres
    rows = np.zeros((lines + len(cells) + 1, len(costs)))
    low, high = np.full(len(rows), -np.inf), np.zeros(len(rows))
    for number, (line, centre) in enumerate(cells):
        rows[line, number] = 1
        rows[lines + number, number] = 1
        rows[lines + number, len(cells) + centre] = -min(need[line], instance.stock[line][centre])
    low[:lines] = high[:lines] = need
    rows[-1, len(cells) :], high[-1] = 1, CHEAPEST.splits_max
    upper = [need[line] for line, _ in cells] + [1] * centres
    solved = milp(
        costs,
        integrality=np.ones(len(costs)),
        bounds=Bounds(0, upper),
        constraints=LinearConstraint(rows, low, high),
        options={"mip_rel_gap": 0.0},
    )
    if not solved.success:
        raise BenchError(f"no optimum: {solved.message}")
    return float(solved.fun)


def nearest_first(instance: Instance) -> list[list[float]]:
    """Go from centre to centre by distance and take what is there."""
    return _take(instance, sorted(range(len(instance.centres)), key=lambda centre: _distance(instance, centre)))


def cheapest_single_first(instance: Instance) -> list[list[float]]:
    """The cheapest centre that has everything; without one, the one that has most, and so on with the rest."""
    left = [units for units, _ in instance.lines]
    given = [[0.0] * len(instance.centres) for _ in instance.lines]
    closed = set(range(len(instance.centres)))
    while any(left):
        takes = {centre: _takes(instance, left, centre) for centre in closed}
        centre = min(closed, key=lambda i: (-sum(takes[i]), _alone(instance, takes[i], i)))
        closed.remove(centre)
        for line, units in enumerate(takes[centre]):
            given[line][centre] += units
            left[line] -= units
    return given


def haversine_km(one: Point, other: Point) -> float:
    """Great-circle distance, by another formula than that of the table."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, point)) for point in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def quality(costs: Sequence[float], optima: Sequence[float]) -> Quality:
    """How costs compare with the optima."""
    ratios = [cost / best for cost, best in zip(costs, optima, strict=True)]
    return Quality(sum(ratios) / len(ratios), max(ratios), sum(ratio < 1 + 1e-6 for ratio in ratios) / len(ratios))


def _instance(shape: Shape, chance: random.Random, centres: Sequence[Point], city: Point) -> Instance:
    while True:
        lines = [(chance.randint(1, shape.units), chance.randint(200, 5_000)) for _ in range(chance.randint(1, 5))]
        stock = [
            [chance.randint(1, shape.units) if chance.random() < shape.stocked else 0 for _ in centres] for _ in lines
        ]
        if all(sum(row) >= units for row, (units, _) in zip(stock, lines, strict=True)):
            return Instance(centres, city, lines, stock)


def _point(chance: random.Random) -> Point:
    """Somewhere on a map of the size of the contiguous United States."""
    return chance.uniform(26.0, 48.0), chance.uniform(-123.0, -70.0)


def _distance(instance: Instance, centre: int) -> float:
    return haversine_km(instance.centres[centre], instance.city)


def _take(instance: Instance, centres: Sequence[int]) -> list[list[float]]:
    left = [units for units, _ in instance.lines]
    given = [[0.0] * len(instance.centres) for _ in instance.lines]
    for centre in centres:
        for line, units in enumerate(_takes(instance, left, centre)):
            given[line][centre] += units
            left[line] -= units
    return given


def _takes(instance: Instance, left: Sequence[int], centre: int) -> list[int]:
    return [min(units, instance.stock[line][centre]) for line, units in enumerate(left)]


def _alone(instance: Instance, units: Sequence[int], centre: int) -> float:
    return LANE.parcel_micros + sum(count * instance.unit_cost(line, centre) for line, count in enumerate(units))


def _check(instance: Instance, given: Sequence[Sequence[float]]) -> None:
    for row, stock, (units, _) in zip(given, instance.stock, instance.lines, strict=True):
        if sum(row) != units or any(part > there for part, there in zip(row, stock, strict=True)):
            raise BenchError(f"the plan gives {row} of {stock} for {units}")
