"""Many seeds on several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from tests.simulation.bugs import planted
from tests.simulation.run import Outcome, simulate

CHUNK = 25
"""Seeds of one task."""


def broken_ones(seeds: range, bug: str, jobs: int) -> Iterator[tuple[int, list[Outcome]]]:
    """Chunks of `seeds` as they are done: how many, and the broken ones among them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        chunks = (seeds[place : place + CHUNK] for place in range(0, len(seeds), CHUNK))
        futures: dict[Future[list[Outcome]], range] = {pool.submit(_chunk, chunk, bug): chunk for chunk in chunks}
        for future in as_completed(futures):
            yield len(futures[future]), future.result()


def _chunk(seeds: range, bug: str) -> list[Outcome]:
    with planted(bug):
        outcomes = [simulate(seed) for seed in seeds]
    return [_portable(outcome) for outcome in outcomes if outcome.broken is not None]


def _portable(outcome: Outcome) -> Outcome:
    """The outcome with an error that survives pickling."""
    return outcome._replace(broken=AssertionError(f"{type(outcome.broken).__name__}: {outcome.broken}"))
