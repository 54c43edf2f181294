"""What tills and warehouses tell: movements by the thousand, in batches and on streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from allocator.v1 import inventory_pb2 as pb
from bench.batches import BROKEN, Batches, Chosen, Way, lines_per_s, statuses
from bench.load import Load
from bench.pace import ClosedLoop
from bench.registry import Bench, Figure, Figures, scenario
from bench.reserving import Shop, Units, count_errors, held
from bench.rounds import in_turn
from bench.service import Service
from bench.stock import held_units, receive
from bench.templates import FIRST_FIELD, PLACE, element, varint

SERVICE: Final = "/allocator.v1.InventoryService"
RECORD: Final = f"{SERVICE}/RecordMovements"
STREAM: Final = f"{SERVICE}/StreamMovements"
APPLIED: Final = int(pb.MOVEMENT_STATUS_APPLIED)
RECEIVED: Final = 2
SOLD: Final = 1
"""Units of a movement: half of them are receipts, half are sales."""


class Size(NamedTuple):
    """How big the network and the load are.

    Attributes:
        small, big: movements of a call; a stream carries `big` of them in messages of `small`.
        small_in_flight, big_in_flight: calls under way.
    """

    locations: int = 4
    skus: int = 10_000
    small: int = 1_000
    big: int = 10_000
    small_in_flight: int = 16
    big_in_flight: int = 4
    processes: int = 2
    warm_up_s: float = 1.0
    rounds: int = 2

    @property
    def shop(self) -> Shop:
        """What there is to begin with: plenty of everything."""
        return Shop(self.locations, self.skus, "moved", scarce_every=0)

    def ways(self) -> dict[str, Way]:
        """How movements are sent."""
        return {
            "small": Way("small", RECORD, self.small),
            "big": Way("big", RECORD, self.big),
            "stream": Way("stream", STREAM, self.big, self.big // self.small),
        }


@scenario(
    "movements",
    Figure("lines_per_s", "movements recorded, each durable, in the fastest of the three ways", at_least=40_000),
    Figure("small_lines_per_s", "RecordMovements of 1,000 movements, 16 calls under way"),
    Figure("big_lines_per_s", "RecordMovements of 10,000 movements, 4 calls under way"),
    Figure("stream_lines_per_s", "StreamMovements, 10 messages of 1,000 sent at once, 4 streams under way"),
    Figure("small_p50_ms", "half of the batches of 1,000 were answered within"),
    Figure("small_p99_ms", "99 in 100 of the batches of 1,000 were answered within"),
    Figure("big_p50_ms", "half of the batches of 10,000 were answered within"),
    Figure("big_p99_ms", "99 in 100 of the batches of 10,000 were answered within"),
    Figure("on_hand_wrong", "SKUs whose units on hand are not what was told", exactly=0),
    Figure("errors", "calls that ended in an error, or had one in them"),
)
def measure(bench: Bench) -> Figures:
    """Receipts and sales of 10,000 SKUs at 4 locations, 1,000 and 10,000 in a call, fsynced before its answer."""
    size = Size()
    with Service(bench.folder / "service", size.shop.names(), bench.front) as service:
        return run(bench, service.address, size)


def run(bench: Bench, address: str, size: Size) -> Figures:
    """Measure a service with the locations of `size`: each way for half of the time, then in the reverse order."""
    receive(address, size.shop.opening(), bench.tell)
    ways = size.ways()
    parts = in_turn({name: _load(bench, address, size, way) for name, way in ways.items()}, bench.tell, size.rounds)
    lines = {name: lines_per_s(parts[name], way.writes) for name, way in ways.items()}
    everything = [part for measured in parts.values() for part in measured]
    bench.tell("recounting")
    return {
        "lines_per_s": max(lines.values()),
        **{f"{name}_lines_per_s": rate for name, rate in lines.items()},
        **{
            f"{name}_p{percent}_ms": max(part.percentile_ms(percent) for part in parts[name])
            for name in ("small", "big")
            for percent in (50, 99)
        },
        "on_hand_wrong": _wrong(address, size.shop, held(everything)),
        "errors": count_errors(parts, bench.tell) + sum(part.outcomes[BROKEN] for part in everything),
    }


class Movements(Batches):
    """Receipts and sales; adds up the units they moved."""

    def __init__(self, shop: Shop, way: Way, number: int) -> None:
        del number
        self._shop = shop
        cells = shop.cells()
        self._units = np.array([RECEIVED if place % 2 else -SOLD for place in range(len(cells))], dtype=np.int64)
        self._moved = np.zeros(len(cells), dtype=np.int64)
        self._on_stream = way.messages > 0
        super().__init__(way, _templates(cells, self._units.tolist()))

    def wrap(self, elements: bytes) -> bytes:
        """A StreamMovementsRequest of a RecordMovementsRequest."""
        return FIRST_FIELD + varint(len(elements)) + elements

    def read(self, answer: bytes) -> Iterator[int]:
        """Statuses of movements."""
        return statuses(_unwrapped(answer) if self._on_stream else answer)

    def note(self, chosen: Chosen, told: Chosen) -> bool:
        """Add up what moved."""
        applied = told == APPLIED
        self._moved += np.bincount(chosen[applied], minlength=len(self._moved)) * self._units
        return bool(applied.all())

    def tally(self) -> Units:
        """Units that came, less those that went."""
        return self._moved.reshape(self._shop.locations, self._shop.skus)


def _load(bench: Bench, address: str, size: Size, way: Way) -> Load:
    pace = ClosedLoop(size.small_in_flight if way.writes == size.small else size.big_in_flight)
    return Load(address, partial(Movements, size.shop, way), pace, size.processes, size.warm_up_s, bench.seconds)


def _templates(cells: Sequence[tuple[str, str]], units: Sequence[int]) -> list[tuple[bytes, bytes]]:
    return [
        element(
            pb.StockMovement(
                source="bench",
                movement_id=PLACE.decode(),
                location=f"locations/{location}",
                sku=sku,
                type=pb.MOVEMENT_TYPE_RECEIPT if moved > 0 else pb.MOVEMENT_TYPE_SALE,
                quantity=abs(moved),
            )
        )
        for (location, sku), moved in zip(cells, units, strict=True)
    ]


def _unwrapped(answer: bytes) -> bytes:
    """The RecordMovementsResponse of a StreamMovementsResponse."""
    return pb.StreamMovementsResponse.FromString(answer).batch.SerializeToString()


def _wrong(address: str, shop: Shop, moved: Units) -> int:
    """SKUs that have not what was there and what moved since."""
    wrong = 0
    for location, opening, change in zip(shop.names(), shop.opening_units(), moved, strict=True):
        on_hand = np.array(held_units(address, location, shop.sku_names())[0], dtype=np.int64)
        wrong += int(np.count_nonzero(on_hand != opening + change))
    return wrong
