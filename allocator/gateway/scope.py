"""Where a read looks: the locations it names, their names on the wire and their columns in the read model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from allocator.gateway.errors import fault, group_unknown, location_unknown, too_many
from allocator.gateway.faults import Faults
from allocator.gateway.limits import LOCATIONS_PER_CALL_MAX, MIN_VERSIONS_MAX
from allocator.gateway.names import GROUPS, location_name
from allocator.gateway.wire import bytes_field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from allocator.runtime.network_view import NetworkView
    from allocator.runtime.read_model import AvailabilityModel
    from allocator.v1.common_pb2 import LocationVersion

_CACHED_MAX: Final = 256


@dataclass(frozen=True, eq=False)
class Scope:
    """Some locations, in the order of the answer. What is kept of a scope is kept by identity: no names are compared.

    Attributes:
        locations: their ids.
        names: their names on the wire.
        columns: their columns in the read model: int64, shape (locations,).
    """

    locations: tuple[str, ...]
    names: tuple[str, ...]
    columns: NDArray[np.int64]

    @cached_property
    def name_fields(self) -> tuple[bytes, ...]:
        """Each as the first field of a message, serialised."""
        return tuple([bytes_field(1, name.encode()) for name in self.names])


class Scopes:
    """Makes scopes and keeps the ones of late: callers ask for the same few again and again."""

    def __init__(self, network: NetworkView, model: AvailabilityModel) -> None:
        self._network = network
        self._model = model
        self._cached: dict[tuple[str, ...] | str, Scope] = {}
        self._version = -1

    @property
    def version(self) -> int:
        """What is found is the same while this is."""
        return self._network.version

    def find(self, locations: Sequence[str], group: str) -> Scope:
        """The named locations, or the members of a group, or all; in the order of names, each once.

        Args:
            locations: names, up to `LOCATIONS_PER_CALL_MAX`; repeats count once.
            group: name of a group, instead of `locations`.

        Raises:
            ApiError: INVALID, BATCH_TOO_LARGE, LOCATION_UNKNOWN or LOCATION_GROUP_UNKNOWN.
        """
        if self._version != self._network.version:
            self._cached.clear()
            self._version = self._network.version
        key = tuple(locations) or group
        if not (locations and group) and key in self._cached:
            return self._cached[key]
        scope = self.of(sorted(set(self._wanted(locations, group))))
        if len(self._cached) >= _CACHED_MAX:
            self._cached.clear()
        self._cached[key] = scope
        return scope

    def in_order(self, locations: Sequence[str], group: str) -> Scope:
        """As `find`, but named locations stay in the order given, and repeats are INVALID."""
        if not locations:
            return self.find(locations, group)
        wanted = self._wanted(locations, group)
        if len(set(wanted)) < len(wanted):
            raise fault("locations", "a location is named twice")
        return self.of(wanted)

    def of(self, locations: Iterable[str]) -> Scope:
        """The scope of these location ids, in this order."""
        ids = tuple(locations)
        return Scope(ids, tuple(map(location_name, ids)), self._model.columns(ids))

    def _wanted(self, locations: Sequence[str], group: str) -> Collection[str]:
        if locations and group:
            raise fault("location_group", "locations and location_group cannot both be set")
        if group:
            return self._members(group)
        if not locations:
            return self._network.locations
        if len(locations) > LOCATIONS_PER_CALL_MAX:
            raise too_many("locations", len(locations), LOCATIONS_PER_CALL_MAX)
        faults = Faults()
        ids = [faults.name(f"locations[{n}]", name) for n, name in enumerate(locations)]
        faults.check()
        known = self._network.locations
        for location in ids:
            if location not in known:
                raise location_unknown(location)
        return ids

    def _members(self, name: str) -> Collection[str]:
        faults = Faults()
        group = faults.name("location_group", name, GROUPS)
        faults.check()
        members = self._network.members(group)
        if members is None:
            raise group_unknown(group)
        return members


def versions_wanted(field: str, versions: Sequence[LocationVersion], network: NetworkView) -> dict[str, int]:
    """Location -> version asked for, the greatest of each.

    Raises:
        ApiError: INVALID, BATCH_TOO_LARGE or LOCATION_UNKNOWN.
    """
    if len(versions) > MIN_VERSIONS_MAX:
        raise too_many(field, len(versions), MIN_VERSIONS_MAX)
    faults = Faults()
    wanted: dict[str, int] = {}
    for n, item in enumerate(versions):
        location = faults.name(f"{field}[{n}].location", item.location)
        if item.version < 0:
            faults.add(f"{field}[{n}].version", f"{item.version}; 0 or more are allowed")
        wanted[location] = max(item.version, wanted.get(location, 0))
    faults.check()
    for location in wanted:
        if location not in network.locations:
            raise location_unknown(location)
    return wanted
