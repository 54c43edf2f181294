"""Statuses and kinds as words. Each mirrors the enum of the same name in the contract, without its prefix.

A value that a newer server may send and this build does not know reads as `UNSPECIFIED`.
"""

from __future__ import annotations

from enum import StrEnum


class ReservePolicy(StrEnum):
    """What a reserve does when a line is short: hold all lines whole or nothing, or of each what there is."""

    UNSPECIFIED = "UNSPECIFIED"
    ALL_OR_NOTHING = "ALL_OR_NOTHING"
    PARTIAL = "PARTIAL"


class ReserveStatus(StrEnum):
    """Outcome of a reserve; all but HELD and PARTIALLY_HELD are refusals, and nothing is held."""

    UNSPECIFIED = "UNSPECIFIED"
    HELD = "HELD"
    PARTIALLY_HELD = "PARTIALLY_HELD"
    LOCATION_CLOSED = "LOCATION_CLOSED"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    NO_CAPACITY = "NO_CAPACITY"


class LineStatus(StrEnum):
    """Outcome of one line of a reserve; NOT_HELD had enough, but the reserve as a whole was refused."""

    UNSPECIFIED = "UNSPECIFIED"
    HELD = "HELD"
    PARTIALLY_HELD = "PARTIALLY_HELD"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    NOT_HELD = "NOT_HELD"


class ReservationState(StrEnum):
    """Life of a reservation: HELD, then COMMITTED, then FULFILLED; or RELEASED; or EXPIRED."""

    UNSPECIFIED = "UNSPECIFIED"
    HELD = "HELD"
    COMMITTED = "COMMITTED"
    FULFILLED = "FULFILLED"
    RELEASED = "RELEASED"
    EXPIRED = "EXPIRED"


class TransitionStatus(StrEnum):
    """Outcome of commit, extend, release and fulfil; all but DONE are refusals, and nothing changed."""

    UNSPECIFIED = "UNSPECIFIED"
    DONE = "DONE"
    EXPIRED = "EXPIRED"
    RELEASED = "RELEASED"
    FULFILLED = "FULFILLED"
    NOT_COMMITTED = "NOT_COMMITTED"
    COMMITTED = "COMMITTED"
    LINES_EXCEED_OPEN = "LINES_EXCEED_OPEN"


class AllocateStatus(StrEnum):
    """Outcome of an allocate; all but HELD and PARTIALLY_HELD are refusals. OUTRUN: others were faster; ask again."""

    UNSPECIFIED = "UNSPECIFIED"
    HELD = "HELD"
    PARTIALLY_HELD = "PARTIALLY_HELD"
    NO_ELIGIBLE_LOCATION = "NO_ELIGIBLE_LOCATION"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    OUTRUN = "OUTRUN"


class TransferStatus(StrEnum):
    """Outcome of a transfer; all but DONE are refusals, and nothing changed."""

    UNSPECIFIED = "UNSPECIFIED"
    DONE = "DONE"
    EXPIRED = "EXPIRED"
    RELEASED = "RELEASED"
    FULFILLED = "FULFILLED"
    LINES_EXCEED_OPEN = "LINES_EXCEED_OPEN"
    LOCATION_CLOSED = "LOCATION_CLOSED"
    INSUFFICIENT_STOCK = "INSUFFICIENT_STOCK"
    NO_CAPACITY = "NO_CAPACITY"


class RejectReason(StrEnum):
    """Why a location declines: units are not there, cannot be sold, or nobody can pick them."""

    UNSPECIFIED = "UNSPECIFIED"
    NOT_IN_STOCK = "NOT_IN_STOCK"
    DAMAGED = "DAMAGED"
    NO_CAPACITY = "NO_CAPACITY"


class SourcingFilter(StrEnum):
    """What decides whether a location can serve an order, in the order in which it is asked."""

    UNSPECIFIED = "UNSPECIFIED"
    GROUP = "GROUP"
    OPEN = "OPEN"
    CHANNEL = "CHANNEL"
    MODE = "MODE"
    SERVICE_LEVEL = "SERVICE_LEVEL"
    PROMISE = "PROMISE"
    CAPACITY = "CAPACITY"
    FRESHNESS = "FRESHNESS"
    STOCK = "STOCK"


class SourcingTermKind(StrEnum):
    """A part of a score."""

    UNSPECIFIED = "UNSPECIFIED"
    COST = "COST"
    LATENESS = "LATENESS"
    PARCELS = "PARCELS"
    STOCK_COVER = "STOCK_COVER"
    CAPACITY = "CAPACITY"
    PRIORITY = "PRIORITY"


class SourcingOutcome(StrEnum):
    """What became of a location: it is in the best plan, cannot serve the order, or others do it better."""

    UNSPECIFIED = "UNSPECIFIED"
    CHOSEN = "CHOSEN"
    FILTERED = "FILTERED"
    OUTSCORED = "OUTSCORED"


class MovementType(StrEnum):
    """The physical fact behind a movement."""

    UNSPECIFIED = "UNSPECIFIED"
    RECEIPT = "RECEIPT"
    SALE = "SALE"
    RETURN = "RETURN"
    ADJUSTMENT = "ADJUSTMENT"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    DISPOSITION_CHANGE = "DISPOSITION_CHANGE"
    COUNT = "COUNT"
    SHIPMENT = "SHIPMENT"
    SUPPLY = "SUPPLY"


class SupplyKind(StrEnum):
    """Where expected units come from; UNSPECIFIED leaves it as it was, a purchase order when the supply is new."""

    UNSPECIFIED = "UNSPECIFIED"
    PURCHASE_ORDER = "PURCHASE_ORDER"
    TRANSFER = "TRANSFER"


class MovementStatus(StrEnum):
    """Outcome of a movement. LATE_APPLIED: recorded, and a later count has its units already."""

    UNSPECIFIED = "UNSPECIFIED"
    APPLIED = "APPLIED"
    DUPLICATE = "DUPLICATE"
    LATE_APPLIED = "LATE_APPLIED"
    REJECTED = "REJECTED"


class MovementRejection(StrEnum):
    """Why a movement was not recorded; UNSPECIFIED when it was. LOCATION_STOPPED: the location's journal is damaged."""

    UNSPECIFIED = "UNSPECIFIED"
    INVALID = "INVALID"
    LOCATION_UNKNOWN = "LOCATION_UNKNOWN"
    COUNT_TOO_OLD = "COUNT_TOO_OLD"
    COUNT_SUPERSEDED = "COUNT_SUPERSEDED"
    TABLE_FULL = "TABLE_FULL"
    LOCATION_STOPPED = "LOCATION_STOPPED"


class SetCountStatus(StrEnum):
    """Outcome of a count: APPLIED, VALIDATED (a dry run), or a refusal that changed nothing."""

    UNSPECIFIED = "UNSPECIFIED"
    APPLIED = "APPLIED"
    VALIDATED = "VALIDATED"
    VERSION_MISMATCH = "VERSION_MISMATCH"
    COUNT_TOO_OLD = "COUNT_TOO_OLD"
    COUNT_SUPERSEDED = "COUNT_SUPERSEDED"


class LocationKind(StrEnum):
    """What a location is."""

    UNSPECIFIED = "UNSPECIFIED"
    DISTRIBUTION_CENTRE = "DISTRIBUTION_CENTRE"
    STORE = "STORE"
    DARK_STORE = "DARK_STORE"
    THIRD_PARTY_LOGISTICS = "THIRD_PARTY_LOGISTICS"
    DROP_SHIP_VENDOR = "DROP_SHIP_VENDOR"


class FulfilmentMode(StrEnum):
    """How an order reaches the customer."""

    UNSPECIFIED = "UNSPECIFIED"
    SHIP = "SHIP"
    PICKUP = "PICKUP"
    SHIP_FROM_STORE = "SHIP_FROM_STORE"


class LocationState(StrEnum):
    """Whether a location takes new reservations."""

    UNSPECIFIED = "UNSPECIFIED"
    OPEN = "OPEN"
    CLOSED = "CLOSED"


class CapacityMeasure(StrEnum):
    """What capacity counts: units of any SKU, or reservations whatever their size."""

    UNSPECIFIED = "UNSPECIFIED"
    UNITS = "UNITS"
    ORDERS = "ORDERS"


class ServingStatus(StrEnum):
    """What a server says of its health (`grpc.health.v1`)."""

    UNKNOWN = "UNKNOWN"
    SERVING = "SERVING"
    NOT_SERVING = "NOT_SERVING"
    SERVICE_UNKNOWN = "SERVICE_UNKNOWN"
