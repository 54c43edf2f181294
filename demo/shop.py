"""What a player needs of the client: a part of `allocator.client.AsyncClient`, which says what each method does."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from typing import Protocol

from allocator.client import (
    CheckResult,
    Movement,
    RecordResult,
    ReservePolicy,
    ReserveResult,
    TransitionResult,
)

Lines = Mapping[str, int]
"""Units by SKU."""


class Shop(Protocol):
    """Answers a player's calls."""

    def check(self, lines: Lines, *, channel: str, min_versions: Mapping[str, int]) -> Awaitable[CheckResult]:
        """Check a cart."""

    def reserve(  # as the client has it
        self, lines: Lines, *, at: str, ttl_s: float | None, channel: str, policy: ReservePolicy, order: str
    ) -> Awaitable[ReserveResult]:
        """Hold units at a location."""

    def commit(self, name: str) -> Awaitable[TransitionResult]:
        """Commit a reservation."""

    def release(self, name: str, lines: Lines, *, reason: str) -> Awaitable[TransitionResult]:
        """Give units back; without lines all that are open."""

    def fulfil(self, name: str, lines: Lines) -> Awaitable[TransitionResult]:
        """Ship units; without lines all that are open."""

    def record(self, movements: Iterable[Movement]) -> Awaitable[RecordResult]:
        """Record movements."""
