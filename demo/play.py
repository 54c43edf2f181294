"""The play of `make demo`, on a service that runs already: opening, orders, a killed actor, and a last look."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from allocator.client import AsyncClient
from demo.acks import Ack, Played
from demo.audit import Verdict, audit
from demo.book import Book
from demo.crew import run_crew
from demo.facts import StockFile, WatchedFolder
from demo.look import look_around, parts_followed
from demo.nearest import nearest_first
from demo.plan import SEED
from demo.player import ZONE
from demo.scene import INTAKE_TIMEOUT_S, Scene, bring_in_opening_stock, set_policies
from demo.score import Score
from demo.screen import Screen
from demo.served import Parcels
from demo.service import Service
from demo.stock import facts_of
from demo.tariff import Tariff

RECEIPTS_AT: Final = 0.4
"""When the replenishment comes in: the share of the orders that are played by then. The next two are the same."""
KILL_AT: Final = 0.5
AGAIN_AT: Final = 0.6
"""When a till hands in an old file once more."""
CALL_TIMEOUT_S: Final = 60.0
ATTEMPT_TIMEOUT_S: Final = 5.0
RETRIES_MAX: Final = 200

Cue = tuple[int, Callable[[], None]]
"""How many orders are played, and what happens then."""


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays.

    Attributes:
        clients: side by side, over all processes.
        processes: of clients.
        seed: of all lots.
    """

    clients: int = 32
    processes: int = 2
    seed: int = SEED


@dataclass(slots=True)
class Outage:
    """A killed actor: where, which process, and how long until its ledger answered again, seconds."""

    location: str
    pid: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the play came to.

    Attributes:
        scene: what was played.
        score: how it went.
        nearest: parcels by order, had each line come from the nearest location that has it.
        verdict: of the audit.
        units: by what moved them, over all locations.
        live: reservations still open.
        postings: rows in the ERP.
        outage: the killed actor.
        repeats: facts that came twice.
    """

    scene: Scene
    score: Score
    nearest: Parcels
    verdict: Verdict
    units: dict[str, int]
    live: int
    postings: int
    outage: Outage
    repeats: int


class Play:
    """One play.

    Args:
        service: that runs.
        address: of the service.
        scene: what to play.
        cast: who plays.
        screen: shows how it goes.
    """

    def __init__(self, service: Service, address: str, scene: Scene, cast: Cast, screen: Screen) -> None:
        self._service, self._address, self._scene = service, address, scene
        self._cast, self._screen = cast, screen
        self._folder = WatchedFolder(service.watched)
        self._book, self._score = Book(), Score(cast.processes)
        self._kill, self._outage = asyncio.Event(), Outage(scene.sites.dcs[0])
        self._begun_s = time.time()
        self._cues = deque(self._make_cues())

    async def run(self) -> Outcome:
        """Play it through.

        Raises:
            AllocatorError: it cannot go on.
        """
        async with AsyncClient(
            self._address,
            timeout_s=CALL_TIMEOUT_S,
            attempt_timeout_s=ATTEMPT_TIMEOUT_S,
            retries_max=RETRIES_MAX,
        ) as client:
            await self._open(client)
            await self._play(client)
            return await self._close(client)

    async def _open(self, client: AsyncClient) -> None:
        stocking = self._scene.stocking
        with self._screen.stage("Opening stock, through the watched folder"):
            self._book.move(facts_of(stocking.opening), "opening")
            await bring_in_opening_stock(self._folder, stocking)
        with self._screen.stage("Safety stock and quotas"):
            self._book.set_policies(stocking.policies)
            await set_policies(client, stocking)

    async def _play(self, client: AsyncClient) -> None:
        cast, orders = self._cast, self._scene.plan.orders
        with self._screen.stage(f"Orders, from {cast.clients} clients at once", len(orders)) as shown:

            def hear(ack: Ack) -> None:
                self._book.acknowledge(ack)
                self._score.count(ack)
                if isinstance(ack, Played):
                    shown(self._score.orders)
                    self._cue(self._score.orders)

            outage = asyncio.create_task(self._kill_in_the_middle(client))
            try:
                await run_crew(
                    self._address,
                    processes=cast.processes,
                    clients=cast.clients,
                    seed=cast.seed,
                    tell=hear,
                )
                await outage
            finally:
                outage.cancel()

    async def _close(self, client: AsyncClient) -> Outcome:
        with self._screen.stage("The last files"):
            await self._folder.taken_in(INTAKE_TIMEOUT_S)
        with self._screen.stage("The last decisions reach every location"):
            await parts_followed(client, self._scene.sites.all, self._book.live(time.time()))
        with self._screen.stage("Audit: every unit, at the service and in the ERP"):
            now_s = time.time()
            found = await look_around(client, self._book.positions(now_s), self._service.books)
            verdict = audit(self._book, found, now_s)
        with self._screen.stage("The same orders from the nearest location first"):
            nearest = self._nearest_first()
        return Outcome(
            scene=self._scene,
            score=self._score,
            nearest=nearest,
            verdict=verdict,
            units=dict(self._book.units),
            live=len(self._book.live(now_s)),
            postings=found.erp.rows,
            outage=self._outage,
            repeats=len(self._again().facts),
        )

    def _nearest_first(self) -> Parcels:
        scene = self._scene
        tariff = Tariff(scene.network, self._begun_s, ZONE)
        return nearest_first(scene.plan, scene.stocking, self._receipts_at, tariff)

    @property
    def _receipts_at(self) -> int:
        return int(len(self._scene.plan.orders) * RECEIPTS_AT)

    def _make_cues(self) -> list[Cue]:
        """What happens once so many orders are played, in that order."""
        orders, batches = len(self._scene.plan.orders), self._scene.stocking.batches
        cues: list[Cue] = [
            (self._receipts_at, lambda: self._bring_in(self._scene.stocking.receipts)),
            (int(orders * KILL_AT), self._kill.set),
            (int(orders * AGAIN_AT), lambda: self._folder.drop(self._again())),
            *((orders * n // len(batches), partial(self._bring_in, files)) for n, files in enumerate(batches)),
        ]
        return sorted(cues, key=lambda cue: cue[0])

    def _cue(self, played: int) -> None:
        while self._cues and self._cues[0][0] <= played:
            self._cues.popleft()[1]()

    def _bring_in(self, files: Iterable[StockFile]) -> None:
        for file in files:
            self._book.move(file.facts)
            self._folder.drop(file)

    def _again(self) -> StockFile:
        """The first till's first file, under another name; the book does not get it twice, nor must the service."""
        file = self._scene.stocking.batches[0][0]
        return replace(file, name=f"again-{file.name}")

    async def _kill_in_the_middle(self, client: AsyncClient) -> None:
        """Kill the busiest location's actor when it is time, and see when its ledger answers again."""
        outage = self._outage
        await self._kill.wait()
        sku = self._scene.stocking.opening[0].facts[0].sku
        outage.pid = self._service.kill_actor(outage.location)
        begun_s = time.monotonic()
        await client.stock(outage.location, [sku])
        outage.seconds = time.monotonic() - begun_s
