"""Names that become keys and file names."""

from __future__ import annotations

from allocator.journal.errors import SettingsInvalid
from allocator.journal.limits import CURSOR_LENGTH_MAX, SHARD_LENGTH_MAX


def checked_shard(shard: str) -> str:
    """Return the shard's name.

    Raises:
        SettingsInvalid: it is empty, too long or not printable.
    """
    return _checked("shard", shard, SHARD_LENGTH_MAX)


def checked_cursor(name: str) -> str:
    """Return the cursor's name.

    Raises:
        SettingsInvalid: it is empty, too long or not printable.
    """
    return _checked("cursor", name, CURSOR_LENGTH_MAX)


def _checked(what: str, name: str, length_max: int) -> str:
    if not (1 <= len(name) <= length_max and name.isprintable()):
        raise SettingsInvalid(what, name, f"1 to {length_max} printable characters")
    return name
