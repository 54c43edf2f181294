"""Watch fan-out: many streams, each on a few of the SKUs that change most."""

from __future__ import annotations

import random
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.v1 import inventory_pb2 as pb
from bench.errors import BenchError
from bench.http2 import Call, Calls, Kind
from bench.load import Load
from bench.load import run as run_load
from bench.measured import Measured
from bench.pace import NS_PER_S, ClosedLoop, OpenLoop, Pace
from bench.registry import Bench, Figure, Figures, scenario
from bench.scenarios.availability import locations
from bench.service import Service
from bench.stock import held_units, receive
from bench.watching import Heard, Watch, Watchers

RECORD: Final = "/allocator.v1.InventoryService/RecordMovements"
UNITS: Final = 1_000_000
UP: Final = 1_000
DOWN: Final = 999
"""What is written to a cell in turn: no value comes twice, so a value tells which write it is of."""
THRESHOLD: Final = UNITS + 500
"""Every write crosses it."""
KEY_UNITS: Final = 2**40
WRITTEN: Final = "written"


class Size(NamedTuple):
    """How many watch what, and how fast it changes.

    Attributes:
        skus: that change, at every location.
        streams: over all processes.
        watched: SKUs of a stream.
        threshold_every: of so many streams one wants to hear of a threshold only.
        writes_per_s: changes, each of one cell, in the part on schedule.
        in_flight: writes under way in the part at full speed.
    """

    locations: int = 4
    skus: int = 100
    streams: int = 1_000
    watched: int = 10
    threshold_every: int = 4
    writes_per_s: float = 50
    in_flight: int = 8
    processes: int = 2
    connections: int = 4
    warm_up_s: float = 1.0


@scenario(
    "watch",
    Figure("events_per_s", "changes delivered, all streams together, at 50 writes/s"),
    Figure("p50_ms", "from the answer to a write until half of its watchers knew"),
    Figure("p99_ms", "until 99 in 100 of them knew"),
    Figure("told_share", "changes delivered, as a share of those that a stream would get if none were merged"),
    Figure("cpu_us_per_event", "CPU time of all processes of the service for each of them, the write's with it, µs"),
    Figure("most_events_per_s", "changes delivered while 8 writes are always under way"),
    Figure("most_writes_per_s", "of so many writes"),
    Figure("most_p99_ms", "until 99 in 100 watchers knew then, of the changes they were told"),
    Figure("missed", "cells of all streams whose last value is not the ledger's", exactly=0),
    Figure("errors", "writes that ended in an error"),
)
def measure(bench: Bench) -> Figures:
    """1,000 watch streams on 10 of 100 hot SKUs each, while movements change those at 4 locations."""
    size = Size()
    settings = {"server": {"streams_max": 2 * size.streams}}  # watches may take three quarters of them
    with Service(bench.folder / "service", locations(size.locations), bench.front, settings=settings) as service:
        return run(bench, service, size)


def run(bench: Bench, service: Service, size: Size) -> Figures:
    """Measure a service with the locations of `size`, and no others.

    Writes on schedule for the time given, then as fast as they go for half of it. Nothing is lost when a slow stream
    gets only the newest of several values, so not every write is an event of every watcher.
    """
    cells = [(_sku(i), f"locations/{location}") for location in locations(size.locations) for i in range(size.skus)]
    receive(service.address, ((name.partition("/")[2], sku, UNITS) for sku, name in cells), bench.tell)
    watches = _watches(size)
    bench.tell(f"opening {size.streams:,} streams")
    with Watchers(service.address, watches, cells, size.processes, size.connections) as watchers:
        before_s, began_ns = service.cpu_s(), time.monotonic_ns()
        steady = _write(bench, service.address, size, "steady", OpenLoop(size.writes_per_s), bench.seconds)
        cpu_s, ended_ns = service.cpu_s() - before_s, time.monotonic_ns()
        most = _write(bench, service.address, size, "most", ClosedLoop(size.in_flight), bench.seconds / 2)
        heard = watchers.finish(_units(service.address, size))
    told = Told(heard)
    watchers_of = Counter(sku for watch in watches for sku in watch.skus)
    due = sum(watchers_of[cells[place][0]] for place in _written(steady, steady.start_ns)[0].tolist())
    return {
        "events_per_s": told.count(steady.start_ns, steady.seconds) / steady.seconds,
        "p50_ms": told.percentile_ms(steady, 50),
        "p99_ms": told.percentile_ms(steady, 99),
        "told_share": told.matched(steady) / due,
        "cpu_us_per_event": cpu_s * 1e6 / told.count(began_ns, (ended_ns - began_ns) / NS_PER_S),
        "most_events_per_s": told.count(most.start_ns, most.seconds) / most.seconds,
        "most_writes_per_s": most.requests_per_s,
        "most_p99_ms": told.percentile_ms(most, 99),
        "missed": sum(part.missed for part in heard),
        "errors": steady.errors + most.errors,
    }


class Writes(Calls):
    """One movement after the other, of random cells, up and down in turn; notes when each was answered.

    Args:
        size: of the network.
        source: of the movements.
        units: of each cell now.
        number: of the process.
    """

    def __init__(self, size: Size, source: str, units: Sequence[int], number: int) -> None:
        self._lots = random.Random(number)
        self._names = [f"locations/{location}" for location in locations(size.locations)]
        self._skus = [_sku(i) for i in range(size.skus)]
        self._source = source
        self._up = [now < THRESHOLD for now in units]
        self._sent = 0
        self._kind = Kind("write", RECORD, self._judge)
        self._columns = array("q"), array("q"), array("q")

    def next(self) -> Call:
        """The next movement."""
        self._sent += 1
        place = self._lots.randrange(len(self._up))
        up = self._up[place]
        self._up[place] = not up
        location, sku = divmod(place, len(self._skus))
        movement = pb.StockMovement(
            source=self._source,
            movement_id=str(self._sent),
            location=self._names[location],
            sku=self._skus[sku],
            type=pb.MOVEMENT_TYPE_ADJUSTMENT,
            quantity=UP if up else -DOWN,
        )
        return Call(self._kind, pb.RecordMovementsRequest(movements=[movement]).SerializeToString(), place)

    def _judge(self, answer: bytes, place: int) -> str:
        now_ns = time.monotonic_ns()
        (result,) = pb.RecordMovementsResponse.FromString(answer).results
        if result.status != pb.MOVEMENT_STATUS_APPLIED:
            return pb.MovementStatus.Name(result.status)
        for column, value in zip(self._columns, (place, result.on_hand, now_ns), strict=True):
            column.append(value)
        return WRITTEN

    def tally(self) -> list[NDArray[np.int64]]:
        """Cell, value and time of every answer: int64, shape (answers,) each."""
        return [np.array(column, np.int64) for column in self._columns]


class Told:
    """What all watchers were told."""

    def __init__(self, heard: Sequence[Heard]) -> None:
        self._keys = np.concatenate([part.cells * KEY_UNITS + part.values for part in heard])
        self._times_ns = np.concatenate([part.times_ns for part in heard])

    def count(self, begin_ns: int, seconds: float) -> int:
        """Changes that arrived in a time."""
        end_ns = begin_ns + int(seconds * NS_PER_S)
        return int(np.count_nonzero((self._times_ns >= begin_ns) & (self._times_ns < end_ns)))

    def matched(self, written: Measured) -> int:
        """How many of the changes are of the writes measured."""
        return len(self._lags_ns(written))

    def percentile_ms(self, written: Measured, percent: float) -> float:
        """The time from the answer of a write measured until `percent` of the changes it made had arrived."""
        lags_ns = self._lags_ns(written)
        if not len(lags_ns):
            raise BenchError("no watcher was told anything")
        return float(np.percentile(lags_ns, percent)) / 1e6

    def _lags_ns(self, written: Measured) -> NDArray[np.int64]:
        """Of every change that is of a write measured; below 0 when a watcher knew before the writer did."""
        cells, values, times_ns = _written(written, written.start_ns)
        keys = cells * KEY_UNITS + values
        order = np.argsort(keys)
        keys, times_ns = keys[order], times_ns[order]
        places = np.minimum(np.searchsorted(keys, self._keys), len(keys) - 1)
        found = keys[places] == self._keys
        lags_ns: NDArray[np.int64] = (self._times_ns - times_ns[places])[found]
        return lags_ns


def _written(written: Measured, since_ns: int) -> tuple[NDArray[np.int64], ...]:
    """Cell, value and time of the writes answered since then."""
    columns = [np.concatenate(parts) for parts in zip(*written.tallies, strict=True)]
    late = columns[2] >= since_ns
    return tuple(column[late] for column in columns)


def _write(bench: Bench, address: str, size: Size, source: str, pace: Pace, seconds: float) -> Measured:
    make = partial(Writes, size, source, _units(address, size))
    written = run_load(Load(address, make, pace, 1, size.warm_up_s, seconds, 1), bench.tell)
    if written.outcomes.keys() - {WRITTEN} or not written.outcomes[WRITTEN]:
        bench.tell(f"writes ended like this: {dict(written.outcomes)}")
    return written


def _watches(size: Size) -> list[Watch]:
    lots = random.Random(size.streams)
    skus = [_sku(i) for i in range(size.skus)]
    return [
        Watch(lots.sample(skus, size.watched), THRESHOLD if number % size.threshold_every == 0 else None)
        for number in range(size.streams)
    ]


def _units(address: str, size: Size) -> list[int]:
    """Units of each cell, from the ledgers."""
    skus = [_sku(i) for i in range(size.skus)]
    return [units for location in locations(size.locations) for units in held_units(address, location, skus)[0]]


def _sku(i: int) -> str:
    return f"watch-{i:08d}"
