"""Big reads: a packed matrix of SKUs by locations, as the Python client hands it to its user."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.client import Client
from bench.pace import NS_PER_S
from bench.registry import Bench, Figure, Figures, scenario
from bench.scenarios.availability import locations
from bench.service import Service
from bench.stock import Cell, receive

READY_S: Final = 60.0
"""How long clients may take to come up; they begin together."""
COMPARED_EVERY: Final = 8
"""Of one answer in so many every cell is compared, of the others their sum."""

_together: Barrier | None = None
"""In a client process: what all of them wait at."""


class Size(NamedTuple):
    """How big network, stock and reads are.

    Attributes:
        locations: all of them are read each time.
        skus: known; each is stocked at one location in `every`.
        rows: SKUs of one read.
    """

    locations: int = 400
    skus: int = 10_000
    every: int = 10
    rows: int = 1_000
    actors: int = 2


class Part(NamedTuple):
    """What one client did: how long each read took, and how many were wrong."""

    took_ms: NDArray[np.float64]
    wrong: int


@scenario(
    "matrix",
    Figure("cells_per_s", "cells read by one client process", at_least=5_000_000),
    Figure("p50_ms", "half of its reads of 1,000 SKUs at 400 locations took less"),
    Figure("p99_ms", "99 in 100 of them took less"),
    Figure("cells_per_s_two", "cells read by two client processes together"),
    Figure("p50_ms_two", "half of their reads took less"),
    Figure("p99_ms_two", "99 in 100 of them took less"),
    Figure("cpu_ms", "CPU time of all processes of the service for one read, with one client"),
    Figure("wrong", "reads with a cell that is not what was stocked", exactly=0),
)
def measure(bench: Bench) -> Figures:
    """BatchGetAvailability by allocator.client: 1,000 SKUs at 400 locations, received as a numpy array."""
    size = Size()
    settings = {"runtime": {"actors": size.actors}}
    with Service(bench.folder / "service", _locations(size), bench.front, settings=settings) as service:
        return run(bench, service, size)


def run(bench: Bench, service: Service, size: Size) -> Figures:
    """Measure a service with the locations of `size`, and no others: one client for the time given, then two."""
    receive(service.address, _opening(size), bench.tell)
    before_s = service.cpu_s()
    one = _read(bench, service.address, size, 1)
    cpu_s = service.cpu_s() - before_s
    two = _read(bench, service.address, size, 2)
    return {
        **_figures(bench, size, one, ""),
        **_figures(bench, size, two, "_two"),
        "cpu_ms": cpu_s * 1e3 / (1 + len(one[0].took_ms)),  # the last one ends after the time
        "wrong": sum(part.wrong for part in (*one, *two)),
    }


def _read(bench: Bench, address: str, size: Size, clients: int) -> list[Part]:
    bench.tell(f"{clients} reading for {bench.seconds:g} s")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(clients, context, _keep, (context.Barrier(clients),)) as pool:
        futures = [pool.submit(_work, address, size, n, bench.seconds) for n in range(clients)]
        return [future.result() for future in futures]


def _figures(bench: Bench, size: Size, parts: Sequence[Part], suffix: str) -> Figures:
    took_ms = np.concatenate([part.took_ms for part in parts])
    return {
        f"cells_per_s{suffix}": len(took_ms) * size.rows * size.locations / bench.seconds,
        f"p50_ms{suffix}": float(np.percentile(took_ms, 50)),
        f"p99_ms{suffix}": float(np.percentile(took_ms, 99)),
    }


def _keep(together: Barrier) -> None:
    """Keep in a new process what can only be given to it as it starts."""
    global _together  # noqa: PLW0603  # of a process that does nothing else
    _together = together


def _work(address: str, size: Size, number: int, seconds: float) -> Part:
    """One client: read random SKUs, one read after the other, until the time is up."""
    lots, expected = random.Random(number), _expected(size)
    took_ms, wrong = [], 0
    with Client(address) as client:
        client.availability([_sku(0)])
        assert _together is not None
        _together.wait(READY_S)
        end_ns = time.monotonic_ns() + int(seconds * NS_PER_S)
        while time.monotonic_ns() < end_ns:
            rows = lots.sample(range(size.skus), size.rows)
            skus = [_sku(i) for i in rows]
            began_ns = time.monotonic_ns()
            cells = client.availability(skus).cells
            now_ns = time.monotonic_ns()
            if now_ns < end_ns:
                took_ms.append((now_ns - began_ns) / 1e6)
            wrong += not _right(cells, expected[rows], whole=len(took_ms) % COMPARED_EVERY == 1)
    return Part(np.array(took_ms), wrong)


def _right(cells: NDArray[np.int64], expected: NDArray[np.int64], *, whole: bool) -> bool:
    if whole:
        return np.array_equal(cells, expected)
    return cells.shape == expected.shape and int(cells.sum()) == int(expected.sum())


def _expected(size: Size) -> NDArray[np.int64]:
    """What is where: int64, shape (SKUs, locations)."""
    cells = np.zeros((size.skus, size.locations), dtype=np.int64)
    for column in range(size.locations):
        stocked = np.arange(column % size.every, size.skus, size.every)
        cells[stocked, column] = 1 + (stocked + column) % 100
    return cells


def _opening(size: Size) -> Iterator[Cell]:
    expected = _expected(size)
    for column, location in enumerate(_locations(size)):
        for i in np.flatnonzero(expected[:, column]).tolist():
            yield location, _sku(i), int(expected[i, column])


def _locations(size: Size) -> list[str]:
    """In the order of names, as the columns come."""
    return sorted(locations(size.locations))


def _sku(i: int) -> str:
    return f"matrix-{i:08d}"
