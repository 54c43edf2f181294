"""Physical lines of a file, one at a time, whatever its length."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from adapters.formats.movement import FormatError, Place

LINE_BYTES_MAX: Final = 65_536
"""Bytes of one line; a longer one is refused, and what is beyond is not kept."""
UTF8_EXPECTED: Final = "text in UTF-8"
_BOM: Final = b"\xef\xbb\xbf"
_DIGEST_BYTES: Final = 16
_BLOCK: Final = 1 << 20


class RawLine(NamedTuple):
    """A line as it stands in the file.

    Attributes:
        number: from 1.
        end: offset in bytes of what follows it.
        raw: without line end and byte order mark; at most `LINE_BYTES_MAX`.
        whole: whether all of it is in `raw`.
    """

    number: int
    end: int
    raw: bytes
    whole: bool


def raw_lines(stream: BinaryIO, after: Place, *, bytes_max: int = LINE_BYTES_MAX) -> Iterator[RawLine]:
    """Yield the lines that follow a place; they end with LF or CRLF, the last one perhaps with neither."""
    number, end = after
    stream.seek(end)
    while piece := stream.readline(bytes_max + 2):
        number += 1
        end += len(piece)
        line = piece
        while not line.endswith(b"\n") and (rest := stream.readline(_BLOCK)):
            end += len(rest)
            line = rest
        raw = _without_end(piece).removeprefix(_BOM) if number == 1 else _without_end(piece)
        whole = len(raw) <= bytes_max and line is piece
        yield RawLine(number, end, raw[:bytes_max], whole)


def too_long(number: int) -> FormatError:
    """What is wrong with a line that is not whole."""
    return FormatError(number, "", f"at most {LINE_BYTES_MAX} bytes", "a longer line")


def content_digest(stream: BinaryIO) -> str:
    """32 hexadecimal characters that stand for the content."""
    stream.seek(0)
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    while block := stream.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


@contextmanager
def opened(file: Path | BinaryIO) -> Iterator[BinaryIO]:
    """The file as a binary stream that can seek; one opened here is closed again."""
    if isinstance(file, Path):
        with file.open("rb") as stream:
            yield stream
    else:
        yield file


def _without_end(line: bytes) -> bytes:
    return line.removesuffix(b"\n").removesuffix(b"\r")
