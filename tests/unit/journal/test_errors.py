from __future__ import annotations

import pickle

import pytest

from allocator.core.errors import AllocatorError
from allocator.journal import (
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

ERRORS = [
    CursorUnknown("erp", "dc-1"),
    Fenced("dc-1", 3, 4),
    Fenced("dc-1", 3, None),
    FormatUnknown("u.sqlite", "dc-1", 7, 2, {1}),
    JournalDamaged("u.sqlite", "dc-1", 7, "it is gone"),
    JournalLocked("data", "process 1 on here"),
    JournalUnavailable("data", "no space", "make some"),
    SettingsInvalid("unit", "", "a name"),
    ShardElsewhere("dc-1", "u", "v"),
    ShardUnknown("dc-1", "data"),
    TooLarge("dc-1", 7, 2, 1),
    Trimmed("dc-1", 7),
    VersionGap("dc-1", 7, 9),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_errors_cross_actors(error: JournalError) -> None:
    """A pickled error keeps its type, its facts and its message."""
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.args, vars(copy), str(copy)) == (type(error), error.args, vars(error), str(error))
    assert isinstance(copy, AllocatorError)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            JournalDamaged("units/u.sqlite", "dc 1", 7, "it is gone"),
            (
                "the journal units/u.sqlite is damaged: shard 'dc 1', entry 7: it is gone. "
                "To see more: allocator journal verify --shard 'dc 1'"
            ),
        ),
        (
            JournalDamaged("units/u.sqlite", "dc-1", None, "its head is missing"),
            (
                "the journal units/u.sqlite is damaged: shard 'dc-1': its head is missing. "
                "To see more: allocator journal verify --shard dc-1"
            ),
        ),
        (
            JournalDamaged("catalog.sqlite", "", None, "the file is missing"),
            "the journal catalog.sqlite is damaged: the file is missing. To see more: allocator journal verify",
        ),
        (
            FormatUnknown("u.sqlite", "dc-1", 7, 3, {2, 1}),
            (
                "the journal u.sqlite, entry 7 of shard 'dc-1': it has format 3; this build reads 1, 2. "
                "Upgrade allocator to the release that wrote it"
            ),
        ),
        (
            JournalUnavailable("data", "database or disk is full", "free space on its disk, then open it again"),
            "the journal data is unavailable: database or disk is full; free space on its disk, then open it again",
        ),
    ],
)
def test_messages_say_where_what_and_what_to_do(error: JournalError, message: str) -> None:
    """One line for whoever gets up at night."""
    assert str(error) == message
