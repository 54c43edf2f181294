"""Plays an order the way a shop does: hold it from the best places, commit, ship; or give it up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from zoneinfo import ZoneInfo

from allocator.client import (
    AllocateResult,
    AllocateStatus,
    LineQuantity,
    Movement,
    MovementType,
    Reservation,
    SourcingOrder,
    TransitionResult,
    TransitionStatus,
)
from demo.acks import Ack, Grant, Parcel, Played, Return, Turn
from demo.asks import ask, consignments
from demo.book import Key
from demo.errors import DemoError
from demo.orders import GivenBack
from demo.plan import Fate, PlannedOrder
from demo.shop import PlacedLines, Shop

ALLOCATES_MAX: Final = 8
"""Calls for one order while others are faster; what is left then is refused."""
LAPSE_TTL_S: Final = 3.0
"""How long a cart is held that is left to expire."""
GRACE_S: Final = 0.5
"""How long after its expiry a hold may still be there."""
RETURNS_SOURCE: Final = "demo/returns"
ZONE: Final = ZoneInfo("Europe/London")
"""Whose days are counted."""

Tell = Callable[[Ack], None]
WaitUntil = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Held:
    """A reservation, its units that are open and that were shipped, and when it expires (s since 1970)."""

    name: str
    open: Counter[Key]
    expires_s: float
    shipped: Counter[Key] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Shipment:
    """A committed order that waits to be shipped."""

    order: PlannedOrder
    reservations: list[Held]


async def _wait_until(at_s: float) -> None:
    await asyncio.sleep(max(0.0, at_s - time.time()))


class Player:
    """Plays orders; any number of them side by side.

    Args:
        shop: answers.
        tell: hears of every acknowledgement, at once.
        wait_until: waits for a time, seconds since 1970 UTC.
    """

    def __init__(self, shop: Shop, tell: Tell, wait_until: WaitUntil = _wait_until) -> None:
        self._shop, self._tell, self._wait_until = shop, tell, wait_until
        self._lapsing: list[Held] = []

    async def play(self, order: PlannedOrder) -> Shipment | None:
        """Play an order up to where it waits to be shipped; None when it does not come so far."""
        reservations = await self._hold(order)
        if order.fate is Fate.OPEN:
            return None
        if order.fate is Fate.EXPIRED:
            self._lapsing += reservations
            return None
        if order.fate is Fate.RELEASED:
            for held in reservations:
                await self._release(held, (), "cart given up")
            return None
        for held in reservations:
            _done(await self._shop.commit(held.name), "commit", held.name)
            self._tell(Turn(turn="commit", reservation=held.name))
        await self._cancel(reservations, order.releases)
        return Shipment(order, reservations) if order.fate is not Fate.WAITING else None

    async def ship(self, shipment: Shipment) -> None:
        """Ship an order, in parts if it was planned so, and record what comes back of it."""
        order = shipment.order
        for held in shipment.reservations:
            for part in _parts(held.open, order.fate):
                await self._fulfil(held, part)
        await self._take_back(shipment)

    async def lapse(self) -> None:
        """Wait until the carts that were left to expire have expired, and see that they cannot be had any more.

        Raises:
            DemoError: one can.
        """
        if not self._lapsing:
            return
        await self._wait_until(max(held.expires_s for held in self._lapsing) + GRACE_S)
        for held in self._lapsing:
            result = await self._shop.commit(held.name)
            if result.status is not TransitionStatus.EXPIRED:
                raise DemoError(f"{held.name} is {result.status} after it expired; expected EXPIRED")
            self._tell(Turn(turn="expire", reservation=held.name))

    async def _hold(self, order: PlannedOrder) -> list[Held]:
        reservations = list[Held]()
        whole = calls = 0
        for lines in consignments(order):
            result = await self._allocate(order, ask(order, lines))
            calls += 1
            while result.status is AllocateStatus.OUTRUN and calls < ALLOCATES_MAX:
                result = await self._allocate(order, ask(order, lines))
                calls += 1
            if result.reservation is not None:
                reservations.append(_held(result.reservation))
                whole += _whole(lines, result.reservation)
        self._tell(Played(order=order.number, lines=len(order.lines), whole=whole, allocates=calls))
        return reservations

    async def _allocate(self, order: PlannedOrder, wanted: SourcingOrder) -> AllocateResult:
        begun_s = time.perf_counter()
        result = await self._shop.allocate(
            wanted, ttl_s=LAPSE_TTL_S if order.fate is Fate.EXPIRED else None, order_reference=order.number
        )
        self._tell(_grant(order, result, 1000 * (time.perf_counter() - begun_s)))
        return result

    async def _release(self, held: Held, lines: PlacedLines, reason: str) -> None:
        result = _done(await self._shop.release(held.name, lines, reason=reason), "release", held.name)
        self._moved("release", held, result)

    async def _fulfil(self, held: Held, lines: PlacedLines) -> None:
        result = _done(await self._shop.fulfil(held.name, lines), "fulfil", held.name)
        self._moved("fulfil", held, result)

    def _moved(self, turn: Literal["release", "fulfil"], held: Held, result: TransitionResult) -> None:
        for part in result.moved:
            held.open[part.location, part.sku] -= part.quantity
            held.shipped[part.location, part.sku] += part.quantity if turn == "fulfil" else 0
        held.open = +held.open
        moved = tuple((part.sku, part.location, part.quantity) for part in result.moved)
        self._tell(Turn(turn=turn, reservation=held.name, lines=moved))

    async def _cancel(self, reservations: Iterable[Held], cancelled: Iterable[GivenBack]) -> None:
        """Release what was cancelled before it was shipped, as far as it was held at all."""
        for line in cancelled:
            left = line.quantity
            for held in reservations:
                for location in _places(held.open, line.sku):
                    units = min(left, held.open[location, line.sku])
                    if units:
                        await self._release(held, [LineQuantity(line.sku, location, units)], "cancelled")
                        left -= units

    async def _take_back(self, shipment: Shipment) -> None:
        """Record what came back, where it was shipped from, as far as it was shipped at all."""
        for line in shipment.order.returns:
            left = line.quantity
            for held in shipment.reservations:
                for location in _places(held.shipped, line.sku):
                    units = min(left, held.shipped[location, line.sku])
                    if units:
                        await self._return(line, location, units, shipment.order.number)
                        held.shipped[location, line.sku] -= units
                        left -= units

    async def _return(self, line: GivenBack, location: str, units: int, order: str) -> None:
        movement = Movement(
            source=RETURNS_SOURCE,
            movement_id=f"{line.number}@{location}",
            location=location,
            sku=line.sku,
            type=MovementType.RETURN,
            quantity=units,
            reference=order,
        )
        result = await self._shop.record([movement])
        if not result.ok:
            raise DemoError(f"return {movement.movement_id} was refused: {result.results[0].detail}")
        self._tell(Return(location=location, lines=((line.sku, units),)))


def _held(reservation: Reservation) -> Held:
    units = Counter[Key]()
    for line in reservation.lines:
        units[line.location, line.sku] += line.held
    return Held(reservation.name, units, _expires_s(reservation))


def _whole(lines: Mapping[str, int], reservation: Reservation) -> int:
    """How many of these lines are held whole."""
    got = Counter[str]()
    for line in reservation.lines:
        got[line.sku] += line.held
    return sum(got[sku] >= units for sku, units in lines.items())


def _grant(order: PlannedOrder, result: AllocateResult, latency_ms: float) -> Grant:
    reservation = result.reservation
    if reservation is None:
        return Grant(order=order.number, channel=order.channel, latency_ms=latency_ms)
    return Grant(
        order=order.number,
        reservation=reservation.name,
        channel=order.channel,
        lines=tuple((line.sku, line.location, line.held) for line in reservation.lines),
        parcels=_parcels(result, reservation),
        expires_s=_expires_s(reservation),
        latency_ms=latency_ms,
    )


def _parcels(result: AllocateResult, reservation: Reservation) -> tuple[Parcel, ...]:
    """What the plan says of the parcels."""
    if result.plan is None:
        return ()
    today = reservation.created_at.astimezone(ZONE).date()
    return tuple(
        Parcel(one.location, one.units, one.cost_micros, (one.delivery_date - today).days)
        for one in result.plan.parcels
        if one.delivery_date is not None
    )


def _expires_s(reservation: Reservation) -> float:
    return reservation.expires_at.timestamp() if reservation.expires_at is not None else 0.0


def _places(units: Iterable[Key], sku: str) -> list[str]:
    return sorted(location for location, name in units if name == sku)


def _parts(units: Counter[Key], fate: Fate) -> list[PlacedLines]:
    """What is shipped at once; no lines: all that is open."""
    if not +units:
        return []
    if fate is Fate.SHIPPED:
        return [()]
    first = [LineQuantity(sku, location, (quantity + 1) // 2) for (location, sku), quantity in units.items()]
    rest = [LineQuantity(sku, location, quantity // 2) for (location, sku), quantity in units.items() if quantity > 1]
    return [first, rest] if rest and fate is Fate.SHIPPED_IN_PARTS else [first]


def _done(result: TransitionResult, what: str, name: str) -> TransitionResult:
    """The result; nothing in the demo refuses what a player does to its own reservation.

    Raises:
        DemoError: it was refused.
    """
    if not result.ok:
        raise DemoError(f"{what} of {name} was refused: {result.status}")
    return result
