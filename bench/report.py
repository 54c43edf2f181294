"""What a run leaves behind: JSON for machines, a table for people."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from rich.table import Table

from bench.machine import Machine, machine, versions
from bench.registry import Figure, Figures, Scenario

THOUSAND = 1_000
HUNDRED = 100
COMMIT_SHOWN = 12
NOTHING: Mapping[str, Any] = MappingProxyType({})
MET, MISSED, ABSENT = "met", "missed", "absent"


class Taken(NamedTuple):
    """How figures came about.

    Attributes:
        command: that measured them.
        seconds: asked for.
        took_s: with all that had to be built before, seconds.
        at: when it ended, UTC.
    """

    command: str = ""
    seconds: float = 0
    took_s: float = 0
    at: str = ""


class Row(NamedTuple):
    """A figure as a table shows it: `value` is "-" when it is absent, `outcome` is "" when nothing was promised."""

    figure: Figure
    value: str
    outcome: str
    reason: str


class Result(NamedTuple):
    """The figures of one scenario, and what they depend on.

    Attributes:
        scenario: what was measured.
        figures: by name.
        absent: figures that could not be measured, and why.
        front: that was asked for.
        points: of a curve.
        taken: how they came about.
        failed: why there is nothing; "" when it was measured.
        machine, versions: where and on what.
    """

    scenario: Scenario
    figures: Figures
    absent: Mapping[str, str] = NOTHING
    front: str | None = None
    points: Sequence[Mapping[str, float]] = ()
    taken: Taken = Taken()
    failed: str = ""
    machine: Machine = NOTHING
    versions: Mapping[str, str] = NOTHING

    @classmethod
    def read(cls, document: Mapping[str, Any], known: Mapping[str, Scenario]) -> Result:
        """Of a document, whose scenario has to be known."""
        return cls(
            known[document["scenario"]],
            document["figures"],
            document["absent"],
            document["front"],
            document.get("points", ()),
            Taken(*(document.get(name, default) for name, default in Taken()._asdict().items())),
            document.get("failed", ""),
            document["machine"],
            document["versions"],
        )

    def document(self) -> dict[str, Any]:
        """The JSON of it; machine and versions are those of now unless they are given."""
        return {
            "scenario": self.scenario.name,
            "front": self.front,
            **self.taken._asdict(),
            **({"failed": self.failed} if self.failed else {}),
            "machine": dict(self.machine or machine()),
            "versions": dict(self.versions or versions()),
            "figures": self.figures,
            "absent": dict(self.absent),
            "points": [dict(point) for point in self.points],
        }

    @property
    def commit(self) -> str:
        """The commit it was measured on, short; "unknown" outside of a checkout."""
        commit, plus, changes = self.versions.get("commit", "").partition("+")
        return f"{commit[:COMMIT_SHOWN]}{plus}{changes}" or "unknown"

    def rows(self) -> list[Row]:
        """Every figure declared, in order."""
        return [self._row(figure) for figure in self.scenario.figures]

    def _row(self, figure: Figure) -> Row:
        if (value := self.figures.get(figure.name)) is None:
            # A figure that neither is there nor has a reason was declared after this was measured.
            reason = self.absent.get(figure.name, self.failed or f"not measured yet at commit {self.commit}")
            return Row(figure, "-", ABSENT if figure.target else "", reason)
        outcome = MET if figure.met_by(value) else MISSED
        return Row(figure, readable(value), outcome if figure.target else "", "")


def write_json(path: Path, document: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write one run's document, or the list of all of them."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_results(folder: Path, known: Mapping[str, Scenario]) -> list[Result]:
    """The results in a folder, in the order of the scenarios; files of scenarios that are no more are left alone."""
    paths = (folder / f"{name}.json" for name in known)
    return [Result.read(json.loads(path.read_text(encoding="utf-8")), known) for path in paths if path.exists()]


def table(results: Sequence[Result]) -> Table:
    """The figures beside their targets."""
    grid = Table(title="Benchmarks", title_justify="left", caption_justify="left", caption=_caption())
    grid.add_column("scenario", no_wrap=True)
    grid.add_column("figure", no_wrap=True)
    grid.add_column("value", justify="right", no_wrap=True)
    grid.add_column("target", justify="right", no_wrap=True)
    grid.add_column("meaning")
    for result in results:
        name = result.scenario.name
        for row in result.rows():
            colour = {MET: "[green]", MISSED: "[red]"}.get(row.outcome, "")
            meaning = f"{row.figure.meaning}; absent: {row.reason}" if row.reason else row.figure.meaning
            grid.add_row(name, row.figure.name, f"{colour}{row.value}", row.figure.target, meaning)
            name = ""
        grid.add_section()
    return grid


def readable(value: float) -> str:
    """A figure with as many digits as mean something."""
    if not math.isfinite(value):
        return "none"
    if value == int(value) or value >= THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= HUNDRED else f"{value:.3g}"


def _caption() -> str:
    here, built = machine(), versions()
    return (
        f"{here['cpu']}, {here['cores']} cores, {here['memory_gib']} GiB, {here['kernel']}; "
        f"Python {built['python']}, commit {built['commit'][:COMMIT_SHOWN] or 'unknown'}"
    )
