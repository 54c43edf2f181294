from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from sqlalchemy.engine import make_url

from allocator.core.commands import GetStock
from allocator.core.results import Reason, ReserveStatus
from allocator.runtime.batcher import Answer
from allocator.runtime.errors import BootError, OutcomeUnknownError
from allocator.runtime.router import Router
from tests.support.ray_cluster import Deployment, deployed, gateway, network_of, settings_for
from tests.support.small_disk import full, small_disk
from tests.support.tcp_proxy import TcpProxy
from tests.unit.runtime.hosts import hold, receipt

pytestmark = pytest.mark.usefixtures("ray_address")

DISK_MB = 4


@contextmanager
def no_room(disk: Path | None, deployment: Deployment, actor: str, folder: Path) -> Iterator[None]:
    """Leave no room on the disk; where we could not mount one, let the actor's files grow no more."""
    if disk is not None:
        with full(disk):
            yield
    else:
        size = max(path.stat().st_size for path in folder.rglob("*.sqlite*"))
        psutil.Process(deployment.pid(actor)).rlimit(resource.RLIMIT_FSIZE, (size, size))
        yield


class Buyer:
    """Somebody who holds one unit after the other and notes what was acknowledged.

    Attributes:
        acknowledged: request ids that were answered with a hold.
        unknown: request ids that nobody could tell about.
    """

    def __init__(self, router: Router, location: str) -> None:
        self._router, self._location = router, location
        self._number = 0
        self.acknowledged: set[str] = set()
        self.unknown: set[str] = set()

    async def buy_until_refused(self, *, patience: int = 2_000) -> OutcomeUnknownError | Answer:
        """Buy until there is no hold; what came instead."""
        for _ in range(patience):
            self._number += 1
            name = f"{self._location}-{self._number}-{'x' * 12}"
            try:
                answer = await self.hold(name)
            except OutcomeUnknownError as error:
                self.unknown.add(name)
                return error
            if answer.result[0] != ReserveStatus.HELD:
                return answer
            self.acknowledged.add(name)
        raise AssertionError("nothing was refused")

    async def settle(self) -> None:
        """Ask again for what is unknown, until everything is known."""
        async with asyncio.timeout(60):
            for name in sorted(self.unknown):
                while True:
                    try:
                        answer = await self.hold(name)
                    except OutcomeUnknownError:
                        answer = None
                    if answer is not None and answer.result[0] == ReserveStatus.HELD:
                        self.acknowledged.add(name)
                        break
                    await asyncio.sleep(0.05)
        self.unknown.clear()

    async def held(self) -> int:
        """Units held, as the ledger says."""
        return int((await self._router.submit(self._location, GetStock(("fig",)))).result.rows[0].held)

    async def hold(self, name: str) -> Answer:
        """Hold a unit under this request id."""
        return await self._router.submit(self._location, hold(name, "fig", 1, at=self._location))


def away(outcome: OutcomeUnknownError | Answer) -> bool:
    """Whether callers were told to try again, and nothing else."""
    return isinstance(outcome, OutcomeUnknownError) or outcome.result[0] == Reason.RECOVERING


async def test_a_full_disk_stops_writes_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Callers are told that nobody knows; when there is room again the service returns by itself."""
    with (
        small_disk(tmp_path, DISK_MB) as disk,
        deployed(settings_for(disk or tmp_path), network_of("dc")) as deployment,
    ):
        async with gateway() as router:
            buyer = Buyer(router, "dc")
            await router.submit("dc", receipt("opening", "fig", 100_000))
            for n in range(50):
                await buyer.hold(f"before-{n}")
            actor = deployment.actor_of("dc")
            pid = deployment.pid(actor)
            with no_room(disk, deployment, actor, tmp_path):
                assert isinstance(await buyer.buy_until_refused(), OutcomeUnknownError)
                if disk is not None:
                    assert away(await buyer.buy_until_refused())
                    assert "recovering" in str(deployment.status(actor))
            deployment.wait_settled(actor)
            assert deployment.pid(actor) != pid
            await buyer.settle()
            assert await buyer.held() == 50 + len(buyer.acknowledged)


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[TcpProxy]:
    """A way to PostgreSQL that can be cut."""
    address = make_url(postgres_url)
    with TcpProxy(address.host or "127.0.0.1", address.port or 5432) as proxy:
        yield proxy


async def test_a_journal_out_of_reach_stops_writes_and_nothing_acknowledged_is_lost(
    tmp_path: Path, postgres_url: str, postgres_schema: str, proxy: TcpProxy
) -> None:
    """The same on PostgreSQL, with one actor restarted while there is no way to the server."""
    url = make_url(postgres_url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    journal = {"url": url, "schema_name": postgres_schema}
    settings = settings_for(tmp_path, journal=journal, runtime={"actors": 1})
    with deployed(settings, network_of("dc", "shop")) as deployment:
        async with gateway() as router:
            buyer = Buyer(router, "dc")
            for name in ("dc", "shop"):
                await router.submit(name, receipt("opening", "fig", 100_000))
            for n in range(50):
                await buyer.hold(f"before-{n}")
            actor = deployment.actor_of("dc")
            pid = deployment.pid(actor)
            proxy.cut()
            assert isinstance(await buyer.buy_until_refused(), OutcomeUnknownError)
            assert away(await buyer.buy_until_refused())
            assert "recovering" in str(deployment.status(actor)["ledgers"]["dc"])
            proxy.mend()
            deployment.wait_settled(actor)
            assert deployment.pid(actor) != pid
            await buyer.settle()
            assert await buyer.held() == 50 + len(buyer.acknowledged)


async def test_a_damaged_entry_stops_one_location_and_the_service_starts_with_the_others(tmp_path: Path) -> None:
    """Nothing is skipped in silence: callers, boot and health hear the file, the entry and the command to run."""
    settings = settings_for(tmp_path, runtime={"actors": 1})
    with deployed(settings, network_of("dc", "shop")):
        async with gateway() as router:
            for n in range(5):
                await asyncio.gather(*router.submit_all((name, receipt(f"m{n}", "fig", 1)) for name in ("dc", "shop")))
    file = tmp_path / "journal" / "units" / "actor-0000.sqlite"
    assert _damage(file, "location/dc", 3) == 1
    with deployed(settings) as deployment:
        status, detail = deployment.status("actor-0000")["ledgers"]["dc"]
        assert status == "damaged"
        for part in (str(file), "entry 3", "allocator journal verify --shard location/dc"):
            assert part in detail
        async with gateway() as router:
            assert (await router.submit("dc", hold("r1", "fig", 1))).result == (
                Reason.JOURNAL_DAMAGED,
                "location",
                detail,
            )
            assert (await router.submit("shop", hold("r1", "fig", 5, at="shop"))).result.status == ReserveStatus.HELD


def test_without_its_network_the_service_does_not_start(tmp_path: Path) -> None:
    """There is nothing it could serve then; the error is the journal's, with the file and the entry."""
    settings = settings_for(tmp_path)
    with deployed(settings, network_of("dc")):
        pass
    file = tmp_path / "journal" / "units" / "network.sqlite"
    assert _damage(file, "network", 1) == 1
    with pytest.raises(BootError, match=rf"{file} is damaged: shard 'network', entry 1"), deployed(settings):
        pass


def _damage(file: Path, shard: str, version: int) -> int:
    statement = "UPDATE entries SET payload = x'00' WHERE shard = ? AND version = ?"
    with closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(statement, (shard, version)).rowcount


async def test_regrouping_between_starts_loses_nothing(tmp_path: Path) -> None:
    """One actor for all, one each, two: holds, stock and request ids go along."""
    names = ("dc", "shop", "annex")
    for step, actors in enumerate((1, 3, 2)):
        settings = settings_for(tmp_path, runtime={"actors": actors})
        with deployed(settings, network_of(*names)) as deployment:
            assert len(deployment.handles) == 1 + actors
            async with gateway() as router:
                for name in names:
                    await router.submit(name, receipt(f"m{step}", "fig", 10))
                    for earlier in range(step):
                        again = await router.submit(name, hold(f"r{earlier}", "fig", 3, at=name))
                        assert again.result.repeated
                    assert (await router.submit(name, hold(f"r{step}", "fig", 3, at=name))).result.status == 1
                    row = (await router.submit(name, GetStock(("fig",)))).result.rows[0]
                    assert (row.on_hand, row.held) == (10 * (step + 1), 3 * (step + 1))
