from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from allocator.core.commands import GetReservation, GetStock
from allocator.core.ids import reservation_id
from allocator.core.network.types import CreateLocation, Location
from allocator.core.results import Reason, ReserveStatus
from allocator.journal import Entry, Fenced, JournalSettings, Write
from allocator.runtime.batcher import Answer
from allocator.runtime.errors import OutcomeUnknownError
from allocator.runtime.hosted import NETWORK
from allocator.runtime.router import Router
from tests.support.ray_cluster import Deployment, deployed, eventually, gateway, network_of, settings_for
from tests.unit.runtime.hosts import hold, receipt
from tests.unit.runtime.routers import promised

pytestmark = pytest.mark.usefixtures("ray_address")


@pytest.fixture(scope="module")
def deployment(ray_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Three locations in two actors, which the tests kill in turn."""
    settings = settings_for(tmp_path_factory.mktemp("crash"), runtime={"actors": 2})
    with deployed(settings, network_of("dc", "shop", "annex")) as deployment:
        yield deployment


async def insist(router: Router, location: str, request_id: str, sku: str, quantity: int = 1) -> Answer:
    """Hold units, and ask again with the same request id for as long as nobody can tell."""
    while True:
        try:
            answer = await router.submit(location, hold(request_id, sku, quantity, at=location))
        except OutcomeUnknownError:
            await asyncio.sleep(0.05)
            continue
        if answer.result[0] != Reason.RECOVERING or answer.result[1] != "location":
            return answer
        await asyncio.sleep(0.05)


async def test_an_actor_that_was_killed_comes_back_by_itself_with_everything_acknowledged(
    deployment: Deployment,
) -> None:
    """Under load, without anybody's help; what was not acknowledged happened once or not at all."""
    actor = deployment.actor_of("dc")
    async with gateway() as router:
        await router.submit("dc", receipt("opening", "fig", 1_000))
        acknowledged: set[str] = set()
        killed = asyncio.Event()

        async def buy(caller: int) -> None:
            for n in range(20):
                name = f"c{caller}-{n}"
                try:
                    answer = await router.submit("dc", hold(name, "fig", 1))
                except OutcomeUnknownError:
                    answer = await insist(router, "dc", name, "fig")
                assert answer.result.status == ReserveStatus.HELD
                acknowledged.add(name)
                if len(acknowledged) == 200:
                    killed.set()

        async def kill() -> int:
            await killed.wait()
            return await asyncio.to_thread(deployment.kill, actor)

        old, *_ = await asyncio.gather(kill(), *(buy(caller) for caller in range(40)))
        assert deployment.pid(actor) != old
        assert len(acknowledged) == 800
        row = (await router.submit("dc", GetStock(("fig",)))).result.rows[0]
        assert (row.held, row.available) == (800, 200)
        await eventually(lambda: promised(router, "dc", "fig") == 200)
        for name in sorted(acknowledged)[::100]:
            page = await router.submit("dc", GetReservation(reservation_id("dc", name)))
            assert page.result.rows[0].lines[0].quantity == 1


async def test_a_request_id_makes_one_reservation_through_two_gateways_and_across_a_kill(
    deployment: Deployment,
) -> None:
    """The first answer again, everywhere and for ever; another quantity is an error that names the field."""
    actor = deployment.actor_of("shop")
    async with gateway() as one, gateway() as two:
        await one.submit("shop", receipt("opening", "fig", 10))
        first = (await one.submit("shop", hold("r1", "fig", 3, at="shop"))).result
        second = (await two.submit("shop", hold("r1", "fig", 3, at="shop"))).result
        await asyncio.to_thread(deployment.kill, actor)
        answers = [(await insist(router, "shop", "r1", "fig", 3)).result for router in (one, two, one)]
        assert [answer.repeated for answer in (first, second, *answers)] == [False, True, True, True, True]
        assert {answer._replace(repeated=False) for answer in (first, second, *answers)} == {first}
        for router in (one, two):
            reused = (await router.submit("shop", hold("r1", "fig", 4, at="shop"))).result
            assert reused[:2] == (Reason.REQUEST_ID_REUSED, "lines")
        assert (await two.submit("shop", GetStock(("fig",)))).result.rows[0].held == 3


async def test_a_writer_from_before_cannot_append(deployment: Deployment) -> None:
    """Who opened last writes. The actor that was pushed aside ends, opens again, and pushes back."""
    actor = deployment.actor_of("annex")
    settings = deployment.settings
    with JournalSettings(settings.journal_url).store().writer(actor) as zombie:
        async with gateway() as router:
            await router.submit("annex", receipt("opening", "fig", 10))
            opened = zombie.open("location/annex")
            pid = deployment.pid(actor)
            assert (await insist(router, "annex", "r1", "fig")).result.status == ReserveStatus.HELD
            assert deployment.pid(actor) != pid
            head = (await router.submit("annex", GetStock(("fig",)))).version
            with pytest.raises(Fenced, match="has a newer writer"):
                zombie.append([Write("location/annex", opened.epoch, Entry(head + 1, b"from the dead"))])
            row = (await router.submit("annex", GetStock(("fig",)))).result.rows[0]
            assert (row.on_hand, row.held) == (10, 1)


async def test_a_location_made_while_the_service_runs_survives_the_kill_of_its_actor(deployment: Deployment) -> None:
    """Though the actor was not made with it."""
    async with gateway() as router:
        await router.submit(NETWORK, CreateLocation("c1", Location("kiosk")))
        assert await router.adopt("kiosk")
        await router.submit("kiosk", receipt("opening", "fig", 10))
        await asyncio.to_thread(deployment.kill, str(router.network.actor_of("kiosk")))
        assert (await insist(router, "kiosk", "r1", "fig")).result.status == ReserveStatus.HELD


async def test_the_network_survives_the_kill_of_its_actor(deployment: Deployment) -> None:
    """Locations answer meanwhile, and then the network does too."""
    async with gateway() as router:
        await asyncio.to_thread(deployment.kill, NETWORK)
        await router.submit("dc", receipt("meanwhile", "plum", 1))

        async def create() -> Answer:
            while True:
                try:
                    return await router.submit(NETWORK, CreateLocation("c2", Location("stall")))
                except OutcomeUnknownError:
                    await asyncio.sleep(0.05)

        async with asyncio.timeout(40):
            await create()
        assert "stall" in router.network.locations
