"""What a location can be asked: plain named tuples, so that they pack, compare and pickle at C speed.

Every writing command begins with its `request_id`. Times are ns since 1970 UTC, lengths of time ns, quantities base
units (int). Lines are `(sku, quantity)` pairs with each SKU once (`merge_lines` sums repeats before).
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

Lines = tuple[tuple[str, int], ...]
PlacedLines = tuple[tuple[str, int, str], ...]
"""`(sku, quantity, location)`."""


class Policy(IntEnum):
    """What a reserve does when a line is short."""

    ALL_OR_NOTHING = 1
    PARTIAL = 2


class MovementType(IntEnum):
    """The physical fact behind a stock movement."""

    RECEIPT = 1
    SALE = 2
    RETURN = 3
    ADJUSTMENT = 4
    TRANSFER_OUT = 5
    TRANSFER_IN = 6
    DISPOSITION_CHANGE = 7
    COUNT = 8
    SHIPMENT = 9
    SUPPLY = 10


class SupplyKind(IntEnum):
    """Where expected units come from."""

    PURCHASE_ORDER = 1
    TRANSFER = 2


class Measure(IntEnum):
    """What a location's capacity counts."""

    UNITS = 1
    ORDERS = 2


class Reserve(NamedTuple):
    """Hold units of one location for an order until `ttl_ns` has passed.

    Attributes:
        reservation: the id the hold will have.
        pick_at_ns: chooses the capacity window (0: the window of now).
        home: for a part of a reservation over several locations, the location that decides its fate; such a hold does
            not expire by itself, it asks (see `core.protocol`). "" for a reservation of this location alone.
        elsewhere: the network knows the SKUs, so one that was never stocked here is short, not unknown.
        promise_by_ns: what stock lacks may be held against supply expected by then (0: from stock only).
    """

    request_id: str
    reservation: str
    lines: Lines
    ttl_ns: int
    channel: str = ""
    policy: int = Policy.ALL_OR_NOTHING
    order: str = ""
    pick_at_ns: int = 0
    home: str = ""
    elsewhere: bool = False
    promise_by_ns: int = 0


class Commit(NamedTuple):
    """The order is placed: held becomes committed and no longer expires."""

    request_id: str
    reservation: str


class Extend(NamedTuple):
    """Give a held reservation `ttl_ns` more, counted from now."""

    request_id: str
    reservation: str
    ttl_ns: int


class Release(NamedTuple):
    """Give units back: all that is open, or `lines` wherever they are held, or `placed` where they say."""

    request_id: str
    reservation: str
    lines: Lines = ()
    reason: str = ""
    placed: PlacedLines = ()


class Fulfil(NamedTuple):
    """Units of a committed reservation left the building: on_hand and committed go down together.

    All that is open, or `lines` wherever they are held, or `placed` where they say.
    """

    request_id: str
    reservation: str
    lines: Lines = ()
    placed: PlacedLines = ()


class Movement(NamedTuple):
    """A physical stock fact from outside; it already happened, so it is never refused for lack of stock.

    Attributes:
        source: who tells it; ids and sequences are unique per source.
        movement_id: unique per source.
        sequence: optional position, strictly growing per source and location (0: none).
        quantity: magnitude > 0; signed for ADJUSTMENT; the absolute count >= 0 for COUNT; for SUPPLY all units of it,
            those received among them (0 cancels it).
        disposition: where units land or are taken from; "" is sellable. For DISPOSITION_CHANGE the target.
        from_disposition: only for DISPOSITION_CHANGE.
        reservation: for SALE and SHIPMENT, the reservation these units fulfil, if any.
        occurred_ns: when it happened; for COUNT its as-of watermark (0: now).
        recorded_ns: when the source wrote it down (0: unknown).
        corrects: movement_id of the same source that this one corrects.
        supply: for SUPPLY what it announces; for RECEIPT and TRANSFER_IN, the supply these units come from.
        expect_ns: only for SUPPLY: when the units are expected.
        final: only for RECEIPT and TRANSFER_IN: the rest of the supply will not come.
        supply_kind: only for SUPPLY: a `SupplyKind` (0: as it was, a purchase order when it is new).
    """

    source: str
    movement_id: str
    sequence: int
    sku: str
    type: int
    quantity: int
    disposition: str = ""
    from_disposition: str = ""
    reservation: str = ""
    occurred_ns: int = 0
    recorded_ns: int = 0
    reason: str = ""
    reference: str = ""
    corrects: str = ""
    supply: str = ""
    expect_ns: int = 0
    final: bool = False
    supply_kind: int = 0


class SetCount(NamedTuple):
    """Absolute counts as of a watermark; later movements are put back on top and reservations stay.

    `expected_version` > 0 refuses when on_hand of a line changed after that version; `validate_only` reports the
    drift and changes nothing.
    """

    request_id: str
    lines: Lines
    as_of_ns: int
    source: str = ""
    reference: str = ""
    reason: str = ""
    expected_version: int = 0
    validate_only: bool = False


class PolicyLine(NamedTuple):
    """New stock policy of one SKU; `None` leaves a part as it is.

    `quotas` replaces all quotas of the SKU; `moves` are `(from_disposition, to_disposition, quantity)`.
    """

    sku: str
    safety_stock: int | None = None
    quotas: tuple[tuple[str, int], ...] | None = None
    moves: tuple[tuple[str, str, int], ...] = ()


class SetStockPolicy(NamedTuple):
    """Safety stock, channel quotas and disposition moves; `allow_missing` registers SKUs not stocked yet."""

    request_id: str
    lines: tuple[PolicyLine, ...]
    allow_missing: bool = False


class Capacity(NamedTuple):
    """What a location can pick per time window of `window_ns`, counted from 1970 UTC.

    `overrides` are `(window_start_ns, limit)`.
    """

    measure: int
    window_ns: int
    limit: int
    overrides: tuple[tuple[int, int], ...] = ()


class Configure(NamedTuple):
    """Settings of the location itself; `None` leaves one as it is, `clear_capacity` takes the capacity away."""

    request_id: str
    accepting: bool | None = None
    capacity: Capacity | None = None
    clear_capacity: bool = False


class SupplyLine(NamedTuple):
    """Expected units of one SKU: all of the supply's, those received among them; 0 cancels it.

    `kind` 0 leaves it as it was; a new supply is a purchase order then.
    """

    supply: str
    sku: str
    quantity: int
    expect_ns: int
    kind: int = 0


class SetSupply(NamedTuple):
    """Announce supplies or replace what was announced; SKUs not stocked yet are registered."""

    request_id: str
    lines: tuple[SupplyLine, ...]


Write = Reserve | Commit | Extend | Release | Fulfil | SetCount | SetStockPolicy | Configure | SetSupply
Transition = Commit | Extend | Release | Fulfil


class GetStock(NamedTuple):
    """Every component of the named SKUs."""

    skus: tuple[str, ...]


class ListStock(NamedTuple):
    """A page of stock in the order SKUs were first stocked, from position `start`."""

    start: int
    limit: int


class GetReservation(NamedTuple):
    """One reservation; `whole` with what the gateway had its home keep."""

    reservation: str
    whole: bool = False


class ListReservations(NamedTuple):
    """A page of reservations in the order they were made, after serial `after`; 0 and "" match any.

    `here`: instead of those that this location decides on, all that it holds units for, parts of others among them.
    """

    after: int
    limit: int
    state: int = 0
    order: str = ""
    here: bool = False


class ListSupply(NamedTuple):
    """A page of supplies in the order they were first told, after serial `after`; `ended` tells those done, too."""

    after: int
    limit: int
    sku: str = ""
    ended: bool = False


class Summarise(NamedTuple):
    """The location at a glance."""


Query = GetStock | ListStock | GetReservation | ListReservations | Summarise | ListSupply
Command = Write | Movement | Query


def merge_lines(lines: Lines) -> Lines:
    """Sum lines of the same SKU, keeping the order of first mention."""
    summed: dict[str, int] = {}
    for sku, quantity in lines:
        summed[sku] = summed.get(sku, 0) + quantity
    return lines if len(summed) == len(lines) else tuple(summed.items())
