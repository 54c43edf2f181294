"""Requests made beforehand: the bytes around the one id in them that has to be new each time."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from allocator.v1 import reservation_pb2 as pb

PLACE: Final = b"00000000-0000-0000-0000-000000000000"
"""Where the id goes: a UUID is as long."""
FIRST_FIELD: Final = b"\x0a"
"""The tag of field 1 as bytes: an element of a batch, or what a message of a stream carries."""
TTL_S: Final = 4 * 3600
CONTINUED: Final = 0x80
"""Set in each byte of a varint but the last, which has 7 bits of the number."""
SPREAD: Final = 0x9E3779B1
"""An odd number: its multiples modulo 2**32 are all different, and far from each other, as random ids are."""

Template = tuple[bytes, bytes]
"""What comes before the id, and after it."""


def template(message: Message) -> Template:
    """Of a message that has `PLACE` in it once."""
    before, after = message.SerializeToString().split(PLACE)
    return before, after


def element(message: Message) -> Template:
    """Of a message as field 1 of another."""
    data = message.SerializeToString()
    before, after = (FIRST_FIELD + varint(len(data)) + data).split(PLACE)
    return before, after


def reserve(lines: Sequence[tuple[str, str]]) -> pb.ReserveRequest:
    """One unit of each (location, SKU), to be made a template."""
    asked = [pb.ReserveLine(sku=sku, quantity=1, location=f"locations/{location}") for location, sku in lines]
    return pb.ReserveRequest(lines=asked, request_id=PLACE.decode(), ttl=Duration(seconds=TTL_S))


def new_ids() -> Iterator[bytes]:
    """Ids that nobody had before, as long as `PLACE` and spread like random ones, at a fraction of the cost."""
    rest = str(uuid.uuid4())[8:].encode()
    return (b"%08x%b" % (i * SPREAD & 0xFFFFFFFF, rest) for i in itertools.count())


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number >= CONTINUED:
        out.append(number % CONTINUED | CONTINUED)
        number >>= 7
    out.append(number)
    return bytes(out)
