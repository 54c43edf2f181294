"""`GatewayServer`: the servicers on grpc.aio, with health, reflection and a drain that loses no accepted call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from allocator.core.limits import PROMISE_HORIZON_DEFAULT_NS
from allocator.gateway.amending import Amending
from allocator.gateway.availability import AvailabilityServicer
from allocator.gateway.calls import Calls, calls_max
from allocator.gateway.health import Health
from allocator.gateway.inventory import InventoryServicer
from allocator.gateway.network import NetworkServicer
from allocator.gateway.planner import Planner
from allocator.gateway.reservation import ReservationServicer
from allocator.gateway.resourcing import Resourcing
from allocator.gateway.sourcing import SourcingServicer
from allocator.gateway.spanning import Spanning
from allocator.v1 import (
    availability_pb2,
    availability_pb2_grpc,
    inventory_pb2,
    inventory_pb2_grpc,
    network_pb2,
    network_pb2_grpc,
    reservation_pb2,
    reservation_pb2_grpc,
    sourcing_pb2,
    sourcing_pb2_grpc,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.config import ServerSettings
    from allocator.runtime.router import Router

REPORT_S: Final = 10.0
"""How often the counts of calls are logged, seconds."""
CONNECTION_STREAMS_MAX: Final = 10_000
"""Calls under way on one connection; a client holds back the rest by itself."""
PING_LEAST_MS: Final = 5_000
"""Clients may ping idle connections this often, milliseconds."""
KEEPALIVE_MS: Final = 60_000
"""How often we ping a connection, to notice one that is gone, milliseconds."""

ROUTER_STOP_S: Final = 2.0
"""How long commands without a caller are waited for at the end, seconds."""

log = structlog.get_logger("allocator.gateway")


class Service(NamedTuple):
    """One service of the contract: its full name, its servicer, and how a grpcio server takes it."""

    name: str
    servicer: Any
    register: Callable[[Any, grpc.aio.Server], None]


class Promises(NamedTuple):
    """How far ahead units are promised, ns, and whether what a shortage puts at risk is sourced again."""

    horizon_ns: int = PROMISE_HORIZON_DEFAULT_NS
    resource_shortages: bool = False


def services_of(router: Router, calls: Calls, promises: Promises) -> tuple[Service, ...]:
    """The services of the contract, for any front that runs grpcio's async servicers."""
    horizon_ns = promises.horizon_ns
    planner = Planner(router, horizon_ns)
    spanning = Spanning(router)
    amending = Amending(router, planner, spanning)
    resourcing = Resourcing(amending, enabled=promises.resource_shortages)
    return (
        Service(
            availability_pb2.DESCRIPTOR.services_by_name["AvailabilityService"].full_name,
            AvailabilityServicer(router, calls, horizon_ns),
            availability_pb2_grpc.add_AvailabilityServiceServicer_to_server,
        ),
        Service(
            reservation_pb2.DESCRIPTOR.services_by_name["ReservationService"].full_name,
            ReservationServicer(router, calls, planner, spanning, amending),
            reservation_pb2_grpc.add_ReservationServiceServicer_to_server,
        ),
        Service(
            inventory_pb2.DESCRIPTOR.services_by_name["InventoryService"].full_name,
            InventoryServicer(router, calls, resourcing),
            inventory_pb2_grpc.add_InventoryServiceServicer_to_server,
        ),
        Service(
            network_pb2.DESCRIPTOR.services_by_name["NetworkService"].full_name,
            NetworkServicer(router, calls),
            network_pb2_grpc.add_NetworkServiceServicer_to_server,
        ),
        Service(
            sourcing_pb2.DESCRIPTOR.services_by_name["SourcingService"].full_name,
            SourcingServicer(router, calls, planner),
            sourcing_pb2_grpc.add_SourcingServiceServicer_to_server,
        ),
    )


class GatewayServer:
    """One gateway's server; made and used on a running event loop.

    Args:
        router: started already; stopped by `drain`.
        settings: where to listen, bounds and deadlines.
        index: which gateway this is.
        promises: what the settings say of them.
    """

    def __init__(
        self,
        router: Router,
        settings: ServerSettings,
        index: int = 0,
        promises: Promises | None = None,
    ) -> None:
        self._router = router
        self._settings = settings
        self.calls = Calls(settings, str(index))
        services = services_of(router, self.calls, promises or Promises())
        self.health = Health(router, [service.name for service in services])
        self._server = grpc.aio.server(options=_options(settings))
        for service in services:
            service.register(service.servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self.health.servicer, self._server)
        told = [*(service.name for service in services), _health_name(), reflection.SERVICE_NAME]
        reflection.enable_server_reflection(told, self._server)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Listen and answer; returns the port."""
        host = self._settings.host
        address = f"[{host}]" if ":" in host else host  # IPv6
        port = self._server.add_insecure_port(f"{address}:{self._settings.port}")
        await self.health.look()
        await self._server.start()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self.health.follow()), loop.create_task(self._report())]
        return port

    async def drain(self) -> bool:
        """Stop: refuse new calls, finish accepted ones, then let the router go.

        Returns:
            Whether everything accepted was answered within the settings' `drain_s`.
        """
        await self.health.drain()
        self.calls.drain()
        loop = asyncio.get_running_loop()
        grace_s, began_s = self._settings.drain_s, loop.time()
        await self._server.stop(grace_s)
        clean = loop.time() - began_s < grace_s
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


def _options(settings: ServerSettings) -> list[tuple[str, int]]:
    message_bytes = settings.message_mb * 2**20
    waiting_max = calls_max(settings)
    return [
        # gRPC cancels calls at random beyond these (1,000 and 3,000 by default), before we see them. Up to our own
        # bound it must not; over that a call is refused with a reason and a time to come back.
        ("grpc.server.max_pending_requests", waiting_max),
        ("grpc.server.max_pending_requests_hard_limit", waiting_max),
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", message_bytes),
        ("grpc.max_send_message_length", message_bytes),
        ("grpc.max_concurrent_streams", CONNECTION_STREAMS_MAX),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", PING_LEAST_MS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


def _health_name() -> str:
    return health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
