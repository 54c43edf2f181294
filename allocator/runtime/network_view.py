"""The network as a gateway knows it: what it is made of, and which actor to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core import codec
from allocator.core.ids import home_key, home_of
from allocator.core.network.ledger import NetworkLedger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from allocator.core.network.types import Group, Lane, Location, Profile


class NetworkView:
    """A read-only copy of the network's ledger, kept current by its feed."""

    def __init__(self) -> None:
        self.version = -1
        self._state = NetworkLedger()
        self._homes: dict[str, str] = {}

    @property
    def locations(self) -> dict[str, Location]:
        """Locations by id, in order of creation."""
        return self._state.locations

    @property
    def groups(self) -> dict[str, Group]:
        """Groups by id."""
        return self._state.groups

    @property
    def lanes(self) -> dict[str, Lane]:
        """Lanes by id."""
        return self._state.lanes

    @property
    def profiles(self) -> dict[str, Profile]:
        """Sourcing profiles by id."""
        return self._state.profiles

    @property
    def actors(self) -> tuple[str, ...]:
        """Names of the actors that host stock ledgers."""
        return self._state.actors

    @property
    def created_ns(self) -> dict[str, int]:
        """When each location came into the network, ns since 1970 UTC; those of older builds are missing."""
        return self._state.created_ns

    def apply(self, changes: Iterable[Sequence[Any]]) -> None:
        """Take over `(version, whole, data)` changes; each is the whole network."""
        for version, _, data in changes:
            if version > self.version:
                self._state.load_state(codec.unpack(data))
                self._homes = {home_key(location): location for location in self.locations}
                self.version = version

    def actor_of(self, location: str) -> str | None:
        """The actor that hosts `location`; None when the network does not have it."""
        return self._state.placement.get(location) if location in self.locations else None

    def home_of(self, reservation: str) -> str | None:
        """The location that decides the fate of `reservation`; None when no location of the network does."""
        return self._homes.get(home_of(reservation))

    def members(self, group: str) -> tuple[str, ...] | None:
        """The locations of `group`; None when the network does not have it."""
        found = self.groups.get(group)
        return found.locations if found is not None else None
