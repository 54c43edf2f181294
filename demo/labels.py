"""Labels of a map, each where it covers neither another one nor a mark, as far as there is room."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

SIZE: Final = 7.5
SIDES: Final = (
    (1.0, 0.0, "left", "center"),
    (-1.0, 0.0, "right", "center"),
    (0.0, 1.0, "center", "bottom"),
    (0.0, -1.0, "center", "top"),
    (0.7, 0.7, "left", "bottom"),
    (0.7, -0.7, "left", "top"),
    (-0.7, 0.7, "right", "bottom"),
    (-0.7, -0.7, "right", "top"),
)
"""Where a label may be: direction, and which edges of the text are there."""
GAPS: Final = (2.0, 9.0, 18.0)
"""Points between a mark and its label; farther ones only where nearer ones would cover something."""
PAD: Final = 2.0
"""Pixels around a label that are better free, too."""
POINTS_PER_INCH: Final = 72


@dataclass(frozen=True, slots=True)
class Label:
    """A text for a mark at (x, y) in data coordinates, which reaches `radius` points around it."""

    text: str
    x: float
    y: float
    radius: float
    colour: str
    weight: str = "normal"


def place_labels(axes: Axes, labels: Iterable[Label]) -> list[Bbox]:
    """Write each label on the first free side of its mark, in their order; where none is, on the least covered.

    The figure must be laid out already: nothing may move afterwards.

    Returns:
        Where the labels are, in pixels.
    """
    every = list(labels)
    taken = [_mark(axes, label) for label in every]
    placed = []
    for label in every:
        box = _write(axes, label, taken)
        taken.append(box)
        placed.append(box)
    return placed


def _mark(axes: Axes, label: Label) -> Bbox:
    x, y = axes.transData.transform((label.x, label.y))
    figure = axes.get_figure(root=True)
    assert figure is not None, "it is laid out"
    around = label.radius * figure.dpi / POINTS_PER_INCH
    return Bbox.from_extents(x - around, y - around, x + around, y + around)


def _write(axes: Axes, label: Label, taken: list[Bbox]) -> Bbox:
    best, least = None, float("inf")
    for gap, side in product(GAPS, SIDES):
        text = _annotate(axes, label, gap, side)
        covered = _covered(axes, text.get_window_extent().padded(PAD), taken)
        if covered < least:
            if best is not None:
                best.remove()
            best, least = text, covered
        else:
            text.remove()
        if not least:
            break
    assert best is not None, "there are sides"
    return best.get_window_extent()


def _annotate(axes: Axes, label: Label, gap: float, side: tuple[float, float, str, str]) -> Annotation:
    east, north, horizontal, vertical = side
    off = label.radius + gap
    return axes.annotate(
        label.text,
        (label.x, label.y),
        xytext=(east * off, north * off),
        textcoords="offset points",
        horizontalalignment=horizontal,
        verticalalignment=vertical,
        color=label.colour,
        fontsize=SIZE,
        fontweight=label.weight,
        zorder=6,
        path_effects=[withStroke(linewidth=2, foreground="white")],
    )


def _covered(axes: Axes, box: Bbox, taken: list[Bbox]) -> float:
    """Square pixels of a label that are over something else or outside the map."""
    over = [Bbox.intersection(box, other) for other in taken]
    inside = Bbox.intersection(box, axes.get_window_extent())
    outside = _area(box) - (0.0 if inside is None else _area(inside))
    return outside + sum(_area(one) for one in over if one is not None)


def _area(box: Bbox) -> float:
    return float(box.width * box.height)
