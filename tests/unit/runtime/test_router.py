from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from allocator.core.commands import GetStock
from allocator.core.network.types import CreateLocation, DeleteLocation, Location
from allocator.core.results import Reason, ReserveStatus
from allocator.runtime.batcher import Answer
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError, VersionNotReachedError
from allocator.runtime.hosted import NETWORK
from allocator.runtime.router import Router
from tests.support.local_links import LocalLinks
from tests.unit.runtime.hosts import hold, receipt
from tests.unit.runtime.routers import BOUNDS, CutLinks, eventually, promised, router_of


@pytest.fixture
def actors(tmp_path: Path) -> Iterator[LocalLinks]:
    """Two actors: one with two locations, one with a third."""
    placed = {"actor-0000": [Location("dc"), Location("shop")], "actor-0001": [Location("annex")]}
    links = LocalLinks(tmp_path / "journal", placed)
    yield links
    links.stop()


@asynccontextmanager
async def started(actors: LocalLinks) -> AsyncIterator[tuple[Router, CutLinks]]:
    """A gateway that follows all actors."""
    router, links = router_of(actors)
    await router.start(10)
    try:
        yield router, links
    finally:
        await router.stop()


@pytest.fixture
async def gateways(actors: LocalLinks) -> AsyncIterator[tuple[Router, Router]]:
    """Two gateways."""
    async with AsyncExitStack() as stack:
        (first, _), (second, _) = [await stack.enter_async_context(started(actors)) for _ in range(2)]
        yield first, second


@pytest.fixture
async def gateway(actors: LocalLinks) -> AsyncIterator[Router]:
    """One gateway."""
    async with started(actors) as (router, _):
        yield router


async def test_a_gateway_sees_its_own_write_as_soon_as_it_is_answered(gateway: Router) -> None:
    """No poll lies in between: the change comes with the answer."""
    for n in range(1, 6):
        answer = await gateway.submit("dc", receipt(f"m{n}", "fig", 1))
        assert (promised(gateway, "dc", "fig"), gateway.model.version("dc"), answer.version) == (n, n, n)
    held = await gateway.submit("dc", hold("r1", "fig", 2))
    assert held.result.status == ReserveStatus.HELD
    assert promised(gateway, "dc", "fig") == 3


async def test_a_gateway_sees_the_writes_of_others(gateways: tuple[Router, Router]) -> None:
    """Their changes come by the feed, and `reach` waits for them."""
    first, second = gateways
    answers = [await first.submit(name, receipt("m1", "fig", 4)) for name in ("dc", "shop", "annex")]
    await second.reach({"dc": answers[0].version, "shop": answers[1].version, "annex": answers[2].version}, 10)
    assert [promised(second, name, "fig") for name in ("dc", "shop", "annex")] == [4, 4, 4]


async def test_two_gateways_writing_to_one_location_agree(gateways: tuple[Router, Router]) -> None:
    """Whatever came by answer and whatever by feed: in the end both have the ledger's own numbers."""
    first, second = gateways
    await first.submit("dc", receipt("m0", "fig", 60))
    calls = [
        router.submit("dc", hold(f"{who}-{n}", "fig", 1)) for n in range(50) for who, router in enumerate(gateways)
    ]
    answers = await asyncio.gather(*calls)
    assert sum(answer.result.status == ReserveStatus.HELD for answer in answers) == 60
    newest = max(answer.version for answer in answers)
    for router in gateways:
        await router.reach({"dc": newest}, 10)
        assert promised(router, "dc", "fig") == 0
    assert (await second.submit("dc", GetStock(("fig",)))).result.rows[0].held == 60


async def test_a_version_that_does_not_come_is_an_error_that_names_it(gateway: Router) -> None:
    """A reader is told where the read model stands; a version reached already costs no wait."""
    await gateway.submit("dc", receipt("m1", "fig", 4))
    await gateway.reach({"dc": 1, "shop": 0}, 0)
    with pytest.raises(VersionNotReachedError, match="'dc' is at version 1, version 2 was asked for"):
        await gateway.reach({"shop": 0, "dc": 2}, 0.01)


async def test_a_location_outside_the_network_is_unknown(gateway: Router) -> None:
    """Nobody is asked; in a batch the others are answered."""
    alone = await gateway.submit("mars", GetStock(()))
    among = await asyncio.gather(*gateway.submit_all([("mars", GetStock(())), ("dc", GetStock(()))]))
    in_order = await gateway.submit_in_order("mars", [GetStock(()), GetStock(())])
    for answer in (alone, among[0], *in_order):
        assert answer.result[:2] == (Reason.LOCATION_UNKNOWN, "location")
    assert among[1].result.rows == ()


async def test_a_restarted_actor_is_caught_up_with(actors: LocalLinks) -> None:
    """While it is away callers are told that nobody knows; then a retry and the feed have everything."""
    async with started(actors) as (router, links), started(actors) as (other, _):
        await router.submit("dc", receipt("m1", "fig", 5))
        links.away.add("actor-0000")
        with pytest.raises(OutcomeUnknownError, match="the actor of dc went away"):
            await router.submit("dc", hold("r1", "fig", 1))
        await eventually(lambda: router.statuses["dc"] == "recovering")
        assert not router.serving
        assert router.statuses["annex"] == "serving"
        await other.submit("dc", hold("r2", "fig", 2))
        actors.actors["actor-0000"].restart()
        links.away.clear()
        await eventually(lambda: router.serving)
        assert promised(router, "dc", "fig") == 3
        assert (await router.submit("dc", hold("r1", "fig", 1))).result.status == ReserveStatus.HELD
        assert promised(router, "dc", "fig") == 2


async def test_a_lost_answer_may_be_asked_for_again(actors: LocalLinks) -> None:
    """Executed or not, through this gateway or another: the same request id makes one hold."""
    async with started(actors) as (router, _), started(actors) as (other, _):
        await router.submit("dc", receipt("m1", "fig", 5))
        for n, lose in enumerate((actors.actors["actor-0000"].lose_answer, actors.actors["actor-0000"].lose_call)):
            lose()
            with pytest.raises(OutcomeUnknownError):
                await router.submit("dc", hold(f"r{n}", "fig", 1))
            again = await other.submit("dc", hold(f"r{n}", "fig", 1))
            assert (again.result.status, again.result.repeated) == (ReserveStatus.HELD, n == 0)
        assert (await router.submit("dc", GetStock(("fig",)))).result.rows[0].held == 2


async def test_a_gateway_that_fell_far_behind_gets_a_whole_picture(actors: LocalLinks) -> None:
    """A gap is never skipped, also when it is noticed in the answer to an own write."""
    async with started(actors) as (router, _), started(actors) as (other, _):
        host = actors.actors["actor-0000"].actor._host  # noqa: SLF001  # to make its ring short
        assert host is not None
        host.hosted["dc"].ring.changes = deque(maxlen=2)
        actors.actors["actor-0000"].hold_feed()
        for n in range(5):
            await other.submit("dc", receipt(f"m{n}", f"sku-{n}", 1))
        own = asyncio.ensure_future(router.submit("dc", receipt("own", "fig", 3)))
        await eventually(lambda: host.hosted["dc"].ring.version == 6)
        assert not own.done()
        actors.actors["actor-0000"].release_feed()
        assert (await own).version == 6
        assert [promised(router, "dc", f"sku-{n}") for n in range(5)] == [1] * 5
        assert promised(router, "dc", "fig") == 3


async def test_an_answer_does_not_wait_for_ever_for_a_feed_that_is_stuck(actors: LocalLinks) -> None:
    """It is durable all the same; only this gateway's reads are behind."""
    async with started(actors) as (router, _), started(actors) as (other, _):
        host = actors.actors["actor-0000"].actor._host  # noqa: SLF001  # to make its ring short
        assert host is not None
        host.hosted["dc"].ring.changes = deque(maxlen=1)
        actors.actors["actor-0000"].hold_feed()
        for n in range(3):
            await other.submit("dc", receipt(f"m{n}", f"sku-{n}", 1))
        assert (await router.submit("dc", receipt("own", "fig", 3))).version == 4
        actors.actors["actor-0000"].release_feed()


async def test_a_new_location_serves_at_once_and_everywhere(gateways: tuple[Router, Router]) -> None:
    """Created through one gateway and adopted, it is written and read through both."""
    first, second = gateways
    created = await first.submit(NETWORK, CreateLocation("c1", Location("kiosk")))
    assert first.network.actor_of("kiosk") == "actor-0001"
    assert await first.adopt("kiosk")
    answer = await first.submit("kiosk", receipt("m1", "fig", 4))
    assert promised(first, "kiosk", "fig") == 4
    await second.reach({NETWORK: created.version}, 10)
    await second.reach({"kiosk": answer.version}, 10)
    assert promised(second, "kiosk", "fig") == 4


async def test_a_new_location_is_adopted_even_if_its_creator_died(gateways: tuple[Router, Router]) -> None:
    """The network says where it lives; any gateway that follows that actor brings it up."""
    first, second = gateways
    await first.submit(NETWORK, CreateLocation("c1", Location("kiosk")))
    await eventually(lambda: second.statuses.get("kiosk") == "serving")
    assert (await second.submit("kiosk", receipt("m1", "fig", 4))).version == 1


async def test_a_location_made_while_the_service_runs_comes_back_with_its_actor(
    actors: LocalLinks, gateway: Router
) -> None:
    """The actor was not started with it, so the gateways tell it once more."""
    await gateway.submit(NETWORK, CreateLocation("c1", Location("kiosk")))
    assert await gateway.adopt("kiosk")
    await gateway.submit("kiosk", receipt("m1", "fig", 4))
    actors.actors["actor-0001"].restart()

    async def answered() -> Answer:
        while True:
            answer = await gateway.submit("kiosk", GetStock(("fig",)))
            if answer.result[0] != Reason.RECOVERING:
                return answer

    async with asyncio.timeout(10):
        assert (await answered()).result.rows[0].on_hand == 4


async def test_a_deleted_location_is_forgotten(actors: LocalLinks, gateway: Router) -> None:
    """It promises nothing, asks nobody, and its ledger is not sent around any more."""
    await gateway.submit("shop", receipt("m1", "fig", 4))
    await gateway.submit("dc", receipt("m1", "fig", 1))
    await gateway.submit(NETWORK, DeleteLocation("d1", "shop"))
    await eventually(lambda: gateway.model.version("shop") is None)
    assert (await gateway.submit("shop", GetStock(()))).result.reason == Reason.LOCATION_UNKNOWN
    host = actors.actors["actor-0000"].actor._host  # noqa: SLF001  # to wake its pollers
    assert host is not None
    sequence = host.sequence
    await gateway.submit("dc", receipt("m2", "fig", 1))
    await eventually(lambda: host.sequence > sequence)
    assert sorted(gateway.model.locations()) == ["annex", "dc"]
    assert "shop" not in gateway.statuses
    assert gateway.serving


async def test_a_location_made_anew_meets_its_old_ledger(gateway: Router) -> None:
    """Its journal stays where it is, and so does its place; nobody opens an empty one beside it."""
    await gateway.submit("shop", receipt("m1", "fig", 4))
    await gateway.submit(NETWORK, DeleteLocation("d1", "shop"))
    await gateway.submit(NETWORK, CreateLocation("c1", Location("shop")))
    assert await gateway.adopt("shop")
    assert (await gateway.submit("shop", GetStock(("fig",)))).result.rows[0].on_hand == 4
    await eventually(lambda: promised(gateway, "shop", "fig") == 4)


async def test_a_write_to_the_network_is_seen_at_once_even_after_its_actor_restarted(
    actors: LocalLinks, gateways: tuple[Router, Router]
) -> None:
    """A gateway that missed something is not left with half the network."""
    first, second = gateways
    actors.actors[NETWORK].hold_feed()
    await first.submit(NETWORK, CreateLocation("c1", Location("kiosk")))
    actors.actors[NETWORK].restart()
    await second.submit(NETWORK, CreateLocation("c2", Location("stall")))
    assert {"kiosk", "stall"} <= set(second.network.locations)
    actors.actors[NETWORK].release_feed()


async def test_a_repeated_write_to_the_network_is_seen_too(actors: LocalLinks, gateways: tuple[Router, Router]) -> None:
    """The answer to a repeat brings no change with it, so the gateway waits for the feed."""
    first, second = gateways
    actors.actors[NETWORK].hold_feed()
    await first.submit(NETWORK, CreateLocation("c1", Location("kiosk")))
    actors.actors[NETWORK].restart()
    repeat = asyncio.ensure_future(second.submit(NETWORK, CreateLocation("c1", Location("kiosk"))))
    actors.actors[NETWORK].release_feed()
    assert (await repeat).result.repeated
    assert "kiosk" in second.network.locations


async def test_when_not_all_of_a_batch_fits_nothing_of_it_is_done(actors: LocalLinks) -> None:
    """Callers are told so, and may try the whole of it again."""
    router, _ = router_of(actors, BOUNDS._replace(queue_max=3))
    await router.start(10)
    try:
        calls = [("annex", receipt("a1", "fig", 1)), *(("dc", receipt(f"m{n}", "fig", 1)) for n in range(4))]
        with pytest.raises(OverloadedError):
            router.submit_all(calls)
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(3)))  # the worker drops what was given up
        await asyncio.gather(*router.submit_all(calls[:4]))
        stock = [await router.submit(name, GetStock(("fig",))) for name in ("dc", "annex")]
        assert [answer.result.rows[0].on_hand for answer in stock] == [3, 1]
    finally:
        await router.stop()


async def test_commands_in_order_are_executed_in_order(actors: LocalLinks) -> None:
    """However many they are, and whatever else goes on."""
    router, _ = router_of(actors, BOUNDS._replace(batch_max=3))
    await router.start(10)
    try:
        noise = router.submit_all([("dc", receipt(f"n{n}", "plum", 1)) for n in range(20)])
        answers = await router.submit_in_order("dc", [receipt(f"m{n}", "fig", 1) for n in range(10)])
        await asyncio.gather(*noise)
        assert [answer.result.on_hand for answer in answers] == list(range(1, 11))
        versions = [answer.version for answer in answers]
        assert versions == sorted(versions)
    finally:
        await router.stop()


async def test_a_gateway_starts_without_an_actor_that_is_late(actors: LocalLinks) -> None:
    """Its locations are not served yet, and health says so; the others need not wait for them."""
    router, links = router_of(actors)
    links.away.add("actor-0001")
    await router.start(0.1)
    served_early = router.serving
    links.away.clear()
    await router.start(10)
    assert (served_early, router.serving) == (False, True)
    await router.stop()


async def test_stopping_waits_for_what_was_accepted(actors: LocalLinks) -> None:
    """A call that is on its way or still in the queue gets its answer."""
    router, _ = router_of(actors, BOUNDS._replace(batch_max=1, in_flight_max=1))
    await router.start(10)
    actors.actors["actor-0000"].hold()
    futures = router.submit_all([("dc", receipt(f"m{n}", "fig", 1)) for n in range(5)])
    stopped = asyncio.ensure_future(router.stop())
    await eventually(lambda: actors.actors["actor-0000"].arrived.acquire(blocking=False))
    assert not stopped.done()
    actors.actors["actor-0000"].release()
    await stopped
    assert [(await future).result.on_hand for future in futures] == [1, 2, 3, 4, 5]


async def test_an_idle_actor_is_heard_of_again_and_again(gateway: Router) -> None:
    """The poll is the heartbeat that the age of the data is measured by."""
    await eventually(lambda: gateway.model.age_s("annex") < 2)
    assert gateway.model.age_s("nowhere") == float("inf")
