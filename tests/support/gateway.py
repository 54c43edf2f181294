"""A whole service in this process for tests: local actors and gateways on real sockets, on an event loop of its own."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc

from allocator.config import PromiseSettings, ServerSettings, Settings, TlsSettings
from allocator.core.limits import LedgerLimits
from allocator.core.network.types import Group, Kind, Location
from tests.support.fronts import FRONTS, Front, StartFront, Wanted, settings_of
from tests.support.local_links import LocalActor, LocalLinks

T = TypeVar("T")

HOST = "127.0.0.1"
CALL_TIMEOUT_S = 60
PATIENT: Mapping[str, float] = {
    "drain_s": 5,
    "deadline_s": 60,
    "browse_wait_s": 0,
    "hold_wait_s": 0,
    "settle_wait_s": 0,
}
"""Settings of a service that is to answer on a busy machine too; tests of overload and deadlines have their own."""
_numbers = itertools.count(1)


def fresh(what: str = "sku") -> str:
    """A new id, so that tests on one service do not meet."""
    return f"{what}-{next(_numbers)}"


def location(name: str, **fields: Any) -> Location:  # noqa: ANN401  # of the tuple
    """An open store."""
    return Location(name, display_name=name.title(), kind=Kind.STORE, **fields)


PLACED: Mapping[str, Sequence[Location]] = {
    "actor-0000": (location("dc-1"), location("store-1")),
    "actor-0001": (location("store-2"),),
}
GROUPS = (Group("stores", "Stores", ("store-1", "store-2")), Group("none"))


class LocalGateway:
    """One gateway of the service.

    Attributes:
        front: its server.
        port: where it listens.
    """

    def __init__(self, front: Front) -> None:
        self.front = front
        self.port = front.port


class LocalService:
    """Actors and gateways on an event loop in a thread of its own; tests call in from outside, as clients do."""

    def __init__(self, links: LocalLinks, start_front: StartFront, settings: Settings) -> None:
        self.links = links
        self.settings = settings
        self.gateways: list[LocalGateway] = []
        self._start_front = start_front
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="service")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for gateway in self.gateways:
            self.run(gateway.front.drain())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.links.stop()

    def actor(self, name: str = "actor-0000") -> LocalActor:
        """One of the actors."""
        return self.links.actors[name]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the service's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def begin(self, work: Coroutine[Any, Any, T]) -> Callable[[], T]:
        """Run `work` on the service's loop; the returned function waits for it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return lambda: future.result(CALL_TIMEOUT_S)

    def add_gateway(self) -> LocalGateway:
        """Start one more gateway."""
        gateway = self.run(self._start(len(self.gateways)))
        self.gateways.append(gateway)
        return gateway

    @contextmanager
    def channel(self, gateway: int = 0) -> Iterator[grpc.Channel]:
        """A connection of its own to one of the gateways."""
        address = f"{HOST}:{self.gateways[gateway].port}"
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 2**24)]
        with grpc.insecure_channel(address, options) as channel:
            yield channel

    async def _start(self, index: int) -> LocalGateway:
        return LocalGateway(await self._start_front(Wanted(self.links, self.settings, index)))


Serve = Callable[..., LocalService]
"""Starts a service; takes the named arguments of `local_service`."""


@contextmanager
def local_service(  # noqa: PLR0917  # all but the first have a default
    folder: Path,
    front: str = "grpcio",
    placed: Mapping[str, Sequence[Location]] = PLACED,
    limits: LedgerLimits | None = None,
    gateways: int = 1,
    promises: PromiseSettings | None = None,
    tls: TlsSettings | None = None,
    **settings: Any,  # noqa: ANN401  # pydantic checks them
) -> Iterator[LocalService]:
    """A running service; `settings` are those of the server."""
    server = ServerSettings(host=HOST, **{"port": 0, **PATIENT, **settings})
    with ExitStack() as stack:
        links = LocalLinks(folder, placed, GROUPS, limits)
        service = stack.enter_context(LocalService(links, FRONTS[front], settings_of(server, promises, tls)))
        for _ in range(gateways):
            service.add_gateway()
        yield service
