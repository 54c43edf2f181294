"""Units that reservations hold of what is expected: who waits for which SKU, and for when it was promised."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from allocator.core.reservation import Reservation

K = TypeVar("K", int, str)


class WaitingBook:
    """Waiting reservations by SKU in the order they were made, and their units by promise date.

    Attributes:
        by_sku: SKU index -> reservation id -> reservation; an emptied entry stays, so that readers are told of it.
        dates: SKU index -> promise date, ns -> units.
        missing: SKU index -> units that were told to be missing on some date, while they are.
        stirred: SKU index -> supply that changed ("" for another cause), of what changed since it was settled.
    """

    __slots__ = ("by_sku", "dates", "missing", "stirred")

    def __init__(self) -> None:
        self.by_sku: dict[int, dict[str, Reservation]] = {}
        self.dates: dict[int, dict[int, int]] = {}
        self.missing: dict[int, int] = {}
        self.stirred: dict[int, str] = {}

    def add(self, i: int, sku: str, reservation: Reservation, units: int) -> None:
        """Let `units` more (negative: fewer) of SKU index `i` wait."""
        waiting = reservation.waiting or {}
        _count(waiting, sku, units)
        _count(self.dates.setdefault(i, {}), reservation.promise_by_ns, units)
        reservation.waiting = waiting or None
        holders = self.by_sku.setdefault(i, {})
        if sku in waiting:
            holders[reservation.id] = reservation
        else:
            holders.pop(reservation.id, None)

    def units(self, i: int) -> int:
        """Units of SKU index `i` that wait."""
        return sum(self.dates.get(i, {}).values())

    def steps(self, i: int) -> list[tuple[int, int]]:
        """Units of SKU index `i` that wait, by the date they are promised: ascending `(date, units)`."""
        return sorted(self.dates.get(i, {}).items())

    def stir(self, i: int, supply: str = "") -> None:
        """Note that something changed which may fill units of SKU index `i`, or keep them from being filled."""
        if self.by_sku.get(i) or i in self.missing:
            self.stirred[i] = supply or self.stirred.get(i, "")


def _count(counts: dict[K, int], key: K, units: int) -> None:
    left = counts.get(key, 0) + units
    if left:
        counts[key] = left
    else:
        del counts[key]


class DueQueue:
    """Supplies by the date they are expected, to notice those that did not come; stale entries do no harm."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, str]] = []

    def push(self, expect_ns: int, i: int, supply: str) -> None:
        """Queue a supply of SKU index `i`."""
        heapq.heappush(self.entries, (expect_ns, i, supply))

    def pop_overdue(self, now_ns: int) -> list[tuple[int, int, str]]:
        """Date, SKU index and supply of those that were queued for before `now_ns`, the longest overdue first."""
        found = []
        while self.entries and self.entries[0][0] < now_ns:
            found.append(heapq.heappop(self.entries))
        return found
