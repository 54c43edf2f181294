"""Reads of what can be promised, between the contract and the read model. `fill_check` is on the hot path."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np

from allocator.core.commands import Lines, merge_lines
from allocator.core.ids import is_id
from allocator.core.limits import LINES_MAX, QUANTITY_MAX, SKUS_PER_CALL_MAX
from allocator.gateway.errors import sku_unknown, too_many
from allocator.gateway.faults import Faults
from allocator.gateway.limits import CELLS_MAX
from allocator.gateway.times import age
from allocator.v1.availability_pb2 import (
    BatchGetAvailabilityRequest,
    BatchGetAvailabilityResponse,
    CheckAvailabilityRequest,
    CheckAvailabilityResponse,
    WatchAvailabilityRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allocator.gateway.promises import Promise
    from allocator.gateway.scope import Scope
    from allocator.runtime.read_model import AvailabilityModel

STATE_AGE_MAX_S: Final = 0.001
"""How long a told state is told again as it was: ages are off by this at most."""
_STATES_MAX: Final = 256


def to_lines(request: CheckAvailabilityRequest) -> Lines:
    """The cart to check, lines of the same SKU summed.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    asked = request.lines
    if len(asked) > LINES_MAX:
        raise too_many("lines", len(asked), LINES_MAX)
    lines = merge_lines(tuple([(line.sku, line.quantity) for line in asked]))
    channel = request.channel
    if not lines or not _sound(lines) or (channel and not is_id(channel)):
        _check(request, lines)
    return lines


def to_skus(request: BatchGetAvailabilityRequest | WatchAvailabilityRequest, *, repeats: bool) -> list[str]:
    """The SKUs that a read names, each once; `repeats` tells whether naming one twice is fine.

    Raises:
        ApiError: INVALID or BATCH_TOO_LARGE.
    """
    count = len(request.skus)
    if count > SKUS_PER_CALL_MAX:
        raise too_many("skus", count, SKUS_PER_CALL_MAX)
    faults = Faults()
    if not count:
        faults.add("skus", f"none; 1 to {SKUS_PER_CALL_MAX} are needed")
    skus = list(dict.fromkeys(request.skus))
    if not all(map(is_id, skus)):
        for n, sku in enumerate(request.skus):
            faults.id(f"skus[{n}]", sku)
    if len(skus) < count and not repeats:
        faults.add("skus", "a SKU is named twice")
    faults.optional_id("channel", request.channel)
    faults.check()
    return skus


class StateTeller:
    """Tells with each answer which versions it is based on and how fresh they are.

    That is as much work as the answer itself, and the same for all answers of a moment: it is made once and kept,
    in serialised form, until a version moves or `STATE_AGE_MAX_S` is over.
    """

    def __init__(self, model: AvailabilityModel, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._model = model
        self._monotonic_s = monotonic_s
        self._moves = 0
        self._checks: dict[tuple[str, ...], tuple[int, float, bytes]] = {}
        model.listeners.append(self._moved)

    def fill_check(self, response: CheckAvailabilityResponse, scope: Scope) -> None:
        """Write the state into `response`, from what is kept when that is of this moment."""
        now_s = self._monotonic_s()
        kept = self._checks.get(scope.names)
        if kept is None or kept[0] != self._moves or now_s - kept[1] > STATE_AGE_MAX_S:
            state = CheckAvailabilityResponse()
            self.fill(state, scope)
            if len(self._checks) >= _STATES_MAX:
                self._checks.clear()
            kept = self._checks[scope.names] = self._moves, now_s, state.SerializeToString()
        response.MergeFromString(kept[2])

    def fill(self, response: CheckAvailabilityResponse | BatchGetAvailabilityResponse, scope: Scope) -> None:
        """Write the state into `response`, in the order of `scope`."""
        model = self._model
        add_version, add_age = response.versions.add, response.ages.add
        for location, name in zip(scope.locations, scope.names, strict=True):
            add_version(location=name, version=model.version(location) or 0)
            add_age(location=name, age=age(model.age_s(location)))

    def _moved(self, location: str, rows: object) -> None:  # noqa: ARG002  # a listener of the model
        self._moves += 1


def fill_check(
    response: CheckAvailabilityResponse,
    model: AvailabilityModel,
    scope: Scope,
    lines: Lines,
    channel: str,
    promise: Promise | None = None,
) -> None:
    """Write what can be promised of each line into `response`: from stock, or for the date of `promise`.

    Raises:
        ApiError: SKU_UNKNOWN or BATCH_TOO_LARGE.
    """
    if len(lines) * len(scope.names) > CELLS_MAX:
        raise too_many("lines", len(lines) * len(scope.names), CELLS_MAX, "lines times locations")
    known = model.rows
    rows = []
    for sku, _ in lines:
        row = known.get(sku)
        if row is None:
            raise sku_unknown(sku)
        rows.append(row)
    names = scope.names
    all_sufficient = True
    add_line = response.lines.add
    if promise is None:
        cells = model.available(np.array(rows), scope.columns, channel).tolist()
    else:
        cells = model.promised(np.array(rows), scope.columns, channel, *promise).tolist()
    for (sku, requested), units in zip(lines, cells, strict=True):
        total = sum(units)
        sufficient = total >= requested
        all_sufficient &= sufficient
        line = add_line(sku=sku, requested=requested, sufficient=sufficient, total=total)
        if total:
            add_quantity = line.quantities.add
            for name, available in zip(names, units, strict=True):
                if available:
                    add_quantity(location=name, available=available)
    response.sufficient = all_sufficient


def fill_matrix(
    response: BatchGetAvailabilityResponse,
    model: AvailabilityModel,
    scope: Scope,
    skus: Sequence[str],
    channel: str,
) -> None:
    """Write the matrix of what can be promised into `response`; unknown SKUs are rows of zeros."""
    rows = np.array([model.rows.get(sku, -1) for sku in skus])
    cells = model.available(rows, scope.columns, channel)
    unknown = rows < 0
    cells[unknown] = 0
    response.skus.extend(skus)
    response.locations.extend(scope.names)
    response.cells = cells.astype("<i8", copy=False).tobytes()
    response.unknown_skus.extend([skus[n] for n in np.flatnonzero(unknown).tolist()])


def _sound(lines: Lines) -> bool:
    return all(0 < quantity <= QUANTITY_MAX and is_id(sku) for sku, quantity in lines)


def _check(request: CheckAvailabilityRequest, merged: Lines) -> None:
    """Tell everything that is wrong with a cart."""
    faults = Faults()
    if not merged:
        faults.add("lines", f"none; 1 to {LINES_MAX} are needed")
    for n, line in enumerate(request.lines):
        faults.id(f"lines[{n}].sku", line.sku)
        faults.units(f"lines[{n}].quantity", line.quantity, 1, QUANTITY_MAX)
    if not faults.found:
        for sku, quantity in merged:
            if quantity > QUANTITY_MAX:
                faults.add("lines", f"the lines of SKU {sku!r} sum to {quantity}; at most {QUANTITY_MAX} are allowed")
    faults.optional_id("channel", request.channel)
    faults.check()
