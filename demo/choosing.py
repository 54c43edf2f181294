"""Where to hold the lines of an order. Plain on purpose: sourcing is no part of this demo.

The location that has most of the lines whole gets those; of what nobody has whole the customer gets what there is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from allocator.client import CheckedLine, ReservePolicy


@dataclass(frozen=True, slots=True)
class Choice:
    """What to ask of one location next."""

    location: str
    lines: dict[str, int]
    policy: ReservePolicy


def choose(lines: Sequence[CheckedLine], order: str) -> Choice | None:
    """Choose from what a check told.

    Args:
        lines: what is still wanted, and where how much of it is.
        order: its reference; equal locations share the orders by it.

    Returns:
        None when there is nothing of it anywhere.
    """
    whole, parts = defaultdict[str, dict[str, int]](dict), defaultdict[str, dict[str, int]](dict)
    for line in lines:
        for location, units in line.quantities.items():
            (whole if units >= line.requested else parts)[location][line.sku] = line.requested
    if whole:
        best = max(whole, key=lambda location: (len(whole[location]), _lot(order, location)))
        return Choice(best, whole[best], ReservePolicy.ALL_OR_NOTHING)
    if parts:
        best = max(parts, key=lambda location: (len(parts[location]), _lot(order, location)))
        return Choice(best, parts[best], ReservePolicy.PARTIAL)
    return None


def _lot(order: str, location: str) -> bytes:
    """A lot per order and location, the same in every process (rendezvous hashing)."""
    return blake2b(f"{order}@{location}".encode(), digest_size=8).digest()
