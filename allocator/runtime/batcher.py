"""`CommandBatcher`: natural batching towards one actor.

While calls are in flight the next batch collects; there are no timers, so an idle system adds no delay. The queue is
bounded: beyond it callers are refused at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.core import codec
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    Progress = dict[str, tuple[int, Sequence[Any] | None]]


BATCH_LINES_MAX: Final = 20_000
"""Lines of all commands of one call to an actor; a longer command goes alone."""


class Context(NamedTuple):
    """The call behind a command: what follows it into logs, journal and postings."""

    correlation_id: str = ""
    traceparent: str = ""


class Answer(NamedTuple):
    """A result, and the version of the ledger that it is durable in."""

    result: Any
    version: int


class _Call(NamedTuple):
    """Commands for one ledger that go together, and who waits for them: `many` for all answers, else for the one."""

    name: str
    commands: Sequence[tuple[Any, ...]]
    context: Context
    future: asyncio.Future[Any]
    many: bool
    lines: int = 1


class CommandBatcher:
    """Collects commands for one actor and sends them in batches.

    Args:
        send: one call to the actor, bytes to bytes; raises when the actor is gone.
        known_version: the version of a location that the read model has.
        learn: takes the changes that come back with an answer; awaited before callers are answered.
        queue_max: commands waiting at most.
        batch_max: commands of one call at most.
        in_flight_max: calls under way at most.
    """

    def __init__(  # three collaborators, three bounds
        self,
        send: Callable[[bytes], Awaitable[bytes]],
        known_version: Callable[[str], int | None],
        learn: Callable[[Progress], Awaitable[None]],
        *,
        queue_max: int,
        batch_max: int,
        in_flight_max: int,
    ) -> None:
        self._send = send
        self._known_version = known_version
        self._learn = learn
        self._queue_max = queue_max
        self._batch_max = batch_max
        self._in_flight_max = in_flight_max
        self._queue: deque[_Call] = deque()
        self._waiting = 0
        self._workers = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def drain(self) -> None:
        """Return when nothing waits and nothing is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def submit(self, name: str, command: tuple[Any, ...], context: Context) -> asyncio.Future[Answer]:
        """Queue a command for the ledger `name`; the future has its answer once it is durable.

        Raises:
            OverloadedError: the queue is full; nothing was done.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        lines = len(getattr(command, "lines", ".")) or 1
        self._enqueue(_Call(name, (command,), context, future, many=False, lines=lines))
        return future

    def submit_group(
        self, name: str, commands: Sequence[tuple[Any, ...]], context: Context
    ) -> asyncio.Future[list[Answer]]:
        """Queue commands that are executed one right after the other, in one batch (`batch_max` of them at most).

        Raises:
            OverloadedError: the queue has no room for all of them; nothing was done.
        """
        future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        self._enqueue(_Call(name, commands, context, future, many=True, lines=len(commands)))
        return future

    def _enqueue(self, call: _Call) -> None:
        if self._waiting + len(call.commands) > self._queue_max:
            raise OverloadedError(f"{self._waiting} commands wait for the actor of {call.name}; try again shortly")
        self._queue.append(call)
        self._waiting += len(call.commands)
        if self._workers < self._in_flight_max:
            self._start()

    def _start(self) -> None:
        self._workers += 1
        task = asyncio.get_running_loop().create_task(self._work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Send batches until the queue is empty."""
        await asyncio.sleep(0)  # whoever else is ready now comes along
        while self._queue:
            batch = self._take()
            if batch:
                await self._send_batch(batch)
        # Not when the task is done: the callers answered last run before that is told, and may submit already.
        self._workers -= 1

    def _take(self) -> list[_Call]:
        """The next batch, without the calls whose callers have gone: those were never started."""
        batch: list[_Call] = []
        room, lines = self._batch_max, BATCH_LINES_MAX
        while self._queue:
            call = self._queue[0]
            if batch and (len(call.commands) > room or call.lines > lines):
                break
            self._queue.popleft()
            self._waiting -= len(call.commands)
            if not call.future.done():
                batch.append(call)
                room -= len(call.commands)
                lines -= call.lines
        return batch

    async def _send_batch(self, batch: list[_Call]) -> None:
        try:
            progress, results = codec.unpack(await self._send(self._packed(batch)))
            await self._learn(progress)
            answers = self._answers(batch, progress, results)
        except Exception as error:  # noqa: BLE001  # whatever it was, the callers must not wait for ever
            self._fail(batch, error)
            return
        for call, answer in zip(batch, answers, strict=True):
            if not call.future.done():
                call.future.set_result(answer if call.many else answer[0])

    def _packed(self, batch: Sequence[_Call]) -> bytes:
        known = {
            name: version
            for name in {call.name for call in batch}
            if (version := self._known_version(name)) is not None
        }
        calls = [(call.name, codec.tagged(command), *call.context) for call in batch for command in call.commands]
        return codec.pack((known, calls))

    @staticmethod
    def _answers(batch: Sequence[_Call], progress: Progress, results: Iterable[Sequence[Any]]) -> list[list[Answer]]:
        arrays = iter(results)
        answers = []
        for call in batch:
            version = progress[call.name][0] if call.name in progress else 0
            answers.append([Answer(codec.untagged(array), version) for array in islice(arrays, len(call.commands))])
        return answers

    @staticmethod
    def _fail(batch: list[_Call], cause: Exception) -> None:
        for call in batch:
            if not call.future.done():
                error = OutcomeUnknownError(f"the actor of {call.name} went away: {type(cause).__name__}")
                call.future.set_exception(error)
