"""The pictures of a run: rates beside those of others, latencies, and what growth costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from bench.plots.growth import growth
from bench.plots.latency import latency
from bench.plots.style import STYLE
from bench.plots.throughput import throughput
from bench.report import Result

DPI: Final = 200
PICTURES: Final[Mapping[str, Callable[[Mapping[str, Result]], Figure | None]]] = {
    "throughput": throughput,
    "latency": latency,
    "growth": growth,
}


def draw(folder: Path, results: Sequence[Result]) -> list[str]:
    """Write a PNG and an SVG of each picture there are figures for; others of an earlier run go.

    Returns:
        Names of the pictures there are.
    """
    measured = {result.scenario.name: result for result in results if not result.failed}
    drawn = []
    for name, picture in PICTURES.items():
        png, svg = folder / f"{name}.png", folder / f"{name}.svg"
        with mpl.rc_context(STYLE):
            figure = picture(measured)
            if figure is None:
                png.unlink(missing_ok=True)
                svg.unlink(missing_ok=True)
                continue
            figure.savefig(png, dpi=DPI)
            figure.savefig(svg, metadata={"Date": None})
        drawn.append(name)
    return drawn
