"""Plays an order the way a shop does: check, hold, commit, ship; or give it up."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

from allocator.client import (
    Movement,
    MovementType,
    Reservation,
    ReserveResult,
    TransitionResult,
    TransitionStatus,
)
from demo.acks import Ack, Grant, Played, Return, Turn
from demo.choosing import Choice, choose
from demo.errors import DemoError
from demo.orders import GivenBack
from demo.plan import Fate, PlannedOrder
from demo.shop import Lines, Shop

RESERVES_MAX: Final = 8
"""Reserves of one order, refused ones among them; what is left then is refused."""
LAPSE_TTL_S: Final = 3.0
"""How long a cart is held that is left to expire."""
GRACE_S: Final = 0.5
"""How long after its expiry a hold may still be there."""
RETURNS_SOURCE: Final = "demo/returns"

Tell = Callable[[Ack], None]
WaitUntil = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class Held:
    """A reservation, its units by SKU that are open and that were shipped, and when it expires (s since 1970)."""

    name: str
    location: str
    open: dict[str, int]
    expires_s: float
    shipped: Counter[str] = field(default_factory=Counter)


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
                await self._release(held, {}, "cart given up")
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
        wanted, reservations = dict(order.lines), list[Held]()
        versions: dict[str, int] = {}
        whole = reserves = 0
        while wanted and reserves < RESERVES_MAX:
            checked = await self._shop.check(wanted, channel=order.channel, min_versions=versions)
            choice = choose(checked.lines, order.number)
            if choice is None:
                break
            result = await self._reserve(order, choice)
            reserves += 1
            # A refusal tells of units that were gone before the check knew: look again, at that state at least.
            versions |= result.versions
            if result.reservation is None:
                continue
            for line in result.lines:
                del wanted[line.sku]
                whole += line.held == line.requested
            reservations.append(_held(choice.location, result, result.reservation))
        self._tell(Played(order=order.number, lines=len(order.lines), whole=whole, reserves=reserves))
        return reservations

    async def _reserve(self, order: PlannedOrder, choice: Choice) -> ReserveResult:
        begun_s = time.perf_counter()
        result = await self._shop.reserve(
            choice.lines,
            at=choice.location,
            ttl_s=LAPSE_TTL_S if order.fate is Fate.EXPIRED else None,
            channel=order.channel,
            policy=choice.policy,
            order=order.number,
        )
        latency_ms = 1000 * (time.perf_counter() - begun_s)
        self._tell(_grant(order, choice.location, result, latency_ms))
        return result

    async def _release(self, held: Held, lines: Lines, reason: str) -> None:
        result = _done(await self._shop.release(held.name, lines, reason=reason), "release", held.name)
        self._moved("release", held, result)

    async def _fulfil(self, held: Held, lines: Lines) -> None:
        result = _done(await self._shop.fulfil(held.name, lines), "fulfil", held.name)
        self._moved("fulfil", held, result)

    def _moved(self, turn: Literal["release", "fulfil"], held: Held, result: TransitionResult) -> None:
        for part in result.moved:
            held.open[part.sku] -= part.quantity
            held.shipped[part.sku] += part.quantity if turn == "fulfil" else 0
        held.open = {sku: units for sku, units in held.open.items() if units}
        moved = tuple((part.sku, part.quantity) for part in result.moved)
        self._tell(Turn(turn=turn, reservation=held.name, lines=moved))

    async def _cancel(self, reservations: Iterable[Held], cancelled: Iterable[GivenBack]) -> None:
        """Release what was cancelled before it was shipped, as far as it was held at all."""
        for line in cancelled:
            left = line.quantity
            for held in reservations:
                units = min(left, held.open.get(line.sku, 0))
                if units:
                    await self._release(held, {line.sku: units}, "cancelled")
                    left -= units

    async def _take_back(self, shipment: Shipment) -> None:
        """Record what came back, where it was shipped from, as far as it was shipped at all."""
        for line in shipment.order.returns:
            left = line.quantity
            for held in shipment.reservations:
                units = min(left, held.shipped[line.sku])
                if units:
                    await self._return(line, held.location, units, shipment.order.number)
                    held.shipped[line.sku] -= units
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


def _held(location: str, result: ReserveResult, reservation: Reservation) -> Held:
    granted = {line.sku: line.held for line in result.lines if line.held}
    return Held(reservation.name, location, granted, _expires_s(reservation))


def _grant(order: PlannedOrder, location: str, result: ReserveResult, latency_ms: float) -> Grant:
    reservation = result.reservation
    return Grant(
        order=order.number,
        reservation=reservation.name if reservation is not None else "",
        location=location,
        channel=order.channel,
        lines=tuple((line.sku, line.held) for line in result.lines if line.held),
        expires_s=_expires_s(reservation) if reservation is not None else 0.0,
        latency_ms=latency_ms,
    )


def _expires_s(reservation: Reservation) -> float:
    return reservation.expires_at.timestamp() if reservation.expires_at is not None else 0.0


def _parts(units: Lines, fate: Fate) -> list[Lines]:
    """What is shipped at once; empty: all that is open."""
    if not units:
        return []
    if fate is Fate.SHIPPED:
        return [{}]
    first = {sku: (quantity + 1) // 2 for sku, quantity in units.items()}
    rest = {sku: quantity // 2 for sku, quantity in units.items() if quantity > 1}
    return [first, rest] if rest and fate is Fate.SHIPPED_IN_PARTS else [first]


def _done(result: TransitionResult, what: str, name: str) -> TransitionResult:
    """The result; nothing in the demo refuses what a player does to its own reservation.

    Raises:
        DemoError: it was refused.
    """
    if not result.ok:
        raise DemoError(f"{what} of {name} was refused: {result.status}")
    return result
