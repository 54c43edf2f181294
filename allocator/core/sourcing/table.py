"""`NetworkTable`: a network compiled into columns, for one order after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import tzinfo
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from allocator.core.network.types import Group, Kind, Lane, Location, Mode
from allocator.core.sourcing.calendars import Calendar, local_day
from allocator.core.sourcing.distance import points
from allocator.core.sourcing.lanes import Layer, layers
from allocator.core.sourcing.types import NEVER

REMEMBERED_MAX: Final = 64
"""Service levels, and pairs of service level and country, whose columns are kept."""

_UTC: Final = "Etc/UTC"
_MODES: Final = {Kind.STORE: (Mode.SHIP_FROM_STORE, Mode.PICKUP), Kind.DARK_STORE: (Mode.SHIP, Mode.PICKUP)}

Mask = NDArray[np.bool_]
Days = NDArray[np.int64]


class NetworkTable:
    """Columns over the locations of a network, in the order in which they were given.

    Made anew when the network changes; between that it only remembers what it worked out.

    Attributes:
        locations: ids.
        index: id -> column.
        lanes: of the network, by name: of equally good ones the first name wins.
        rank: int64, columns by priority, then name: the order in which ties are broken.
        points: float64 (3, locations), positions on the unit sphere; NaN without one.
        placed: every location has a position.
        open: bool, takes orders.
        priority: float64.
        service_levels: of the lanes.
        groups: group -> bool (locations,).
    """

    def __init__(
        self,
        locations: Iterable[Location],
        groups: Iterable[Group],
        lanes: Iterable[Lane],
        zones: Callable[[str], tzinfo],
    ) -> None:
        """Compile a network.

        Args:
            locations: of the network.
            groups: of the network.
            lanes: of the network.
            zones: time zone by IANA name, as `zoneinfo.ZoneInfo` is; the core reads no time zone files.
        """
        places = tuple(locations)
        self.locations = tuple(place.location for place in places)
        self.index = {location: column for column, location in enumerate(self.locations)}
        self.lanes = tuple(sorted(lanes, key=lambda lane: lane.lane))
        self.points = points([place.position for place in places])
        self.placed = all(place.position is not None for place in places)
        self.open = _mask([place.open for place in places])
        self.priority = np.array([place.priority for place in places], dtype=np.float64)
        self.rank = np.array(
            sorted(range(len(places)), key=lambda i: (places[i].priority, places[i].location)), dtype=np.int64
        )
        self.service_levels = frozenset(lane.service_level for lane in self.lanes)
        self.groups = {group.group: self.mask_of(group.locations) for group in groups}
        self.everywhere = np.ones(len(places), dtype=np.bool_)
        self._places = places
        self._origins = {lane.lane: self._origins_of(lane) for lane in self.lanes}
        self._modes: dict[int, Mask] = {mode: _mask([mode in modes_of(place) for place in places]) for mode in Mode}
        self._channels = self._channel_masks()
        self._any_channel = _mask([not place.channels for place in places])
        self._zones = _Zones(places, zones)
        self._calendars: dict[str, _Dispatches] = {}
        self._layers: dict[tuple[str, str], list[Layer]] = {}

    def mask_of(self, locations: Iterable[str]) -> Mask:
        """Which columns are these locations; names that are not in the network are left out."""
        mask = np.zeros(len(self.locations), dtype=np.bool_)
        mask[[self.index[name] for name in locations if name in self.index]] = True
        return mask

    def serving_channel(self, channel: str) -> Mask:
        """Which locations serve a sales channel; "" is served by all."""
        return self._channels.get(channel, self._any_channel) if channel else self.everywhere

    def serving_mode(self, mode: int) -> Mask:
        """Which locations serve a `Mode`."""
        return self._modes[mode]

    def layers(self, service_level: str, country: str) -> list[Layer]:
        """Lanes of a service level to a country, at most one for each location and layer."""
        key = service_level, country
        found = self._layers.get(key)
        if found is None:
            found = layers(self.lanes, service_level, country, self._origins, len(self.locations))
            _remember(self._layers, key, found)
        return found

    def dispatch_days(self, service_level: str, now_ns: int) -> Days:
        """int64 (locations,): local day on which each dispatches an order of `now_ns`; `NEVER` where none does."""
        return self._dispatches(service_level, now_ns).days

    def dispatching(self, service_level: str, now_ns: int) -> Mask | None:
        """Which locations take orders and dispatch an order of `now_ns` on some day; None: all of them."""
        return self._dispatches(service_level, now_ns).some

    def local_days(self, at_ns: int) -> Days:
        """int64 (locations,): the local day of a moment, where each is."""
        return self._zones.local_days(at_ns)

    def _dispatches(self, service_level: str, now_ns: int) -> _Dispatches:
        dispatches = self._calendars.get(service_level)
        if dispatches is None:
            dispatches = _Dispatches(self._places, service_level, self._zones)
            _remember(self._calendars, service_level, dispatches)
        dispatches.look(now_ns)
        return dispatches

    def _origins_of(self, lane: Lane) -> Sequence[int]:
        if lane.origin_location:
            return [self.index[lane.origin_location]] if lane.origin_location in self.index else []
        if lane.origin_group:
            members = self.groups.get(lane.origin_group)
            return [] if members is None else [int(column) for column in np.flatnonzero(members)]
        return range(len(self.locations))

    def _channel_masks(self) -> dict[str, Mask]:
        named = {channel for place in self._places for channel in place.channels}
        return {
            channel: _mask([not place.channels or channel in place.channels for place in self._places])
            for channel in sorted(named)
        }


class _Zones:
    """Time zones of locations."""

    def __init__(self, places: Sequence[Location], zones: Callable[[str], tzinfo]) -> None:
        names = sorted({place.time_zone or _UTC for place in places})
        self.by_name = {name: zones(name) for name in names} | {"": zones(_UTC)}
        self._zones = [self.by_name[name] for name in names]
        number = {name: i for i, name in enumerate(names)}
        self._of_location = np.array([number[place.time_zone or _UTC] for place in places], dtype=np.int64)

    def local_days(self, at_ns: int) -> Days:
        return np.array([local_day(at_ns, zone) for zone in self._zones], dtype=np.int64).take(self._of_location)


class _Dispatches:
    """Dispatch days at one service level; worked out again at the next cut-off or midnight of any location.

    Attributes:
        days: int64 (locations,), local days; `NEVER` where none is.
        some: bool (locations,), which are open and dispatch on some day; None: all are and do.
    """

    def __init__(self, places: Sequence[Location], service_level: str, zones: _Zones) -> None:
        calendars: dict[Calendar, int] = {}
        rows = [calendars.setdefault(Calendar.of(place, service_level), len(calendars)) for place in places]
        self._calendars = tuple(calendars)
        self._of_location = np.array(rows, dtype=np.int64)
        self._zones = zones
        self._open = _mask([place.open for place in places])
        self.days: Days = np.zeros(0, dtype=np.int64)
        self.some: Mask | None = None
        self._from_ns = self._until_ns = 0

    def look(self, now_ns: int) -> None:
        if not self._from_ns <= now_ns < self._until_ns:
            answers = [calendar.dispatch(now_ns, self._zones.by_name[calendar.zone]) for calendar in self._calendars]
            self.days = np.array([answer.day for answer in answers], dtype=np.int64).take(self._of_location)
            some = self._open & (self.days < NEVER)
            self.some = None if some.all() else some
            self._from_ns = now_ns
            self._until_ns = min((answer.until_ns for answer in answers), default=now_ns)


def modes_of(place: Location) -> tuple[int, ...]:
    """The modes a location serves: those it names, or those of its kind."""
    return place.modes or _MODES.get(Kind(place.kind), (Mode.SHIP,))


def _mask(values: Sequence[bool]) -> Mask:
    return np.array(values, dtype=np.bool_)


def _remember(memory: dict[Any, Any], key: object, value: object) -> None:
    """Keep `value`; beyond the bound the one kept longest goes."""
    if len(memory) >= REMEMBERED_MAX:
        del memory[next(iter(memory))]
    memory[key] = value
