"""`Router`: a gateway's way to the ledgers. Commands go out in batches, changes come in, reads stay here."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from allocator.core import codec
from allocator.core.results import Reason, Rejected
from allocator.runtime.batcher import Answer, CommandBatcher, Context
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError, VersionNotReachedError
from allocator.runtime.hosted import NETWORK, Status
from allocator.runtime.network_view import NetworkView
from allocator.runtime.read_model import AvailabilityModel
from allocator.runtime.worth import WAITS, WaitTargets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from allocator.runtime.links import ActorLink, Links

POLL_WAIT_S: Final = 1.0
"""How long a poll waits at the actor; also the heartbeat that `age` is measured by."""
POLL_RETRY_S: Final = 0.2
LATE_S: Final = 10.0
"""How long a starting gateway waits for the last actor before it serves without it."""
NO_CONTEXT: Final = Context()

log = structlog.get_logger("allocator.router")


class Bounds(NamedTuple):
    """Named maxima of the batchers, see `ServerSettings`."""

    queue_max: int
    batch_max: int
    in_flight_max: int
    waits: WaitTargets = WAITS


class _Peer:
    """One actor: its link, its batcher, and the task that follows its feed."""

    def __init__(self, link: ActorLink, batcher: CommandBatcher) -> None:
        self.link = link
        self.batcher = batcher
        self.follow: asyncio.Task[None] | None = None
        self.reached = False


class Router:
    """Everything a servicer needs of the runtime.

    Attributes:
        network: locations, groups and their actors.
        model: what can be promised.
        statuses: location -> status of its ledger, as last heard.
    """

    def __init__(self, links: Links, bounds: Bounds) -> None:
        self._links = links
        self._bounds = bounds
        self._peers: dict[str, _Peer] = {}
        self._news = asyncio.Condition()
        self.network = NetworkView()
        self.model = AvailabilityModel()
        self.statuses: dict[str, str] = {}

    async def start(self, timeout_s: float) -> None:
        """Follow the network and every actor; returns once all were heard of, or the last is late.

        Raises:
            TimeoutError: nothing was heard of the network within `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            self._peer(NETWORK)
            await self._until(lambda: self.network.version >= 0)
        try:
            async with asyncio.timeout(min(timeout_s, LATE_S)):
                await self._until(self._all_heard)
        except TimeoutError:  # its locations answer RECOVERING; the others need not wait for it
            late = [actor for actor, peer in self._peers.items() if not peer.reached]
            log.warning("actors are late", actors=late, waited_s=min(timeout_s, LATE_S))

    async def stop(self) -> None:
        """Wait for accepted commands, then stop following."""
        await asyncio.gather(*(peer.batcher.drain() for peer in self._peers.values()))
        tasks = [peer.follow for peer in self._peers.values() if peer.follow is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for peer in self._peers.values():
            peer.link.close()

    def submit(self, location: str, command: tuple[Any, ...], context: Context = NO_CONTEXT) -> asyncio.Future[Answer]:
        """Have the ledger of `location` execute `command`; the answer is durable and known to the read model.

        Raises:
            OverloadedError: nothing was done. The future may raise OutcomeUnknownError.
        """
        actor = NETWORK if location == NETWORK else self.network.actor_of(location)
        if actor is not None:
            return self._peer(actor).batcher.submit(location, command, context)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        detail = f"location {location!r} is not in the network"
        future.set_result(Answer(Rejected(Reason.LOCATION_UNKNOWN, "location", detail), 0))
        return future

    def submit_all(
        self, calls: Iterable[tuple[str, tuple[Any, ...]]], context: Context = NO_CONTEXT
    ) -> Sequence[asyncio.Future[Answer]]:
        """`submit` many at once without a task each; unknown locations are answered like that too.

        Raises:
            OverloadedError: nothing was done.
        """
        futures: list[asyncio.Future[Answer]] = []
        try:
            for location, command in calls:
                futures.append(self.submit(location, command, context))
        except OverloadedError:
            for future in futures:  # none of them is on its way before we yield
                future.cancel()
            raise
        return futures

    async def submit_in_order(
        self, location: str, commands: Sequence[tuple[Any, ...]], context: Context = NO_CONTEXT
    ) -> Sequence[Answer]:
        """`submit` many to one ledger, executed in this order: in groups, each sent when the one before is answered.

        Raises:
            OverloadedError: nothing was done.
            OutcomeUnknownError: any number of them, from the first on, were executed.
        """
        actor = self.network.actor_of(location)
        if actor is None:
            return [await self.submit(location, commands[0], context)] * len(commands)
        group_max = min(self._bounds.batch_max, self._bounds.queue_max)
        answers: list[Answer] = []
        for start in range(0, len(commands), group_max):
            group = commands[start : start + group_max]
            try:
                answers += await self._peer(actor).batcher.submit_group(location, group, context)
            except OverloadedError as error:
                if not answers:
                    raise
                raise OutcomeUnknownError(f"{len(answers)} of {len(commands)} were executed, then: {error}") from error
        return answers

    async def adopt(self, location: str) -> bool:
        """Have the actor that `location` was placed in host it; true once it serves."""
        actor = self.network.actor_of(location)
        return actor is not None and await self._peer(actor).link.adopt(location)

    async def reach(self, versions: Mapping[str, int], timeout_s: float) -> None:
        """Wait until reads are based on at least `versions`.

        Raises:
            VersionNotReachedError: naming the first location that is behind.
        """
        if self._behind(versions) is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._until(lambda: self._behind(versions) is None)
        location = self._behind(versions)
        if location is not None:
            have, want = self.model.version(location), versions[location]
            raise VersionNotReachedError(f"location {location!r} is at version {have}, version {want} was asked for")

    @property
    def serving(self) -> bool:
        """Whether no location is recovering. A damaged one waits for a person and does not hold the others up."""
        return all(self.statuses.get(name) != Status.RECOVERING for name in self.network.locations)

    def _behind(self, versions: Mapping[str, int]) -> str | None:
        return next((name for name, want in versions.items() if (self._known_version(name) or 0) < want), None)

    def _all_heard(self) -> bool:
        for actor in self.network.actors:
            self._peer(actor)
        return all(self._peers[actor].reached for actor in self.network.actors)

    async def _until(self, done: Any) -> None:  # noqa: ANN401  # a predicate
        async with self._news:
            await self._news.wait_for(done)

    def _peer(self, actor: str) -> _Peer:
        peer = self._peers.get(actor)
        if peer is None:
            link = self._links.link(actor)
            batcher = CommandBatcher(link.execute, self._known_version, self._learn, **self._bounds._asdict())
            peer = self._peers[actor] = _Peer(link, batcher)
            peer.follow = asyncio.get_running_loop().create_task(self._follow(actor, peer))
        return peer

    def _known_version(self, name: str) -> int | None:
        return self.network.version if name == NETWORK else self.model.version(name)

    async def _learn(self, progress: Mapping[str, tuple[int, Sequence[Any] | None]]) -> None:
        """Take over what came back with answers; where something is missing wait for the feed to bring it."""
        gaps = {name: v for name, (v, changes) in progress.items() if not self._apply(name, changes)}
        if gaps:
            with contextlib.suppress(TimeoutError):  # the answer is durable all the same, only reads are behind
                async with asyncio.timeout(POLL_WAIT_S):
                    await self._until(lambda: self._behind(gaps) is None)
        async with self._news:
            self._news.notify_all()

    def _apply(self, name: str, changes: Sequence[Any] | None) -> bool:
        if changes is None:
            return False
        if name == NETWORK:
            self.network.apply(changes)
            return True
        # What came in late about a location that left the network is of no use.
        return name not in self.network.locations or self.model.apply(name, changes)

    async def _follow(self, actor: str, peer: _Peer) -> None:
        """Follow one actor's feed for ever; an actor that is away is asked again shortly."""
        incarnation, sequence = "", -1
        while True:
            known = self._known(actor)
            try:
                data = await peer.link.changes(codec.pack((incarnation, sequence, known, POLL_WAIT_S)))
                incarnation, sequence, news = codec.unpack(data)
                await self._hear(actor, peer, known, news)
            except Exception as error:  # noqa: BLE001  # an actor that restarts; the next round tells
                log.info("actor away", actor=actor, error=type(error).__name__, detail=str(error).partition("\n")[0])
                incarnation = ""
                self.statuses.update(dict.fromkeys(known, str(Status.RECOVERING)))
                await asyncio.sleep(POLL_RETRY_S)

    def _known(self, actor: str) -> dict[str, int | None]:
        """The versions this gateway has of the ledgers of `actor`."""
        if actor == NETWORK:
            return {NETWORK: self.network.version if self.network.version >= 0 else None}
        mine = (name for name in self.network.locations if self.network.actor_of(name) == actor)
        return {name: self.model.version(name) for name in mine}

    async def _hear(self, actor: str, peer: _Peer, known: Mapping[str, int | None], news: Mapping[str, Any]) -> None:
        serving = set(known) - set(news)  # a ledger without news serves: it may have just recovered to what is known
        self.statuses.update(dict.fromkeys(serving, str(Status.SERVING)))
        for name, (status, _, changes) in news.items():
            self.statuses[name] = status
            if status == Status.SERVING:
                serving.add(name)
                self._apply(name, changes)
        if actor != NETWORK:
            self.model.heard(serving)
        else:
            self._follow_network()
        # An actor whose journal is not open yet has told nothing; one whose journal is damaged will not tell more.
        peer.reached |= any(self.statuses.get(name) != Status.RECOVERING for name in known) or not known
        async with self._news:
            self._news.notify_all()

    def _follow_network(self) -> None:
        """Follow actors that are new in the network, forget locations that left it."""
        for actor in self.network.actors:
            self._peer(actor)
        for name in self.model.locations():
            if name not in self.network.locations:
                self.model.forget(name)
                self.statuses.pop(name, None)
        self.model.expect(self.network.locations)
