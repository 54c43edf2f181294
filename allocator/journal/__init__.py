"""The durable journal: logs and snapshots in SQLite or PostgreSQL, behind one small port."""

from __future__ import annotations

from allocator.journal.errors import (
    CursorUnknown,
    Fenced,
    FormatUnknown,
    JournalDamaged,
    JournalError,
    JournalLocked,
    JournalUnavailable,
    SettingsInvalid,
    ShardElsewhere,
    ShardUnknown,
    TooLarge,
    Trimmed,
    VersionGap,
)
from allocator.journal.lock import ServiceLock
from allocator.journal.port import (
    Cursor,
    Damage,
    Entry,
    EntryDetail,
    Journal,
    JournalReader,
    Opened,
    ShardStatus,
    Snapshot,
    Write,
)
from allocator.journal.regroup import Moved
from allocator.journal.store import JournalSettings, JournalStore

__all__ = [
    "Cursor",
    "CursorUnknown",
    "Damage",
    "Entry",
    "EntryDetail",
    "Fenced",
    "FormatUnknown",
    "Journal",
    "JournalDamaged",
    "JournalError",
    "JournalLocked",
    "JournalReader",
    "JournalSettings",
    "JournalStore",
    "JournalUnavailable",
    "Moved",
    "Opened",
    "ServiceLock",
    "SettingsInvalid",
    "ShardElsewhere",
    "ShardStatus",
    "ShardUnknown",
    "Snapshot",
    "TooLarge",
    "Trimmed",
    "VersionGap",
    "Write",
]
