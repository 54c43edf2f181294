"""Named maxima of the journal. Going over one is a clear error, never a silent cut."""

from __future__ import annotations

from typing import Final

MIB: Final = 1024 * 1024

ENTRY_BYTES_MAX: Final = 64 * MIB
"""Payload of one entry, bytes."""
SNAPSHOT_BYTES_MAX: Final = 4096 * MIB
"""Payload of one snapshot, bytes."""
SNAPSHOT_CHUNK_BYTES: Final = MIB
"""Payload of one row of a snapshot, bytes. An append that meets a snapshot waits for one such row at most."""
SHARD_LENGTH_MAX: Final = 128
"""Characters of a shard's name."""
UNIT_FILE_LENGTH_MAX: Final = 200
"""Bytes of a unit's name once it is a file name (the file system's limit is 255, with suffixes)."""
CURSOR_LENGTH_MAX: Final = 128
"""Characters of a cursor's name."""
READ_BYTES_MAX: Final = 64 * MIB
"""Payload bytes one `read` gathers before it stops early; it always returns one entry at least."""
READER_UNITS_MAX: Final = 32
"""Unit files a reader keeps open."""
CUT_ROWS_MAX: Final = 500
"""Entries one transaction of a cut deletes."""
STALE_CHUNKS_MAX: Final = 8
"""Rows of old snapshots one transaction deletes."""
VERIFY_ROWS_MAX: Final = 500
"""Entries `verify` reads in one transaction, so that it never holds one open for long."""
CHECK_LINES_MAX: Final = 100
"""Findings taken over from SQLite's own check of a damaged file."""

BUSY_TIMEOUT_S: Final = 10
"""How long a writer waits for another process that holds the SQLite file, or the row of PostgreSQL."""
CONNECT_TIMEOUT_S: Final = 5
"""How long connecting to PostgreSQL may take."""
STATEMENT_TIMEOUT_S: Final = 60
"""How long one statement may take on PostgreSQL."""
IDLE_TRANSACTION_TIMEOUT_S: Final = 30
"""After this PostgreSQL ends the transaction of a frozen writer, so that its successor need not wait."""
