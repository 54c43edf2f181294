"""Rates of everybody beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from allocator.gateway.fronts import ENVOY, GRPCIO
from bench.plots.style import ECHO, GRID, OURS, PANEL_WIDTH, PEER, UNSAFE
from bench.report import Result, readable

FRONT_NAMES: Final = {ENVOY: "Envoy", GRPCIO: "grpc.aio"}
BAR: Final = 0.72
GAP: Final = 0.5
"""Between the bars of one front and those of the next, bars."""
ROOM: Final = 1.22
"""Length of an axis for each length of its longest bar, so that a label fits behind it."""


class Bar(NamedTuple):
    """One who was measured; `front` is "" for that of the service."""

    figure: str
    who: str
    front: str = ""
    colour: str = PEER


BARS: Final = (
    Bar("echo_per_s", "bare echo", colour=ECHO),
    Bar("requests_per_s", "Allocator", colour=OURS),
    Bar("redis_envoy_per_s", "Redis", ENVOY),
    Bar("postgres_envoy_per_s", "PostgreSQL", ENVOY),
    Bar("grpcio_per_s", "Allocator", GRPCIO, OURS),
    Bar("redis_per_s", "Redis", GRPCIO),
    Bar("postgres_per_s", "PostgreSQL", GRPCIO),
    Bar("ray_unbatched_per_s", "Ray, one call each", GRPCIO),
    Bar("redis_everysec_per_s", "Redis, may lose 1 s", GRPCIO, UNSAFE),
)
RATES: Final = {
    "availability": "Carts of 3 lines checked at 12 locations",
    "reserve": "Single-line reserves, each on disk",
}


def throughput(measured: Mapping[str, Result]) -> Figure | None:
    """Rates of everybody beside each other, a panel for each scenario. Axes are linear and start at 0."""
    panels = {name: bars for name in RATES if name in measured and (bars := _bars(measured[name]))}
    if not panels:
        return None
    most = max(len(bars) for bars in panels.values())
    figure = Figure(figsize=(PANEL_WIDTH * len(panels), 1.15 + 0.27 * most), layout="constrained")
    for axes, (name, bars) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        _rates(axes, RATES[name], bars, measured[name].figures)
    return figure


def _bars(result: Result) -> list[Bar]:
    """Those measured, by front: first the one that the service is on."""
    own = result.front or (ENVOY if "pyvoy" in result.versions else GRPCIO)
    there = [bar._replace(front=bar.front or own) for bar in BARS if bar.figure in result.figures]
    return sorted(there, key=lambda bar: bar.front != own)


def _rates(axes: Axes, title: str, bars: Sequence[Bar], figures: Mapping[str, float]) -> None:
    places = list(_places(bars))
    values = [figures[bar.figure] for bar in bars]
    axes.barh(places, values, BAR, color=[bar.colour for bar in bars])
    for y, value in zip(places, values, strict=True):
        # On white, so that no line of the grid runs through a number.
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.annotate(readable(round(value)), (value, y), (4, 0), textcoords="offset points", va="center", bbox=box)
    axes.set_title(title)
    axes.set_yticks(places, [f"{bar.who} ({FRONT_NAMES[bar.front]})" for bar in bars])
    axes.set(xlim=(0, max(values) * ROOM), xlabel="calls per second")
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID)


def _places(bars: Sequence[Bar]) -> Iterator[float]:
    """Where the bars are, those of another front a little apart."""
    y = 0.0
    for number, bar in enumerate(bars):
        if number and bar.front != bars[number - 1].front:
            y += GAP
        yield y
        y += 1
