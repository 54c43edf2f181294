"""What the network is made of, what it can be asked and what it answers."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

LOCATIONS_MAX: Final = 10_000
"""Locations of one network."""
GROUPS_MAX: Final = 1_000
"""Location groups of one network."""


class Kind(IntEnum):
    """What sort of place a location is."""

    DISTRIBUTION_CENTRE = 1
    STORE = 2
    DARK_STORE = 3
    THIRD_PARTY_LOGISTICS = 4
    DROP_SHIP_VENDOR = 5


class Location(NamedTuple):
    """A node that holds stock.

    Attributes:
        position: (latitude, longitude) in degrees, or None.
        hours: weekly opening hours, (ISO weekday 1-7, opening minute, closing minute) in local time.
        exceptions: dated ones, (ISO date, closed, opening minute, closing minute, name).
        priority: 0 to 1,000,000; lower is preferred.
        actor_group: locations of one group share an actor; "" leaves it to the packing.
    """

    location: str
    display_name: str = ""
    kind: int = Kind.STORE
    open: bool = True
    country_code: str = ""
    city: str = ""
    position: tuple[float, float] | None = None
    time_zone: str = ""
    hours: tuple[tuple[int, int, int], ...] = ()
    exceptions: tuple[tuple[str, bool, int, int, str], ...] = ()
    priority: int = 0
    labels: tuple[tuple[str, str], ...] = ()
    actor_group: str = ""


class Group(NamedTuple):
    """A named set of locations."""

    group: str
    display_name: str = ""
    locations: tuple[str, ...] = ()


class CreateLocation(NamedTuple):
    """Add a location; it is placed in the actor with the fewest."""

    request_id: str
    location: Location


class UpdateLocation(NamedTuple):
    """Replace the named fields of a location."""

    request_id: str
    location: Location
    fields: tuple[str, ...]


class DeleteLocation(NamedTuple):
    """Take a location out of the network and of its groups; its journal stays."""

    request_id: str
    location: str


class CreateGroup(NamedTuple):
    """Add a group."""

    request_id: str
    group: Group


class UpdateGroup(NamedTuple):
    """Replace the named fields of a group."""

    request_id: str
    group: Group
    fields: tuple[str, ...]


class DeleteGroup(NamedTuple):
    """Take a group away; its locations stay."""

    request_id: str
    group: str


class LoadNetwork(NamedTuple):
    """Add or replace all of these locations and groups, as a network file does at start."""

    request_id: str
    locations: tuple[Location, ...]
    groups: tuple[Group, ...] = ()


class Place(NamedTuple):
    """Where ledgers live until the next start: all actors, and (location, actor) pairs."""

    request_id: str
    actors: tuple[str, ...]
    placement: tuple[tuple[str, str], ...]


NetworkCommand = (
    CreateLocation | UpdateLocation | DeleteLocation | CreateGroup | UpdateGroup | DeleteGroup | LoadNetwork | Place
)


class NetworkChanged(NamedTuple):
    """A network command was taken over. `kind` is its wire tag."""

    at_ns: int
    command: NetworkCommand
    kind: int


class NetworkDone(NamedTuple):
    """Answer to a network command that was taken over."""

    repeated: bool = False
