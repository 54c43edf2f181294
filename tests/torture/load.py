"""A load that remembers: what it was told, what it was not, and what the stock must be if that was the truth."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from allocator.client import (
    AsyncClient,
    FulfilmentMode,
    LineQuantity,
    Movement,
    MovementStatus,
    MovementType,
    Reservation,
    ReservationState,
    SourcingOrder,
    TransitionStatus,
)
from allocator.client.errors import RequestError

SOURCE = "torture"
LEVEL = "standard"
Hold = Callable[[AsyncClient], Awaitable[tuple[Reservation | None, bool]]]
"""Holds units: the reservation, if any, and whether that was the answer to an earlier call."""
STATES = {
    "commit": ReservationState.COMMITTED,
    "release": ReservationState.RELEASED,
    "fulfil": ReservationState.FULFILLED,
}
RANK = {state: n for n, state in enumerate((ReservationState.HELD, *STATES.values()))}


@dataclass
class Order:
    """A reservation as the acknowledgements tell it, with its units by (location, SKU)."""

    name: str
    lines: Counter[tuple[str, str]]
    state: ReservationState = ReservationState.HELD


@dataclass
class Books:
    """What was acknowledged, and what was asked without an answer.

    Attributes:
        on_hand: units by (location, SKU).
        orders: reservations by request id.
        acknowledged: how many writes were.
        refused: reserves for which there was not enough.
        unanswered: writes to ask again.
        known: ids of acknowledged writes.
        answers_lost: ids of writes that turned out to have happened though nobody was told.
    """

    on_hand: Counter[tuple[str, str]] = field(default_factory=Counter)
    orders: dict[str, Order] = field(default_factory=dict)
    acknowledged: int = 0
    refused: int = 0
    unanswered: list[Callable[[AsyncClient], Awaitable[None]]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    answers_lost: set[str] = field(default_factory=set)

    def acknowledge(self, write: str, *, repeated: bool) -> None:
        """Note an answer; `repeated` says that the write had happened before it."""
        if repeated and write not in self.known:
            self.answers_lost.add(write)
        self.acknowledged += write not in self.known
        self.known.add(write)

    def reserved(self, state: ReservationState) -> Counter[tuple[str, str]]:
        """Units by (location, SKU) of the orders in `state`."""
        units: Counter[tuple[str, str]] = Counter()
        for order in self.orders.values():
            if order.state is state:
                units.update(order.lines)
        return units


class Worker:
    """One client: receipts, reserves, and what becomes of them. Every write can be asked again under its id."""

    def __init__(self, books: Books, locations: list[str], skus: list[str], seed: int) -> None:
        self._books = books
        self._locations = locations
        self._skus = skus
        self._random = random.Random(seed)

    async def run(self, client: AsyncClient, stop: asyncio.Event) -> None:
        """Go on until told to stop; an unanswered write is kept for later."""
        while not stop.is_set():
            write = self._next()
            try:
                await write(client)
            except RequestError:
                self._books.unanswered.append(write)

    def _next(self) -> Callable[[AsyncClient], Awaitable[None]]:
        """A write, decided and named before it is sent, so that sending it again is the same write."""
        where, sku = self._random.choice(self._locations), self._random.choice(self._skus)
        request_id = uuid.UUID(int=self._random.getrandbits(128)).hex
        if self._random.random() < 0.2:
            return self._receipt(where, sku, self._random.randint(1, 20), request_id)
        fates = self._random.choices(
            [(), ("commit",), ("release",), ("commit", "fulfil"), ("commit", "release")], (2, 2, 1, 4, 1)
        )[0]
        lines = {name: self._random.randint(1, 3) for name in self._random.sample(self._skus, 2)}
        return self._order(self._hold(where, lines, request_id), request_id, fates)

    def _hold(self, where: str, lines: dict[str, int], name: str) -> Hold:
        """One of the ways to hold: at one location, at two, or wherever it is best."""
        way = self._random.choice(("one", "several", "best"))
        other = self._random.choice(self._locations)
        placed = [LineQuantity(sku, at, units) for (sku, units), at in zip(lines.items(), (where, other), strict=True)]
        rows = tuple((sku, units) for sku, units in lines.items())

        async def hold(client: AsyncClient) -> tuple[Reservation | None, bool]:
            if way == "best":
                order = SourcingOrder(rows, mode=FulfilmentMode.SHIP_FROM_STORE, service_level=LEVEL, splits_max=3)
                found = await client.allocate(order, ttl_s=3600, request_id=name)
                return found.reservation, found.repeated
            if way == "several":
                result = await client.reserve(placed, ttl_s=3600, request_id=name)
            else:
                result = await client.reserve(lines, at=where, ttl_s=3600, request_id=name)
            return result.reservation, result.repeated

        return hold

    def _receipt(self, where: str, sku: str, units: int, name: str) -> Callable[[AsyncClient], Awaitable[None]]:
        async def write(client: AsyncClient) -> None:
            movement = Movement(SOURCE, name, where, sku, MovementType.RECEIPT, units)
            (result,) = (await client.record([movement])).results
            assert result.status in (MovementStatus.APPLIED, MovementStatus.DUPLICATE), result
            self._books.on_hand[where, sku] += units
            self._books.acknowledge(name, repeated=result.status is MovementStatus.DUPLICATE)

        return write

    def _order(self, hold: Hold, name: str, fates: tuple[str, ...]) -> Callable[[AsyncClient], Awaitable[None]]:
        async def write(client: AsyncClient) -> None:
            """Every step is taken again under its own id; only what is new enters the books."""
            reservation, repeated = await hold(client)
            if reservation is None:
                self._books.refused += name not in self._books.orders
                return
            held = Counter({(line.location, line.sku): line.held for line in reservation.lines})
            order = self._books.orders.setdefault(name, Order(reservation.name, held))
            assert order.lines == held, (order, reservation)
            self._books.acknowledge(name, repeated=repeated)
            for fate in fates:
                await self._step(client, order, fate, f"{fate[0]}-{name}")

        return write

    async def _step(self, client: AsyncClient, order: Order, fate: str, request_id: str) -> None:
        method: Any = getattr(client, fate)
        result = await method(order.name, request_id=request_id)
        assert result.status is TransitionStatus.DONE, (fate, order, result)
        if RANK[STATES[fate]] > RANK[order.state]:
            order.state = STATES[fate]
            if fate == "fulfil":
                self._books.on_hand.subtract(order.lines)
        self._books.acknowledge(request_id, repeated=result.repeated)
