"""The network file: what the network is made of, in YAML, checked before anything of it is taken over.

Errors name the file, the line and what was expected, because networks are edited by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from allocator.core.commands import Capacity
from allocator.core.network.checks import lane_fault, profile_fault
from allocator.core.network.types import Group, Lane, Location, Profile
from allocator.network_file.lines import Tree
from allocator.network_file.rows import NetworkRows

if TYPE_CHECKING:
    from pathlib import Path


class NetworkFile(BaseModel):
    """A checked network file, in the core's terms.

    Attributes:
        locations, groups, lanes, profiles: what to load.
        capacities: capacity by location, for those that state one.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    locations: tuple[Location, ...]
    groups: tuple[Group, ...]
    capacities: dict[str, Capacity]
    lanes: tuple[Lane, ...] = ()
    profiles: tuple[Profile, ...] = ()


def read_network(path: Path) -> NetworkFile:
    """Read and check a network file.

    Raises:
        SettingsError: naming file, line and what was expected.
    """
    tree = Tree(path)
    try:
        rows = NetworkRows.model_validate(tree.plain())
    except ValidationError as error:
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise tree.told(problems[0], more) from None
    _check_ids(tree, rows)
    _check_locations_and_groups(tree, rows)
    _check_lanes(tree, rows)
    for n, profile in enumerate(rows.profiles):
        fault = profile_fault(profile.core())
        if fault is not None:
            raise tree.wrong(("profiles", n, *fault[0]), f"profile {profile.id!r}: {fault[1]}")
    return NetworkFile(
        locations=tuple(row.core() for row in rows.locations),
        groups=tuple(row.core() for row in rows.groups),
        capacities={row.id: row.capacity.core() for row in rows.locations if row.capacity is not None},
        lanes=tuple(row.core() for row in rows.lanes),
        profiles=tuple(row.core() for row in rows.profiles),
    )


def _check_ids(tree: Tree, rows: NetworkRows) -> None:
    """Every id once."""
    for what in ("location", "group", "lane", "profile"):
        seen: set[str] = set()
        for n, row in enumerate(getattr(rows, f"{what}s")):
            if row.id in seen:
                raise tree.wrong((f"{what}s", n, "id"), f"{what} {row.id!r} is there twice")
            seen.add(row.id)


def _check_locations_and_groups(tree: Tree, rows: NetworkRows) -> None:
    """Positions are whole, and every member of a group is a location of the file."""
    for n, location in enumerate(rows.locations):
        if (location.latitude is None) != (location.longitude is None):
            raise tree.wrong(("locations", n), f"location {location.id!r}: expected both latitude and longitude")
    known = {location.id for location in rows.locations}
    for n, group in enumerate(rows.groups):
        for k, member in enumerate(group.locations):
            if member not in known:
                what = f"group {group.id!r}: {member!r} is no location of this file"
                raise tree.wrong(("groups", n, "locations", k), what)


def _check_lanes(tree: Tree, rows: NetworkRows) -> None:
    """Origins are of the file, and the fields of a lane agree."""
    locations, groups = {row.id for row in rows.locations}, {row.id for row in rows.groups}
    for n, lane in enumerate(rows.lanes):
        fault = lane_fault(lane.core())
        if fault is not None:
            raise tree.wrong(("lanes", n, *fault[0]), f"lane {lane.id!r}: {fault[1]}")
        if lane.origin_location and lane.origin_location not in locations:
            what = f"lane {lane.id!r}: {lane.origin_location!r} is no location of this file"
            raise tree.wrong(("lanes", n, "origin_location"), what)
        if lane.origin_group and lane.origin_group not in groups:
            what = f"lane {lane.id!r}: {lane.origin_group!r} is no group of this file"
            raise tree.wrong(("lanes", n, "origin_group"), what)
