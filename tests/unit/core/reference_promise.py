"""Promises of one SKU, worked out slowly: day by day and unit by unit, apart from the code of the core."""

from __future__ import annotations

from dataclasses import dataclass, field

LAST_DAY = 40
"""No date of these tests is later."""


@dataclass
class Expected:
    """One supply."""

    quantity: int = 0
    received: int = 0
    day: int = 0
    closed: bool = True

    @property
    def open(self) -> int:
        """Units still to come."""
        return 0 if self.closed else max(0, self.quantity - self.received)


@dataclass
class Order:
    """One reservation: units in stock, and units that wait to be there on a day."""

    stock: int
    waiting: int
    day: int
    held: bool = True


@dataclass
class Paper:
    """A location with one SKU and one channel. `lost` tells whether anything happened that may break a promise."""

    today: int = 0
    on_hand: int = 0
    supplies: dict[str, Expected] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    @property
    def free(self) -> int:
        """Units on hand that nobody holds."""
        return self.on_hand - sum(order.stock for order in self.orders.values())

    def left(self, day: int) -> int:
        """What comes from today to `day` and waits for nobody who was promised until then."""
        comes = sum(row.open for row in self.supplies.values() if self.today <= row.day <= day)
        return comes - sum(order.waiting for order in self.orders.values() if max(order.day, self.today) <= day)

    def promised(self, day: int) -> int:
        """What can be promised for a day: the least of all days from then on."""
        return self.free + min(self.left(later) for later in range(max(day, self.today), LAST_DAY + 1))

    def reserve(self, name: str, quantity: int, day: int | None) -> bool:
        """Hold units, stock first; without a day from stock only."""
        stock = max(0, min(quantity, self.free))
        if quantity > stock and (day is None or self.promised(day) < quantity):
            return False
        self.orders[name] = Order(stock, quantity - stock, day or 0)
        return True

    def announce(self, supply: str, quantity: int, day: int) -> None:
        """Expect units, or others than before."""
        row = self.supplies.setdefault(supply, Expected())
        row.quantity, row.day, row.closed = quantity, day, quantity == 0
        self.fill()

    def receive(self, supply: str, quantity: int, *, final: bool) -> None:
        """Units came."""
        row = self.supplies.setdefault(supply, Expected())
        row.received += quantity
        row.closed = row.closed or final
        self.on_hand += quantity
        self.fill()

    def change(self, units: int) -> None:
        """Units were found, or lost."""
        self.on_hand += units
        self.fill()

    def release(self, name: str, units: int) -> None:
        """Give back units, those that wait first."""
        order = self.orders[name]
        back = min(order.waiting, units)
        order.waiting -= back
        order.stock -= units - back
        self.fill()

    def ship(self, name: str) -> None:
        """All of an order that is in stock leaves."""
        self.on_hand -= self.orders[name].stock
        self.orders[name].stock = 0

    def sleep(self, days: int) -> None:
        """Let days pass; what was only held is given back."""
        self.today += days
        for order in self.orders.values():
            if order.held:
                order.stock = order.waiting = 0
        self.fill()

    def fill(self) -> None:
        """Hand free units out one by one: first come, first served, unless a later one with an earlier day needs it."""
        for order in self.orders.values():
            while order.waiting and self.free > 0 and self._spare(order):
                order.waiting -= 1
                order.stock += 1

    def _spare(self, order: Order) -> bool:
        earlier = range(self.today, max(order.day, self.today))
        return all(self.free - 1 + self.left(day) >= 0 for day in earlier if self._is_promised(day))

    def _is_promised(self, day: int) -> bool:
        return any(order.waiting and max(order.day, self.today) <= day for order in self.orders.values())

    def missing(self) -> int:
        """Units that are missing on the worst day, when what is expected comes as it is expected."""
        days = [day for day in range(self.today, LAST_DAY + 1) if self._is_promised(day)]
        return max(0, -min((min(self.free, 0) + self.left(day) for day in days), default=0))
