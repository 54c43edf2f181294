"""Single-line reserves, what callers were told of them, and a recount of it from outside."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.v1 import reservation_pb2 as pb
from bench.answers import first_number, words
from bench.http2 import Call, Calls, Kind
from bench.measured import Measured
from bench.registry import Figures
from bench.stock import Cell, held_units
from bench.templates import Template, new_ids, reserve, template

SCARCE: Final = 1
RESERVE: Final = "/allocator.v1.ReservationService/Reserve"
STATUSES: Final = words(pb.ReserveStatus.items())
HELD: Final = int(pb.RESERVE_STATUS_HELD)

Units = NDArray[np.int64]
"""Units by location and SKU, int64."""


class Shop(NamedTuple):
    """What there is to reserve.

    Attributes:
        locations: how many, named `bench-1` and so on.
        skus: how many, all of them at every location.
        prefix: of the names of the SKUs.
        plenty: units of most SKUs at each location.
        scarce_every: there is one unit of one SKU in so many, so that refusals are among what is measured; 0: of none.
    """

    locations: int
    skus: int
    prefix: str = "reserve"
    plenty: int = 1_000_000
    scarce_every: int = 100

    def names(self) -> list[str]:
        """The locations."""
        return [f"bench-{number}" for number in range(1, self.locations + 1)]

    def sku_names(self) -> list[str]:
        """The SKUs."""
        return [f"{self.prefix}-{i:08d}" for i in range(self.skus)]

    def cells(self) -> list[tuple[str, str]]:
        """Every location and SKU, in the order of the places that reserves are noted at."""
        return [(location, sku) for location in self.names() for sku in self.sku_names()]

    def opening(self) -> Iterator[Cell]:
        """What is there."""
        for location in self.names():
            for i, sku in enumerate(self.sku_names()):
                yield location, sku, self._units(i)

    def opening_units(self) -> Units:
        """The same as a table."""
        return np.tile(np.array([self._units(i) for i in range(self.skus)], dtype=np.int64), (self.locations, 1))

    def _units(self, i: int) -> int:
        return SCARCE if self.scarce_every and i % self.scarce_every == 0 else self.plenty


class Reserves(Calls):
    """Reserves of one unit of a random SKU at a random location; counts what is held."""

    def __init__(self, shop: Shop, number: int) -> None:
        del number  # no seed: what is asked in one load need not be what was asked in another
        self._shop = shop
        self._random = random.Random().random
        self._templates: list[Template] = [template(reserve([cell])) for cell in shop.cells()]
        self._ids = new_ids()
        self._held = [0] * len(self._templates)
        self._kind = Kind("reserve", RESERVE, self._judge)

    def next(self) -> Call:
        """Reserve."""
        cell = int(self._random() * len(self._templates))
        before, after = self._templates[cell]
        return Call(self._kind, before + next(self._ids) + after, cell)

    def _judge(self, answer: bytes, cell: int) -> str:
        """Note what is held."""
        status = first_number(answer)
        if status == HELD:
            self._held[cell] += 1
        return STATUSES[status]

    def tally(self) -> Units:
        """What is held."""
        return np.array(self._held, dtype=np.int64).reshape(self._shop.locations, self._shop.skus)


def held(parts: Sequence[Measured]) -> Units:
    """What all processes of all rounds were told they hold."""
    total: Units = sum(tally for part in parts for tally in part.tallies)
    return total


def recount(address: str, shop: Shop, told: Units) -> Figures:
    """What callers were told they hold, against what was there and against what the ledgers say is held."""
    oversold = lost = 0
    for location, opening, acknowledged in zip(shop.names(), shop.opening_units(), told, strict=True):
        on_hand, reserved = _stock(address, location, shop.sku_names())
        oversold += int(np.maximum(np.maximum(acknowledged, reserved) - np.minimum(opening, on_hand), 0).sum())
        lost += int(np.maximum(acknowledged - reserved, 0).sum())
    return {"oversold": oversold, "lost": lost}


def count_errors(parts: Mapping[str, Sequence[Measured]], tell: Callable[[str], None]) -> int:
    """Calls that ended in an error, of anybody; tells which."""
    total = 0
    for name, measured in parts.items():
        failed: Counter[str] = Counter()
        for report in (report for part in measured for report in part.reports):
            for (_, answered, outcome), times in report.times.items():
                failed[outcome] += 0 if answered else len(times.done_ns)
        if failed.total():
            tell(f"{name}: errors {dict(+failed)}")
        total += failed.total()
    return total


def add_up(parts: Sequence[Figures]) -> Figures:
    """Figures of several, each the sum."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}


def _stock(address: str, location: str, skus: Sequence[str]) -> tuple[Units, Units]:
    on_hand, held = held_units(address, location, skus)
    return np.array(on_hand, dtype=np.int64), np.array(held, dtype=np.int64)
