"""Sources of stock movements."""

from __future__ import annotations
