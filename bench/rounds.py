"""Several loads beside each other in one run: in turn, so that a machine whose speed drifts is as fast for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.errors import BenchError
from bench.load import Load, run
from bench.measured import Measured
from bench.processes import alone


def in_turn(loads: Mapping[str, Load], tell: Callable[[str], None], rounds: int = 2) -> dict[str, list[Measured]]:
    """Run every load for its time, a part of it in each round, and every other round in the reverse order.

    Servers of the run that are not measured at the moment stand still.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in loads}
    order = list(loads)
    for _ in range(rounds):
        for name in order:
            load = loads[name]
            with alone(load.address):
                measured[name].append(run(load._replace(seconds=load.seconds / rounds), _named(tell, name)))
        order.reverse()
    return measured


def rate_per_s(parts: list[Measured]) -> float:
    """Calls answered each second, over all rounds.

    Raises:
        BenchError: there were none, so there is nothing to compare with.
    """
    rate = sum(part.requests_per_s for part in parts) / len(parts)
    if not rate:
        raise BenchError(f"no call was answered: {[dict(part.outcomes) for part in parts]}")
    return rate


def _named(tell: Callable[[str], None], name: str) -> Callable[[str], None]:
    return lambda text: tell(f"{name}: {text}")
