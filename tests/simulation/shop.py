"""What callers ask for: reserves, what becomes of them, and physical facts, all by chance."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from allocator.core.commands import (
    Capacity,
    Commit,
    Configure,
    Extend,
    Fulfil,
    Lines,
    Measure,
    Movement,
    MovementType,
    PlacedLines,
    Policy,
    PolicyLine,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
    Transition,
)
from allocator.core.ids import reservation_id
from allocator.core.protocol.answers import AmendResult, OpenResult
from allocator.core.protocol.coordinator import Terms, Wanted
from allocator.core.protocol.types import Amend, Fate, Move, PartSpec
from allocator.core.rendezvous import Rendezvous
from allocator.core.results import ReserveResult, ReserveStatus
from tests.simulation import scripts
from tests.simulation.client import Call
from tests.simulation.world import MS, S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.client import Callers
    from tests.simulation.world import World


class Order:
    """What a caller knows of a reservation: its home and its parts."""

    def __init__(self, reservation: str, home: str, parts: tuple[PartSpec, ...]) -> None:
        self.reservation = reservation
        self.home = home
        self.parts = list(parts)

    def some_lines(self, world: World) -> PlacedLines:
        """Some units of some part."""
        part = world.random.choice(self.parts)
        sku, units = world.random.choice(part.lines)
        return ((sku, world.random.randint(1, units), part.location),)


class Shop:
    """Makes up calls, and remembers which reservations there are."""

    def __init__(self, world: World, callers: Callers, locations: list[str], skus: list[str]) -> None:
        self.world = world
        self.callers = callers
        self.locations = locations
        self.skus = skus
        self.orders: dict[str, Order] = {}
        self._numbers = itertools.count(1)
        self._chosen: Order | None = None
        self._homes = Rendezvous(locations)
        self._dated = world.chance(0.4)
        self._kinds = {
            self.reserve_here: 3,
            self.reserve_there: 4,
            self.source: 4,
            self.commit: 2,
            self.extend: 4,
            self.release: 2,
            self.fulfil: 2,
            self.transfer: 3,
            self.reject: 3,
            self.move: 3,
            self.ship: 3,
            self.count: 1,
            self.protect: 1,
            self.limit: 1,
        }
        if self._dated:
            self._kinds |= {self.expect: 3, self.receive: 3}

    def act(self) -> None:
        """Make one call of some kind."""
        self.world.random.choices(list(self._kinds), list(self._kinds.values()))[0]()

    def stock_up(self) -> None:
        """Give every location some stock, before anything goes wrong."""
        for location, sku in itertools.product(self.locations, self.skus):
            if units := self.world.random.randint(0, 24):
                self._tell(location, sku, MovementType.RECEIPT, units)

    def reserve_here(self) -> None:
        """Reserve at one location."""
        request_id, home = self._request_id("r"), self._location()
        lines, policy = self._lines(), self._policy()
        reservation = reservation_id(home, request_id)
        command = Reserve(request_id, reservation, lines, self._ttl_ns(), "web", policy, "order")
        command = command._replace(promise_by_ns=self._promise_by_ns())
        self._submit(request_id, home, lambda _: scripts.plain(home, command))

    def reserve_there(self) -> None:
        """Reserve at several named locations."""
        request_id = self._request_id("n")
        wanted = [Wanted(location, self._lines()) for location in self._several()]
        self._settle(request_id, min(want.location for want in wanted), [wanted])

    def source(self) -> None:
        """Reserve by the first of several plans that can be held."""
        request_id = self._request_id("s")
        plans = [
            [Wanted(location, self._lines()) for location in self._several(least=1)]
            for _ in range(self.world.random.randint(1, 3))
        ]
        self._settle(request_id, self._homes.home(request_id), plans)

    def commit(self) -> None:
        """Commit some reservation."""
        self._decide(lambda request_id, order: Commit(request_id, order.reservation))

    def extend(self) -> None:
        """Extend some reservation."""
        ttl_ns = self._ttl_ns()
        self._decide(lambda request_id, order: Extend(request_id, order.reservation, ttl_ns))

    def release(self) -> None:
        """Release some reservation: all of it, some lines, or lines at a location."""
        self._give(Release)

    def fulfil(self) -> None:
        """Fulfil some reservation: all of it, some lines, or lines at a location."""
        self._give(Fulfil)

    def transfer(self) -> None:
        """Move units of a reservation to another location."""
        self._amend(Fate.RELEASED)

    def reject(self) -> None:
        """Have a location decline units of a reservation, and look for them elsewhere."""
        self._amend(self.world.random.choice((Fate.LOST, Fate.DAMAGED, Fate.RELEASED)))

    def move(self) -> None:
        """Tell a physical fact."""
        kinds = (MovementType.RECEIPT, MovementType.SALE, MovementType.RETURN, MovementType.DISPOSITION_CHANGE)
        kind, units = self.world.random.choice(kinds), self.world.random.randint(1, 4)
        self._tell(self._location(), self._sku(), kind, units)

    def expect(self) -> None:
        """Announce units that are expected, or tell anew of those announced."""
        expect_ns = self.world.now_ns + self.world.random.randint(1, 120) * S
        units, supply = self.world.random.randint(0, 12), f"po-{self.world.random.randint(1, 4)}"
        told = Movement("erp", self._request_id("m"), 0, self._sku(), MovementType.SUPPLY, units)
        self._move(told._replace(supply=supply, expect_ns=expect_ns))

    def receive(self) -> None:
        """Tell that expected units came, perhaps more or fewer, perhaps the last of them."""
        units, supply = self.world.random.randint(1, 8), f"po-{self.world.random.randint(1, 4)}"
        told = Movement("erp", self._request_id("m"), 0, self._sku(), MovementType.RECEIPT, units)
        self._move(told._replace(supply=supply, final=self.world.chance(0.3)))

    def ship(self) -> None:
        """Tell that units of a reservation left its location."""
        order = self._order()
        if order is not None:
            ((sku, units, location),) = order.some_lines(self.world)
            self._tell(location, sku, MovementType.SHIPMENT, units, order.reservation)

    def count(self) -> None:
        """Count a SKU."""
        request_id, location = self._request_id("c"), self._location()
        as_of_ns = self.world.now_ns - self.world.random.randint(0, 5) * S
        command = SetCount(request_id, ((self._sku(), self.world.random.randint(0, 12)),), as_of_ns)
        self._submit(request_id, location, lambda _: scripts.plain(location, command))

    def protect(self) -> None:
        """Change the safety stock of a SKU."""
        request_id, location = self._request_id("p"), self._location()
        line = PolicyLine(self._sku(), safety_stock=self.world.random.randint(0, 3))
        command = SetStockPolicy(request_id, (line,), allow_missing=True)
        self._submit(request_id, location, lambda _: scripts.plain(location, command))

    def limit(self) -> None:
        """Change what a location can pick in a minute."""
        request_id, location = self._request_id("l"), self._location()
        plan = Capacity(Measure.UNITS, 60 * S, self.world.random.choice((10, 50)))
        command = Configure(request_id, capacity=plan)
        self._submit(request_id, location, lambda _: scripts.plain(location, command))

    def _give(self, kind: type[Release | Fulfil]) -> None:
        way = self.world.random.random()

        def command(request_id: str, order: Order) -> Transition:
            placed = order.some_lines(self.world)
            if way < 0.2:
                return kind(request_id, order.reservation)
            if way < 0.5:
                return kind(request_id, order.reservation, tuple(line[:2] for line in placed))
            return kind(request_id, order.reservation, placed=placed)

        self._decide(command)

    def _live_on(self, order: Order) -> None:
        """Let an order go its usual way: it is paid, and units of it leave or go back, some of them at first."""
        delay_ns = 0
        for act, probability in ((self.commit, 0.7), (self.fulfil, 0.6), (self.release, 0.3), (self.fulfil, 0.4)):
            delay_ns += self.world.between(1 * MS, 8 * S)
            if self.world.chance(probability):
                self.world.after(delay_ns, lambda act=act: self._with(order, act))  # type: ignore[misc]  # its own act

    def _with(self, order: Order, act: Callable[[], None]) -> None:
        """Do something about one order."""
        self._chosen = order
        act()
        self._chosen = None

    def _decide(self, make: Any) -> None:  # noqa: ANN401  # (request id, order) -> transition
        order = self._order()
        if order is None:
            return
        request_id = self._request_id("t")
        command = make(request_id, order)
        self._submit(request_id, order.home, lambda _: scripts.decide(order.home, command))

    def _amend(self, fate: Fate) -> None:
        """Take a line or two out of one part; `fate` RELEASED moves them only if another location has them."""
        order = self._order()
        if order is None:
            return
        part = self.world.random.choice(order.parts)
        moves = tuple(Move(part.hold, sku, self.world.random.randint(1, units), fate) for sku, units in part.lines)
        request_id, lines = self._request_id("a"), tuple(scripts.taken(moves).items())
        plans = [[Wanted(location, lines) for location in self._several(least=1)[:1]]]
        full = (part.hold,) if self.world.chance(0.2) else ()
        amend = Amend(request_id, order.reservation, moves, (), full, (("lines", repr(lines)),))
        whatever = fate != Fate.RELEASED
        plans = plans if not whatever or self.world.chance(0.7) else []
        terms = Terms(order.reservation, order.home, 60 * S, "web", "order")
        self._submit(request_id, order.home, lambda token: scripts.move(terms, plans, amend, token, whatever=whatever))

    def _settle(self, request_id: str, home: str, plans: list[list[Wanted]]) -> None:
        reservation = reservation_id(home, request_id)
        terms = Terms(reservation, home, self._ttl_ns(), "web", "order", self._policy(), sourced=len(plans) > 1)
        terms = terms._replace(promise_by_ns=self._promise_by_ns())
        pick_until_ns = self.world.now_ns + self.world.random.randint(1, 60) * S if self.world.chance(0.2) else 0
        self._submit(request_id, home, lambda token: scripts.reserve(terms, plans, request_id, pick_until_ns, token))

    def _tell(self, location: str, sku: str, kind: MovementType, units: int, reservation: str = "") -> None:
        disposition = "damaged" if kind == MovementType.DISPOSITION_CHANGE else ""
        number = self._request_id("m")
        self._move(Movement("erp", number, 0, sku, kind, units, disposition, reservation=reservation), location)

    def _move(self, told: Movement, location: str = "") -> None:
        where = location or self._location()
        self._submit(told.movement_id, where, lambda _: scripts.plain(where, told))

    def _submit(self, name: str, home: str, make: Any) -> None:  # noqa: ANN401  # token -> script
        self.callers.submit(Call(name, home, make, lambda result: self._learn(home, result)))

    def _learn(self, home: str, result: Any) -> None:  # noqa: ANN401  # any result
        """Remember a reservation that was made, and parts that came in."""
        if isinstance(result, OpenResult) and result.parts:
            self._note(Order(result.reservation, home, result.parts))
        elif isinstance(result, ReserveResult) and result.status <= ReserveStatus.PARTIALLY_HELD:
            lines = tuple((line.sku, line.held) for line in result.lines if line.held)
            spec = PartSpec(result.reservation, home, lines)
            self._note(Order(result.reservation, home, (spec,)))
        elif isinstance(result, AmendResult) and result.view is not None:
            order = self.orders.get(result.view.reservation)
            if order is not None:
                order.parts += [part for part in result.parts if part not in order.parts]

    def _note(self, order: Order) -> None:
        if order.reservation not in self.orders:
            self.orders[order.reservation] = order
            self._live_on(order)

    def _order(self) -> Order | None:
        if self._chosen is not None:
            return self._chosen
        orders = list(self.orders.values())[-4:]
        return self.world.random.choice(orders) if orders else None

    def _request_id(self, kind: str) -> str:
        return f"{kind}{next(self._numbers)}"

    def _location(self) -> str:
        return self.world.random.choice(self.locations)

    def _sku(self) -> str:
        return self.world.random.choice(self.skus)

    def _several(self, least: int = 2) -> list[str]:
        count = self.world.random.randint(least, min(3, len(self.locations)))
        return self.world.random.sample(self.locations, count)

    def _lines(self) -> Lines:
        skus = self.world.random.sample(self.skus, self.world.random.randint(1, len(self.skus)))
        return tuple((sku, self.world.random.randint(1, 5)) for sku in skus)

    def _policy(self) -> int:
        return self.world.random.choice((Policy.ALL_OR_NOTHING, Policy.ALL_OR_NOTHING, Policy.PARTIAL)).value

    def _promise_by_ns(self) -> int:
        promised = self._dated and self.world.chance(0.6)
        return self.world.now_ns + self.world.random.randint(10, 200) * S if promised else 0

    def _ttl_ns(self) -> int:
        return self.world.random.choice((1, 5, 20, 40, 60)) * S
