"""Events that people want to know of at once, as lines of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog

from allocator.core.events import ShortageFound, SupplyShort
from allocator.core.protocol.types import PickupMissed

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALERTING = frozenset((SupplyShort, PickupMissed, ShortageFound))

log = structlog.get_logger("allocator.host")


def alert(name: str, events: Iterable[Any], correlation_id: str) -> None:
    """Log the shortages, broken promises and missed pickups among the events of ledger `name`."""
    for event in events:
        if type(event) not in _ALERTING:
            continue
        if type(event) is SupplyShort and event.missing:
            log.warning("supply short", location=name, sku=event.sku, supply=event.supply, missing=event.missing,
                        reservations=event.reservations, correlation_id=correlation_id)  # fmt: skip
        if type(event) is PickupMissed:
            log.info("pickup missed", location=name, reservation=event.reservation, order=event.order)
        if type(event) is ShortageFound:
            log.warning("shortage", location=name, sku=event.sku, missing=event.missing,
                        reservations=event.reservations, correlation_id=correlation_id)  # fmt: skip
