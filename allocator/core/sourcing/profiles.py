"""Sourcing profiles: the built-in one, and what a profile may say."""

from __future__ import annotations

from typing import Final

from allocator.core.network.types import Profile

DEFAULT: Final = Profile(
    "default",
    "Cheapest, in few parcels, without draining anybody",
    cost=1.0,
    lateness=0.5,
    parcels=0.5,
    stock_cover=1.0,
    capacity=0.5,
    priority=0.01,
)
"""Used where no profile is named. Weights are in the network's currency: half a pound for a day or a parcel."""
