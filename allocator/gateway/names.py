"""Names of resources on the wire: a collection and an id, such as `locations/{location}`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from allocator.core.ids import is_id

LOCATIONS: Final = "locations/"
GROUPS: Final = "locationGroups/"
LANES: Final = "lanes/"
PROFILES: Final = "sourcingProfiles/"
RESERVATIONS: Final = "reservations/"


def id_in(name: str, collection: str) -> str | None:
    """The id in the name of a resource of `collection`; None when it is not a well-formed name of one."""
    if not name.startswith(collection):
        return None
    bare = name[len(collection) :]
    return bare if is_id(bare) else None


@lru_cache(maxsize=16_384)  # more than a network may have locations
def location_in(name: str) -> str:
    """The id in the name of a location; "" when it is not a well-formed one."""
    return id_in(name, LOCATIONS) or ""


def location_name(location: str) -> str:
    """The name of a location."""
    return LOCATIONS + location


def group_name(group: str) -> str:
    """The name of a location group."""
    return GROUPS + group


def lane_name(lane: str) -> str:
    """The name of a lane."""
    return LANES + lane


def profile_name(profile: str) -> str:
    """The name of a sourcing profile."""
    return PROFILES + profile


def reservation_name(reservation: str) -> str:
    """The name of a reservation."""
    return RESERVATIONS + reservation
