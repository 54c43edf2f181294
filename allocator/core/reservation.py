"""One reservation: units granted to an order, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.protocol.types import Done, reservation_of
from allocator.core.results import ReservationLine, ReservationView, State

if TYPE_CHECKING:
    from allocator.core.commands import Lines

FULFILLED, RELEASED = 0, 1
FEW_LINES = 8
"""Lines up to which looking through them beats a dictionary of them."""


class Reservation:
    """One reservation, or one part of a reservation over several locations.

    Attributes:
        done: once anything happened, SKU -> [fulfilled, released].
        expires_ns: when a hold ends; for a part when it asks its home (0: it need not).
        home: for a part, the location that decides its fate.
        seq: for a part, the newest state of its home that it has followed (-1: none yet).
        lost: for a part, SKU -> [lost, damaged], counted in released as well.
        moved: for a part, SKU -> units that left by movements, counted in fulfilled as well.
        waiting: SKU -> those of the open units that wait for supply; None when none does.
        promise_by_ns: when they were promised for, ns; 0 without a date.
        filled: for a part, SKU -> units that waited and are in stock now; None when there are none.
    """

    __slots__ = (
        "_granted",
        "channel",
        "created_ns",
        "done",
        "expires_ns",
        "filled",
        "home",
        "id",
        "lines",
        "lost",
        "moved",
        "order",
        "pick_at_ns",
        "promise_by_ns",
        "seq",
        "serial",
        "state",
        "updated_ns",
        "waiting",
    )

    def __init__(  # noqa: PLR0913, PLR0917  # a record: one argument per column
        self,
        id: str,  # noqa: A002  # the field's own name
        serial: int,
        state: int,
        lines: Lines,
        channel: str,
        order: str,
        created_ns: int,
        updated_ns: int,
        expires_ns: int,
        pick_at_ns: int,
        done: dict[str, list[int]] | None = None,
        home: str = "",
        seq: int = -1,
        lost: dict[str, list[int]] | None = None,
        moved: dict[str, int] | None = None,
        waiting: dict[str, int] | None = None,
        promise_by_ns: int = 0,
        filled: dict[str, int] | None = None,
    ) -> None:
        self.id = id
        self.serial = serial
        self.state = state
        self.lines = lines
        self.channel = channel
        self.order = order
        self.created_ns = created_ns
        self.updated_ns = updated_ns
        self.expires_ns = expires_ns
        self.pick_at_ns = pick_at_ns
        self.done = done
        self.home = home
        self.seq = seq
        self.lost = lost
        self.moved = moved
        self.waiting = waiting
        self.promise_by_ns = promise_by_ns
        self.filled = filled
        self._granted: dict[str, int] | None = None

    @property
    def live(self) -> bool:
        """Whether it still holds units."""
        return self.state <= State.COMMITTED

    @property
    def units(self) -> int:
        """Units granted."""
        return sum(quantity for _, quantity in self.lines)

    @property
    def released_units(self) -> int:
        """Units given back or expired."""
        return sum(pair[RELEASED] for pair in self.done.values()) if self.done else 0

    @property
    def fulfilled_units(self) -> int:
        """Units that left the building."""
        return sum(pair[FULFILLED] for pair in self.done.values()) if self.done else 0

    def open_lines(self) -> Lines:
        """Units still reserved, lines with any."""
        if not self.live:
            return ()
        if self.done is None:
            return self.lines
        return tuple((sku, left) for sku, quantity in self.lines if (left := quantity - sum(self.done.get(sku, ()))))

    def open_of(self, sku: str) -> int:
        """Units of `sku` still reserved."""
        if not self.live:
            return 0
        granted = self._granted_of(sku)
        return granted - sum(self.done.get(sku, ())) if self.done else granted

    def waiting_of(self, sku: str) -> int:
        """Those of the open units of `sku` that wait for supply."""
        return self.waiting.get(sku, 0) if self.waiting else 0

    def stock_of(self, sku: str) -> int:
        """Those of the open units of `sku` that are held in stock."""
        return self.open_of(sku) - self.waiting_of(sku)

    def stock_lines(self) -> Lines:
        """Open units that are held in stock, lines with any."""
        if not self.waiting:
            return self.open_lines()
        pairs = ((sku, units - self.waiting_of(sku)) for sku, units in self.open_lines())
        return tuple((sku, left) for sku, left in pairs if left)

    def _granted_of(self, sku: str) -> int:
        if len(self.lines) <= FEW_LINES:
            return next((quantity for name, quantity in self.lines if name == sku), 0)
        if self._granted is None:
            self._granted = dict(self.lines)
        return self._granted.get(sku, 0)

    def finish(self, sku: str, quantity: int, kind: int) -> None:
        """Count `quantity` units of a line as fulfilled (kind 0) or released (kind 1)."""
        if self.done is None:
            self.done = {}
        self.done.setdefault(sku, [0, 0])[kind] += quantity

    def note_lost(self, sku: str, quantity: int, place: int) -> None:
        """Count units given back as lost (place 0) or damaged (place 1)."""
        if self.lost is None:
            self.lost = {}
        self.lost.setdefault(sku, [0, 0])[place] += quantity

    def note_moved(self, sku: str, quantity: int) -> None:
        """Count fulfilled units as having left by a movement."""
        if self.moved is None:
            self.moved = {}
        self.moved[sku] = self.moved.get(sku, 0) + quantity

    def moved_rows(self) -> tuple[Done, ...]:
        """What became of the SKUs that movements took."""
        return tuple(self.so_far(sku) for sku in self.moved or ())

    def so_far(self, sku: str) -> Done:
        """What became of units of `sku`."""
        fulfilled, released = (self.done or {}).get(sku, (0, 0))
        lost, damaged = (self.lost or {}).get(sku, (0, 0))
        return Done(sku, fulfilled, released - lost - damaged, lost, damaged, (self.moved or {}).get(sku, 0))

    def view(self) -> ReservationView:
        """The reservation as callers see it."""
        lines = tuple(self._line(sku, quantity) for sku, quantity in self.lines)
        return ReservationView(
            reservation_of(self.id),
            self.serial,
            self.state,
            self.channel,
            self.order,
            self.created_ns,
            self.updated_ns,
            self.expires_ns,
            lines,
            home=self.home,
        )

    def note_filled(self, sku: str, units: int) -> None:
        """Count units that wait no longer, for the home of a part."""
        self.filled = self.filled or {}
        self.filled[sku] = self.filled.get(sku, 0) + units

    def _line(self, sku: str, quantity: int) -> ReservationLine:
        fulfilled, released = (self.done or {}).get(sku, (0, 0))
        return ReservationLine(sku, quantity, fulfilled, released, waiting=self.waiting_of(sku))

    def as_row(self) -> tuple[object, ...]:
        """The columns in constructor order, for the snapshot."""
        return tuple(getattr(self, name) for name in ROW)


ROW = (
    "id",
    "serial",
    "state",
    "lines",
    "channel",
    "order",
    "created_ns",
    "updated_ns",
    "expires_ns",
    "pick_at_ns",
    "done",
    "home",
    "seq",
    "lost",
    "moved",
    "waiting",
    "promise_by_ns",
    "filled",
)
