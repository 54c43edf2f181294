"""Protobuf's wire format by hand, for the few answers where filling a message costs more than finding what to tell.

A message is its fields one after the other: a tag (number and kind), then a varint, or a length and so many bytes. Here
they come in the order of their numbers and zeros are left out, so the bytes are those the library would make.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

_VARINT: Final = 0
_BYTES: Final = 2
_SHORT_MAX: Final = 1 << 14
"""Varints below this are one or two bytes, and made beforehand: quantities and lengths mostly are."""
ONE_BYTE: Final = 128
"""Varints below this are one byte."""
_LONGEST: Final = 10


def _encoded(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= ONE_BYTE:
        out.append(value & (ONE_BYTE - 1) | ONE_BYTE)
        value >>= 7
    out.append(value)
    return bytes(out)


SHORT: Final = tuple(map(_encoded, range(_SHORT_MAX)))
"""The varints of 0 to 16,383, by value."""


_BYTES_TAGS: Final = tuple(_encoded(number << 3 | _BYTES) for number in range(64))
"""By the number of the field; ours have no more."""


def varint(value: int) -> bytes:
    """An int64 as a varint."""
    return SHORT[value] if 0 <= value < _SHORT_MAX else _encoded(value)


def int_tag(number: int) -> bytes:
    """What stands before the varint of field `number`."""
    return varint(number << 3 | _VARINT)


def bytes_tag(number: int) -> bytes:
    """What stands before the length of field `number`, when that is a text, bytes or a message."""
    return _BYTES_TAGS[number]


def int_field(number: int, value: int) -> bytes:
    """An integer or bool; nothing when it is 0."""
    return int_tag(number) + varint(value) if value else b""


def bytes_field(number: int, value: bytes) -> bytes:
    """Bytes, a text in UTF-8 or a message, also when it is empty."""
    length = len(value)
    return _BYTES_TAGS[number] + (SHORT[length] if length < _SHORT_MAX else _encoded(length)) + value


def only_bytes_field(number: int, message: bytes) -> bytes | None:
    """What is in field `number` of a message that is nothing but this field; None when it is not that."""
    tag = bytes_tag(number)
    if not message.startswith(tag):
        return None
    for at in range(len(tag) + 1, min(len(message), len(tag) + _LONGEST) + 1):
        if message[at - 1] < ONE_BYTE:  # the last byte of the length
            return message[at:] if message[len(tag) : at] == varint(len(message) - at) else None
    return None


class Counted(NamedTuple):
    """All of a message `{1: name, 2: number}` that is a field of another one, up to its varint.

    That is the same for all numbers whose varints are equally long: `by_length` of it, from 0 for no number.
    """

    by_length: tuple[bytes, ...]

    def field(self, number: int) -> bytes:
        """The whole field."""
        if not number:
            return self.by_length[0]
        encoded = varint(number)
        return self.by_length[len(encoded)] + encoded


@lru_cache(maxsize=4 * 16_384)  # a few kinds of field for more locations than a network may have
def counted(number: int, name: str) -> Counted:
    """What stands before the number in field `number` when its message names `name`."""
    named = bytes_field(1, name.encode())
    before = [named, *[named + int_tag(2)] * _LONGEST]
    return Counted(tuple(bytes_tag(number) + varint(len(part) + n) + part for n, part in enumerate(before)))
