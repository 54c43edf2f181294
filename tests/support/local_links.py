"""Ledgers without Ray: the real actors, called in threads of this process, and links to them that can be disturbed."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from allocator.core import codec
from allocator.core.limits import LedgerLimits
from allocator.core.network.types import Group, LoadNetwork, Location, Place
from allocator.core.stock import Shared
from allocator.journal.store import JournalSettings
from allocator.runtime.actor import ActorConfig, LocationActor
from allocator.runtime.courier import Reach
from allocator.runtime.host import LedgerHost
from allocator.runtime.hosted import NETWORK, Hosted, Status
from allocator.runtime.links import ActorLink, Links

WRITE_THREADS = 4
FEED_THREADS = 4


class ActorGoneError(Exception):
    """What a call ends in when its actor dies under it."""


class LocalActor:
    """One real actor, with valves: calls may be held back, and answers or whole calls lost."""

    def __init__(self, config: ActorConfig, reach: Reach) -> None:
        self._config = config
        self._reach = reach
        self._writers = ThreadPoolExecutor(WRITE_THREADS, thread_name_prefix=f"{config.unit}-write")
        self._readers = ThreadPoolExecutor(FEED_THREADS, thread_name_prefix=f"{config.unit}-feed")
        self._open = threading.Event()
        self._open.set()
        self._feeding = threading.Event()
        self._feeding.set()
        self._lose_calls = 0
        self._lose_answers = 0
        self.arrived = threading.Semaphore(0)
        self.actor = LocationActor(config, reach)

    def hold(self) -> None:
        """Let calls arrive, and not begin."""
        self._open.clear()

    def release(self) -> None:
        """Let held calls go on."""
        self._open.set()

    def hold_feed(self) -> None:
        """Let no change out except with answers."""
        self._feeding.clear()

    def release_feed(self) -> None:
        """Let changes out again."""
        self._feeding.set()

    def lose_call(self) -> None:
        """Lose the next call before it does anything."""
        self._lose_calls += 1

    def lose_answer(self) -> None:
        """Lose the next answer: the call was executed."""
        self._lose_answers += 1

    def restart(self) -> None:
        """Stop the actor and start it anew from its journal."""
        with self.recovering():
            pass

    @contextmanager
    def recovering(self) -> Iterator[None]:
        """Stop the actor and start it anew, except that its ledgers do not come up before the end of the block."""
        self._stop_actor()
        may_recover = threading.Event()
        self.actor = _SlowActor(self._config, self._reach, may_recover)
        while codec.unpack(self.actor.changes(codec.pack(("", -1, {}, 1.0))))[1] < 0:
            pass  # until its journal is open
        try:
            yield
        finally:
            may_recover.set()
            self.wait_serving()

    def wait_serving(self) -> None:
        """Return when each of its ledgers serves or is damaged."""
        known = dict.fromkeys(self._config.names)
        waiting = set(known)
        while waiting:
            _, _, news = codec.unpack(self.actor.changes(codec.pack(("", -1, known, 1.0))))
            waiting = {name for name in known if name not in news or news[name][0] == Status.RECOVERING}

    def ask(self, name: str, commands: Iterable[tuple[Any, ...]]) -> Sequence[Any]:
        """Execute commands on one ledger, past all valves."""
        wire = [(name, codec.tagged(command), "", "") for command in commands]
        _, results = codec.unpack(self.actor.execute(codec.pack(({}, wire))))
        return [codec.untagged(array) for array in results]

    def stop(self) -> None:
        """Stop the actor and its threads."""
        self.release()
        self.release_feed()
        self._stop_actor()
        self._writers.shutdown()
        self._readers.shutdown()

    async def execute(self, data: bytes) -> bytes:
        """Call the actor, valves permitting."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, self._execute, data)

    async def changes(self, data: bytes) -> bytes:
        """Poll the feed, valves permitting."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._changes, data)

    async def adopt(self, location: str) -> bool:
        """Have the actor host one more location."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, self.actor.adopt, location)

    def _execute(self, data: bytes) -> bytes:
        self.arrived.release()
        self._open.wait()
        if self._lose_calls:
            self._lose_calls -= 1
            raise ActorGoneError("before it did anything")
        answer = self.actor.execute(data)
        if self._lose_answers:
            self._lose_answers -= 1
            raise ActorGoneError("with the answer in its hands")
        return answer

    def _changes(self, data: bytes) -> bytes:
        answer = self.actor.changes(data)
        self._feeding.wait()
        return answer

    def _stop_actor(self) -> None:
        self.actor.stop()
        host = self.actor._host  # noqa: SLF001  # in production the process ends and takes its files along
        if host is not None:
            host.journal.close()


class _SlowActor(LocationActor):
    """A real actor that waits before each recovery."""

    def __init__(self, config: ActorConfig, reach: Reach, may_recover: threading.Event) -> None:
        self._may_recover = may_recover
        super().__init__(config, reach)

    def _try_recover(self, host: LedgerHost, item: Hosted, shared: Shared | None = None) -> bool:
        self._may_recover.wait()
        return super()._try_recover(host, item, shared)


class LocalLink(ActorLink):
    """A way to a local actor, for as long as it is there."""

    def __init__(self, actor: LocalActor) -> None:
        self._actor = actor

    async def execute(self, data: bytes) -> bytes:
        """Run a batch of commands."""
        return await self._actor.execute(data)

    async def changes(self, data: bytes) -> bytes:
        """Wait for news of its ledgers."""
        return await self._actor.changes(data)

    async def adopt(self, location: str) -> bool:
        """Have it host one more location."""
        return await self._actor.adopt(location)


class LocalLinks(Links):
    """A whole network of local actors, its journal in a folder.

    Args:
        folder: of the journal.
        placed: actor -> its locations.
        groups: of the network.
        limits: of every ledger.
    """

    def __init__(
        self,
        folder: Path,
        placed: Mapping[str, Sequence[Location]],
        groups: Sequence[Group] = (),
        limits: LedgerLimits | None = None,
    ) -> None:
        self._logs = structlog.get_config()
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        self._journal = JournalSettings(str(folder))
        self._limits = limits or LedgerLimits()
        self.actors = {NETWORK: self._start(NETWORK, (NETWORK,))}
        for name, locations in placed.items():
            self.actors[name] = self._start(name, tuple(row.location for row in locations))
        for actor in self.actors.values():
            actor.wait_serving()
        rows = tuple(row for locations in placed.values() for row in locations)
        pairs = tuple((row.location, name) for name, locations in placed.items() for row in locations)
        self.actors[NETWORK].ask(
            NETWORK, [LoadNetwork("load", rows, tuple(groups)), Place("place", tuple(placed), pairs)]
        )

    def link(self, actor: str) -> ActorLink:
        """The way to `actor`."""
        return LocalLink(self.actors[actor])

    def stop(self) -> None:
        """Stop all actors."""
        for actor in self.actors.values():
            actor.stop()
        structlog.configure(**self._logs)

    def _start(self, unit: str, names: tuple[str, ...]) -> LocalActor:
        config = ActorConfig(unit, names, self._journal, self._limits, 2**24, "", "")
        return LocalActor(config, self._reach)

    def _reach(self, actor: str, method: str, data: bytes) -> bytes:
        """How the couriers of actors reach other actors: past all valves."""
        answer: bytes = getattr(self.actors[actor].actor, method)(data)
        return answer
