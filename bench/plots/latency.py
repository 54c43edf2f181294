"""p50 and p99 at half of the highest rate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.plots.style import GRID, LINE, OURS, PANEL_WIDTH, TARGET
from bench.report import Result, readable

NEAR: Final = 0.06
"""Marks nearer than that share of the axis have one label."""


class Span(NamedTuple):
    """A latency: half of the calls, and 99 in 100 of them."""

    scenario: str
    prefix: str
    label: str


SPANS: Final = (
    Span("availability", "", "check a cart"),
    Span("reserve", "", "reserve, fsynced"),
    Span("mixed", "check_", "check, 700 for each reserve"),
    Span("mixed", "reserve_", "reserve, one for 700 checks"),
)


def latency(measured: Mapping[str, Result]) -> Figure | None:
    """p50 and p99 at half of the highest rate, with the target of p99 where there is one."""
    spans = [one for one in SPANS if one.scenario in measured and _has(measured[one.scenario], one.prefix)]
    if not spans:
        return None
    figure = Figure(figsize=(2 * PANEL_WIDTH, 1.2 + 0.42 * len(spans)), layout="constrained")
    axes = figure.subplots()
    for y, span in enumerate(spans):
        _span(axes, y, span, measured[span.scenario])
    axes.set_title("Latency at half of the highest rate, counted from when each call was due")
    axes.set_yticks(range(len(spans)), [span.label for span in spans])
    axes.set(ylim=(len(spans) - 0.4, -0.6), xlabel="milliseconds")
    axes.set_xlim(0, axes.get_xlim()[1] * 1.06)
    for y, span in enumerate(spans):
        _label(axes, y, *_p50_p99(span, measured[span.scenario]))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID)
    marks = [
        Line2D([], [], color=OURS, marker="o", linestyle="", label="half of the calls (p50)"),
        Line2D([], [], color=OURS, marker="D", linestyle="", label="99 in 100 (p99)"),
        Line2D([], [], color=TARGET, marker="|", markersize=12, markeredgewidth=2, linestyle="", label="target of p99"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), frameon=False)
    return figure


def _has(result: Result, prefix: str) -> bool:
    return all(f"{prefix}p{percent}_ms" in result.figures for percent in (50, 99))


def _span(axes: Axes, y: int, span: Span, result: Result) -> None:
    half, most = _p50_p99(span, result)
    axes.plot((half, most), (y, y), color=LINE, linewidth=3, solid_capstyle="round", zorder=2)
    axes.plot(half, y, "o", color=OURS, zorder=3)
    axes.plot(most, y, "D", color=OURS, zorder=3)
    bounds = [figure.at_most for figure in result.scenario.figures if figure.name == f"{span.prefix}p99_ms"]
    for bound in bounds:
        if bound is not None:
            axes.plot(bound, y, "|", color=TARGET, markersize=16, markeredgewidth=2, zorder=1)


def _p50_p99(span: Span, result: Result) -> tuple[float, float]:
    return result.figures[f"{span.prefix}p50_ms"], result.figures[f"{span.prefix}p99_ms"]


def _label(axes: Axes, y: int, half: float, most: float) -> None:
    """Write the values above their marks, in one text when the marks are too near for two."""
    near = most - half < NEAR * axes.get_xlim()[1]
    texts = [(half, f"{readable(half)} / {readable(most)}")] if near else [(v, readable(v)) for v in (half, most)]
    for x, text in texts:
        align = "left" if near else "center"
        axes.annotate(text, (x, y), (-4 if near else 0, 6), textcoords="offset points", ha=align)
