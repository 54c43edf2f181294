"""Giving back holds that ran out, beside the calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from bench.peers.store import SWEEP_S

AT_ONCE: Final = 1_000
"""Holds ended in one transaction at most: the calls wait for it."""


class Sweeper:
    """Ends holds once a second.

    Args:
        end: ends up to so many holds that ran out by a time, ms since 1970 UTC, and returns how many.
    """

    def __init__(self, end: Callable[[int, int], Awaitable[int]]) -> None:
        self._end = end
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            while await self._end(time.time_ns() // 1_000_000, AT_ONCE) == AT_ONCE:
                pass
