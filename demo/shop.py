"""What a player needs of the client: a part of `allocator.client.AsyncClient`, which says what each method does."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from typing import Protocol

from allocator.client import AllocateResult, LineQuantity, Movement, RecordResult, SourcingOrder, TransitionResult

PlacedLines = Sequence[LineQuantity]
"""Units by SKU and location."""


class Shop(Protocol):
    """Answers a player's calls."""

    def allocate(self, order: SourcingOrder, *, ttl_s: float | None, order_reference: str) -> Awaitable[AllocateResult]:
        """Hold units of an order where it is best."""

    def commit(self, name: str) -> Awaitable[TransitionResult]:
        """Commit a reservation."""

    def release(self, name: str, lines: PlacedLines, *, reason: str) -> Awaitable[TransitionResult]:
        """Give units back; without lines all that are open."""

    def fulfil(self, name: str, lines: PlacedLines) -> Awaitable[TransitionResult]:
        """Ship units; without lines all that are open."""

    def record(self, movements: Iterable[Movement]) -> Awaitable[RecordResult]:
        """Record movements."""
