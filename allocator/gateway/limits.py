"""Named maxima of the wire. Those of the domain are in `allocator.core.limits`; the contract states both."""

from __future__ import annotations

from typing import Final

BATCH_RESERVES_MAX: Final = 1_000
"""Reserves of one BatchReserve."""
MOVEMENTS_MAX: Final = 10_000
"""Movements of one RecordMovements."""
LOCATIONS_PER_CALL_MAX: Final = 1_000
"""Locations that one read names, members of a group, and columns of a matrix."""
MIN_VERSIONS_MAX: Final = 1_000
"""Versions that one read waits for."""
CELLS_MAX: Final = 160_000
"""Lines times locations of one CheckAvailability."""
SOURCING_CELLS_MAX: Final = 400_000
"""Lines of one order times locations of the network, when it is sourced."""
REACH_MAX_S: Final = 1.0
"""How long a read waits for `min_versions`, seconds."""
CHANGES_PER_MESSAGE_MAX: Final = 10_000
"""Changes in one message of a watch."""
AT_RISK_PER_ANSWER_MAX: Final = 10_000
"""Reservations at risk that one answer names, over all its shortages."""
PAGE_SIZE_DEFAULT: Final = 100
PAGE_SIZE_MAX: Final = 1_000
LOCATIONS_PER_PAGE_MAX: Final = 100
"""Ledgers that one page of ListReservations asks before it ends early."""

SOURCE_LENGTH_MAX: Final = 128
"""Characters of a source, a movement id, a document reference, a display name, a city."""
REASON_LENGTH_MAX: Final = 256
REASON_CODE_LENGTH_MAX: Final = 64
DISPOSITION_MOVES_MAX: Final = 32
"""Disposition moves of one SKU in a SetStockPolicy."""
OPENING_HOURS_MAX: Final = 70
OPENING_EXCEPTIONS_MAX: Final = 1_000
MINUTES_PER_DAY: Final = 1_440
PRIORITY_MAX: Final = 1_000_000
LABELS_MAX: Final = 64
LABEL_LENGTH_MAX: Final = 64
CAPACITY_OVERRIDES_MAX: Final = 1_000

CALLS_PER_QUEUED_COMMAND: Final = 2
"""Calls under way at most, as a multiple of `queue_max`: beyond it a call is refused before it is looked at."""
CORRELATION_ID_LENGTH_MAX: Final = 128
VIOLATIONS_MAX: Final = 16
"""Field violations that one error tells: errors travel in HTTP/2 headers, which clients bound at 8 KiB."""
DESCRIPTION_LENGTH_MAX: Final = 160
MESSAGE_LENGTH_MAX: Final = 480
