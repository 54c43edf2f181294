"""Header blocks: those of requests made once, those of answers decoded once."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Final

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hpack import Decoder, Encoder, HPACKError

from bench.http2.calls import Kind

KNOWN_MAX: Final = 1_024
"""Blocks of answers remembered; their dates change every second, so forgotten blocks are mostly old."""
TABLE_BYTES_MAX: Final = 4_096
OK: Final = "OK"
OPENING: Final = ""
"""What the first block of an answer says: nothing yet."""
RETRY: Final = " with RetryInfo"
"""After the name of a status whose details say when to come back."""
DETAILS: Final = "grpc-status-details-bin"
_NAMES: Final = {str(code.value[0]): code.name for code in grpc.StatusCode}


class RequestBlocks:
    """Blocks of one connection, in the order they are sent.

    The first one of a kind teaches the peer its headers, the later ones name them by number. What is taught moves the
    numbers of everything taught before, so all blocks are made again then.
    """

    def __init__(self, authority: str, timeout_s: float) -> None:
        self._encoder = Encoder()
        self._common = (
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", "allocator-bench"),
            ("grpc-accept-encoding", "identity"),
            ("grpc-timeout", f"{round(timeout_s * 1e3)}m"),
        )
        self._authority = authority
        self._blocks: dict[Kind, bytes] = {}

    def limit_table(self, size: int) -> None:
        """Keep to the table the peer offers."""
        self._encoder.header_table_size = min(size, TABLE_BYTES_MAX)
        self._blocks.clear()

    def block(self, kind: Kind) -> bytes:
        """The block of the next request of a kind, which has to be the next one sent."""
        known = self._blocks.get(kind)
        return self._encode(kind) if known is None else known

    def _encode(self, kind: Kind) -> bytes:
        table = self._encoder.header_table
        resized, before = table.resized, tuple(table.dynamic_entries)
        pseudo = (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", kind.path),
            (":authority", self._authority),
        )
        block = self._encoder.encode((*pseudo, *self._common, *kind.metadata))
        if resized or before != tuple(table.dynamic_entries):
            self._blocks.clear()
        else:
            self._blocks[kind] = block
        return block


class AnswerBlocks:
    """What blocks of answers say. The peer keeps no table for them, so equal bytes say the same on every connection.

    A block that begins with status OK says OK, whatever follows: decoding ids that are never the same would take
    this generator longer than all else it does for an answer.
    """

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._decoder.header_table_size = self._decoder.max_allowed_table_size = 0
        self._ok: tuple[bytes, ...] = ()
        self.known: dict[bytes, str] = {}

    def status(self, block: bytes) -> str:
        """The name of the status a block ends its call with; "" when it ends none."""
        if block.startswith(self._ok):
            return OK
        status = self.known.get(block)
        if status is None:
            status = self._decode(block)
            if status == OK:
                self._learn_ok(block)
            if len(self.known) >= KNOWN_MAX:
                self.known.clear()
            self.known[block] = status
        return status

    def _learn_ok(self, block: bytes) -> None:
        """Remember the bytes of the first field when it is the status: a peer writes it the same every time."""
        for end in range(1, len(block) + 1):
            with suppress(HPACKError):
                fields = [(str(name), str(value)) for name, value in self._decoder.decode(block[:end])]
                if fields == [("grpc-status", "0")]:
                    self._ok += (block[:end],)
                if fields:
                    return

    def _decode(self, block: bytes) -> str:
        headers = {str(name): str(value) for name, value in self._decoder.decode(block)}
        if (status := headers.get("grpc-status")) is not None:
            return _NAMES.get(status, f"STATUS_{status}") + (RETRY if _says_when(headers.get(DETAILS, "")) else "")
        if (status := headers.get(":status", "200")) != "200":
            return f"HTTP_{status}"
        return OPENING


def _says_when(details: str) -> bool:
    """Whether there is a RetryInfo among the details of a status."""
    data = base64.b64decode(details + "=" * (-len(details) % 4))
    return any(detail.Is(RetryInfo.DESCRIPTOR) for detail in Status.FromString(data).details)
