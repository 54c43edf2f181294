"""What a run leaves behind: JSON for machines, a table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.table import Table

from bench.machine import machine, versions
from bench.registry import Figures, Scenario

THOUSAND = 1_000
HUNDRED = 100


class Result(NamedTuple):
    """The figures of one scenario."""

    scenario: Scenario
    figures: Figures

    def document(self) -> dict[str, Any]:
        """The JSON of it: scenario, machine, versions, figures."""
        return {
            "scenario": self.scenario.name,
            "machine": machine(),
            "versions": versions(),
            "figures": self.figures,
        }


def write_json(path: Path, document: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write one run's document, or the list of all of them."""
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
        for figure in result.scenario.figures:
            value = result.figures[figure.name]
            colour = "" if not figure.target else "[green]" if figure.met_by(value) else "[red]"
            grid.add_row(name, figure.name, f"{colour}{readable(value)}", figure.target, figure.meaning)
            name = ""
        grid.add_section()
    return grid


def readable(value: float) -> str:
    """A figure with as many digits as mean something."""
    if value == int(value) or value >= THOUSAND:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= HUNDRED else f"{value:.3g}"


def _caption() -> str:
    here, built = machine(), versions()
    return (
        f"{here['cpu']}, {here['cores']} cores, {here['memory_gib']} GiB, {here['kernel']}; "
        f"Python {built['python']}, commit {built['commit'][:12] or 'unknown'}"
    )
