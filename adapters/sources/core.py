"""What a pump needs of the core, and how the client gives it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from adapters.errors import BatchInvalidError, CoreUnavailableError
from adapters.formats import RejectClass, StockMovement
from adapters.formats.movement import time_of
from allocator.client import (
    AsyncClient,
    InvalidRequest,
    Movement,
    MovementRejection,
    MovementType,
    RequestError,
    SupplyKind,
)
from allocator.client import MovementStatus as ClientStatus

TIMEOUT_S: Final = 30.0
"""For one batch, the client's own retries included."""


class MovementStatus(StrEnum):
    """What became of a movement."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    LATE_APPLIED = "late_applied"
    REJECTED = "rejected"


class Outcome(NamedTuple):
    """The core's answer to one movement.

    Attributes:
        status: what became of it.
        unknown_location: whether it was rejected because there is no such location.
        reason: why it was rejected, for people.
        location_stopped: whether it was rejected because its location stands still.
    """

    status: MovementStatus
    unknown_location: bool = False
    reason: str = ""
    location_stopped: bool = False

    @property
    def reject_class(self) -> RejectClass:
        """What can be done about it, when it was rejected."""
        if self.unknown_location:
            return RejectClass.UNKNOWN_LOCATION
        return RejectClass.LOCATION_STOPPED if self.location_stopped else RejectClass.REFUSED


class Core(ABC):
    """Records movements durably."""

    @abstractmethod
    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record a batch and return an outcome for each movement, in order; they are durable then.

        Raises:
            CoreUnavailableError: some may have been recorded; the same batch may be sent again.
            BatchInvalidError: the batch as a whole is malformed, and nothing was recorded.
        """


class ClientCore(Core):
    """The core behind a client.

    Args:
        client: open; its owner closes it.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client.with_options(timeout_s=TIMEOUT_S)

    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record a batch; see `Core.record`."""
        try:
            answer = await self._client.record(map(_movement, movements))
        except InvalidRequest as error:
            raise BatchInvalidError(str(error)) from error
        except RequestError as error:
            # Lack of rights, a defect: none of it is the movement's fault, so none is dropped.
            raise CoreUnavailableError(str(error), error.details.retry_after_s or 0.0) from error
        return [
            Outcome(
                _STATUS[result.status],
                result.rejection is MovementRejection.LOCATION_UNKNOWN,
                f"{result.rejection}: {result.detail}" if not result.ok else "",
                result.rejection is MovementRejection.LOCATION_STOPPED,
            )
            for result in answer.results
        ]


_STATUS: Final = {ClientStatus(status.upper()): status for status in MovementStatus}


def _movement(movement: StockMovement) -> Movement:
    return Movement(
        source=movement.source,
        movement_id=movement.movement_id,
        location=movement.location,
        sku=movement.sku,
        type=MovementType(movement.type.name),
        quantity=movement.quantity,
        sequence=movement.sequence,
        disposition=movement.disposition,
        from_disposition=movement.from_disposition,
        reservation=movement.reservation,
        occurred_at=time_of(movement.occurred_ns),
        recorded_at=time_of(movement.recorded_ns),
        reason=movement.reason,
        reference=movement.reference,
        corrects=movement.corrects,
        supply=movement.supply,
        expect_at=time_of(movement.expect_ns),
        final=movement.final,
        supply_kind=SupplyKind(movement.supply_kind.name) if movement.supply_kind else SupplyKind.UNSPECIFIED,
    )
