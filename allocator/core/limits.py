"""Named maxima of the domain. Going over one is a clear error, never a silent cut."""

from __future__ import annotations

from typing import Final, NamedTuple

ID_LENGTH_MAX: Final = 64
"""Characters of an id: location, SKU, channel, reservation, order reference."""
REQUEST_ID_LENGTH_MAX: Final = 36
"""Characters of a request id (AIP-155: room for a UUID)."""
LINES_MAX: Final = 10_000
"""Lines of one request, also of a whole BatchReserve."""
QUANTITY_MAX: Final = 1_000_000_000
"""Units of one line, also after lines of the same SKU are summed."""
DISPOSITIONS_PER_SKU_MAX: Final = 32
"""Dispositions of one SKU at one location."""
SOURCES_MAX: Final = 1_000
"""Sources that number their movements, per location."""
QUOTAS_PER_SKU_MAX: Final = 32
"""Channels with a quota on one SKU at one location."""
SKUS_PER_CALL_MAX: Final = 1_000
"""SKUs of one GetStock or BatchGetAvailability, and rows of a page."""
AT_RISK_MAX: Final = 100
"""Reservations a Shortage names; it also tells how many there are in all."""
SUPPLIES_PER_SKU_MAX: Final = 1_000
"""Supplies still open of one SKU at one location."""
SUPPLIES_TOLD_MAX: Final = 100
"""Supplies of one SKU told with its stock; ListSupply tells the others."""

NS_PER_S: Final = 1_000_000_000
TTL_MIN_NS: Final = NS_PER_S
TTL_DEFAULT_NS: Final = 15 * 60 * NS_PER_S
TTL_MAX_NS: Final = 4 * 3600 * NS_PER_S
DAY_NS: Final = 24 * 3600 * NS_PER_S
PROMISE_HORIZON_DEFAULT_NS: Final = 30 * DAY_NS
PROMISE_HORIZON_MAX_NS: Final = 180 * DAY_NS
"""How far ahead units may be promised at most: see `core.promise`."""
CLOCK_SKEW_MAX_NS: Final = 5 * 60 * NS_PER_S
"""How far ahead of ours the clock of whoever counts may be: a count as of later than that is refused."""


class LedgerLimits(NamedTuple):
    """Bounds of one location's tables. Part of the snapshot, so a replay forgets exactly what the live ledger forgot.

    Attributes:
        skus_max: SKUs a location may stock.
        reservations_max: live (held or committed) reservations.
        requests_max: request ids remembered, whichever of count and age is reached first.
        requests_age_ns: how long a request id is remembered, ns.
        closed_max: ended reservations that can still be looked up.
        closed_age_ns: how long an ended reservation can be looked up, ns.
        movements_max: recent movements kept to re-apply them on top of a count.
        movement_ids_max: movement ids remembered to tell duplicates.
        movements_age_ns: how long both are kept, ns.
        windows_max: capacity windows with something booked.
        open_grace_ns: how long a part of a reservation over several locations waits to hear of its header before it
            asks, ns: much longer than any call lasts.
        supplies_max: supplies known, open ones and ended ones together; the oldest ended ones are forgotten first.
    """

    skus_max: int = 5_000_000
    reservations_max: int = 1_000_000
    requests_max: int = 200_000
    requests_age_ns: int = 24 * 3600 * NS_PER_S
    closed_max: int = 100_000
    closed_age_ns: int = 24 * 3600 * NS_PER_S
    movements_max: int = 50_000
    movement_ids_max: int = 200_000
    movements_age_ns: int = 7 * 24 * 3600 * NS_PER_S
    windows_max: int = 512
    supplies_max: int = 100_000
    open_grace_ns: int = 30 * NS_PER_S
