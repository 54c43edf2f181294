"""The picture of the play: from where orders went where, beside nearest location first. The customers are made up.

No map data is at hand, so there is no coastline: a graticule, and cities where they are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from demo.labels import Label, place_labels
from demo.places import CITIES, HOME
from demo.scene import Scene
from demo.served import Parcels, flows, sent_from

WEST, EAST, SOUTH, NORTH = -8.2, 3.2, 49.8, 58.2
GRID_DEGREES: Final = 2
STRETCH: Final = 1 / math.cos(math.radians((SOUTH + NORTH) / 2))
"""Of a degree of latitude against one of longitude, in the middle of the map."""
INCHES: Final = (16.0, 10.9)
DPI: Final = 110
DC_COLOURS: Final = ("#0b5394", "#b45f06")
STORE_COLOUR: Final = "#38761d"
CITY_COLOUR: Final = "#333333"
WIDTH: Final = 0.6
"""Points of a line that stands for one parcel. Widths grow with the root: small flows are seen beside London's."""
AREA: Final = 0.005
"""Square points of a location's mark for each unit that orders get from there."""
AREA_MIN: Final = 20.0
CITY_RADIUS: Final = 1.8
NEAR_DEGREES: Final = 0.15
"""A city that is closer than that to a location goes by the location's mark and label."""
LEGEND_PARCELS: Final = (1, 10, 100)
ABROAD_MAX: Final = 6
"""Places abroad that are told by name."""

Positions = Mapping[str, tuple[float, float]]
"""(longitude, latitude) in degrees."""


def draw(folder: Path, scene: Scene, sourced: Parcels, nearest: Parcels) -> tuple[Path, Path]:
    """Write `flows.png` and `flows.svg` into a folder; returns where they are.

    Args:
        folder: that is there.
        scene: what was played.
        sourced: parcels by order, as Allocate planned them.
        nearest: the same, had each line come from the nearest location that has it.
    """
    png, svg = folder / "flows.png", folder / "flows.svg"
    # With ids that do not change and without a date, the same parcels write the same file.
    with mpl.rc_context({"svg.hashsalt": "allocator", "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=INCHES, dpi=DPI)
        figure.suptitle("Who ships to whom: real orders, made-up customers, stock and network", fontsize=16, y=0.96)
        left, right = figure.subplots(1, 2)
        figure.subplots_adjust(left=0.04, right=0.99, top=0.92, bottom=0.03, wspace=0.08)
        _map(left, "Allocate", scene, sourced)
        _map(right, "Nearest location first", scene, nearest)
        figure.savefig(png)
        figure.savefig(svg, metadata={"Date": None})
    return png, svg


def _map(axes: Axes, title: str, scene: Scene, parcels: Parcels) -> None:
    every = flows(scene.plan.orders, parcels)
    _graticule(axes)
    axes.set_title(f"{title}: {every.total():,} parcels", fontsize=13)
    positions = {
        one.location: (one.position[1], one.position[0]) for one in scene.network.locations if one.position is not None
    }
    colours = _colours(scene)
    _flows(axes, every, positions, colours)
    _abroad(axes, scene, parcels)
    _legend(axes)
    # Labels are put where there is room, so everything else has to be in its place.
    axes.apply_aspect()
    place_labels(axes, [*_locations(axes, sent_from(parcels), positions, colours), *_cities(axes, positions)])


def _graticule(axes: Axes) -> None:
    axes.set(xlim=(WEST, EAST), ylim=(SOUTH, NORTH), aspect=STRETCH)
    axes.set_xticks([float(x) for x in range(math.ceil(WEST), math.floor(EAST) + 1, GRID_DEGREES)])
    axes.set_yticks([float(y) for y in range(math.ceil(SOUTH), math.floor(NORTH) + 1, GRID_DEGREES)])
    axes.xaxis.set_major_formatter(lambda x, _: f"{abs(x):g}° {'W' if x < 0 else 'E'}" if x else "0°")
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:g}° N")
    axes.grid(color="#e8e8e8", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor="#888888", labelsize=8)
    for spine in axes.spines.values():
        spine.set_color("#cccccc")


def _colours(scene: Scene) -> dict[str, str]:
    dcs = dict(zip(scene.sites.dcs, DC_COLOURS, strict=True))
    return {location: dcs.get(location, STORE_COLOUR) for location in scene.sites.all}


def _flows(axes: Axes, every: Counter[tuple[str, str]], positions: Positions, colours: Mapping[str, str]) -> None:
    """Draw flows within the country as bows, so that there and back can be told apart; thin ones on top."""
    cities = {city.city: (city.longitude, city.latitude) for city in CITIES}
    for (location, city), parcels in every.most_common():
        if city in cities:
            axes.annotate(
                "",
                xy=cities[city],
                xytext=positions[location],
                arrowprops={
                    "arrowstyle": "-",
                    "color": colours[location],
                    "alpha": 0.45,
                    "linewidth": _width(parcels),
                    "connectionstyle": "arc3,rad=0.12",
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )


def _width(parcels: int) -> float:
    return WIDTH * math.sqrt(parcels)


def _locations(axes: Axes, units: Counter[str], positions: Positions, colours: Mapping[str, str]) -> list[Label]:
    labels = []
    for location, (x, y) in positions.items():
        area, colour = max(AREA_MIN, AREA * units[location]), colours[location]
        axes.scatter(x, y, s=area, marker="s", color=colour, edgecolors="white", linewidths=0.8, zorder=4)
        labels.append(Label(f"{location} {units[location]:,}", x, y, math.sqrt(area) / 2, colour, "bold"))
    return labels


def _cities(axes: Axes, positions: Positions) -> list[Label]:
    labels = []
    for city in CITIES:
        x, y = city.longitude, city.latitude
        if all(math.dist((x, y), other) > NEAR_DEGREES for other in positions.values()):
            axes.scatter(x, y, s=(2 * CITY_RADIUS) ** 2, color=CITY_COLOUR, linewidths=0, zorder=5)
            labels.append(Label(city.city, x, y, CITY_RADIUS, CITY_COLOUR))
    return labels


def _abroad(axes: Axes, scene: Scene, parcels: Parcels) -> None:
    """Tell what goes where there is no map any more."""
    cities = Counter[str]()
    for (_, city), number in flows((one for one in scene.plan.orders if one.place.country != HOME), parcels).items():
        cities[city] += number
    named = cities.most_common(ABROAD_MAX)
    lines = [f"{city} {number}" for city, number in named]
    lines.append(f"elsewhere {cities.total() - sum(number for _, number in named)}")
    axes.text(
        *(0.985, 0.985, "\n".join([f"abroad: {cities.total()} parcels", *lines])),
        transform=axes.transAxes,
        horizontalalignment="right",
        verticalalignment="top",
        fontsize=8.5,
        linespacing=1.4,
        bbox={"boxstyle": "round,pad=0.6", "facecolor": "white", "edgecolor": "#cccccc"},
    )


def _legend(axes: Axes) -> None:
    lines = [
        Line2D([], [], color="#777777", linewidth=_width(parcels), label=f"{parcels} parcel{'s' * (parcels > 1)}")
        for parcels in LEGEND_PARCELS
    ]
    marks = [
        Line2D([], [], color=colour, marker="s", linestyle="", markersize=8, label=label)
        for colour, label in (
            *((colour, "distribution centre") for colour in DC_COLOURS),
            (STORE_COLOUR, "store"),
        )
    ]
    city = Line2D([], [], color=CITY_COLOUR, marker="o", linestyle="", markersize=2 * CITY_RADIUS, label="city")
    axes.legend(
        handles=[*lines, *marks, city],
        title="numbers: units held",
        loc="upper left",
        fontsize=8.5,
        title_fontsize=8.5,
        framealpha=1,
        edgecolor="#cccccc",
    )
