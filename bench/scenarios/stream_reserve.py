"""Many reserves in one call: batches and streams, of single lines and of carts."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from bench.batches import BROKEN, Batches, Chosen, Way, lines_per_s, result, results
from bench.load import Load
from bench.measured import Measured
from bench.pace import ClosedLoop
from bench.registry import Bench, Figure, Figures, scenario
from bench.reserving import HELD, Shop, Units, count_errors, held, recount
from bench.rounds import in_turn
from bench.service import Service
from bench.stock import receive
from bench.templates import element, reserve

SERVICE: Final = "/allocator.v1.ReservationService"
BATCH: Final = f"{SERVICE}/BatchReserve"
STREAM: Final = f"{SERVICE}/StreamReserve"
CARTS: Final = 10_000
"""Different carts, made beforehand; each request has an id of its own."""


class Size(NamedTuple):
    """How big the network and the load are.

    Attributes:
        reserves: in each call.
        lines: of a cart, all at one location.
        in_flight: calls under way.
    """

    locations: int = 4
    skus: int = 10_000
    reserves: int = 1_000
    lines: int = 5
    processes: int = 2
    in_flight: int = 4
    warm_up_s: float = 1.0
    rounds: int = 2

    @property
    def shop(self) -> Shop:
        """What there is to reserve."""
        return Shop(self.locations, self.skus)

    def lines_of(self, name: str) -> int:
        """Of each reserve of a load."""
        return self.lines if name.endswith("cart") else 1

    def way(self, name: str) -> Way:
        """How a load sends its reserves."""
        if name.startswith("batch"):
            return Way(name, BATCH, self.reserves)
        return Way(name, STREAM, self.reserves, self.reserves)


NAMES: Final = ("batch", "stream", "batch_cart", "stream_cart")


@scenario(
    "stream-reserve",
    Figure("lines_per_s", "lines answered, held or refused, in the fastest of the four ways", at_least=40_000),
    Figure("batch_lines_per_s", "BatchReserve of 1,000 reserves of a line, 4 calls under way"),
    Figure("stream_lines_per_s", "StreamReserve of 1,000 reserves of a line, sent at once, 4 streams under way"),
    Figure("batch_cart_lines_per_s", "BatchReserve of 1,000 carts of 5 lines"),
    Figure("stream_cart_lines_per_s", "StreamReserve of 1,000 carts of 5 lines"),
    *(Figure(f"{name}_p50_ms", "half of those calls were answered within") for name in NAMES),
    *(Figure(f"{name}_p99_ms", "99 in 100 of those calls were answered within") for name in NAMES),
    Figure("oversold", "units promised beyond what was there", exactly=0),
    Figure("lost", "units acknowledged that the ledgers do not hold", exactly=0),
    Figure("errors", "calls that ended in an error, or had one in them"),
)
def measure(bench: Bench) -> Figures:
    """Reserves by the thousand, in batches and on streams, each fsynced before its answer."""
    size = Size()
    with Service(bench.folder / "service", size.shop.names(), bench.front) as service:
        return run(bench, service.address, size)


def run(bench: Bench, address: str, size: Size) -> Figures:
    """Measure a service with the locations of `size`: each way for half of the time, then in the reverse order."""
    receive(address, size.shop.opening(), bench.tell)
    pace = ClosedLoop(size.in_flight)
    loads = {
        name: Load(address, partial(Orders, size, name), pace, size.processes, size.warm_up_s, bench.seconds)
        for name in NAMES
    }
    parts = in_turn(loads, bench.tell, size.rounds)
    lines = {name: lines_per_s(parts[name], size.reserves * size.lines_of(name)) for name in NAMES}
    everything = [part for measured in parts.values() for part in measured]
    bench.tell("recounting")
    return {
        "lines_per_s": max(lines.values()),
        **{f"{name}_lines_per_s": rate for name, rate in lines.items()},
        **{f"{name}_p{part}_ms": _worst_ms(parts[name], part) for name in NAMES for part in (50, 99)},
        **recount(address, size.shop, held(everything)),
        "errors": count_errors(parts, bench.tell) + sum(part.outcomes[BROKEN] for part in everything),
    }


class Orders(Batches):
    """Reserves of one unit of each of their lines; counts what is held."""

    def __init__(self, size: Size, name: str, number: int) -> None:
        self._shop = size.shop
        lots = random.Random(number)
        self._cells = np.array(list(_carts(size, size.lines_of(name), lots)), dtype=np.int64)
        named = size.shop.cells()
        templates = [element(reserve([named[cell] for cell in cart])) for cart in self._cells.tolist()]
        self._held = np.zeros(len(named), dtype=np.int64)
        self._on_stream = name.startswith("stream")
        super().__init__(size.way(name), templates)

    def read(self, answer: bytes) -> Iterator[int]:
        """Statuses of reserves, 0 for an error."""
        return iter((result(answer),)) if self._on_stream else results(answer)

    def note(self, chosen: Chosen, told: Chosen) -> bool:
        """Add up what is held."""
        cells = self._cells[chosen[told == HELD]].ravel()
        self._held += np.bincount(cells, minlength=len(self._held))
        return bool(told.all())

    def tally(self) -> Units:
        """What is held."""
        return self._held.reshape(self._shop.locations, self._shop.skus)


def _carts(size: Size, lines: int, lots: random.Random) -> Iterator[list[int]]:
    """Places of so many SKUs at one location each."""
    for _ in range(CARTS):
        first = lots.randrange(size.locations) * size.skus
        yield [first + sku for sku in lots.sample(range(size.skus), lines)]


def _worst_ms(parts: list[Measured], percent: float) -> float:
    return max(part.percentile_ms(percent) for part in parts)
