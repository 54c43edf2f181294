"""A cluster of location actors in this process: plain threads where Ray has processes."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from allocator.core.limits import LedgerLimits
from allocator.core.network.types import LoadNetwork, Location, Place
from allocator.journal import JournalSettings
from allocator.runtime.actor import ActorConfig, LocationActor
from allocator.runtime.host import LedgerHost
from allocator.runtime.hosted import NETWORK, Status
from allocator.runtime.links import ActorLink, Links
from tests.unit.runtime.hosts import NO_SNAPSHOTS, do
from tests.unit.runtime.journals import PATIENCE_S


class LocalActor(LocationActor):
    """An actor whose end does not end the tests.

    Attributes:
        deaths: why it would have ended its process.
    """

    def __init__(self, config: ActorConfig) -> None:
        self.deaths: list[str] = []
        super().__init__(config)

    @property
    def host(self) -> LedgerHost:
        """Its host, once the journal is open."""
        assert self._ready.wait(PATIENCE_S)
        assert self._host is not None
        return self._host

    def wait_up(self, *more: str) -> None:
        """Wait until each of its ledgers, and `more`, serve or are damaged."""
        host = self.host
        with host.published:
            assert host.published.wait_for(
                lambda: all(self._up(host, name) for name in (*self._config.names, *more)), PATIENCE_S
            )

    def close(self) -> None:
        """Stop its threads and let go of the journal, without a snapshot."""
        self._stopping.set()
        if self._host is not None:
            self._host.announce()
            self._host.journal.close()

    @staticmethod
    def _up(host: LedgerHost, name: str) -> bool:
        return name in host.hosted and host.hosted[name].status is not Status.RECOVERING

    def _die(self, reason: str) -> None:
        self.deaths.append(reason)


class LocalLink(ActorLink):
    """The way of one gateway to one actor, which can be cut and its feed stopped."""

    def __init__(self, cluster: LocalCluster, name: str) -> None:
        self._cluster, self._name = cluster, name

    async def execute(self, data: bytes) -> bytes:
        """Run a batch of commands."""
        answer = await self._call(lambda actor: actor.execute(data))
        if self._name in self._cluster.mute:
            raise ConnectionResetError("the actor ended before it could answer")
        return answer

    async def changes(self, data: bytes) -> bytes:
        """Wait for news of its ledgers."""
        await self._cluster.feeds_on.wait()
        return await self._call(lambda actor: actor.changes(data))

    async def adopt(self, location: str) -> bool:
        """Have it host one more location."""
        return await self._call(lambda actor: actor.adopt(location))

    async def _call[T](self, call: Callable[[LocalActor], T]) -> T:
        actor = self._cluster.actors.get(self._name)
        if actor is None:
            raise ConnectionRefusedError(f"actor {self._name} is away")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._cluster.threads, call, actor)


class LocalCluster(Links):
    """Actors by name, started, ended and started again on one journal.

    Attributes:
        actors: those that are up.
        mute: names of actors whose answers get lost on the way.
        feeds_on: while cleared, feeds tell nothing.
    """

    def __init__(self, folder: Path, placement: Mapping[str, Iterable[str]]) -> None:
        self.journal = JournalSettings(str(folder / "journal"))
        self.actors: dict[str, LocalActor] = {}
        self.mute: set[str] = set()
        self.feeds_on = asyncio.Event()
        self.feeds_on.set()
        self.threads = ThreadPoolExecutor(32)
        self._names = {NETWORK: (NETWORK,)} | {name: tuple(members) for name, members in placement.items()}
        for name in self._names:
            self.start(name)
        self._load({name: members for name, members in self._names.items() if name != NETWORK})

    def link(self, actor: str) -> LocalLink:
        """The way to `actor`."""
        return LocalLink(self, actor)

    def start(self, name: str, *more: str) -> LocalActor:
        """Start an actor, and wait until its ledgers, and `more`, are up."""
        names = self._names[name]
        config = ActorConfig(name, names, self.journal, LedgerLimits(), NO_SNAPSHOTS, "error", "json")
        actor = self.actors[name] = LocalActor(config)
        actor.wait_up(*more)
        return actor

    def end(self, name: str) -> LocalActor:
        """End an actor without any goodbye."""
        actor = self.actors.pop(name)
        actor.close()
        return actor

    def close(self) -> None:
        """End all of them."""
        self.feeds_on.set()
        for name in list(self.actors):
            assert self.end(name).deaths == [], name
        self.threads.shutdown()

    def _load(self, placement: Mapping[str, tuple[str, ...]]) -> None:
        locations = tuple(Location(name) for members in placement.values() for name in members)
        pairs = tuple((name, actor) for actor, members in placement.items() for name in members)
        for command in (LoadNetwork(fresh_id(), locations), Place(fresh_id(), tuple(placement), pairs)):
            do(self.actors[NETWORK], NETWORK, command)


def fresh_id() -> str:
    """A request id nobody used."""
    return uuid.uuid4().hex


async def eventually(holds: Callable[[], bool | Awaitable[bool]]) -> None:
    """Wait until something holds that others bring about."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told: Any = holds()
            if await told if asyncio.iscoroutine(told) else told:
                return
            await asyncio.sleep(0.002)
