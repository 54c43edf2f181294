"""Report and pictures of a run, into a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.errors import BenchError
from bench.markdown import markdown
from bench.plots import draw
from bench.registry import Scenario
from bench.report import Result


def render(results: Sequence[Result], known: Mapping[str, Scenario], folder: Path) -> Path:
    """Write `report.md` and the pictures; returns where the report is.

    Raises:
        BenchError: there is nothing to report.
    """
    if not results:
        raise BenchError("no figures of any scenario are there; `python -m bench all` measures them")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.md"
    path.write_text(markdown(results, known.values(), draw(folder, results)), encoding="utf-8")
    return path
