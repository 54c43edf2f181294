"""The oracle's own view of a location's stock and of its holds, in plain units."""

from __future__ import annotations

from collections import Counter

from allocator.core import commands as c
from allocator.core.results import State

ENDED = State.FULFILLED
"""A hold in this state or a later one holds nothing any more."""


class Shelf:
    """One SKU at one location, in units."""

    def __init__(self) -> None:
        self.on_hand = 0
        self.dispositions: Counter[str] = Counter()
        self.safety_stock = 0
        self.deltas: list[tuple[int, int]] = []
        self.counted_ns = 0

    @property
    def unsellable(self) -> int:
        """Units that may not be promised."""
        return sum(max(0, units) for units in self.dispositions.values())

    def change(self, units: int, occurred_ns: int) -> None:
        """Units came or went."""
        self.on_hand += units
        self.deltas.append((occurred_ns, units))


class Hold:
    """A reservation of this location alone, or a part of one: units granted and what became of them, by SKU.

    `waiting` are those of the open units that are promised of what is expected.
    """

    def __init__(self, reserve: c.Reserve, lines: c.Lines, at_ns: int) -> None:
        self.home = reserve.home
        self.lines = dict(lines)
        self.state: int = State.HELD
        self.expires_ns = at_ns + reserve.ttl_ns
        self.fulfilled: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()
        self.back: dict[str, Counter[str]] = {fate: Counter() for fate in ("released", "lost", "damaged")}
        self.waiting: Counter[str] = Counter()
        self._open = dict(lines)

    def in_stock(self, sku: str) -> int:
        """Those of the open units that do not wait for supply."""
        return self.open(sku) - self.waiting[sku]

    def open(self, sku: str) -> int:
        """Units still reserved."""
        return self._open.get(sku, 0)

    def leave(self, sku: str, units: int) -> None:
        """Units left the building: those in stock first."""
        self.waiting[sku] -= max(0, units - self.in_stock(sku))
        self.fulfilled[sku] += units
        self._open[sku] -= units

    def give_back(self, sku: str, units: int, fate: str) -> None:
        """Units are not reserved any more: waiting ones go first, unless it was found that there were none."""
        over = max(0, units - self.in_stock(sku))
        self.waiting[sku] -= min(self.waiting[sku], units) if fate == "released" else over
        self.back[fate][sku] += units
        self._open[sku] -= units

    def close_if_done(self, end: int) -> None:
        """End it when nothing is open."""
        if not any(self._open.values()):
            self.state = ENDED if sum(self.fulfilled.values()) else end
