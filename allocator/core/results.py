"""What a location answers. Business refusals are statuses here, ordered by precedence: the lowest that applies wins."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from allocator.core.commands import Lines, PlacedLines
from allocator.core.protocol.types import Follow


class State(IntEnum):
    """Life of a reservation: HELD -> COMMITTED -> FULFILLED, or RELEASED, or EXPIRED."""

    HELD = 1
    COMMITTED = 2
    FULFILLED = 3
    RELEASED = 4
    EXPIRED = 5


class ReserveStatus(IntEnum):
    """Outcome of a reserve. Precedence of refusals: closed, then stock, then capacity."""

    HELD = 1
    PARTIALLY_HELD = 2
    LOCATION_CLOSED = 3
    INSUFFICIENT_STOCK = 4
    NO_CAPACITY = 5


class TransitionStatus(IntEnum):
    """Outcome of commit, extend, release and fulfil. Refusals by state come before refusals by line."""

    DONE = 1
    EXPIRED = 2
    RELEASED = 3
    FULFILLED = 4
    NOT_COMMITTED = 5
    COMMITTED = 6
    LINES_EXCEED_OPEN = 7


class MovementStatus(IntEnum):
    """Outcome of a movement; only malformed or unusable ones are rejected."""

    APPLIED = 1
    DUPLICATE = 2
    LATE_APPLIED = 3
    REJECTED = 4


class CountStatus(IntEnum):
    """Outcome of a SetCount."""

    APPLIED = 1
    VALIDATED = 2
    VERSION_MISMATCH = 3
    COUNT_TOO_OLD = 4
    COUNT_SUPERSEDED = 5


class Reason(IntEnum):
    """Why a command was turned away as an error: nothing was changed and nothing is remembered."""

    SKU_UNKNOWN = 1
    RESERVATION_UNKNOWN = 2
    REQUEST_ID_REUSED = 3
    INVALID = 4
    TABLE_FULL = 5
    LOCATION_UNKNOWN = 6
    RECOVERING = 7
    JOURNAL_DAMAGED = 8
    EXISTS = 9
    GROUP_UNKNOWN = 10
    IN_USE = 11
    INTERNAL = 12
    LANE_UNKNOWN = 13
    PROFILE_UNKNOWN = 14
    VOID = 15


class Rejected(NamedTuple):
    """An error answer: the command was not decided at all. `field` names what is wrong with it."""

    reason: int
    field: str
    detail: str


class HeldLine(NamedTuple):
    """One line of a reserve.

    `available` is what could be promised when it was decided, for a line that was not held whole; else 0. `waiting`
    units of those held wait for supply.
    """

    sku: str
    requested: int
    held: int
    available: int
    waiting: int = 0


class ReserveResult(NamedTuple):
    """Answer to Reserve. `expires_ns` is 0 when nothing is held; `capacity_left` matters for NO_CAPACITY."""

    status: int
    reservation: str
    created_ns: int
    expires_ns: int
    lines: tuple[HeldLine, ...]
    capacity_left: int = 0
    repeated: bool = False


class ReservationLine(NamedTuple):
    """One line of a reservation: units granted, and how many of them are fulfilled and released.

    `location` is "" for the ledger's own; `waiting` units of the open ones wait for supply. `hold` is the part that a
    line of a reservation over several locations belongs to.
    """

    sku: str
    quantity: int
    fulfilled: int
    released: int
    location: str = ""
    waiting: int = 0
    hold: str = ""


class ReservationView(NamedTuple):
    """A reservation as it stands. `pick_until_ns` > 0 is the end of its pickup window.

    `answer` is what the gateway had its home keep, if that was asked for; `home` is set for what is only a part.
    """

    reservation: str
    serial: int
    state: int
    channel: str
    order: str
    created_ns: int
    updated_ns: int
    expires_ns: int
    lines: tuple[ReservationLine, ...]
    pick_until_ns: int = 0
    answer: bytes = b""
    home: str = ""


class TransitionResult(NamedTuple):
    """Answer to commit, extend, release, fulfil: the outcome and the units it moved; the view is of now.

    `placed` are the units moved when the reservation is over several locations; `owed` is what its participants are to
    be told, (location, message).
    """

    status: int
    lines: Lines
    view: ReservationView | None = None
    repeated: bool = False
    placed: PlacedLines = ()
    owed: tuple[tuple[str, Follow], ...] = ()


class Shortage(NamedTuple):
    """More is promised than is there: `missing` units; the newest reservations at risk, and how many in all."""

    sku: str
    missing: int
    reservations: tuple[str, ...]
    at_risk: int


class MovementResult(NamedTuple):
    """Answer to a movement. `on_hand` is the SKU's after it; `reason` is set for REJECTED.

    `supply_shortage` is set when what is expected does not cover what was promised of it any more.
    """

    status: int
    sku: str
    on_hand: int
    reason: str = ""
    detail: str = ""
    shortage: Shortage | None = None
    supply_shortage: Shortage | None = None


class CountLine(NamedTuple):
    """One counted SKU: on_hand before and after (drift = after - before)."""

    sku: str
    counted: int
    before: int
    after: int


class CountResult(NamedTuple):
    """Answer to SetCount."""

    status: int
    lines: tuple[CountLine, ...]
    shortages: tuple[Shortage, ...] = ()
    repeated: bool = False


class Done(NamedTuple):
    """Answer to a setting that was taken over; a disposition move may have left a shortage, supply one of its own."""

    repeated: bool = False
    shortages: tuple[Shortage, ...] = ()
    supply_shortages: tuple[Shortage, ...] = ()


class Quota(NamedTuple):
    """Units still ring-fenced for a channel, and how many of the SKU its reservations hold."""

    channel: str
    quota: int
    reserved: int


class SupplyView(NamedTuple):
    """Expected units of one SKU.

    Attributes:
        supply: id of the supply; a purchase order has one of these for each of its SKUs.
        sku: which.
        kind: a `SupplyKind`.
        quantity: units of all of it.
        received: those that came, possibly more.
        open: those still to come, 0 once it ended.
        expect_ns: when, ns.
        serial: position in the order they were first told.
    """

    supply: str
    sku: str
    kind: int
    quantity: int
    received: int
    open: int
    expect_ns: int
    serial: int


class StockView(NamedTuple):
    """Every component of one SKU at one location, in base units.

    `incoming` are units still to come, `waiting` those promised from them; `supplies` are the soonest open ones.
    """

    sku: str
    on_hand: int
    unsellable: tuple[tuple[str, int], ...]
    held: int
    committed: int
    safety_stock: int
    quotas: tuple[Quota, ...]
    available: int
    incoming: int = 0
    waiting: int = 0
    supplies: tuple[SupplyView, ...] = ()


class StockPage(NamedTuple):
    """A page of stock; `next_start` is 0 at the end. All of `version` is in it, and perhaps a little more."""

    rows: tuple[StockView, ...]
    next_start: int = 0
    version: int = 0


class ReservationPage(NamedTuple):
    """A page of reservations; `next_after` is 0 at the end. `version` as in `StockPage`."""

    rows: tuple[ReservationView, ...]
    next_after: int = 0
    version: int = 0


class SupplyPage(NamedTuple):
    """A page of supplies; `next_after` is 0 at the end. `version` as in `StockPage`."""

    rows: tuple[SupplyView, ...]
    next_after: int = 0
    version: int = 0


class LedgerSummary(NamedTuple):
    """A location at a glance: SKUs known, SKUs with units on hand, live reservations, and its settings."""

    version: int
    skus: int
    stocked: int
    live: int
    accepting: bool


Result = (
    Rejected
    | ReserveResult
    | TransitionResult
    | MovementResult
    | CountResult
    | Done
    | StockPage
    | ReservationPage
    | LedgerSummary
    | SupplyPage
)
