"""What the reference model remembers: lists of what happened, and reservations with their lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from allocator.core.commands import Reserve
from allocator.core.results import ReservationLine, ReservationView, Result, State

LIVE = (State.HELD, State.COMMITTED)
T = TypeVar("T", bound="Dated")


@dataclass
class Dated:
    """Something written down at a time, ns."""

    at_ns: int


@dataclass
class Answer(Dated):
    """The first answer to a request id."""

    command: Any
    result: Result


@dataclass
class Change(Dated):
    """Something that changed on_hand at `occurred_ns`; `version` is of the batch it was written in."""

    sku: str
    delta: int
    occurred_ns: int
    version: int


@dataclass
class SeenMovement(Dated):
    """A movement without a sequence, to know it when it comes again."""

    source: str
    movement_id: str


@dataclass
class Line:
    """One line of a reservation."""

    sku: str
    quantity: int
    fulfilled: int = 0
    released: int = 0

    @property
    def open(self) -> int:
        """Units neither fulfilled nor released."""
        return self.quantity - self.fulfilled - self.released


@dataclass
class Reservation(Dated):
    """A reservation, live or ended; one nobody can look up any more stays, flagged `forgotten`.

    `booked` says that it counts against capacity.
    """

    command: Reserve
    serial: int
    expires_ns: int
    lines: list[Line]
    booked: bool
    updated_ns: int
    state: State = State.HELD
    forgotten: bool = False

    @property
    def live(self) -> bool:
        """Held or committed."""
        return self.state in LIVE

    @property
    def pick_at_ns(self) -> int:
        """When it is to be picked."""
        return self.command.pick_at_ns or self.at_ns

    @property
    def kept(self) -> int:
        """Units not given back."""
        return sum(line.quantity - line.released for line in self.lines)

    def line(self, sku: str) -> Line:
        """The line of a SKU it has."""
        return next(line for line in self.lines if line.sku == sku)

    def open(self, sku: str) -> int:
        """Open units of one SKU."""
        return sum(line.open for line in self.lines if line.sku == sku)

    def view(self) -> ReservationView:
        """What a reader sees."""
        return ReservationView(
            self.command.reservation,
            self.serial,
            self.state,
            self.command.channel,
            self.command.order,
            self.at_ns,
            self.updated_ns,
            self.expires_ns,
            tuple(ReservationLine(line.sku, line.quantity, line.fulfilled, line.released) for line in self.lines),
        )


@dataclass
class Closed(Dated):
    """When a reservation ended."""

    reservation: Reservation


def trim(table: list[T], count_max: int, age_ns: int, now_ns: int) -> list[T]:
    """Take from the front of a table what is too many or too old."""
    gone = []
    while table and (len(table) > count_max or table[0].at_ns < now_ns - age_ns):
        gone.append(table.pop(0))
    return gone
