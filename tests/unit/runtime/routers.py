"""Gateways without gRPC: routers over local actors, and links that can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from allocator.runtime.links import ActorLink, Links
from allocator.runtime.router import Bounds, Router
from tests.support.local_links import LocalLinks
from tests.unit.runtime.journals import PATIENCE_S

BOUNDS = Bounds(queue_max=10_000, batch_max=100, in_flight_max=2)


class _CutLink(ActorLink):
    """A way to an actor that can be away."""

    def __init__(self, links: CutLinks, name: str) -> None:
        self._links, self._name = links, name
        self._inner = links.inner.link(name)

    async def execute(self, data: bytes) -> bytes:
        """Run a batch of commands."""
        self._check()
        return await self._inner.execute(data)

    async def changes(self, data: bytes) -> bytes:
        """Wait for news of its ledgers."""
        self._check()
        answer = await self._inner.changes(data)
        self._check()
        return answer

    async def adopt(self, location: str) -> bool:
        """Have it host one more location."""
        self._check()
        return await self._inner.adopt(location)

    def _check(self) -> None:
        if self._name in self._links.away:
            raise ConnectionRefusedError(f"actor {self._name} is away")


class CutLinks(Links):
    """The ways of one gateway.

    Attributes:
        inner: the actors.
        away: names of actors that cannot be reached.
    """

    def __init__(self, inner: LocalLinks) -> None:
        self.inner = inner
        self.away: set[str] = set()

    def link(self, actor: str) -> ActorLink:
        """The way to `actor`."""
        return _CutLink(self, actor)


def router_of(inner: LocalLinks, bounds: Bounds = BOUNDS) -> tuple[Router, CutLinks]:
    """A gateway's router, not started, and its links."""
    links = CutLinks(inner)
    return Router(links, bounds), links


def promised(router: Router, location: str, sku: str, channel: str = "") -> int:
    """What a gateway would promise."""
    row = router.model.rows.get(sku)
    if row is None:
        return 0
    return int(router.model.available(np.array([row]), router.model.columns([location]), channel)[0, 0])


async def eventually(holds: Callable[[], Any]) -> None:
    """Wait until something holds that others bring about."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # what we wait for has no event of its own
            await asyncio.sleep(0.002)
