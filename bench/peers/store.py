"""What a peer's store has to do for the scenarios: the port between the servicers and Redis, PostgreSQL or Ray."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from bench.errors import BenchError

KEPT_S: Final = 24 * 3600
"""How long a reservation, and with it its request id, is remembered after its hold ends."""
SWEEP_S: Final = 1.0
"""How often holds that ran out are given back; no hold is shorter."""

Places = Sequence[tuple[str, int]]
"""Locations and the units that can be promised there, in the order of names, without those that have none."""


class Hold(NamedTuple):
    """What is to be held, all of it or nothing.

    Attributes:
        request_id: acts once.
        lines: (SKU, location, units), each SKU and location once. Locations are told by their names in the contract.
        now_ms, expires_ms: when it is asked for and when it ends, ms since 1970 UTC.
    """

    request_id: str
    lines: tuple[tuple[str, str, int], ...]
    now_ms: int
    expires_ms: int

    @property
    def content(self) -> str:
        """The lines as text: what a repeat has to have as well, and what is given back at the end."""
        return "\n".join(f"{sku}\t{location}\t{units}" for sku, location, units in self.lines)


class Outcome(NamedTuple):
    """What became of it.

    Attributes:
        available: for a refusal, what could be promised of each line.
        created_ms, expires_ms: of the reservation; 0 for a refusal.
        repeated: whether an earlier call had made it.
    """

    held: bool
    available: Sequence[int] = ()
    created_ms: int = 0
    expires_ms: int = 0
    repeated: bool = False


class Receipt(NamedTuple):
    """Units that came in; told once by source and id."""

    source: str
    movement_id: str
    location: str
    sku: str
    units: int


class ReusedError(BenchError):
    """The request id was used with other lines."""


class Store(ABC):
    """Stock and holds. Made anywhere, used on one event loop; whatever it answers is as durable as it gets there."""

    @abstractmethod
    async def open(self) -> None:
        """Connect."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of all connections."""

    @abstractmethod
    async def check(self, skus: Sequence[str], locations: Sequence[str]) -> Iterable[Places]:
        """What can be promised of each SKU, at these locations or, without any, at all."""

    @abstractmethod
    async def reserve(self, hold: Hold) -> Outcome:
        """Hold all lines or none.

        Raises:
            ReusedError: the request id was used with other lines.
        """

    @abstractmethod
    async def receive(self, receipts: Sequence[Receipt]) -> Sequence[tuple[bool, int]]:
        """Record receipts, each once: whether it was new, and the units on hand after it."""

    @abstractmethod
    async def stock(self, location: str, skus: Sequence[str]) -> Sequence[tuple[int, int]]:
        """Units on hand and units held of each SKU."""
