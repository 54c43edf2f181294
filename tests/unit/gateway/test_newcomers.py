from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from allocator.core.network.types import CreateLocation, Location
from allocator.gateway.newcomers import Newcomers
from allocator.runtime.hosted import NETWORK
from allocator.runtime.router import Router
from tests.support.local_links import LocalLinks
from tests.unit.runtime.routers import router_of


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[Router]:
    """A gateway's router on one actor."""
    links = LocalLinks(tmp_path / "journal", {"actor-0000": [Location("dc")]})
    router, _ = router_of(links)
    await router.start(10)
    yield router
    await router.stop()
    links.stop()


async def test_what_is_known_is_not_waited_for(router: Router) -> None:
    """Nearly every call: it goes on without a word to the event loop."""
    with pytest.raises(StopIteration) as told:
        Newcomers(router).arrived(lambda: True).send(None)
    assert told.value.value is True


async def test_what_never_comes_is_told_after_a_moment(router: Router) -> None:
    """For those who came together, and for one who gave up meanwhile nobody else does."""
    newcomers = Newcomers(router)
    waiting = [asyncio.create_task(newcomers.arrived(lambda: False)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await asyncio.gather(*waiting[1:]) == [False, False]
    assert waiting[0].cancelled()


async def test_what_comes_with_the_next_news_is_known(router: Router) -> None:
    """Also to a caller who joined a wait that another began."""
    newcomers = Newcomers(router)

    async def arrived() -> bool:
        return await newcomers.arrived(lambda: "shop" in router.network.locations)

    waiting = [asyncio.create_task(arrived()) for _ in range(3)]
    await asyncio.sleep(0)
    await router.submit(NETWORK, CreateLocation("q1", Location("shop")))
    assert await asyncio.gather(*waiting) == [True] * 3
