"""What the network is made of, what it can be asked and what it answers."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

LOCATIONS_MAX: Final = 10_000
"""Locations of one network."""
GROUPS_MAX: Final = 1_000
"""Location groups of one network."""
LANES_MAX: Final = 2_000
"""Lanes of one network."""
PROFILES_MAX: Final = 100
"""Sourcing profiles of one network."""
CHANNELS_MAX: Final = 64
"""Channels that one location names."""
CUT_OFFS_MAX: Final = 64
"""Cut-off times of one location."""
HANDLING_DAYS_MAX: Final = 30
"""Open days between order and dispatch."""
COUNTRIES_MAX: Final = 250
"""Countries that one lane names."""
TRANSIT_BANDS_MAX: Final = 64
"""Transit bands of one lane."""
TRANSIT_DAYS_MAX: Final = 365
"""Days that a parcel is under way."""
DISTANCE_MAX_KM: Final = 20_100
"""A little more than half way around the Earth."""
COST_MAX_MICROS: Final = 10**12
"""A million of the network's currency, for each parcel, unit, kilogram or kilometre."""
WEIGHT_MAX: Final = 1e9
"""Weight of a sourcing profile."""
SPLITS_MAX: Final = 10
"""Locations that an order is split over at most."""
AGE_MAX_S: Final = 7 * 86_400
"""Age of data that a sourcing profile may ask for, seconds."""


class Kind(IntEnum):
    """What sort of place a location is."""

    DISTRIBUTION_CENTRE = 1
    STORE = 2
    DARK_STORE = 3
    THIRD_PARTY_LOGISTICS = 4
    DROP_SHIP_VENDOR = 5


class Mode(IntEnum):
    """How an order reaches the customer."""

    SHIP = 1
    PICKUP = 2
    SHIP_FROM_STORE = 3


class Location(NamedTuple):
    """A node that holds stock.

    Attributes:
        position: (latitude, longitude) in degrees, or None.
        hours: weekly opening hours, (ISO weekday 1-7, opening minute, closing minute) in local time.
        exceptions: dated ones, (ISO date, closed, opening minute, closing minute, name).
        priority: 0 to 1,000,000; lower is preferred.
        actor_group: locations of one group share an actor; "" leaves it to the packing.
        channels: channels it serves; () all of them.
        modes: `Mode`s it serves; () by kind: STORE ships from store and hands over, DARK_STORE ships and hands over,
            all others ship.
        cut_offs: (service level, or "" for all others; minute of the local day): later orders count as the next day's.
            None: the end of the day.
        handling_days: open days between order and dispatch, 0 to 30.
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
    channels: tuple[str, ...] = ()
    modes: tuple[int, ...] = ()
    cut_offs: tuple[tuple[str, int], ...] = ()
    handling_days: int = 0


class Group(NamedTuple):
    """A named set of locations."""

    group: str
    display_name: str = ""
    locations: tuple[str, ...] = ()


class TransitBand(NamedTuple):
    """Destinations up to `distance_max_km` away are `days` calendar days away; 0 km: any distance, the last band."""

    distance_max_km: int
    days: int


class Lane(NamedTuple):
    """How parcels go from origins to destinations at one service level, and what it costs.

    Attributes:
        origin_location: where parcels start; at most one of this and `origin_group`, both empty: from everywhere.
        countries: destination countries (ISO 3166-1 alpha-2); () any.
        distance_max_km: the farthest destination, great circle; 0: no limit.
        transit: `TransitBand`s, ascending by distance; () delivers on the day of dispatch.
        parcel_micros: cost of a parcel, in millionths of the network's currency, as are all costs.
        unit_micros: cost of each unit in it.
        kg_micros: cost of each kilogram.
        km_micros: cost of each kilometre.
        kg_km_micros: cost of each kilogram and kilometre.
    """

    lane: str
    service_level: str
    display_name: str = ""
    origin_location: str = ""
    origin_group: str = ""
    countries: tuple[str, ...] = ()
    distance_max_km: int = 0
    transit: tuple[tuple[int, int], ...] = ()
    parcel_micros: int = 0
    unit_micros: int = 0
    kg_micros: int = 0
    km_micros: int = 0
    kg_km_micros: int = 0


class Profile(NamedTuple):
    """Named weights of sourcing; each 0 or more, not all of them 0.

    Attributes:
        cost: weight of what transport costs.
        lateness: weight of days after the promise.
        parcels: weight of each parcel.
        stock_cover: weight of draining a location.
        capacity: weight of filling a location's picking capacity.
        priority: weight of a location's priority.
        splits_max: parcels (locations) of one plan, 1 to 10.
        age_max_s: locations whose data are older are left out; 0: any age.
    """

    profile: str
    display_name: str = ""
    cost: float = 1.0
    lateness: float = 0.0
    parcels: float = 0.0
    stock_cover: float = 0.0
    capacity: float = 0.0
    priority: float = 0.0
    splits_max: int = 3
    age_max_s: float = 0.0


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


class CreateLane(NamedTuple):
    """Add a lane."""

    request_id: str
    lane: Lane


class UpdateLane(NamedTuple):
    """Replace the named fields of a lane."""

    request_id: str
    lane: Lane
    fields: tuple[str, ...]


class DeleteLane(NamedTuple):
    """Take a lane away."""

    request_id: str
    lane: str


class CreateProfile(NamedTuple):
    """Add a sourcing profile."""

    request_id: str
    profile: Profile


class UpdateProfile(NamedTuple):
    """Replace the named fields of a sourcing profile."""

    request_id: str
    profile: Profile
    fields: tuple[str, ...]


class DeleteProfile(NamedTuple):
    """Take a sourcing profile away."""

    request_id: str
    profile: str


class LoadNetwork(NamedTuple):
    """Add or replace all of these locations, groups, lanes and profiles, as a network file does at start."""

    request_id: str
    locations: tuple[Location, ...]
    groups: tuple[Group, ...] = ()
    lanes: tuple[Lane, ...] = ()
    profiles: tuple[Profile, ...] = ()


class Place(NamedTuple):
    """Where ledgers live until the next start: all actors, and (location, actor) pairs."""

    request_id: str
    actors: tuple[str, ...]
    placement: tuple[tuple[str, str], ...]


NetworkCommand = (
    CreateLocation
    | UpdateLocation
    | DeleteLocation
    | CreateGroup
    | UpdateGroup
    | DeleteGroup
    | CreateLane
    | UpdateLane
    | DeleteLane
    | CreateProfile
    | UpdateProfile
    | DeleteProfile
    | LoadNetwork
    | Place
)


class NetworkChanged(NamedTuple):
    """A network command was taken over. `kind` is its wire tag."""

    at_ns: int
    command: NetworkCommand
    kind: int


class NetworkDone(NamedTuple):
    """Answer to a network command that was taken over."""

    repeated: bool = False
