"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
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
from allocator.client.exchange import Exchange
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


def _one(build: Callable[P, Call[R]]) -> Callable[Concatenate[Client, P], R]:
    """Make a method of a call with one answer."""

    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return client.send(built(build, *args, **kwargs))

    describe(method, build, "{}")
    return method


def _each(build: Callable[P, Pages[R]]) -> Callable[Concatenate[Client, P], Iterator[R]]:
    """Make a method of a list, whose pages are read as they are needed."""

    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        return client.items(built(build, *args, **kwargs))

    describe(method, build, "Iterator[{}]")
    return method


def _updates(
    build: Callable[P, Call[WatchUpdate]],
) -> Callable[Concatenate[Client, P], Generator[WatchUpdate, None, None]]:
    """Make a method of a watch."""

    def method(client: Client, /, *args: P.args, **kwargs: P.kwargs) -> Generator[WatchUpdate, None, None]:
        return client.updates(built(build, *args, **kwargs))

    describe(method, build, "Generator[{}, None, None]")
    return method


class Client(ClientBase):
    """A client for threads; one is enough for a process, and any number of threads may share it.

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

    def wait_ready(self, timeout_s: float = 30.0, service: str = "") -> None:
        """Wait until the server says that it serves.

        Raises:
            Unavailable: it did not within `timeout_s`.
        """
        self._changed(timeout_s=timeout_s, **READY_POLICY).send(_health.serving(service))

    def query(
        self, checks: Iterable[Check], *, in_flight: int = 32
    ) -> Generator[CheckResult | RequestError, None, None]:
        """Check a stream of carts, without the overhead of a call for each; yields what `check` would, in order.

        A check that cannot be answered yields its error, and the stream goes on. A connection that breaks is opened
        again, and what was not answered is asked again.

        Args:
            checks: limits of each as in `check`. They are taken before the answers to those before them are given,
                up to `in_flight`; with 1, each is answered before the next is taken.
            in_flight: most checks sent and not answered, 1 to 1,024.

        Raises:
            RequestError: the stream as a whole cannot go on.
        """
        calls = (built_or_known(_availability.query, check) for check in checks)
        return self._exchanged(calls, Window(in_flight, QUERIES_MAX), Recovery(self._options.policy, writes=False))

    def stream_reserves(
        self, reserves: Iterable[Reserve], *, in_flight: int = 64
    ) -> Generator[ReserveResult | RequestError, None, None]:
        """Make many independent reserves on one stream; yields what `reserve` would for each, in order.

        A reserve that ends in an error yields it, and the stream goes on. A connection that breaks is opened again,
        and what was not answered is sent again with the same request ids, so each happens once or not at all.

        Args:
            reserves: limits of each as in `reserve`; those without a request id get one. They are taken before the
                answers to those before them are given, up to `in_flight`.
            in_flight: most reserves sent and not answered, 1 to 1,024.

        Raises:
            RequestError: the stream as a whole cannot go on; `request_id` is of the oldest reserve without an answer,
                and with `outcome_unknown` it and those after it may have happened. Give ids of your own to ask again.
        """
        calls = (built_or_known(_reservations.stream_reserve, reserve) for reserve in reserves)
        return self._exchanged(calls, Window(in_flight, RESERVES_MAX), Recovery(self._options.policy, writes=True))

    def stream_movements(
        self, batches: Iterable[Sequence[Movement]], *, in_flight: int = 4
    ) -> Generator[RecordResult, None, None]:
        """Record a stream of batches; yields what became of each, in order.

        A connection that breaks is opened again, and what was not answered is sent again: that is safe, as
        movements are told apart.

        Args:
            batches: limits of each as in `record`. They are taken before the answers to those before them are
                given, up to `in_flight`; with 1, each is answered before the next is taken.
            in_flight: most batches sent and not answered, 1 to 64.

        Raises:
            RequestError: a batch cannot be answered; those after it were not looked at.
        """
        calls = (built(_inventory.stream_movements, batch) for batch in batches)
        return self._exchanged(calls, Window(in_flight, MOVEMENTS_MAX), Recovery(self._options.policy, writes=True))

    def send(self, call: Call[R]) -> R:
        """Send a call of `allocator.client.calls`, again if that is safe and may help; return its result."""
        attempts = self._begin(call)
        while True:
            try:
                answer = self._link.method(call)(
                    call.request,
                    timeout=attempts.timeout_s(time.monotonic()),
                    metadata=self._options.pairs(),
                )
                return call.parse(answer)
            except (grpc.RpcError, RequestError) as error:
                wait_s = self._wait_s(attempts, error)
            time.sleep(wait_s)

    def items(self, pages: Pages[R]) -> Iterator[R]:
        """Yield the items of a list, page by page."""
        token = ""
        while True:
            page = self.send(built(pages.call, token))
            yield from page.items
            token = page.next_token
            if not token:
                return

    def updates(self, call: Call[WatchUpdate]) -> Generator[WatchUpdate, None, None]:
        """Yield what a watch tells, over as many connections as it takes."""
        watch, recovery = Watch(call), Recovery(self._options.policy, writes=False)
        while True:
            stream = self._link.method(call)(watch.request(), metadata=self._options.pairs())
            try:
                for answer in stream:
                    recovery.succeeded()
                    yield watch.saw(answer)
                raise ended()
            except (grpc.RpcError, RequestError) as error:
                wait_s = self._wait_s(recovery.attempts(time.monotonic()), error)
            finally:
                stream.cancel()
            time.sleep(wait_s)

    def _exchanged(
        self, calls: Iterator[Call[R] | Known[R]], window: Window[R], recovery: Recovery
    ) -> Generator[R, None, None]:
        exchange: Exchange | None = None
        try:
            while True:
                while window.has_room and (call := next(calls, None)) is not None:
                    window.add(self._identified(call))
                head = window.head
                if head is None:
                    return
                try:
                    if isinstance(head, Call):
                        exchange = exchange or Exchange(self._link.method(head), self._options.pairs())
                        result = head.parse(exchange.answer(window.to_send()))
                    else:
                        result = head.result
                except (grpc.RpcError, RequestError) as error:
                    if exchange is not None:
                        exchange.close()
                    exchange = None
                    time.sleep(self._wait_again_s(recovery, window, error))
                    continue
                recovery.succeeded()
                window.answered()
                yield result
        finally:
            if exchange is not None:
                exchange.close()

    def close(self) -> None:
        """Close the connection; calls under way end in `Cancelled`. May be called again."""
        channel = self._link.close()
        if channel is not None:
            channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_channel(
        self, credentials: grpc.ChannelCredentials | None, options: Sequence[tuple[str, Any]]
    ) -> grpc.Channel:
        if credentials is None:
            return grpc.insecure_channel(self.address, options)
        return grpc.secure_channel(self.address, credentials, options)
