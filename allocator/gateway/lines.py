"""Lines of CheckAvailability as they go over the wire: requests cut into them, answers made of them."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from google.protobuf.message import DecodeError

from allocator.core.limits import QUANTITY_MAX
from allocator.gateway.wire import ONE_BYTE, SHORT, Counted, bytes_tag, counted, int_field, int_tag, varint
from allocator.v1.availability_pb2 import AvailabilityLine

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from allocator.gateway.scope import Scope

Place = tuple[tuple[bytes, ...], Counted]

_ASKED_TAG: Final = bytes_tag(1)[0]
_SUFFICIENT: Final = int_field(1, 1)
_SHORTEST: Final = 4
"""Bytes of a line with an empty SKU and no quantity."""
_ANSWER: Final = bytes_tag(2)
_SKU: Final = bytes_tag(1)
_REQUESTED: Final = int_tag(2)
_COVERED: Final = int_field(3, 1)
_TOTAL: Final = 4
_QUANTITIES: Final = 5


class Line(NamedTuple):
    """The answer to one line: its SKU, whether it is covered, and the field `lines` of the answer."""

    sku: str
    sufficient: bool
    told: bytes


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """A request cut into the fields `lines` at its beginning, as all libraries write it, and what stands behind them.

    A field that is longer than a line can be, or that has no end, counts as what stands behind.
    """
    lines = []
    at, end = 0, len(data)
    while at + 1 < end and data[at] == _ASKED_TAG and (length := data[at + 1]) < ONE_BYTE:
        behind = at + 2 + length
        lines.append(data[at:behind])
        at = behind
    return lines, data[at:]


def parse(line: bytes) -> tuple[str, int] | None:
    """SKU and quantity of one of the lines that `split` found; None when it is malformed or out of range."""
    behind = 4 + line[3] if len(line) > _SHORTEST else 0
    if len(line) == 2 + line[1] == behind + 2 and line[2:3] == _SKU and line[behind : behind + 1] == _REQUESTED:
        with suppress(UnicodeDecodeError):
            sku, quantity = line[4:behind].decode(), line[-1]
            return (sku, quantity) if 0 < quantity < ONE_BYTE else None
    try:
        asked = AvailabilityLine.FromString(line[2:])
    except DecodeError:
        return None
    sku, quantity = asked.sku, asked.quantity
    return (sku, quantity) if 0 < quantity <= QUANTITY_MAX and len(line) == 2 + line[1] else None


def fields(lines: Sequence[Line]) -> tuple[bytes, ...] | None:
    """The fields `sufficient` and `lines` of an answer of one line or more; None when two of them have the same SKU."""
    skus, sufficient, told = zip(*lines)  # noqa: B905  # to be strict takes a tenth of all this
    if len(set(skus)) < len(skus):
        return None
    return (_SUFFICIENT, *told) if all(sufficient) else told


def answers(scope: Scope, asked: Iterable[tuple[str, int]], cells: NDArray[np.int64]) -> list[Line]:
    """The answer to each line, from its row of `cells`: 0 or more, int64, shape (lines, locations of the scope)."""
    places = list(map(place_of, scope.names))
    return [_answer(sku, wanted, places, units) for (sku, wanted), units in zip(asked, cells.tolist(), strict=True)]


def _answer(sku: str, requested: int, places: Sequence[Place], units: Sequence[int]) -> Line:
    total = sum(units)
    sufficient = total >= requested
    name = sku.encode()
    quantities = [
        small[available] if available < ONE_BYTE else counted.field(available)
        for (small, counted), available in zip(places, units, strict=True)
        if available
    ]
    parts = (_SKU, SHORT[len(name)], name, _REQUESTED, varint(requested), _COVERED if sufficient else b"")
    answer = b"".join((*parts, int_field(_TOTAL, total), *quantities))
    return Line(sku, sufficient, b"".join((_ANSWER, varint(len(answer)), answer)))


@lru_cache(maxsize=16_384)  # more than a network may have locations
def place_of(name: str) -> Place:
    """How a location stands in a line: whole for up to 127 units, and up to the number for more."""
    quantity = counted(_QUANTITIES, name)
    return tuple(map(quantity.field, range(ONE_BYTE))), quantity
