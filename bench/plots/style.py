"""How the pictures look. The colours are those of Okabe and Ito, told apart by the colour-blind, too."""

from __future__ import annotations

from typing import Any, Final

STYLE: Final[Any] = {  # matplotlib names the type of each key one by one
    "svg.hashsalt": "allocator",  # the same figures write the same file
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "figure.facecolor": "white",
}
OURS, PEER, UNSAFE, ECHO = "#0072B2", "#E69F00", "#F3D38E", "#999999"
LINE, TARGET = "#56B4E9", "#D55E00"
GRID: Final = "#e4e4e4"
PANEL_WIDTH: Final = 4.6
"""Inches of half a picture."""
