"""The deadline of calls that have none of their own: one timer for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

A = TypeVar("A")


class Deadlines:
    """Ends what takes too long.

    All have the same time, so they are over in the order in which they began, and one timer does for all: a place in
    a dictionary is what each pays. A timer of its own would be a tenth of what the gateway does for a reserve.

    Args:
        after_s: how long each may take, seconds.

    Attributes:
        after_s: the same.
    """

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self._begun_s: dict[asyncio.Task[Any], float] = {}
        self._over: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, work: Awaitable[A]) -> A:
        """Do `work`, in the task of the caller, unless it takes too long; once at a time in a task.

        Raises:
            TimeoutError: it took too long, and was cancelled.
        """
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        self._begun_s[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self.after_s, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            if task in self._over and task.cancelling() == 1:  # by nobody else
                raise TimeoutError from None
            raise
        finally:
            self._begun_s.pop(task, None)
            if task in self._over:
                self._over.discard(task)
                task.uncancel()

    def _look(self) -> None:
        """End what is over, and look again when the next one is."""
        loop = asyncio.get_running_loop()
        begun_s, self._timer = self._begun_s, None
        while begun_s:
            task, began_s = next(iter(begun_s.items()))
            left_s = began_s + self.after_s - loop.time()
            if left_s > 0:
                self._timer = loop.call_later(left_s, self._look)
                return
            del begun_s[task]
            self._over.add(task)
            task.cancel()
