"""Quantities by SKU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Lines = Mapping[str, int] | Iterable[tuple[str, int]]
"""Quantities by SKU, or pairs of them; pairs of the same SKU are summed by the server."""
