"""Watching what can be promised: nothing queues, whoever reads slowly is told the newest values.

The hub hears of every change of the read model once and marks it in the topics it concerns, one for each filter. A
topic keeps marks, not values: these are read when a stream is ready to send. So a slow reader costs nothing but the
moment it was told last, and no backlog; and one that comes back is told only what changed since.
"""

from __future__ import annotations

import asyncio
from itertools import chain
from typing import TYPE_CHECKING

from allocator.gateway.limits import RESUMED_ROWS_MAX
from allocator.gateway.recent import Recent
from allocator.gateway.topic import Filter, Topic

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from allocator.runtime.read_model import AvailabilityModel

__all__ = ["Filter", "Watch", "WatchHub"]


class Watch:
    """One stream's part of a topic.

    Attributes:
        topic: what it watches.
        news: set while there may be something to tell.
    """

    __slots__ = ("_first", "_idle", "_told", "news", "topic")

    def __init__(self, topic: Topic, idle: set[Watch], told: int, first: Iterable[bytes]) -> None:
        self.topic = topic
        self.news = asyncio.Event()
        self.news.set()
        self._idle = idle
        self._told = told
        self._first = first

    def messages(self) -> Iterable[bytes]:
        """Everything there is to tell as of now, serialised; all values are read before the first is given out."""
        self.news.clear()
        self._idle.add(self)
        first, self._first = self._first, ()
        before, self._told = self._told, self.topic.now
        if before != self._told:
            return chain(first, self.topic.told_since(before))
        return first


class _Readers:
    """The watches of one topic, and those of them that were told everything."""

    __slots__ = ("idle", "topic", "watches")

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.watches: set[Watch] = set()
        self.idle: set[Watch] = set()

    def wake(self) -> None:
        for watch in self.idle:
            watch.news.set()
        self.idle.clear()


class WatchHub:
    """The watches of one gateway, marked when the read model changes."""

    def __init__(self, model: AvailabilityModel) -> None:
        self._model = model
        self._readers: dict[Filter, _Readers] = {}
        self._by_sku: dict[str, dict[Filter, int]] = {}  # with the place in the list of SKUs
        self._moves: dict[str, Recent[int]] = {}
        for location in model.locations():
            self._begin(location)
        model.listeners.append(self._changed)

    @property
    def watched_skus(self) -> int:
        """How many SKUs are watched by anybody."""
        return len(self._by_sku)

    def open(self, wanted: Filter, locations: Iterable[str], resumed: Mapping[str, int]) -> Watch:
        """A new watch: it begins with a full picture of `locations`, except of those it can go on from."""
        readers = self._readers.get(wanted) or self._add(wanted)
        topic, new, changed = readers.topic, [], {}
        older = bool(readers.watches)
        for location in locations:
            if topic.meet(location) and older:
                readers.wake()
            places = self._since(wanted, location, resumed.get(location))
            if places is None or (places and wanted.threshold):  # nobody knows on which side it was told
                new.append(location)
            elif places:
                changed[location] = places
        if not resumed:
            watch = Watch(topic, readers.idle, -1, ())
        else:
            watch = Watch(topic, readers.idle, topic.now, topic.tell(new, changed))
        readers.watches.add(watch)
        return watch

    def close(self, watch: Watch) -> None:
        """Mark `watch` no more."""
        wanted = watch.topic.wanted
        readers = self._readers[wanted]
        readers.watches.discard(watch)
        readers.idle.discard(watch)
        if readers.watches:
            return
        del self._readers[wanted]
        for sku in wanted.skus:
            topics = self._by_sku[sku]
            del topics[wanted]
            if not topics:
                del self._by_sku[sku]

    def _add(self, wanted: Filter) -> _Readers:
        readers = self._readers[wanted] = _Readers(Topic(wanted, self._model))
        for place, sku in enumerate(wanted.skus):
            self._by_sku.setdefault(sku, {})[wanted] = place
        return readers

    def _since(self, wanted: Filter, location: str, version: int | None) -> list[int] | None:
        """Places of SKUs that changed at `location` after `version`; None when that is not known."""
        moves, now = self._moves.get(location), self._model.version(location)
        if version is None or moves is None or now is None or version > now:
            return None
        rows = moves.since(version)
        if rows is None:
            return None
        changed, known = set(rows), self._model.rows
        return [place for place, sku in enumerate(wanted.skus) if known.get(sku, -1) in changed]

    def _begin(self, location: str) -> None:
        version = self._model.version(location)
        if version is not None:
            self._moves[location] = Recent(RESUMED_ROWS_MAX, version)

    def _changed(self, location: str, rows: NDArray[np.int32]) -> None:
        self._note(location, rows)
        if not self._by_sku:
            return
        changed: dict[Filter, list[int]] = {}
        for sku in self._watched(rows):
            for wanted, place in self._by_sku[sku].items():
                changed.setdefault(wanted, []).append(place)
        for wanted, places in changed.items():
            readers = self._readers[wanted]
            if readers.topic.mark(location, places):
                readers.wake()

    def _note(self, location: str, rows: NDArray[np.int32]) -> None:
        """Remember what changed for those who come back."""
        version, moves = self._model.version(location), self._moves.get(location)
        if version is None:
            self._moves.pop(location, None)
        elif moves is None:
            self._begin(location)
        elif len(rows) > RESUMED_ROWS_MAX:
            moves.forget(version)
        else:
            moves.note(version, rows.tolist())

    def _watched(self, rows: NDArray[np.int32]) -> list[str]:
        """The watched SKUs among the changed ones: looked up from whichever side is shorter."""
        if len(rows) <= len(self._by_sku):
            skus = self._model.skus
            return [sku for row in rows.tolist() if (sku := skus[row]) in self._by_sku]
        changed = set(rows.tolist())
        known = self._model.rows
        return [sku for sku in self._by_sku if known.get(sku, -1) in changed]
