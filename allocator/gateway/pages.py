"""Pages of lists: sizes, and opaque tokens that only fit the list and the filters they were made for."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

import msgpack

from allocator.core import codec
from allocator.gateway.errors import ApiError, fault
from allocator.gateway.limits import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX

_FORMAT: Final = b"allocator page 1"
_CHECK_BYTES: Final = 9
_TOKEN_LENGTH_MAX: Final = 512


def size(page_size: int) -> int:
    """How many items a page has: the default for 0, never more than the maximum."""
    if page_size < 0:
        raise fault("page_size", f"{page_size}; 0 or more are allowed")
    return min(page_size, PAGE_SIZE_MAX) or PAGE_SIZE_DEFAULT


def make_token(position: tuple[Any, ...], *filters: object) -> str:
    """A token for the page that begins at `position` of the list that `filters` select."""
    data = codec.pack(position)
    return base64.urlsafe_b64encode(_check(data, filters) + data).decode()


def read_token(token: str, *filters: object) -> tuple[Any, ...]:
    """The position that `make_token` was given.

    The check is against mistakes, not attacks: a position reveals and permits nothing that a request without a token
    would not.

    Raises:
        ApiError: PAGE_TOKEN_INVALID, the token is not ours or was made for another list.
    """
    if len(token) <= _TOKEN_LENGTH_MAX:
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
            check, data = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
            if check == _check(data, filters):
                position: tuple[Any, ...] = codec.unpack(data)
                return position
        except (binascii.Error, ValueError, msgpack.UnpackException):
            pass
    message = "page_token is not one of ours, or was made with other filters"
    raise ApiError("PAGE_TOKEN_INVALID", message, {"field": "page_token"})


def _check(data: bytes, filters: tuple[object, ...]) -> bytes:
    digest = hashlib.blake2b(codec.pack(filters) + data, digest_size=_CHECK_BYTES, key=_FORMAT)
    return digest.digest()
