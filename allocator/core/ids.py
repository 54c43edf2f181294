"""Names and ids: one pattern for locations, SKUs, channels, reservations and order references."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

from allocator.core.limits import REQUEST_ID_LENGTH_MAX

ID_PATTERN: Final = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}"
"""What an id looks like; also stated in the contract."""

_ID = re.compile(ID_PATTERN)
_REQUEST_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/-]{{0,{REQUEST_ID_LENGTH_MAX - 1}}}")
_HOME_KEY_LENGTH: Final = 12
_BASE32: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def is_id(text: str) -> bool:
    """Whether `text` may name a location, SKU, channel, reservation or order."""
    return _ID.fullmatch(text) is not None


def is_request_id(text: str) -> bool:
    """Whether `text` may be a request id: an id of at most 36 characters."""
    return _REQUEST_ID.fullmatch(text) is not None


@lru_cache(maxsize=16_384)  # more than a network may have locations
def home_key(location: str) -> str:
    """Twelve characters (60 bits of BLAKE2b) that stand for a location at the front of its reservations' ids."""
    number = int.from_bytes(hashlib.blake2b(location.encode(), digest_size=8).digest(), "big")
    return "".join(_BASE32[(number >> (5 * place)) & 31] for place in range(_HOME_KEY_LENGTH))


def reservation_id(location: str, request_id: str) -> str:
    """The id of the reservation that `request_id` makes at its home location.

    It is a function of both, so a retry through any gateway means the same reservation, and the name alone tells
    which location decides its fate.
    """
    return f"{home_key(location)}-{request_id}"


def home_of(reservation: str) -> str:
    """The home key at the front of a reservation id ("" when it has none)."""
    key, dash, _ = reservation.partition("-")
    return key if dash else ""
