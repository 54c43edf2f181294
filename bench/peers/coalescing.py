"""Redis commands of a moment in one pipeline, as clients with automatic pipelining do.

While the pipelines that may be under way are, the next one collects; there is no timer. A command of redis-py costs
about half as much in a pipeline as by itself, and with `appendfsync always` a pipeline is one fsync.
"""

from __future__ import annotations

import asyncio
from typing import Any

import redis.asyncio

Args = tuple[Any, ...]


class Coalescing:
    """Sends commands over a client's pool.

    Args:
        client: whose connections are used.
        pipelines_max: under way at once, each on a connection of its own.
    """

    def __init__(self, client: redis.asyncio.Redis, pipelines_max: int) -> None:
        self._client = client
        self._pipelines_max = pipelines_max
        self._waiting: list[tuple[asyncio.Future[Any], Args]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._workers = 0

    def call(self, *args: Any) -> asyncio.Future[Any]:  # noqa: ANN401  # as redis-py has it
        """Send one command; the future has its answer, or the error it ended in."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._waiting.append((future, args))
        if self._workers < self._pipelines_max:
            self._workers += 1
            task = loop.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return future

    async def _work(self) -> None:
        await asyncio.sleep(0)  # whoever else is ready now comes along
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            for (future, _), answer in zip(waiting, await self._answers([args for _, args in waiting]), strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        self._workers -= 1

    async def _answers(self, commands: list[Args]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for args in commands:
            pipeline.execute_command(*args)
        try:
            return await pipeline.execute(raise_on_error=False)
        except (redis.RedisError, OSError) as error:
            return [error] * len(commands)
