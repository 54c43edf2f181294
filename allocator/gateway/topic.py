"""What all watches with the same filter share: what changed, when, and the messages that tell it.

A topic counts its moments. A watch remembers only the moment it was told last, so a thousand watches of the same SKUs
cost one mark for each change and one encoding for all that read at the same moment.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from allocator.gateway.limits import CHANGES_PER_MESSAGE_MAX, WATCH_MARKS_MAX
from allocator.gateway.names import location_name
from allocator.gateway.recent import Recent
from allocator.gateway.wire import bytes_field, counted, int_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from allocator.runtime.read_model import AvailabilityModel

_READERS_MAX: Final = 16
"""Moments of readers whose messages are kept: mostly all read from the same one."""
_FEW: Final = 16
_CHANGES, _VERSIONS = 1, 2
_SNAPSHOT: Final = int_field(3, 1)


class Filter(NamedTuple):
    """What a stream watches; `locations` None: all, also those created later. `threshold` 0: every change."""

    skus: tuple[str, ...]
    channel: str
    locations: frozenset[str] | None
    threshold: int


class _Cells(NamedTuple):
    """Values at one location, by place in the list of SKUs."""

    location: str
    places: list[int]
    units: list[int]


class Topic:
    """One filter's changes.

    Attributes:
        wanted: the filter.
        now: the moment, counted.
        marks: (location, place in the list of SKUs) that changed, by moment.
    """

    def __init__(self, wanted: Filter, model: AvailabilityModel) -> None:
        self.wanted = wanted
        self.now = 0
        self.marks: Recent[tuple[str, int]] = Recent(WATCH_MARKS_MAX, 0)
        self._model = model
        self._met: dict[str, int] = {}
        self._above: dict[str, NDArray[np.bool_]] = {}
        self._sku_fields = [bytes_field(1, sku.encode()) for sku in wanted.skus]
        self._kept: dict[int, Shared] = {}

    def meet(self, location: str) -> bool:
        """Tell a full picture of `location` from now on; false when it was told before."""
        if location in self._met:
            return False
        self._next()
        self._met[location] = self.now
        if self.wanted.threshold:
            self._above[location] = self._units(location) >= self.wanted.threshold
        return True

    def mark(self, location: str, places: Sequence[int]) -> bool:
        """Note that these may have changed at `location`; false when that is nothing to tell."""
        if self.wanted.locations is not None and location not in self.wanted.locations:
            return False
        gone = self._model.version(location) is None
        if location not in self._met:
            return not gone and self.meet(location)
        self._kept.clear()  # also when there is nothing to tell: who comes next is told the values as of now
        if self.wanted.threshold:
            places = self._crossings(location, places)
            if not places:
                return False
        self._next()
        self.marks.note(self.now, [(location, place) for place in places])
        if gone:  # should it come again it is told anew
            del self._met[location]
            self._above.pop(location, None)
        return True

    def told_since(self, moment: int) -> Shared:
        """What there is to tell to a watch that was told last at `moment`: all values as of now."""
        kept = self._kept.get(moment)
        if kept is None:
            if len(self._kept) >= _READERS_MAX:
                self._kept.clear()
            marks = self.marks.since(moment) if moment >= 0 else []
            since = -1 if marks is None else moment  # too far behind: everything
            new = {location for location, met in self._met.items() if met > since}
            changed: dict[str, list[int]] = {}
            for location, place in marks or ():
                if location not in new:
                    changed.setdefault(location, []).append(place)
            kept = self._kept[moment] = Shared(self.tell(new, changed))
        return kept

    def tell(self, new: Iterable[str], changed: Mapping[str, list[int]]) -> Iterator[bytes]:
        """Messages with full pictures of some locations and with changes at others; all values are read at once."""
        pictures, changes = [self._picture(location) for location in sorted(new)], []
        for location in sorted(changed):
            places = sorted(changed[location])
            changes.append(_Cells(location, places, self._some(location, places)))
        versions = [self._versions(cells) for cells in (pictures, changes)]
        return self._messages(pictures, changes, *versions)

    def _messages(
        self, pictures: Sequence[_Cells], changes: Sequence[_Cells], met: Sequence[bytes], moved: Sequence[bytes]
    ) -> Iterator[bytes]:
        if pictures:
            yield from self._in_parts(pictures, met, _SNAPSHOT)
        if changes:
            yield from self._in_parts(changes, moved, b"")

    def _in_parts(self, cells: Sequence[_Cells], versions: Sequence[bytes], end: bytes) -> Iterator[bytes]:
        """Messages of bounded size; the versions are reached with the last one."""
        left = sum(len(one.places) for one in cells)
        encoded = self._encoded(cells)
        while left > CHANGES_PER_MESSAGE_MAX:
            left -= CHANGES_PER_MESSAGE_MAX
            yield b"".join((*islice(encoded, CHANGES_PER_MESSAGE_MAX), end))
        yield b"".join((*encoded, *versions, end))

    def _encoded(self, cells: Iterable[_Cells]) -> Iterator[bytes]:
        skus = self._sku_fields
        for location, places, units in cells:
            name = bytes_field(2, location_name(location).encode())
            for place, available in zip(places, units, strict=True):
                yield bytes_field(_CHANGES, skus[place] + name + int_field(3, available))

    def _picture(self, location: str) -> _Cells:
        units = self._units(location)
        places = np.flatnonzero(units)
        return _Cells(location, places.tolist(), units[places].tolist())

    def _units(self, location: str) -> NDArray[np.int64]:
        """Units at `location` by place in the list of SKUs; 0 for a SKU that nobody stocks yet."""
        model = self._model
        if model.version(location) is None:
            return np.zeros(len(self.wanted.skus), dtype=np.int64)
        rows = np.array([model.rows.get(sku, -1) for sku in self.wanted.skus])
        units: NDArray[np.int64] = model.available(rows, model.columns((location,)), self.wanted.channel)[:, 0]
        units[rows < 0] = 0
        return units

    def _some(self, location: str, places: Sequence[int]) -> list[int]:
        """Units at `location` of a few SKUs: one by one, as numpy takes longer to begin than this takes."""
        if len(places) > _FEW:
            units: list[int] = self._units(location)[places].tolist()
            return units
        model, skus, channel = self._model, self.wanted.skus, self.wanted.channel
        return [model.units(skus[place], location, channel) for place in places]

    def _crossings(self, location: str, places: Sequence[int]) -> list[int]:
        """Those of `places` that are on the other side of the threshold now."""
        above, threshold = self._above[location], self.wanted.threshold
        crossed = []
        for place, units in zip(places, self._some(location, places), strict=True):
            if above[place] != (units >= threshold):
                above[place] = not above[place]
                crossed.append(place)
        return crossed

    def _versions(self, cells: Iterable[_Cells]) -> list[bytes]:
        return [
            counted(_VERSIONS, location_name(one.location)).field(self._model.version(one.location) or 0)
            for one in cells
        ]

    def _next(self) -> None:
        self.now += 1
        self._kept.clear()


class Shared:
    """Messages that are made when the first reader comes to them, and are the same for all."""

    __slots__ = ("_made", "_ready")

    def __init__(self, made: Iterator[bytes]) -> None:
        self._made = made
        self._ready: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        while True:
            if at == len(self._ready):
                message = next(self._made, None)
                if message is None:
                    return
                self._ready.append(message)
            yield self._ready[at]
            at += 1
