"""CheckAvailability from bytes to bytes: this is the hottest path there is.

What can be promised of a SKU changes much less often than it is asked for, and most calls ask at the same few places.
So the answer to a line is kept as it goes over the wire, by the line as it came over the wire, until the row of its SKU
changes at a location of the scope. A cart whose lines are kept costs a look for each; no message is parsed or made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np
from google.protobuf.message import DecodeError

from allocator.core.ids import is_id
from allocator.core.limits import LINES_MAX
from allocator.gateway.errors import ApiError, sku_unknown, too_many
from allocator.gateway.limits import CELLS_MAX, LINES_KEPT_BYTES_MAX
from allocator.gateway.lines import answers, fields, parse, split
from allocator.v1.availability_pb2 import CheckAvailabilityRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from allocator.gateway.lines import Line
    from allocator.gateway.promises import Promise
    from allocator.gateway.scope import Scope, Scopes
    from allocator.runtime.read_model import AvailabilityModel

_PLACES_MAX: Final = 256
_OVERHEAD: Final = 400
"""Bytes a kept line takes besides its own, about."""


class _Place:
    """Where and on which channel calls ask, and the answers kept of it, by line as it came."""

    __slots__ = ("channel", "kept", "lines_max", "of_sku", "scope")

    def __init__(self, scope: Scope, channel: str) -> None:
        self.scope = scope
        self.lines_max = min(LINES_MAX, CELLS_MAX // (len(scope.names) or 1))
        self.channel = channel
        self.kept: dict[bytes, Line] = {}
        self.of_sku: dict[str, list[bytes]] = {}


class Checker:
    """Answers checks from the read model, and from the lines it keeps."""

    def __init__(self, model: AvailabilityModel, scopes: Scopes) -> None:
        self._model = model
        self._scopes = scopes
        self._version = scopes.version
        self._places: dict[bytes, _Place] = {}
        self._by_location: dict[str, list[_Place]] = {}
        self.kept_bytes = 0
        model.listeners.append(self._moved)

    def glance(self, data: bytes) -> tuple[tuple[bytes, ...], Scope] | None:
        """The fields of the answer to a serialised request, all but the state, and its scope.

        None when it takes a closer look: it is wrong, or waits for a version, or asks for a date, or names a SKU twice,
        or is not written as usual.
        """
        lines, rest = split(data)
        if self._version != self._scopes.version:
            self._clear()
            self._version = self._scopes.version
        place = self._places.get(rest) or self._add(rest)
        if place is None or not 0 < len(lines) <= place.lines_max:
            return None
        found = list(map(place.kept.get, lines))
        if not all(found) and not self._complete(place, lines, found):
            return None
        answer = fields(cast("list[Line]", found))
        return None if answer is None else (answer, place.scope)

    def check(self, scope: Scope, cart: Mapping[str, int], channel: str, promise: Promise | None = None) -> bytes:
        """The answer to a request that was looked at, all but the state.

        Args:
            scope: where to look.
            cart: units wanted by SKU.
            channel: sales channel, "" for none.
            promise: tell for its date; None: from stock.

        Raises:
            ApiError: SKU_UNKNOWN or BATCH_TOO_LARGE.
        """
        if len(cart) * len(scope.names) > CELLS_MAX:
            raise too_many("lines", len(cart) * len(scope.names), CELLS_MAX, "lines times locations")
        known = self._model.rows
        for sku in cart:
            if sku not in known:
                raise sku_unknown(sku)
        rows = np.array([known[sku] for sku in cart], dtype=np.int64)
        if promise is None:
            cells = self._model.available(rows, scope.columns, channel)
        else:
            cells = self._model.promised(rows, scope.columns, channel, *promise)
        return b"".join(cast("tuple[bytes, ...]", fields(answers(scope, cart.items(), cells))))

    def _add(self, rest: bytes) -> _Place | None:
        """The place that what stands behind the lines asks for; None when that takes a closer look."""
        try:
            request = CheckAvailabilityRequest.FromString(rest)
            if request.lines or request.min_versions or request.HasField("promise_by"):
                return None
            if request.channel and not is_id(request.channel):
                return None
            place = _Place(self._scopes.find(request.locations, request.location_group), request.channel)
        except (DecodeError, ApiError):
            return None
        if len(self._places) >= _PLACES_MAX:
            self._clear()
        self._places[rest] = place
        for location in place.scope.locations:
            self._by_location.setdefault(location, []).append(place)
        return place

    def _complete(self, place: _Place, lines: Sequence[bytes], found: list[Line | None]) -> bool:
        """Answer the lines that are missing in `found`, and keep the answers; False when one of them is wrong."""
        missing = {line: parse(line) for line, answer in zip(lines, found, strict=True) if answer is None}
        known = self._model.rows
        asked = [line for line in missing.values() if line is not None and line[0] in known]
        if len(asked) < len(missing):
            return False
        rows = np.array([known[sku] for sku, _ in asked], dtype=np.int64)
        cells = self._model.available(rows, place.scope.columns, place.channel)
        made = dict(zip(missing, answers(place.scope, asked, cells), strict=True))
        found[:] = [made[line] if answer is None else answer for line, answer in zip(lines, found, strict=True)]
        for line, answer in made.items():
            place.kept[line] = answer
            place.of_sku.setdefault(answer.sku, []).append(line)
            self.kept_bytes += _size(line, answer)
        if self.kept_bytes > LINES_KEPT_BYTES_MAX:
            self._clear()
        return True

    def _clear(self) -> None:
        self._places.clear()
        self._by_location.clear()
        self.kept_bytes = 0

    def _moved(self, location: str, rows: NDArray[np.int32]) -> None:
        """Drop the answers that are not true any more; it is for the next check to make them anew."""
        for place in self._by_location.get(location, ()):
            of_sku = place.of_sku
            if not of_sku:
                continue
            if len(rows) > len(of_sku):
                changed = list(of_sku)  # a few too many
            else:
                skus = self._model.skus
                changed = [sku for row in rows.tolist() if (sku := skus[row]) in of_sku]
            for sku in changed:
                for line in of_sku.pop(sku):
                    self.kept_bytes -= _size(line, place.kept.pop(line))


def _size(line: bytes, answer: Line) -> int:
    return len(line) + len(answer.told) + _OVERHEAD
