"""Movements between the contract and the core. What is wrong with one rejects only that one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocator.core.commands import Movement, MovementType, SupplyKind
from allocator.core.ids import is_id
from allocator.core.limits import QUANTITY_MAX
from allocator.core.results import MovementStatus, Reason, Rejected
from allocator.gateway.faults import Faults
from allocator.gateway.limits import AT_RISK_PER_ANSWER_MAX, REASON_CODE_LENGTH_MAX, SOURCE_LENGTH_MAX
from allocator.gateway.names import RESERVATIONS, location_in, location_name
from allocator.gateway.times import ns_of
from allocator.v1.inventory_pb2 import MovementRejection
from allocator.v1.inventory_pb2 import MovementStatus as WireStatus

if TYPE_CHECKING:
    from allocator.core.results import MovementResult
    from allocator.core.results import Shortage as CoreShortage
    from allocator.v1.inventory_pb2 import MovementResult as WireResult
    from allocator.v1.inventory_pb2 import Shortage, StockMovement

_REJECTED = WireStatus.ValueType(MovementStatus.REJECTED)
_INVALID = MovementRejection.MOVEMENT_REJECTION_INVALID
_LOCATION_UNKNOWN = MovementRejection.MOVEMENT_REJECTION_LOCATION_UNKNOWN
_LOCATION_STOPPED = MovementRejection.MOVEMENT_REJECTION_LOCATION_STOPPED
_NOT_TAKEN: Final = (Reason.LOCATION_UNKNOWN, Reason.JOURNAL_DAMAGED)
_TYPES: Final = frozenset(kind.value for kind in MovementType)
_COUNT, _ADJUSTMENT = MovementType.COUNT.value, MovementType.ADJUSTMENT.value
_DISPOSITION_CHANGE: Final = MovementType.DISPOSITION_CHANGE.value
_SUPPLY: Final = MovementType.SUPPLY.value
_SUPPLY_KINDS: Final = frozenset((0, *(kind.value for kind in SupplyKind)))
_IN_OR_OUT: Final = frozenset(_TYPES - {_COUNT, _ADJUSTMENT, _DISPOSITION_CHANGE, _SUPPLY})
_MAY_BE_NONE: Final = (_COUNT, _SUPPLY)
_FULFILLING: Final = (MovementType.SALE.value, MovementType.SHIPMENT.value)


def to_plain_movement(message: StockMovement) -> tuple[str, Movement] | None:
    """The location and the command of what nearly every movement is: units in or out of one SKU, nothing wrong.

    None for all others: `to_movement` takes those, and tells what is wrong with them.
    """
    source, movement_id, sku = message.source, message.movement_id, message.sku
    kind, quantity, location = message.type, message.quantity, location_in(message.location)
    reason, reference = message.reason, message.reference
    if not (
        location
        and kind in _IN_OR_OUT
        and 0 < quantity <= QUANTITY_MAX
        and is_id(sku)
        and is_id(source)  # and so short and without odd characters; others are labels too, and take the long way
        and is_id(movement_id)
        and not (reason and not is_id(reason))
        and not (reference and not is_id(reference))
    ):
        return None
    if (
        message.disposition or message.from_disposition or message.reservation or message.corrects or message.supply
        or message.final or message.supply_kind or message.sequence or message.HasField("expect_time")
    ):  # fmt: skip
        return None
    occurred_ns = recorded_ns = 0
    if message.HasField("occurred_time"):
        occurred_ns = ns_of(message.occurred_time) or 0
        if not occurred_ns:
            return None
    if message.HasField("recorded_time"):
        recorded_ns = ns_of(message.recorded_time) or 0
        if not recorded_ns:
            return None
    movement = Movement(
        source, movement_id, 0, sku, kind, quantity, "", "", "", occurred_ns, recorded_ns, reason, reference
    )
    return location, movement


def to_movement(message: StockMovement, faults: Faults) -> tuple[str, Movement]:
    """The location and the command of a movement; what is wrong with it is added to `faults`."""
    source = _label(faults, "source", message.source)
    movement_id = _label(faults, "movement_id", message.movement_id)
    location = faults.name("location", message.location)
    kind = faults.choice("type", message.type, _TYPES)
    _check_quantity(faults, kind, message.quantity)
    if message.sequence < 0:
        faults.add("sequence", f"{message.sequence}; 0 or more are allowed")
    _check_dispositions(faults, message)
    reservation = ""
    if message.reservation:
        reservation = faults.name("reservation", message.reservation, RESERVATIONS)
        if kind not in _FULFILLING:
            faults.add("reservation", "it is for SALE and SHIPMENT only")
    if kind == _SUPPLY:
        _check_announcement(faults, message)
    movement = Movement(
        source,
        movement_id,
        message.sequence,
        faults.id("sku", message.sku),
        kind,
        message.quantity,
        message.disposition,
        message.from_disposition,
        reservation,
        faults.time("occurred_time", message.occurred_time) if message.HasField("occurred_time") else 0,
        faults.time("recorded_time", message.recorded_time) if message.HasField("recorded_time") else 0,
        faults.text("reason", message.reason, REASON_CODE_LENGTH_MAX),
        faults.text("reference", message.reference, SOURCE_LENGTH_MAX),
        faults.text("corrects", message.corrects, SOURCE_LENGTH_MAX),
        faults.optional_id("supply", message.supply),
        faults.time("expect_time", message.expect_time) if message.HasField("expect_time") else 0,
        message.final,
        faults.choice("supply_kind", message.supply_kind, _SUPPLY_KINDS),
    )
    return location, movement


class MovementTeller:
    """Writes results of movements and shortages; of reservations at risk one answer names only so many."""

    def __init__(self) -> None:
        self._at_risk_left = AT_RISK_PER_ANSWER_MAX

    def fill_result(self, message: WireResult, location: str, result: MovementResult) -> None:
        """Write what became of a movement."""
        message.status = WireStatus.ValueType(result.status)
        message.on_hand = result.on_hand
        if result.reason:
            message.rejection = MovementRejection.Value(f"MOVEMENT_REJECTION_{result.reason}")
            message.detail = result.detail
        if result.shortage is not None:
            self.fill_shortage(message.shortage, location, result.shortage)
        if result.supply_shortage is not None:
            self.fill_shortage(message.supply_shortage, location, result.supply_shortage)

    def fill_shortage(self, message: Shortage, location: str, shortage: CoreShortage) -> None:
        """Write a shortage."""
        message.sku = shortage.sku
        message.location = location_name(location)
        message.missing = shortage.missing
        message.reservations_total = shortage.at_risk
        told = shortage.reservations[: self._at_risk_left]
        self._at_risk_left -= len(told)
        message.reservations.extend([RESERVATIONS + reservation for reservation in told])


def fill_faulty(message: WireResult, faults: Faults) -> None:
    """Write that a movement is malformed."""
    message.status = _REJECTED
    message.rejection = _INVALID
    message.detail = "; ".join(f"{field}: {description}" for field, description in faults.found)


def fill_nowhere(message: WireResult, location: str) -> None:
    """Write that a movement names a location that the network does not have."""
    message.status = _REJECTED
    message.rejection = _LOCATION_UNKNOWN
    message.detail = f"{location_name(location)} is not in the network"


def is_not_taken(rejected: Rejected) -> bool:
    """Whether only the movements of that location are rejected: it left the network, or its journal is damaged."""
    return rejected.reason in _NOT_TAKEN


def fill_not_taken(message: WireResult, location: str, rejected: Rejected) -> None:
    """Write that the location takes no movements; see `is_not_taken`."""
    if rejected.reason == Reason.LOCATION_UNKNOWN:
        fill_nowhere(message, location)
        return
    message.status = _REJECTED
    message.rejection = _LOCATION_STOPPED
    message.detail = f"{location_name(location)} stands still until somebody looks at it: {rejected.detail}"


def _label(faults: Faults, field: str, value: str) -> str:
    if not value:
        faults.add(field, "it must be set")
    return faults.text(field, value, SOURCE_LENGTH_MAX)


def _check_quantity(faults: Faults, kind: int, quantity: int) -> None:
    if kind == _ADJUSTMENT:
        if not 0 < abs(quantity) <= QUANTITY_MAX:
            faults.add("quantity", f"{quantity}; up to {QUANTITY_MAX}, signed and not 0")
    else:
        faults.units("quantity", quantity, 0 if kind in _MAY_BE_NONE else 1, QUANTITY_MAX)


def _check_announcement(faults: Faults, message: StockMovement) -> None:
    if not message.supply:
        faults.add("supply", "it must be set for SUPPLY")
    if message.quantity and not message.HasField("expect_time"):
        faults.add("expect_time", "it must be set for units that are expected")


def _check_dispositions(faults: Faults, message: StockMovement) -> None:
    target, source = message.disposition, message.from_disposition
    if not target and not source and message.type != _DISPOSITION_CHANGE:
        return
    faults.optional_id("disposition", target)
    faults.optional_id("from_disposition", source)
    if message.type == _DISPOSITION_CHANGE:
        if target == source:
            faults.add("from_disposition", "it must differ from disposition")
    elif source:
        faults.add("from_disposition", "it is for DISPOSITION_CHANGE only")
    if message.type == _COUNT and target:
        faults.add("disposition", "a count is of all units, without a disposition")
