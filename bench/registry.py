"""What a benchmark is: a function that returns the figures it declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from bench.errors import BenchError


class Figure(NamedTuple):
    """One number of a scenario.

    Attributes:
        name: its key in the JSON, with its unit.
        meaning: in a few words.
        at_least, at_most: what the project promises for it, if it does.
        exactly: what it has to be for the other figures to be worth anything; a miss fails the run.
    """

    name: str
    meaning: str
    at_least: float | None = None
    at_most: float | None = None
    exactly: float | None = None

    @property
    def target(self) -> str:
        """The target as people write it; "" when there is none."""
        signs = (("≥", self.at_least), ("≤", self.at_most), ("=", self.exactly))
        return " ".join(f"{sign} {_written(bound)}" for sign, bound in signs if bound is not None)

    def met_by(self, value: float) -> bool:
        """Whether `value` meets every target there is."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.exactly is None or value == self.exactly)
        )


def _written(bound: float) -> str:
    return f"{bound:,.0f}" if bound == int(bound) else f"{bound:g}"


Figures = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """What a scenario gets.

    Attributes:
        seconds: how long to measure; what has to be built before does not count.
        folder: an empty folder that goes afterwards.
        tell: hears what is going on, for people who wait.
        front: of the service, `envoy` or `grpcio`; None leaves it to the service.
        absent: figures that cannot be measured here, and why.
        points: of the curve that the scenario measures, if it measures one: named values each.
    """

    seconds: float
    folder: Path
    tell: Callable[[str], None]
    front: str | None = None
    absent: dict[str, str] = field(default_factory=dict)
    points: list[dict[str, float]] = field(default_factory=list)

    def leave_out(self, reason: str, *figures: str) -> None:
        """Tell why figures that the scenario declares are missing: a peer or a tool is not on this machine."""
        self.tell(f"without {', '.join(figures)}: {reason}")
        for name in figures:
            self.absent[name] = reason


class Scenario(NamedTuple):
    """One benchmark.

    Attributes:
        name: on the command line.
        summary: the first line of its docstring.
        figures: what it returns, in order.
        measure: runs it at full size.
    """

    name: str
    summary: str
    figures: Sequence[Figure]
    measure: Callable[[Bench], Figures]

    def run(self, bench: Bench) -> Figures:
        """Measure, and see that every figure is there and no other, besides those left out with a reason.

        Raises:
            BenchError: a figure is missing without a reason, or was not declared.
        """
        figures = self.measure(bench)
        declared = [figure.name for figure in self.figures]
        if sorted([*figures, *bench.absent]) != sorted(declared):
            returned = f"{sorted(figures)} and left out {sorted(bench.absent)}"
            raise BenchError(f"scenario {self.name} returned {returned}, it declares {sorted(declared)}")
        return {name: figures[name] for name in declared if name in figures}

    def wrong(self, figures: Mapping[str, float]) -> list[Figure]:
        """The figures that have to have one value and have another."""
        exact = (figure for figure in self.figures if figure.exactly is not None and figure.name in figures)
        return [figure for figure in exact if not figure.met_by(figures[figure.name])]


_SCENARIOS: Final[dict[str, Scenario]] = {}


def scenario(name: str, *figures: Figure) -> Callable[[Callable[[Bench], Figures]], Callable[[Bench], Figures]]:
    """Register a function as the scenario `name`; the first line of its docstring is the summary."""

    def register(measure: Callable[[Bench], Figures]) -> Callable[[Bench], Figures]:
        summary = (measure.__doc__ or "").strip().partition("\n")[0]
        _SCENARIOS[name] = Scenario(name, summary, figures, measure)
        return measure

    return register


def scenarios() -> dict[str, Scenario]:
    """All scenarios by name, in the order in which `all` runs them."""
    import bench.scenarios  # noqa: F401, PLC0415  # importing it registers them, and they import this module

    return dict(_SCENARIOS)
