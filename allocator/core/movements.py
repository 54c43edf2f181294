"""What a location remembers of its movements: ids to tell duplicates, recent deltas to put on top of a count."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from allocator.core.commands import Movement
    from allocator.core.limits import LedgerLimits

SEQUENCE_WINDOW: Final = 4_096
"""How far below a source's highest sequence a late one is still told from a duplicate, in sequences seen."""


class SequenceWindow:
    """Sequences seen of one source: the highest `SEQUENCE_WINDOW`, and a floor below which all count as seen."""

    __slots__ = ("_lowest", "floor", "seen")

    def __init__(self, floor: int = 0, seen: tuple[int, ...] = ()) -> None:
        self.floor = floor
        self.seen = set(seen)
        self._lowest = sorted(seen)  # a heap

    def has(self, sequence: int) -> bool:
        """Whether `sequence` was seen, or is too old to tell."""
        return sequence <= self.floor or sequence in self.seen

    def add(self, sequence: int) -> None:
        """Note `sequence` as seen."""
        self.seen.add(sequence)
        heapq.heappush(self._lowest, sequence)
        if len(self.seen) > SEQUENCE_WINDOW:
            self.seen.discard(heapq.heappop(self._lowest))
        if len(self.seen) == SEQUENCE_WINDOW:
            self.floor = self._lowest[0] - 1


class MovementLog:
    """Duplicates by (source, movement_id) or (source, sequence); deltas by SKU.

    Attributes:
        ids: (source, movement_id) -> None in order of arrival.
        sequences: source -> window of sequences seen.
        recent: SKU -> [(occurred_ns, delta, version)] in order of arrival.
        floor_ns: greatest occurred_ns of a forgotten delta: counts older than this cannot be worked out.
        floor_version: greatest version of a forgotten delta.
    """

    __slots__ = (
        "_age_ns",
        "_ids_max",
        "_recent_max",
        "floor_ns",
        "floor_version",
        "id_order",
        "ids",
        "recent",
        "recent_order",
        "sequences",
    )

    def __init__(self, limits: LedgerLimits) -> None:
        self.limit(limits)
        self.ids: set[tuple[str, str]] = set()
        self.id_order: deque[tuple[int, tuple[str, str]]] = deque()
        self.sequences: dict[str, SequenceWindow] = {}
        self.recent: dict[str, list[tuple[int, int, int]]] = {}
        self.recent_order: deque[tuple[int, str]] = deque()
        self.floor_ns = 0
        self.floor_version = 0

    def limit(self, limits: LedgerLimits) -> None:
        """Take new bounds."""
        self._age_ns = limits.movements_age_ns
        self._ids_max = limits.movement_ids_max
        self._recent_max = limits.movements_max

    def seen(self, movement: Movement) -> bool:
        """Whether this movement was recorded before."""
        if movement.sequence:
            window = self.sequences.get(movement.source)
            return window is not None and window.has(movement.sequence)
        return (movement.source, movement.movement_id) in self.ids

    def note(self, movement: Movement, at_ns: int) -> None:
        """Note the movement as recorded."""
        if movement.sequence:
            self.sequences.setdefault(movement.source, SequenceWindow()).add(movement.sequence)
            return
        key = (movement.source, movement.movement_id)
        self.ids.add(key)
        order = self.id_order
        order.append((at_ns, key))
        while order and (len(order) > self._ids_max or order[0][0] < at_ns - self._age_ns):
            self.ids.discard(order.popleft()[1])

    def add_delta(self, sku: str, occurred_ns: int, delta: int, version: int, at_ns: int) -> None:
        """Remember that on_hand of `sku` changed by `delta` in the batch that becomes `version`."""
        deltas = self.recent.get(sku)
        if deltas is None:
            deltas = self.recent[sku] = []
        deltas.append((occurred_ns, delta, version))
        order = self.recent_order
        order.append((at_ns, sku))
        while order and (len(order) > self._recent_max or order[0][0] < at_ns - self._age_ns):
            self._forget(order.popleft()[1])

    def on_top_of(self, sku: str, as_of_ns: int) -> int:
        """Sum of the deltas of `sku` that occurred after `as_of_ns`."""
        return sum(delta for occurred_ns, delta, _ in self.recent.get(sku, ()) if occurred_ns > as_of_ns)

    def changed_after(self, sku: str, version: int) -> bool:
        """Whether on_hand of `sku` changed after `version`; a version too old to tell counts as changed."""
        return version < self.floor_version or any(entry[2] > version for entry in self.recent.get(sku, ()))

    def _forget(self, sku: str) -> None:
        deltas = self.recent[sku]
        occurred_ns, _, version = deltas.pop(0)
        self.floor_ns = max(self.floor_ns, occurred_ns)
        self.floor_version = max(self.floor_version, version)
        if not deltas:
            del self.recent[sku]
