"""Quantities by SKU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Lines = Mapping[str, int] | Iterable[tuple[str, int]]
"""Quantities by SKU, or pairs of them; pairs of the same SKU are summed by the server."""


@dataclass(frozen=True, slots=True)
class LineQuantity:
    """Units of a SKU at a location."""

    sku: str
    location: str
    quantity: int


PlacedLines = Mapping[str, int] | Iterable[tuple[str, int] | LineQuantity]
"""As `Lines`, where each line may say its own location."""
