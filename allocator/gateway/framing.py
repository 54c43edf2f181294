"""gRPC on the bytes of HTTP/2: messages with a length before them, timeouts, metadata and status in headers.

The format is that of "gRPC over HTTP2" in the documentation of gRPC.
"""

from __future__ import annotations

import binascii
import re
import zlib
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import grpc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Headers = list[tuple[bytes, bytes]]
    Metadata = tuple[tuple[str, str | bytes], ...]

CONTENT_TYPE: Final = b"application/grpc"
PREFIX: Final = 5
"""Bytes before a message: one that tells whether it is compressed, four for its length."""
TIMEOUT_DIGITS_MAX: Final = 8
ACCEPTED: Final = ("grpc-accept-encoding", "identity,deflate,gzip")

_UNIT_S: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_WINDOW_BITS: Final = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_OWN_HEADERS: Final = frozenset(
    b"te content-type content-length host x-forwarded-proto x-envoy-expected-rq-timeout-ms x-allocator-arrived"
    b" grpc-timeout grpc-encoding grpc-accept-encoding".split()
)
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_COMPRESS_LEVEL: Final = 1
KNOWN_MAX: Final = 4_096
KNOWN_BYTES_MAX: Final = 256
"""Headers that are kept decoded: so many, and none longer than this."""
_NAME: Final = re.compile(r"[a-z0-9_.-]+")


class FrameError(Exception):
    """What came is not what gRPC expects; ends the call.

    Args:
        code: the status it ends with.
        message: what is wrong.
        trailing: metadata that helps the caller.
    """

    def __init__(self, code: grpc.StatusCode, message: str, trailing: Metadata = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.trailing = trailing


def only_message(event: Mapping[str, Any], message_bytes: int) -> bytes | None:
    """The message of a call's first event when that is all of it, neither compressed nor too large; else None."""
    chunk: bytes = event.get("body", b"")
    length = len(chunk) - PREFIX
    if 0 <= length <= message_bytes and chunk[:PREFIX] == prefix(length):
        return chunk[PREFIX:]
    return None


def frame(message: bytes, encoding: bytes = b"") -> bytes:
    """A message as it goes out; compressed where `encoding` is gzip or deflate and that makes it smaller."""
    if encoding:
        packed = compress(message, encoding)
        if len(packed) < len(message):
            return b"\x01" + len(packed).to_bytes(4, "big") + packed
    return prefix(len(message)) + message


def prefix(length: int) -> bytes:
    """What stands before a message of so many bytes that is not compressed."""
    return b"\x00" + length.to_bytes(PREFIX - 1, "big")


class Unframer:
    """Takes messages out of the chunks of a body.

    Args:
        encoding: how the caller compresses: `gzip`, `deflate`, or neither.
        message_bytes: size of the largest message taken, bytes, compressed or not.
    """

    def __init__(self, encoding: bytes, message_bytes: int) -> None:
        self._encoding = encoding
        self._message_bytes = message_bytes
        self._rest = bytearray()
        self._needed = PREFIX  # how much has to be there before there is anything to do

    @property
    def pending(self) -> bool:
        """Whether a part of a message is waiting for the rest of it."""
        return bool(self._rest)

    def feed(self, chunk: bytes) -> list[bytes]:
        """The messages that are complete with `chunk`.

        Raises:
            FrameError: RESOURCE_EXHAUSTED for one that is too large, INTERNAL for one that cannot be unpacked.
        """
        data = chunk
        if self._rest:  # added to in place: a large message that comes in many chunks is copied once
            self._rest += chunk
            if len(self._rest) < self._needed:
                return []
            data = bytes(self._rest)
        messages: list[bytes] = []
        start, end, self._needed = 0, len(data), PREFIX
        while end - start >= PREFIX:
            length = int.from_bytes(data[start + 1 : start + PREFIX], "big")
            if length > self._message_bytes:
                raise too_large(length, self._message_bytes)
            after = start + PREFIX + length
            if after > end:
                self._needed = PREFIX + length
                break
            message = data[start + PREFIX : after]
            messages.append(self._unpacked(message) if data[start] else message)
            start = after
        self._rest = bytearray(data[start:])
        return messages

    def _unpacked(self, message: bytes) -> bytes:
        bits = _WINDOW_BITS.get(self._encoding)
        if bits is None:
            raise FrameError(grpc.StatusCode.INTERNAL, "a compressed message, and no grpc-encoding that says how")
        unpacker = zlib.decompressobj(bits)
        try:
            plain = unpacker.decompress(message, self._message_bytes + 1)
        except zlib.error as error:
            raise FrameError(grpc.StatusCode.INTERNAL, f"a message cannot be decompressed: {error}") from None
        if len(plain) > self._message_bytes:
            raise too_large(len(plain), self._message_bytes)
        if not unpacker.eof:
            raise FrameError(grpc.StatusCode.INTERNAL, "a compressed message is cut short")
        return plain


def too_large(length: int, message_bytes: int) -> FrameError:
    """The error for a message over the limit."""
    text = f"a message of {length} bytes or more is larger than the limit of {message_bytes} bytes"
    return FrameError(grpc.StatusCode.RESOURCE_EXHAUSTED, text)


def compress(message: bytes, encoding: bytes) -> bytes:
    """`message` compressed as `encoding`, gzip or deflate."""
    packer = zlib.compressobj(_COMPRESS_LEVEL, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return packer.compress(message) + packer.flush()


def compresses(encoding: bytes) -> bool:
    """Whether `encoding` names a compression that is known here."""
    return encoding in _WINDOW_BITS


def timeout_s(value: bytes) -> float | None:
    """Seconds in a `grpc-timeout`; None when it is not one."""
    unit_s = _UNIT_S.get(value[-1:])
    digits = value[:-1]
    if unit_s is None or not digits.isdigit() or len(digits) > TIMEOUT_DIGITS_MAX:
        return None
    return int(digits) * unit_s


known: dict[tuple[bytes, bytes], Metadata] = {}
"""Headers seen before, decoded: most of them come with every call of a client."""


def metadata_of(headers: Iterable[tuple[bytes, bytes]]) -> Metadata:
    """The caller's metadata as grpcio gives it: names are str, values of `-bin` names are bytes."""
    told: list[tuple[str, str | bytes]] = []
    for header in headers:
        entries = known.get(header)
        if entries is None:
            name, value = header
            if name in _OWN_HEADERS or name[:1] == b":":
                continue
            entries = _entries(name, value)
            if len(name) + len(value) <= KNOWN_BYTES_MAX:
                if len(known) >= KNOWN_MAX:
                    known.clear()
                known[header] = entries
        told += entries
    return tuple(told)


def _entries(name: bytes, value: bytes) -> Metadata:
    """One entry; of a `-bin` name as many as there are between commas, which is how proxies join them."""
    key = name.decode("ascii", "replace")
    if name.endswith(b"-bin"):
        return tuple((key, _from_base64(part)) for part in value.split(b","))
    try:
        return ((key, value.decode()),)
    except UnicodeDecodeError:
        return ((key, value.decode("latin-1")),)


def _from_base64(text: bytes) -> bytes:
    """Bytes of base64 with padding or without; none where it is not base64."""
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return b""


def headers_of(metadata: Iterable[tuple[str, str | bytes]]) -> Headers:
    """Metadata as headers: values of `-bin` names go out as base64 without padding.

    Raises:
        FrameError: INTERNAL for what cannot be a header.
    """
    headers: Headers = []
    for name, value in metadata:
        key = _names.get(name)
        if key is not None and type(value) is str and value.isascii() and value.isprintable() and key[-4:] != b"-bin":
            headers.append((key, value.encode()))  # by far the commonest
        else:
            headers.append(_header(name, value))
    return headers


def _header(name: str, value: str | bytes) -> tuple[bytes, bytes]:
    key = _names.get(name) or _checked_name(name)
    if name.endswith("-bin"):
        data = value if isinstance(value, bytes) else value.encode()
        return key, binascii.b2a_base64(data, newline=False).rstrip(b"=")
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    if not (text.isascii() and text.isprintable()):
        raise FrameError(grpc.StatusCode.INTERNAL, "Invalid metadata")
    return key, text.encode()


_names: dict[str, bytes] = {}
"""Names of metadata that went out before, checked and encoded."""


def _checked_name(name: str) -> bytes:
    if _NAME.fullmatch(name) is None:
        raise FrameError(grpc.StatusCode.INTERNAL, "Invalid metadata")
    if len(_names) >= KNOWN_MAX:
        _names.clear()
    key = _names[name] = name.encode()
    return key


def is_grpc(content_type: bytes) -> bool:
    """Whether this is the content type of gRPC: bare, with a format or with parameters; not that of gRPC-Web."""
    bare = len(CONTENT_TYPE)
    return content_type == CONTENT_TYPE or (
        content_type[:bare] == CONTENT_TYPE and content_type[bare : bare + 1] in b"+;"
    )


def status_headers(code: grpc.StatusCode, details: str) -> Headers:
    """How a call ended, as headers."""
    headers: Headers = [(b"grpc-status", b"%d" % code.value[0])]
    if details:
        headers.append((b"grpc-message", quote(details, safe=_PRINTABLE, errors="replace").encode()))
    return headers
