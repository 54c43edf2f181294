"""`CommandBatcher`: natural batching towards one actor.

While calls are in flight the next batch collects; there are no timers, so an idle system adds no delay. The queue is
bounded: beyond it callers are refused at once, and what is worth less before what is worth more. When an actor is late,
a share of the new holds and reads for it is refused too, so that the others do not wait behind them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from allocator.core import codec
from allocator.core.commands import (
    GetReservation,
    GetStock,
    ListReservations,
    ListStock,
    ListSupply,
    Reserve,
)
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError
from allocator.runtime.worth import WAITS, Gate, WaitTargets, Worth, room_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    Progress = dict[str, tuple[int, Sequence[Any] | None]]


BATCH_LINES_MAX: Final = 20_000
"""Lines of all commands of one call to an actor; a longer command goes alone."""


_MAY_BE_REFUSED: Final = frozenset({Reserve, GetStock, ListStock, GetReservation, ListReservations, ListSupply})
"""Commands that calls of little worth begin with; what follows them is not refused because an actor is late."""


class _Context(NamedTuple):
    correlation_id: str = ""
    traceparent: str = ""


class Context(_Context):
    """The call behind a command: what follows it into logs, journal and postings.

    Attributes:
        worth: of the call; it stays here.
    """

    __slots__ = ()
    worth: ClassVar[Worth] = Worth.SETTLE


class HoldContext(Context):
    """Of a call that makes new holds."""

    __slots__ = ()
    worth = Worth.HOLD


class BrowseContext(Context):
    """Of a call that only reads."""

    __slots__ = ()
    worth = Worth.BROWSE


CONTEXT_OF: Final[tuple[type[Context], ...]] = (BrowseContext, HoldContext, Context)
"""By worth."""


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
    queued_s: float
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
        waits: how long commands may wait before calls of each worth are refused.
        clock_s: monotonic time, seconds.
    """

    def __init__(  # noqa: PLR0913  # three collaborators, four bounds, the time
        self,
        send: Callable[[bytes], Awaitable[bytes]],
        known_version: Callable[[str], int | None],
        learn: Callable[[Progress], Awaitable[None]],
        *,
        queue_max: int,
        batch_max: int,
        in_flight_max: int,
        waits: WaitTargets = WAITS,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send = send
        self._known_version = known_version
        self._learn = learn
        self._room = tuple(room_for(worth, queue_max) for worth in Worth)
        self._batch_max = batch_max
        self._in_flight_max = in_flight_max
        self._queue: deque[_Call] = deque()
        self._gates = tuple(Gate(target_s) for target_s in waits)
        self._clock_s = clock_s
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
            OverloadedError: the queue is full or late; nothing was done.
        """
        now_s = self._clock_s()
        if context.worth is not Worth.SETTLE and type(command) in _MAY_BE_REFUSED:
            self._refuse_when_late(name, context.worth, now_s)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        lines = len(getattr(command, "lines", ".")) or 1
        self._enqueue(_Call(name, (command,), context, future, many=False, queued_s=now_s, lines=lines))
        return future

    def submit_group(
        self, name: str, commands: Sequence[tuple[Any, ...]], context: Context
    ) -> asyncio.Future[list[Answer]]:
        """Queue commands that are executed one right after the other, in one batch (`batch_max` of them at most).

        Raises:
            OverloadedError: the queue has no room for all of them; nothing was done.
        """
        future: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        now_s = self._clock_s()
        if context.worth is not Worth.SETTLE and type(commands[0]) in _MAY_BE_REFUSED:
            self._refuse_when_late(name, context.worth, now_s)
        self._enqueue(_Call(name, commands, context, future, many=True, queued_s=now_s, lines=len(commands)))
        return future

    def _refuse_when_late(self, name: str, worth: Worth, now_s: float) -> None:
        gate = self._gates[worth]
        wait_s = now_s - self._queue[0].queued_s if self._queue else 0.0
        gate.observe(wait_s, now_s)
        if not gate.passes(random.random()):  # noqa: S311  # nobody gains by guessing it
            raise OverloadedError(f"commands wait {wait_s:.1f} s for the actor of {name}; try again shortly")

    def _enqueue(self, call: _Call) -> None:
        if self._waiting + len(call.commands) > self._room[call.context.worth]:
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
