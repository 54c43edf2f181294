"""`Gateway`: the services of the contract, their health and their drain, whatever front puts them on a socket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from allocator.core.limits import PROMISE_HORIZON_DEFAULT_NS
from allocator.gateway.amending import Amending
from allocator.gateway.availability import AvailabilityServicer
from allocator.gateway.calls import Calls
from allocator.gateway.health import Health
from allocator.gateway.inventory import InventoryServicer
from allocator.gateway.methods import Methods, methods_of
from allocator.gateway.network import NetworkServicer
from allocator.gateway.planner import Planner
from allocator.gateway.reservation import ReservationServicer
from allocator.gateway.resourcing import Resourcing
from allocator.gateway.sourcing import SourcingServicer
from allocator.gateway.spanning import Spanning
from allocator.v1 import (
    availability_pb2_grpc,
    inventory_pb2_grpc,
    network_pb2_grpc,
    reservation_pb2_grpc,
    sourcing_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from allocator.config import ServerSettings
    from allocator.runtime.router import Router

log = structlog.get_logger("allocator.gateway")

REPORT_S: Final = 10.0
"""How often the counts of calls are logged, seconds."""
ROUTER_STOP_S: Final = 2.0
"""How long commands without a caller are waited for at the end, seconds."""


class Promises(NamedTuple):
    """How far ahead units are promised, ns, and whether what a shortage puts at risk is sourced again."""

    horizon_ns: int = PROMISE_HORIZON_DEFAULT_NS
    resource_shortages: bool = False


class Gateway:
    """One gateway, without its front; made and used on a running event loop.

    Args:
        router: started already; stopped by `drain`.
        settings: bounds and deadlines.
        index: which gateway this is.
        promises: what the settings say of them.

    Attributes:
        calls: what every call goes through.
        health: of the service.
        methods: what a front serves: the contract, health and reflection.
    """

    def __init__(
        self, router: Router, settings: ServerSettings, index: int = 0, promises: Promises | None = None
    ) -> None:
        self._router = router
        self._drain_s = settings.drain_s
        self.calls = Calls(settings, str(index))
        self.methods = _contract(router, self.calls, promises or Promises())
        self.health = Health(router, list(self.methods))
        self.methods |= _about(self.health, list(self.methods))
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Tell how healthy it is from now on; before a front takes the first call."""
        await self.health.look()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.health.follow()), loop.create_task(self._report())]

    def log_draining(self) -> None:
        """Say what is still under way."""
        log.info("draining", under_way=self.calls.under_way, streams=self.calls.streams)

    async def drain(self, finish: Callable[[float], Awaitable[None]]) -> bool:
        """Stop: refuse new calls, finish accepted ones, then let the router go.

        Args:
            finish: has the front finish what it accepted, within so many seconds.

        Returns:
            Whether everything accepted was answered within the settings' `drain_s`.
        """
        await self.health.drain()
        self.calls.drain()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await finish(self._drain_s)
        clean = loop.time() - began_s < self._drain_s
        try:
            async with asyncio.timeout(ROUTER_STOP_S):
                await self._router.stop()
        except TimeoutError:  # commands whose callers have gone are still with an actor
            clean = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tally()
        return clean

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_S)
            self._tally()

    def _tally(self) -> None:
        self.calls.tally.report(under_way=self.calls.under_way, streams=self.calls.streams)


def _contract(router: Router, calls: Calls, promises: Promises) -> Methods:
    horizon_ns = promises.horizon_ns
    planner = Planner(router, horizon_ns)
    spanning = Spanning(router)
    amending = Amending(router, planner, spanning)
    resourcing = Resourcing(amending, enabled=promises.resource_shortages)
    register: list[tuple[Any, Any]] = [
        (
            availability_pb2_grpc.add_AvailabilityServiceServicer_to_server,
            AvailabilityServicer(router, calls, horizon_ns),
        ),
        (
            reservation_pb2_grpc.add_ReservationServiceServicer_to_server,
            ReservationServicer(router, calls, planner, spanning, amending),
        ),
        (inventory_pb2_grpc.add_InventoryServiceServicer_to_server, InventoryServicer(router, calls, resourcing)),
        (network_pb2_grpc.add_NetworkServiceServicer_to_server, NetworkServicer(router, calls)),
        (sourcing_pb2_grpc.add_SourcingServiceServicer_to_server, SourcingServicer(router, calls, planner)),
    ]
    return methods_of(register)


def _about(health: Health, services: list[str]) -> Methods:
    """What tells about the services: health and reflection."""
    health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    reflected = reflection.aio.ReflectionServicer([*services, health_name, reflection.SERVICE_NAME])
    register: list[tuple[Any, Any]] = [
        (health_pb2_grpc.add_HealthServicer_to_server, health.servicer),
        (reflection_pb2_grpc.add_ServerReflectionServicer_to_server, reflected),
    ]
    return methods_of(register)
