"""The books of the reference model: what happened, and every number summed anew from it whenever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from allocator.core.commands import Capacity, Measure
from allocator.core.limits import AT_RISK_MAX, LedgerLimits
from allocator.core.results import Shortage, State
from tests.unit.core.reference_state import (
    Answer,
    Change,
    Closed,
    Reservation,
    SeenMovement,
    trim,
)


@dataclass
class Books:
    """What is written down of one location. `shortages` are those of the last command."""

    limits: LedgerLimits
    clock_ns: int = 0
    version: int = 0
    accepting: bool = True
    capacity: Capacity | None = None
    skus: list[str] = field(default_factory=list)
    safety_stock: dict[str, int] = field(default_factory=dict)
    quotas: dict[str, dict[str, int]] = field(default_factory=dict)
    watermarks: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    recent: list[Change] = field(default_factory=list)
    floor_ns: int = 0
    floor_version: int = 0
    dispositions: list[tuple[str, str, int]] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    movement_ids: list[SeenMovement] = field(default_factory=list)
    sequences: dict[str, set[int]] = field(default_factory=dict)
    shortages: list[Shortage] = field(default_factory=list)

    # --- stock

    def on_hand(self, sku: str) -> int:
        """Physical units."""
        return sum(change.delta for change in self.changes if change.sku == sku)

    def by_disposition(self, sku: str) -> dict[str, int]:
        """Unsellable units of a SKU; those below zero wait for what they were taken from."""
        raw: dict[str, int] = {}
        for of_sku, disposition, units in self.dispositions:
            if of_sku == sku:
                raw[disposition] = raw.get(disposition, 0) + units
        return {disposition: units for disposition, units in raw.items() if units > 0}

    def sellable(self, sku: str) -> int:
        """on_hand less unsellable."""
        return self.on_hand(sku) - sum(self.by_disposition(sku).values())

    def reserved(self, sku: str, state: State) -> int:
        """Units held, or committed."""
        return sum(r.open(sku) for r in self.reservations if r.state == state)

    def promised(self, sku: str) -> int:
        """Units held and committed."""
        return self.reserved(sku, State.HELD) + self.reserved(sku, State.COMMITTED)

    def reserved_for(self, sku: str, channel: str) -> int:
        """Open units that one channel's reservations have."""
        return sum(r.open(sku) for r in self.reservations if r.live and r.command.channel == channel)

    def available(self, sku: str, channel: str) -> int:
        """What one channel may be promised, floored at 0."""
        others = sum(
            max(0, quota - self.reserved_for(sku, other))
            for other, quota in self.quotas[sku].items()
            if other != channel
        )
        return max(0, self.sellable(sku) - self.promised(sku) - self.safety_stock[sku] - others)

    # --- capacity

    def booked(self) -> list[Reservation]:
        """Reservations that count against capacity."""
        return [r for r in self.reservations if r.booked and r.kept > 0]

    def window(self, at_ns: int) -> int:
        """Which window a time falls into."""
        return at_ns // self.capacity.window_ns if self.capacity else 0

    def capacity_used(self, window: int) -> int:
        """Units or orders booked in a window."""
        kept = [r.kept for r in self.booked() if self.window(r.pick_at_ns) == window]
        by_units = self.capacity is not None and self.capacity.measure == Measure.UNITS
        return sum(kept) if by_units else len(kept)

    def windows(self) -> set[int]:
        """Windows with something booked."""
        return {self.window(r.pick_at_ns) for r in self.booked()}

    # --- changes

    def register(self, sku: str) -> None:
        """Stock a SKU from now on."""
        if sku not in self.skus:
            self.skus.append(sku)
            self.safety_stock[sku] = 0
            self.quotas[sku] = {}

    def change_on_hand(self, sku: str, delta: int, occurred_ns: int, at_ns: int) -> None:
        """Change on_hand, and remember it to put it back on top of later counts."""
        if delta == 0:
            return
        change = Change(at_ns, sku, delta, occurred_ns, self.version + 1)
        self.changes.append(change)
        self.recent.append(change)
        for gone in trim(self.recent, self.limits.movements_max, self.limits.movements_age_ns, at_ns):
            self.floor_ns = max(self.floor_ns, gone.occurred_ns)
            self.floor_version = max(self.floor_version, gone.version)

    def move_disposition(self, sku: str, from_disposition: str, to_disposition: str, quantity: int) -> None:
        """Move units between dispositions; "" is sellable."""
        for disposition, units in ((from_disposition, -quantity), (to_disposition, quantity)):
            if disposition:
                self.dispositions.append((sku, disposition, units))

    def fulfil(self, found: Reservation, sku: str, quantity: int) -> None:
        """Take units out of a reservation and of its channel's quota."""
        found.line(sku).fulfilled += quantity
        quotas, channel = self.quotas[sku], found.command.channel
        if channel in quotas:
            quotas[channel] -= min(quantity, quotas[channel])

    def find(self, reservation: str) -> Reservation | None:
        """A reservation that can still be looked up."""
        known = [r for r in self.reservations if r.command.reservation == reservation and not r.forgotten]
        return known[0] if known else None

    def close_if_done(self, found: Reservation, now: int, end: State = State.RELEASED) -> None:
        """End a reservation of which nothing is open."""
        found.updated_ns = now
        if any(line.open for line in found.lines):
            return
        found.state = State.FULFILLED if any(line.fulfilled for line in found.lines) else end
        self.closed.append(Closed(now, found))
        for gone in trim(self.closed, self.limits.closed_max, self.limits.closed_age_ns, now):
            gone.reservation.forgotten = True

    def note_shortage(self, sku: str, sellable_before: int) -> Shortage | None:
        """Write down who is at risk, when the sellable units went down below what is promised."""
        sellable, promised = self.sellable(sku), self.promised(sku)
        missing = promised - sellable
        if sellable >= sellable_before or missing <= 0 or promised == 0:
            return None
        at_risk = [r for r in self.reservations if r.live and r.open(sku)]
        at_risk.sort(key=lambda r: (r.state, -r.serial))
        named: list[str] = []
        covered = 0
        for reservation in at_risk[:AT_RISK_MAX]:
            if covered < missing:
                named.append(reservation.command.reservation)
                covered += reservation.open(sku)
        shortage = Shortage(sku, missing, tuple(named), len(at_risk))
        self.shortages.append(shortage)
        return shortage
