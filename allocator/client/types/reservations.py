"""Holds of stock and their fate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from allocator.client.enums import (
    LineStatus,
    ReservationState,
    ReservePolicy,
    ReserveStatus,
    TransitionStatus,
)
from allocator.client.types.lines import LineQuantity, PlacedLines


@dataclass(frozen=True, slots=True)
class ReservationLine:
    """One SKU and location of a reservation, in units: held = open + fulfilled + released.

    `waiting` are those of `open` that wait for supply.
    """

    sku: str
    location: str
    held: int
    open: int
    fulfilled: int
    released: int
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Reservation:
    """Units set aside for an order.

    Attributes:
        name: its plain id, made by the server.
        state: where it stands in its life.
        home_location: the location whose ledger decides its fate.
        lines: what it holds or held.
        channel: sales channel it was made on, or "".
        order: the caller's order reference, or "".
        created_at: when it was made.
        expires_at: when it expires or expired; None once it is committed.
        updated_at: when it last changed.
        version: of the home location's ledger that this picture is from.
        pickup_ends_at: what is committed but not picked up by then is given back; None: no pickup.
    """

    name: str
    state: ReservationState
    home_location: str
    lines: tuple[ReservationLine, ...]
    channel: str
    order: str
    created_at: datetime
    expires_at: datetime | None
    updated_at: datetime
    version: int
    pickup_ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ReserveLine:
    """What became of the lines of one SKU and location.

    Attributes:
        sku: which.
        location: where.
        status: the outcome.
        requested: units asked for, summed.
        held: units held.
        available: for a line that is not held whole, what could be promised when it was decided; else 0.
        waiting: those of `held` that wait for supply.
    """

    sku: str
    location: str
    status: LineStatus
    requested: int
    held: int
    available: int
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class ReserveResult:
    """Outcome of a reserve.

    Attributes:
        status: of the whole.
        reservation: set when something is held.
        lines: one for each SKU and location.
        versions: the state after this by location; pass them as `min_versions` to read your own write.
        repeated: whether this is the answer to an earlier call with the same request id.
        capacity_left: with NO_CAPACITY, what the window still takes; else 0.
    """

    status: ReserveStatus
    reservation: Reservation | None
    lines: tuple[ReserveLine, ...]
    versions: Mapping[str, int]
    repeated: bool
    capacity_left: int

    @property
    def ok(self) -> bool:
        """Whether anything is held: all of it, or with PARTIAL some."""
        return self.status in (ReserveStatus.HELD, ReserveStatus.PARTIALLY_HELD)


@dataclass(frozen=True, slots=True)
class Reserve:
    """One reserve of a batch; fields as the arguments of `reserve`."""

    lines: PlacedLines
    at: str = ""
    ttl_s: float | None = None
    channel: str = ""
    policy: ReservePolicy = ReservePolicy.ALL_OR_NOTHING
    order: str = ""
    pick_time: datetime | None = None
    request_id: str | None = None
    promise_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class TransitionResult:
    """Outcome of commit, extend, release or fulfil.

    Attributes:
        status: of the whole.
        reservation: as it stands now; None when the server no longer remembers it.
        versions: the state after this, by location.
        repeated: whether `status` and `moved` are those of an earlier call with the same request id.
        moved: units released or fulfilled by this request.
    """

    status: TransitionStatus
    reservation: Reservation | None
    versions: Mapping[str, int]
    repeated: bool
    moved: tuple[LineQuantity, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it happened."""
        return self.status is TransitionStatus.DONE
