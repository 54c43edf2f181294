"""Named maxima of the wire. Those of the domain are in `allocator.core.limits`; the contract states both."""

from __future__ import annotations

from typing import Final

BATCH_RESERVES_MAX: Final = 1_000
"""Reserves of one BatchReserve."""
STREAM_GROUPS_MAX: Final = 8
"""Groups of up to `BATCH_RESERVES_MAX` reserves of one stream under way at once; beyond it the caller is held back."""
MOVEMENTS_MAX: Final = 10_000
"""Movements of one RecordMovements."""
LOCATIONS_PER_CALL_MAX: Final = 1_000
"""Locations that one read names, members of a group, and columns of a matrix."""
MIN_VERSIONS_MAX: Final = 1_000
"""Versions that one read waits for."""
CELLS_MAX: Final = 160_000
"""Lines times locations of one CheckAvailability."""
WATCH_MARKS_MAX: Final = 10_000
"""Changed cells that are remembered for the watches with one filter; one further behind gets a full picture."""
RESUMED_ROWS_MAX: Final = 1_024
"""Changed SKUs of a location that are remembered for watches that come back."""
LINES_KEPT_BYTES_MAX: Final = 64 * 2**20
"""What a gateway keeps of answered lines, bytes."""
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

CONNECTION_STREAMS_MAX: Final = 10_000
"""Calls under way on one connection; a client holds back the rest by itself."""
PING_LEAST_MS: Final = 5_000
"""Clients may ping idle connections this often, milliseconds."""
KEEPALIVE_MS: Final = 60_000
"""How often we ping a connection, to notice one that is gone, milliseconds."""
