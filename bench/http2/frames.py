"""Frames of HTTP/2 (RFC 9113, section 6), and the bytes of a unary gRPC request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x01
ACK: Final = 0x01
END_HEADERS: Final = 0x04
PADDED: Final = 0x08
PRIORITISED: Final = 0x20

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES: Final = 9
PREFIX_BYTES: Final = 5
"""Of a gRPC message: whether it is compressed, and its length."""
FRAME_BYTES_MAX: Final = 16_384
"""Largest payload unless the peer allows more."""
WINDOW_BYTES: Final = 65_535
"""A window before anybody said anything."""
WINDOW_BYTES_MAX: Final = 2**31 - 1
CANCEL: Final = 8

HEAD: Final = Struct(">IBI")
"""Length and type in one word, flags, stream."""
HEAD_AND_PREFIX: Final = Struct(">IBIBI")
_PREFIX: Final = Struct(">BI")
_SETTING: Final = Struct(">HI")
_WORD: Final = Struct(">I")
_STREAM_MASK: Final = 0x7FFFFFFF


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview = b"") -> bytes:
    """A whole frame."""
    return HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def settings(values: Mapping[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*item) for item in values.items()))


def read_settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """The settings of a frame, in order."""
    return _SETTING.iter_unpack(payload)


def window_update(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream, _WORD.pack(increment))


def reset(stream: int, error: int) -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, _WORD.pack(error))


def word(payload: bytes, at: int = 0) -> int:
    """31 bits: an increment, an error code or a stream."""
    (value,) = _WORD.unpack_from(payload, at)
    return int(value) & _STREAM_MASK


def message(payload: bytes) -> bytes:
    """A gRPC message as it goes into DATA frames, not compressed."""
    return _PREFIX.pack(0, len(payload)) + payload


def messages(body: bytes) -> Iterator[bytes]:
    """The gRPC messages of a body.

    Raises:
        ValueError: one is compressed, or cut off.
    """
    at = 0
    while at < len(body):
        if len(body) - at < PREFIX_BYTES:
            raise ValueError("the body ends within the length of a message")
        compressed, length = _PREFIX.unpack_from(body, at)
        at += PREFIX_BYTES
        if compressed or at + length > len(body):
            raise ValueError("a message is compressed" if compressed else "the body ends within a message")
        yield body[at : at + length]
        at += length


def without_padding(flags: int, payload: bytes) -> bytes:
    """The payload of a HEADERS or DATA frame without padding and priority.

    Raises:
        ValueError: more padding than payload.
    """
    start, end = 0, len(payload)
    if flags & PADDED:
        start, end = 1, end - payload[0]
    if flags & PRIORITISED:
        start += 5
    if start > end:
        raise ValueError("more padding than payload")
    return payload[start:end]
