"""When a load generator sends: so far a closed loop, in which the next call waits for an answer."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

Send = Callable[[int], Awaitable[None]]
"""Sends one call that was due at a time, ns of the monotonic clock, and returns when it is answered."""


class Pace(ABC):
    """Decides when calls are due. Latency counts from then, whenever they could be sent."""

    @abstractmethod
    def share(self, processes: int) -> Self:
        """The part of one of so many processes."""

    @abstractmethod
    async def drive(self, send: Send, end_ns: int) -> None:
        """Send until `end_ns` of the monotonic clock and return when everything is answered."""


@dataclass(frozen=True)
class ClosedLoop(Pace):
    """So many calls under way at any time. It measures what can be done at most, not what a crowd would feel.

    Attributes:
        in_flight: calls under way.
    """

    in_flight: int

    def __str__(self) -> str:
        return f"{self.in_flight} calls in flight"

    def share(self, processes: int) -> ClosedLoop:
        """The part of one of so many processes, at least one call."""
        return ClosedLoop(max(1, self.in_flight // processes))

    async def drive(self, send: Send, end_ns: int) -> None:
        """Send from `in_flight` tasks, each its next call when the last one is answered."""

        async def one_after_another() -> None:
            while (now_ns := time.monotonic_ns()) < end_ns:
                await send(now_ns)

        async with asyncio.TaskGroup() as group:
            for _ in range(self.in_flight):
                group.create_task(one_after_another())
