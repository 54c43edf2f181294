"""What an answer says, read from its first bytes: a load process has no time to parse each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_FIRST_NUMBER: Final = 0x08
"""The tag of field 1 as a varint. Serialisers write fields in the order of their numbers."""


def first_number(message: bytes) -> int:
    """Field 1 of a message when that is a number, an enum or a bool below 128; 0 when it is not set."""
    return message[1] if len(message) > 1 and message[0] == _FIRST_NUMBER else 0


def words(enum: Iterable[tuple[str, int]]) -> dict[int, str]:
    """What the numbers of an enum of the API are called, without its name: RESERVE_STATUS_HELD is HELD.

    Args:
        enum: its `items()`.
    """
    return {int(number): name.rpartition("STATUS_")[2] for name, number in enum}
