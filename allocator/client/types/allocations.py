"""Orders that were sourced and held in one call, and units that moved to other locations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allocator.client.enums import AllocateStatus, SourcingFilter, TransferStatus, TransitionStatus
from allocator.client.types.lines import LineQuantity
from allocator.client.types.reservations import Reservation
from allocator.client.types.sourcing import Assignment, Shortfall, SourcingPlan


@dataclass(frozen=True, slots=True)
class AllocateResult:
    """Outcome of an allocate.

    Attributes:
        status: of the whole.
        reservation: set when something is held.
        plan: the one that is held.
        emptied_by: with NO_ELIGIBLE_LOCATION: the filter that the last location did not pass.
        partial: with INSUFFICIENT_STOCK: what could be served, if anything.
        plans_tried: the one that is held included.
        versions: the state after this, by location.
        repeated: whether this is the answer to an earlier call with the same request id.
    """

    status: AllocateStatus
    reservation: Reservation | None
    plan: SourcingPlan | None
    emptied_by: SourcingFilter
    partial: SourcingPlan | None
    plans_tried: int
    versions: Mapping[str, int]
    repeated: bool

    @property
    def ok(self) -> bool:
        """Whether anything is held: all of it, or with `allow_shortfall` some."""
        return self.status in (AllocateStatus.HELD, AllocateStatus.PARTIALLY_HELD)


@dataclass(frozen=True, slots=True)
class TransferResult:
    """Outcome of a transfer.

    Attributes:
        status: of the whole.
        reservation: as it stands now; None when the server no longer remembers it.
        versions: the state after this, by location.
        repeated: whether `status` and `moved` are those of an earlier call with the same request id.
        moved: the units, with the locations they came from.
    """

    status: TransferStatus
    reservation: Reservation | None
    versions: Mapping[str, int]
    repeated: bool
    moved: tuple[LineQuantity, ...]

    @property
    def ok(self) -> bool:
        """Whether it happened."""
        return self.status is TransferStatus.DONE


@dataclass(frozen=True, slots=True)
class RejectResult:
    """Outcome of a location's refusal to pick.

    Attributes:
        status: of the whole.
        reservation: as it stands now; None when the server no longer remembers it.
        versions: the state after this, by location.
        repeated: whether this is the answer to an earlier call with the same request id.
        rejected: the units that the location is rid of.
        assignments: where others take over.
        shortfalls: what nobody took over: it is not reserved any more.
    """

    status: TransitionStatus
    reservation: Reservation | None
    versions: Mapping[str, int]
    repeated: bool
    rejected: tuple[LineQuantity, ...]
    assignments: tuple[Assignment, ...]
    shortfalls: tuple[Shortfall, ...]

    @property
    def ok(self) -> bool:
        """Whether it happened, whoever takes over."""
        return self.status is TransitionStatus.DONE
