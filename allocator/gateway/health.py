"""Health: the whole service and each of its services are SERVING while every location's ledger answers.

One location that recovers therefore shows for a moment, so that a balancer may prefer another cluster; calls for the
other locations are answered all the same. Draining makes everything NOT_SERVING for good.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from grpc_health.v1 import health, health_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.runtime.router import Router

LOOK_S: Final = 0.1
"""How often the ledgers' statuses are looked at, seconds."""


class Health:
    """Follows the router's view of the ledgers.

    Attributes:
        servicer: what answers `grpc.health.v1.Health`.
    """

    def __init__(self, router: Router, services: Iterable[str]) -> None:
        self.servicer = health.aio.HealthServicer()
        self._router = router
        self._services = ("", *services)
        self._serving: bool | None = None

    async def look(self) -> None:
        """Take over how the ledgers are now."""
        serving = self._router.serving
        if serving == self._serving:
            return
        self._serving = serving
        state = health_pb2.HealthCheckResponse
        for service in self._services:
            await self.servicer.set(service, state.SERVING if serving else state.NOT_SERVING)

    async def follow(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_S)

    async def drain(self) -> None:
        """Tell everybody that this server takes no more."""
        await self.servicer.enter_graceful_shutdown()
