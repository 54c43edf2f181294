"""The client for asyncio: the same calls, policy and results as `Client`, awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from allocator.client.base import READY_POLICY, ClientBase, built, built_or_known, describe
from allocator.client.call import Call, Pages
from allocator.client.calls import allocations as _allocations
from allocator.client.calls import availability as _availability
from allocator.client.calls import health as _health
from allocator.client.calls import inventory as _inventory
from allocator.client.calls import lanes as _lanes
from allocator.client.calls import network as _network
from allocator.client.calls import reservations as _reservations
from allocator.client.calls import sourcing as _sourcing
from allocator.client.calls import supply as _supply
from allocator.client.errors import RequestError
from allocator.client.exchange_aio import AsyncExchange, iterate, own_cancellation, read, take
from allocator.client.streams import (
    MOVEMENTS_MAX,
    QUERIES_MAX,
    RESERVES_MAX,
    Known,
    Recovery,
    Watch,
    Window,
    ended,
)
from allocator.client.types.availability import Check, CheckResult, WatchUpdate
from allocator.client.types.inventory import Movement, RecordResult
from allocator.client.types.reservations import Reserve, ReserveResult

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def _one(build: Callable[P, Call[R]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[R]]:
    """Make a method of a call with one answer."""

    def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        return client.send(built(build, *args, **kwargs))

    describe(method, build, "Awaitable[{}]")
    return method


def _each(build: Callable[P, Pages[R]]) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[R]]:
    """Make a method of a list, whose pages are read as they are needed."""

    def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[R]:
        return client.items(built(build, *args, **kwargs))

    describe(method, build, "AsyncIterator[{}]")
    return method


def _updates(
    build: Callable[P, Call[WatchUpdate]],
) -> Callable[Concatenate[AsyncClient, P], AsyncGenerator[WatchUpdate, None]]:
    """Make a method of a watch."""

    def method(client: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[WatchUpdate, None]:
        return client.updates(built(build, *args, **kwargs))

    describe(method, build, "AsyncGenerator[{}, None]")
    return method


class AsyncClient(ClientBase):
    """A client for one event loop; any number of tasks may share it.

    A write without a `request_id` gets one, the same for every attempt: it happens once or not at all.
    """

    check = _one(_availability.check)
    availability = _one(_availability.availability)
    watch = _updates(_availability.watch)

    reserve = _one(_reservations.reserve)
    batch_reserve = _one(_reservations.batch_reserve)
    commit = _one(_reservations.commit)
    extend = _one(_reservations.extend)
    release = _one(_reservations.release)
    fulfil = _one(_reservations.fulfil)
    reservation = _one(_reservations.reservation)
    reservations = _each(_reservations.reservations)

    source = _one(_sourcing.source)
    explain_sourcing = _one(_sourcing.explain_sourcing)
    allocate = _one(_allocations.allocate)
    transfer_reservation = _one(_allocations.transfer_reservation)
    reject_assignment = _one(_allocations.reject_assignment)

    record = _one(_inventory.record)
    set_count = _one(_inventory.set_count)
    set_policy = _one(_inventory.set_policy)
    stock = _one(_inventory.stock)
    list_stock = _each(_inventory.list_stock)
    set_supply = _one(_supply.set_supply)
    list_supply = _each(_supply.list_supply)

    create_location = _one(_network.create_location)
    location = _one(_network.location)
    locations = _each(_network.locations)
    update_location = _one(_network.update_location)
    delete_location = _one(_network.delete_location)
    create_group = _one(_network.create_group)
    group = _one(_network.group)
    groups = _each(_network.groups)
    update_group = _one(_network.update_group)
    delete_group = _one(_network.delete_group)
    set_capacity = _one(_network.set_capacity)

    create_lane = _one(_lanes.create_lane)
    lane = _one(_lanes.lane)
    lanes = _each(_lanes.lanes)
    update_lane = _one(_lanes.update_lane)
    delete_lane = _one(_lanes.delete_lane)
    create_profile = _one(_lanes.create_profile)
    profile = _one(_lanes.profile)
    profiles = _each(_lanes.profiles)
    update_profile = _one(_lanes.update_profile)
    delete_profile = _one(_lanes.delete_profile)

    health = _one(_health.health)

    async def wait_ready(self, timeout_s: float = 30.0, service: str = "") -> None:
        """Wait until the server says that it serves.

        Raises:
            Unavailable: it did not within `timeout_s`.
        """
        await self._changed(timeout_s=timeout_s, **READY_POLICY).send(_health.serving(service))

    def query(
        self, checks: AsyncIterable[Check] | Iterable[Check], *, in_flight: int = 32
    ) -> AsyncGenerator[CheckResult | RequestError, None]:
        """Check a stream of carts, as `Client.query` does."""
        window: Window[CheckResult | RequestError] = Window(in_flight, QUERIES_MAX)
        recovery = Recovery(self._options.policy, writes=False)
        return self._exchanged(checks, lambda check: built_or_known(_availability.query, check), window, recovery)

    def stream_reserves(
        self, reserves: AsyncIterable[Reserve] | Iterable[Reserve], *, in_flight: int = 64
    ) -> AsyncGenerator[ReserveResult | RequestError, None]:
        """Make many independent reserves on one stream, as `Client.stream_reserves` does."""
        window: Window[ReserveResult | RequestError] = Window(in_flight, RESERVES_MAX)
        recovery = Recovery(self._options.policy, writes=True)
        return self._exchanged(
            reserves, lambda reserve: built_or_known(_reservations.stream_reserve, reserve), window, recovery
        )

    def stream_movements(
        self, batches: AsyncIterable[Sequence[Movement]] | Iterable[Sequence[Movement]], *, in_flight: int = 4
    ) -> AsyncGenerator[RecordResult, None]:
        """Record a stream of batches, as `Client.stream_movements` does."""
        window: Window[RecordResult] = Window(in_flight, MOVEMENTS_MAX)
        recovery = Recovery(self._options.policy, writes=True)
        return self._exchanged(batches, lambda batch: built(_inventory.stream_movements, batch), window, recovery)

    async def send(self, call: Call[R]) -> R:
        """Send a call of `allocator.client.calls`, again if that is safe and may help; return its result."""
        attempts = self._begin(call)
        while True:
            try:
                with own_cancellation():
                    answer = await self._link.method(call)(
                        call.request,
                        timeout=attempts.timeout_s(time.monotonic()),
                        metadata=self._options.pairs(),
                    )
                return call.parse(answer)
            except (grpc.RpcError, RequestError) as error:
                wait_s = self._wait_s(attempts, error)
            await asyncio.sleep(wait_s)

    async def items(self, pages: Pages[R]) -> AsyncGenerator[R, None]:
        """Yield the items of a list, page by page."""
        token = ""
        while True:
            page = await self.send(built(pages.call, token))
            for item in page.items:
                yield item
            token = page.next_token
            if not token:
                return

    async def updates(self, call: Call[WatchUpdate]) -> AsyncGenerator[WatchUpdate, None]:
        """Yield what a watch tells, over as many connections as it takes."""
        watch, recovery = Watch(call), Recovery(self._options.policy, writes=False)
        while True:
            stream = self._link.method(call)(watch.request(), metadata=self._options.pairs())
            try:
                while (answer := await read(stream)) is not grpc.aio.EOF:
                    recovery.succeeded()
                    yield watch.saw(answer)
                raise ended()
            except (grpc.RpcError, RequestError) as error:
                wait_s = self._wait_s(recovery.attempts(time.monotonic()), error)
            finally:
                stream.cancel()
            await asyncio.sleep(wait_s)

    async def _exchanged(
        self,
        items: AsyncIterable[T] | Iterable[T],
        build: Callable[[T], Call[R] | Known[R]],
        window: Window[R],
        recovery: Recovery,
    ) -> AsyncGenerator[R, None]:
        source = iterate(items)
        exchange: AsyncExchange | None = None
        try:
            while True:
                while window.has_room and (item := await take(source)) is not None:
                    window.add(self._identified(build(item)))
                head = window.head
                if head is None:
                    return
                try:
                    if isinstance(head, Call):
                        exchange = exchange or AsyncExchange(self._link.method(head), self._options.pairs())
                        result = head.parse(await exchange.answer(window.to_send()))
                    else:
                        result = head.result
                except (grpc.RpcError, RequestError) as error:
                    if exchange is not None:
                        exchange.close()
                    exchange = None
                    await asyncio.sleep(self._wait_again_s(recovery, window, error))
                    continue
                recovery.succeeded()
                window.answered()
                yield result
        finally:
            if exchange is not None:
                exchange.close()

    async def close(self) -> None:
        """Close the connection; calls under way end in `Cancelled`. May be called again."""
        channel = self._link.close()
        if channel is not None:
            await channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _open_channel(
        self, credentials: grpc.ChannelCredentials | None, options: Sequence[tuple[str, Any]]
    ) -> grpc.aio.Channel:
        if credentials is None:
            return grpc.aio.insecure_channel(self.address, options)
        return grpc.aio.secure_channel(self.address, credentials, options)
