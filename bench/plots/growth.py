"""Rate and memory over the size of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.plots.style import ECHO, GRID, OURS, PANEL_WIDTH, PEER
from bench.report import Result, readable

MILLION: Final = 1_000_000
THOUSAND: Final = 1_000


class Step(NamedTuple):
    """One network of the growth scenario."""

    name: str
    rate_per_s: float
    ratio: float
    gateway_mib: float
    actor_mib: float


def growth(measured: Mapping[str, Result]) -> Figure | None:
    """Rate and memory over the size of the network."""
    result = measured.get("growth")
    if result is None or not result.points:
        return None
    steps = [_step(point) for point in result.points]
    figure = Figure(figsize=(2 * PANEL_WIDTH, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    _growth_rates(left, steps)
    _growth_memory(right, steps, result.figures)
    for axes in (left, right):
        axes.set_xticks(range(len(steps)), [step.name for step in steps])
        axes.set_xlabel("locations x SKUs")
        axes.grid(axis="y", color=GRID)
        axes.tick_params(axis="x", length=0)
    return figure


def _step(point: Mapping[str, float]) -> Step:
    name = f"{point['locations']:g} x\n{_short(point['skus'])}"
    return Step(name, point["requests_per_s"], point["ratio_small"], point["gateway_mib"], point["actor_mib"])


def _short(count: float) -> str:
    return f"{count / MILLION:g}M" if count >= MILLION else f"{count / THOUSAND:g}k"


def _growth_rates(axes: Axes, steps: Sequence[Step]) -> None:
    """The rate, beside that of the smallest network in the same minutes: a machine's speed drifts over a run."""
    pairs = (([step.rate_per_s / step.ratio for step in steps], ECHO), ([step.rate_per_s for step in steps], OURS))
    for side, (values, colour) in enumerate(pairs):
        axes.bar([x + (side - 0.5) * 0.4 for x in range(len(steps))], values, 0.38, color=colour)
    top = max(value for values, _ in pairs for value in values)
    for x, step in enumerate(steps):
        text = f"{step.ratio:.2f}"
        axes.annotate(text, (x + 0.2, step.rate_per_s), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    axes.set_title("The same carts checked; share of the smallest")
    axes.set(ylabel="calls per second", ylim=(0, top * 1.35))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    handles = [Patch(color=OURS, label="this network"), Patch(color=ECHO, label="the smallest, in turn with it")]
    axes.legend(handles=handles, loc="upper left", frameon=False)


def _growth_memory(axes: Axes, steps: Sequence[Step], figures: Mapping[str, float]) -> None:
    for side, (name, colour) in enumerate((("gateway", OURS), ("actor of all locations", PEER))):
        values = [step.gateway_mib if side == 0 else step.actor_mib for step in steps]
        axes.bar([x + (side - 0.5) * 0.4 for x in range(len(steps))], values, 0.38, color=colour, label=name)
        for x, value in enumerate(values):
            at = (x + (side - 0.5) * 0.4, value)
            axes.annotate(f"{value:,.0f}", at, (0, 2), textcoords="offset points", ha="center", fontsize=7)
    per_cell, per_sku = (figures[name] for name in ("gateway_bytes_per_cell", "actor_bytes_per_sku"))
    axes.set_title(f"Memory: {readable(per_cell)} bytes a cell, {readable(per_sku)} a stocked SKU")
    top = max(max(step.gateway_mib, step.actor_mib) for step in steps)
    axes.set(ylabel="MiB", ylim=(0, top * 1.25))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="upper left", frameon=False)
