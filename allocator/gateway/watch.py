"""Watching what can be promised: each stream has its own picture of what it has not told yet, and nothing queues.

The hub hears of every change of the read model once and marks it in the watches it concerns. A watch keeps marks, not
values: the newest value is read when the stream is ready to send, so a slow reader costs a bounded set and no backlog.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from allocator.gateway.limits import CHANGES_PER_MESSAGE_MAX
from allocator.gateway.names import location_name
from allocator.v1.availability_pb2 import WatchAvailabilityResponse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from allocator.runtime.read_model import AvailabilityModel


class Filter(NamedTuple):
    """What a stream watches; `locations` None: all, also those created later. `threshold` 0: every change."""

    skus: Sequence[str]
    channel: str
    locations: frozenset[str] | None
    threshold: int


class Watch:
    """One stream's picture.

    Attributes:
        wanted: what it watches.
        news: set while there is something to tell.
        marks: location -> places (in the list of SKUs) that may have changed since they were told.
    """

    def __init__(self, wanted: Filter, model: AvailabilityModel) -> None:
        self.wanted = wanted
        self.news = asyncio.Event()
        self._model = model
        self._places = {sku: n for n, sku in enumerate(wanted.skus)}
        self._told: dict[str, int] = {}  # location -> version
        self._new: set[str] = set()
        self.marks: dict[str, set[int]] = {}
        self._above: dict[str, NDArray[np.bool_]] = {}

    def begin(self, locations: Iterable[str], resumed: Mapping[str, int]) -> None:
        """Begin with a full picture of `locations`, except those whose state is the one resumed from."""
        for location in locations:
            version = self._model.version(location)
            if version is not None and resumed.get(location) == version:
                self._told[location] = version
                self._crossed(location, self._available(location, range(len(self.wanted.skus))))
            else:
                self._new.add(location)
        self.news.set()

    def mark(self, location: str, skus: Iterable[str]) -> None:
        """Note that what these watched SKUs can be promised at `location` may have changed."""
        if self.wanted.locations is not None and location not in self.wanted.locations:
            return
        if location not in self._told:
            self._new.add(location)
        else:
            self.marks.setdefault(location, set()).update(map(self._places.__getitem__, skus))
        self.news.set()

    def messages(self) -> Iterator[WatchAvailabilityResponse]:
        """Everything there is to tell as of now; all values are read before the first message is given out."""
        self.news.clear()
        new, self._new = sorted(self._new), set()
        marks, self.marks = self.marks, {}
        pictures = [cell for location in new for cell in self._picture(location)]
        changes = [cell for location in sorted(marks) for cell in self._changes(location, sorted(marks[location]))]
        new_versions, versions = self._versions(new), self._versions(marks)
        if new:
            yield from _in_parts(pictures, new_versions, snapshot=True)
        if changes:
            yield from _in_parts(changes, versions, snapshot=False)

    def _picture(self, location: str) -> list[tuple[str, str, int]]:
        available = self._available(location, range(len(self.wanted.skus)))
        self._crossed(location, available)
        name, skus = location_name(location), self.wanted.skus
        return [(skus[n], name, units) for n, units in enumerate(available.tolist()) if units]

    def _changes(self, location: str, places: Sequence[int]) -> list[tuple[str, str, int]]:
        available = self._available(location, places)
        told = np.ones(len(places), dtype=np.bool_)
        if self.wanted.threshold:
            before, now = self._above[location], available >= self.wanted.threshold
            told = now != before[list(places)]
            before[list(places)] = now
        name, skus = location_name(location), self.wanted.skus
        cells = zip(places, available.tolist(), told.tolist(), strict=True)
        return [(skus[n], name, units) for n, units, is_news in cells if is_news]

    def _available(self, location: str, places: Sequence[int]) -> NDArray[np.int64]:
        """Units by place in the list of SKUs; 0 for a SKU that nobody stocks yet."""
        rows = np.array([self._model.rows.get(self.wanted.skus[n], -1) for n in places])
        available = self._model.available(rows, self._model.columns((location,)), self.wanted.channel)[:, 0]
        available[rows < 0] = 0
        return available

    def _crossed(self, location: str, available: NDArray[np.int64]) -> None:
        """Remember which SKUs are at the threshold or above it."""
        if self.wanted.threshold:
            self._above[location] = available >= self.wanted.threshold

    def _versions(self, locations: Iterable[str]) -> list[tuple[str, int]]:
        """Names of the locations with the versions now told of them, in the order of names."""
        versions = [(location, self._model.version(location) or 0) for location in sorted(locations)]
        self._told.update(versions)
        return [(location_name(location), version) for location, version in versions]


def _in_parts(
    cells: Sequence[tuple[str, str, int]], versions: Sequence[tuple[str, int]], *, snapshot: bool
) -> Iterator[WatchAvailabilityResponse]:
    """Messages of bounded size; the versions are reached with the last one."""
    starts = range(0, max(1, len(cells)), CHANGES_PER_MESSAGE_MAX)
    for start in starts:
        response = WatchAvailabilityResponse(snapshot=snapshot)
        for sku, name, units in cells[start : start + CHANGES_PER_MESSAGE_MAX]:
            response.changes.add(sku=sku, location=name, available=units)
        if start == starts[-1]:
            for name, version in versions:
                response.versions.add(location=name, version=version)
        yield response


class WatchHub:
    """The watches of one gateway by SKU, marked when the read model changes."""

    def __init__(self, model: AvailabilityModel) -> None:
        self._model = model
        self._by_sku: dict[str, set[Watch]] = {}
        model.listeners.append(self._changed)

    @property
    def watched_skus(self) -> int:
        """How many SKUs are watched by anybody."""
        return len(self._by_sku)

    def add(self, watch: Watch) -> None:
        """Mark `watch` from now on."""
        for sku in watch.wanted.skus:
            self._by_sku.setdefault(sku, set()).add(watch)

    def remove(self, watch: Watch) -> None:
        """Mark `watch` no more."""
        for sku in watch.wanted.skus:
            watches = self._by_sku[sku]
            watches.discard(watch)
            if not watches:
                del self._by_sku[sku]

    def _changed(self, location: str, rows: NDArray[np.int64]) -> None:
        if not self._by_sku:
            return
        changed: dict[Watch, list[str]] = {}
        for sku in self._watched(rows):
            for watch in self._by_sku[sku]:
                changed.setdefault(watch, []).append(sku)
        for watch, skus in changed.items():
            watch.mark(location, skus)

    def _watched(self, rows: NDArray[np.int64]) -> list[str]:
        """The watched SKUs among the changed ones: looked up from whichever side is shorter."""
        if len(rows) <= len(self._by_sku):
            skus = self._model.skus
            return [sku for row in rows.tolist() if (sku := skus[row]) in self._by_sku]
        changed = set(rows.tolist())
        known = self._model.rows
        return [sku for sku in self._by_sku if known.get(sku, -1) in changed]
