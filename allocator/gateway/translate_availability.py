"""Reads of what can be promised, between the contract and the read model. `to_cart` is on the hot path."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message

from allocator.core.ids import is_id
from allocator.core.limits import LINES_MAX, QUANTITY_MAX, SKUS_PER_CALL_MAX
from allocator.gateway.errors import fault, too_many
from allocator.gateway.faults import Faults
from allocator.gateway.wire import bytes_tag, varint
from allocator.v1.availability_pb2 import (
    BatchGetAvailabilityRequest,
    BatchGetAvailabilityResponse,
    CheckAvailabilityRequest,
    WatchAvailabilityRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from allocator.gateway.scope import Scope
    from allocator.runtime.read_model import AvailabilityModel

M = TypeVar("M", bound=Message)

_CELLS: Final = bytes_tag(3)


def parsed(kind: type[M], data: bytes) -> M:
    """The message in a request that came as bytes.

    Raises:
        ApiError: INVALID.
    """
    try:
        return kind.FromString(data)
    except DecodeError:
        raise fault("request", f"it is no {kind.DESCRIPTOR.name}") from None


def to_cart(request: CheckAvailabilityRequest, known: Mapping[str, int]) -> dict[str, int]:
    """Units wanted by SKU, lines of the same SKU summed, in the order of first mention.

    Args:
        request: as it came.
        known: SKUs that are stocked somewhere, whose ids need no look.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    asked = request.lines
    if len(asked) > LINES_MAX:
        raise too_many("lines", len(asked), LINES_MAX)
    cart: dict[str, int] = {}
    least = 1
    for line in asked:
        sku, quantity = line.sku, line.quantity
        cart[sku] = cart.get(sku, 0) + quantity
        least = min(least, quantity)
    channel = request.channel
    sound = cart and least == 1 and max(cart.values()) <= QUANTITY_MAX and cart.keys() <= known.keys()
    if not sound or (channel and not is_id(channel)):
        _check(request, cart)
    return cart


def to_skus(
    request: BatchGetAvailabilityRequest | WatchAvailabilityRequest, known: Mapping[str, int], *, repeats: bool
) -> list[str]:
    """The SKUs that a read names, each once; `repeats` tells whether naming one twice is fine.

    Args:
        request: as it came.
        known: SKUs that are stocked somewhere, whose ids need no look.
        repeats: whether a SKU may be named twice.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    count = len(request.skus)
    if count > SKUS_PER_CALL_MAX:
        raise too_many("skus", count, SKUS_PER_CALL_MAX)
    faults = Faults()
    if not count:
        faults.add("skus", f"none; 1 to {SKUS_PER_CALL_MAX} are needed")
    named = dict.fromkeys(request.skus)
    skus = list(named)
    if not named.keys() <= known.keys():
        for n, sku in enumerate(request.skus):
            faults.id(f"skus[{n}]", sku)
    if len(skus) < count and not repeats:
        faults.add("skus", "a SKU is named twice")
    faults.optional_id("channel", request.channel)
    faults.check()
    return skus


def to_matrix(model: AvailabilityModel, scope: Scope, skus: Sequence[str], channel: str) -> bytes:
    """The matrix of what can be promised, serialised, all but the state; unknown SKUs are rows of zeros."""
    rows = np.array(list(map(model.rows.get, skus, repeat(-1))), dtype=np.int64)
    cells = model.available(rows, scope.columns, channel).astype("<i8", copy=False)
    unknown = np.flatnonzero(rows < 0).tolist()
    cells[unknown] = 0
    names = BatchGetAvailabilityResponse(skus=skus, locations=scope.names).SerializeToString()
    missing = BatchGetAvailabilityResponse(unknown_skus=[skus[n] for n in unknown]).SerializeToString()
    if not cells.size:
        return names + missing
    return b"".join((names, _CELLS, varint(cells.nbytes), cells.data, missing))


def _check(request: CheckAvailabilityRequest, cart: Mapping[str, int]) -> None:
    """Tell everything that is wrong with a cart."""
    faults = Faults()
    if not cart:
        faults.add("lines", f"none; 1 to {LINES_MAX} are needed")
    for n, line in enumerate(request.lines):
        faults.id(f"lines[{n}].sku", line.sku)
        faults.units(f"lines[{n}].quantity", line.quantity, 1, QUANTITY_MAX)
    if not faults.found:
        for sku, quantity in cart.items():
            if quantity > QUANTITY_MAX:
                faults.add("lines", f"the lines of SKU {sku!r} sum to {quantity}; at most {QUANTITY_MAX} are allowed")
    faults.optional_id("channel", request.channel)
    faults.check()
