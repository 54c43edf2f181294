"""Stock and the movements that change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from allocator.client.enums import MovementRejection, MovementStatus, MovementType, SetCountStatus, SupplyKind


@dataclass(frozen=True, slots=True)
class Movement:
    """A physical stock fact; limits and meaning of each field are those of `StockMovement` in the contract.

    Attributes:
        source: who tells it.
        movement_id: unique per source; a repeat answers DUPLICATE.
        location: where it happened.
        sku: a new one is registered.
        type: what happened.
        quantity: units above 0; signed for ADJUSTMENT, the absolute count for COUNT, for SUPPLY all of it (0 cancels).
        sequence: optional position in the source's stream, from 1.
        disposition: where units land or are taken from; "" is sellable.
        from_disposition: only for DISPOSITION_CHANGE.
        reservation: for SALE and SHIPMENT, the reservation these units fulfil.
        occurred_at: when it happened; None: when it is recorded.
        recorded_at: when the source wrote it down.
        reason: the source's reason code.
        reference: the document behind it.
        corrects: movement_id of the same source that this one corrects.
        supply: for SUPPLY what it announces; for RECEIPT and TRANSFER_IN the supply these units come from.
        expect_at: for SUPPLY, when the units are expected.
        final: for RECEIPT and TRANSFER_IN: the rest of the supply will not come.
        supply_kind: for SUPPLY, where the units come from.
    """

    source: str
    movement_id: str
    location: str
    sku: str
    type: MovementType
    quantity: int
    sequence: int = 0
    disposition: str = ""
    from_disposition: str = ""
    reservation: str = ""
    occurred_at: datetime | None = None
    recorded_at: datetime | None = None
    reason: str = ""
    reference: str = ""
    corrects: str = ""
    supply: str = ""
    expect_at: datetime | None = None
    final: bool = False
    supply_kind: SupplyKind = SupplyKind.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class Shortage:
    """More is promised of a SKU than is there.

    Attributes:
        sku: which.
        location: where.
        missing: units that are promised and not there.
        reservations: those at risk, up to 100.
        reservations_total: how many hold the SKU there, named or not.
    """

    sku: str
    location: str
    missing: int
    reservations: tuple[str, ...]
    reservations_total: int


@dataclass(frozen=True, slots=True)
class MovementResult:
    """What became of one movement; `on_hand` is the SKU's after it, `detail` says why it was REJECTED.

    `supply_shortage` tells that what is expected does not cover any more what reservations wait for.
    """

    status: MovementStatus
    on_hand: int
    rejection: MovementRejection
    detail: str
    shortage: Shortage | None
    supply_shortage: Shortage | None = None

    @property
    def ok(self) -> bool:
        """Whether it is recorded, now or before."""
        return self.status is not MovementStatus.REJECTED


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of a batch of movements, in order, and the state after it by location."""

    results: tuple[MovementResult, ...]
    versions: Mapping[str, int]

    @property
    def ok(self) -> bool:
        """Whether all are recorded, now or before."""
        return all(result.ok for result in self.results)


@dataclass(frozen=True, slots=True)
class CountLine:
    """What a count did, or would do, to one SKU: units found (drift above 0) or lost (below 0)."""

    sku: str
    counted: int
    on_hand_before: int
    on_hand_after: int
    drift: int
    shortage: Shortage | None


@dataclass(frozen=True, slots=True)
class CountResult:
    """Outcome of `set_count`; `lines` is empty on a refusal."""

    status: SetCountStatus
    lines: tuple[CountLine, ...]
    versions: Mapping[str, int]
    repeated: bool

    @property
    def ok(self) -> bool:
        """Whether the counts are set, or with `validate_only` would be."""
        return self.status in (SetCountStatus.APPLIED, SetCountStatus.VALIDATED)


@dataclass(frozen=True, slots=True)
class DispositionMove:
    """Units to move from one disposition to another; "" is sellable."""

    from_disposition: str
    to_disposition: str
    quantity: int


@dataclass(frozen=True, slots=True)
class StockPolicy:
    """The new policy of one SKU; None leaves a part as it is.

    Attributes:
        sku: which.
        safety_stock: units never to promise.
        quotas: units by channel; replaces all quotas of the SKU.
        moves: dispositions to change, in order.
    """

    sku: str
    safety_stock: int | None = None
    quotas: Mapping[str, int] | None = None
    moves: tuple[DispositionMove, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A setting was taken over: the state after it by location, and whether an earlier call had done it.

    `supply_shortages` of `set_supply` tell what is missing of what reservations wait for.
    """

    versions: Mapping[str, int]
    repeated: bool
    supply_shortages: tuple[Shortage, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelQuota:
    """The quota of one channel: still ring-fenced, held by its reservations, and held by nobody yet."""

    channel: str
    quota: int
    reserved: int
    unused: int


@dataclass(frozen=True, slots=True)
class SupplyLine:
    """Expected units of one SKU to announce; `quantity` is all of the supply's, and 0 cancels it."""

    supply: str
    sku: str
    quantity: int
    expect_at: datetime | None = None
    kind: SupplyKind = SupplyKind.UNSPECIFIED


@dataclass(frozen=True, slots=True)
class ExpectedSupply:
    """Expected units of one SKU.

    Attributes:
        supply: id of the supply; one of several SKUs is one of these for each.
        sku: which.
        kind: where the units come from.
        quantity: units of all of it.
        received: those that came, possibly more.
        open: those still to come.
        expect_at: when; past: they are overdue and count for no date; None when it was never told.
    """

    supply: str
    sku: str
    kind: SupplyKind
    quantity: int
    received: int
    open: int
    expect_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stock:
    """Every component of one SKU at one location, in units.

    Attributes:
        sku: which.
        location: where.
        on_hand: physical units, sellable or not.
        unsellable: part of on_hand that cannot be sold, by disposition.
        held: under soft reservations.
        committed: under hard reservations.
        safety_stock: never promised.
        quotas: in force.
        available: what can be promised without a channel, floored at 0.
        version: of the location's ledger that this picture is from.
        incoming: units still to come.
        waiting: units that reservations hold of what is to come.
        supplies: the supplies they are of, the soonest up to 100.
    """

    sku: str
    location: str
    on_hand: int
    unsellable: Mapping[str, int]
    held: int
    committed: int
    safety_stock: int
    quotas: tuple[ChannelQuota, ...]
    available: int
    version: int
    incoming: int = 0
    waiting: int = 0
    supplies: tuple[ExpectedSupply, ...] = ()
