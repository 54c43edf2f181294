"""A stream whose requests are answered in order, many of them under way at once."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")


class Pipeline(Generic[Q, A]):
    """Requests that came together are answered together; while some are under way the next come together.

    Args:
        requests: of the caller. One that raises ends the stream when those before it are answered.
        answer: answers some requests, in their order; raises only for a defect.
        group_max: requests answered together at most.
        groups_max: groups under way at most; beyond it the caller is held back.
    """

    def __init__(
        self,
        requests: AsyncIterator[Q],
        answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        group_max: int,
        groups_max: int,
    ) -> None:
        self._requests = requests
        self._answer = answer
        self._group_max = group_max
        self._groups_max = groups_max
        self._waiting: deque[Q] = deque()
        self._groups: deque[asyncio.Future[Sequence[A]]] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def answers(self) -> AsyncGenerator[A, None]:
        """The answers, until the caller has no more requests."""
        reader = asyncio.ensure_future(self._read())
        reader.add_done_callback(lambda _: self._news.set())
        try:
            while True:
                while self._groups and self._groups[0].done():
                    for answer in self._groups.popleft().result():
                        yield answer
                self._news.clear()
                self._begin()
                if not self._groups and not self._waiting and reader.done():
                    break
                if not (self._groups and self._groups[0].done()):
                    await self._news.wait()
            reader.result()  # raises what ended the requests
        finally:
            reader.cancel()
            for group in self._groups:
                group.cancel()
            with suppress(BaseException):
                await reader

    async def _read(self) -> None:
        async for request in self._requests:
            self._waiting.append(request)
            self._news.set()
            while len(self._waiting) >= self._group_max:
                self._room.clear()
                await self._room.wait()

    def _begin(self) -> None:
        """Answer what waits, as far as there is room."""
        while self._waiting and len(self._groups) < self._groups_max:
            group = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._group_max))]
            work = asyncio.ensure_future(self._answer(group))
            work.add_done_callback(lambda _: self._news.set())
            self._groups.append(work)
        self._room.set()
