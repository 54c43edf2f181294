"""Names of resources on the wire: `locations/{location}`, `locationGroups/{group}`, `reservations/{reservation}`."""

from __future__ import annotations

from typing import Final

from allocator.core.ids import is_id

LOCATIONS: Final = "locations/"
GROUPS: Final = "locationGroups/"
RESERVATIONS: Final = "reservations/"


def id_in(name: str, collection: str) -> str | None:
    """The id in the name of a resource of `collection`; None when it is not a well-formed name of one."""
    if not name.startswith(collection):
        return None
    bare = name[len(collection) :]
    return bare if is_id(bare) else None


def location_name(location: str) -> str:
    """The name of a location."""
    return LOCATIONS + location


def group_name(group: str) -> str:
    """The name of a location group."""
    return GROUPS + group


def reservation_name(reservation: str) -> str:
    """The name of a reservation."""
    return RESERVATIONS + reservation
