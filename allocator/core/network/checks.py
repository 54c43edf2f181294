"""What speaks against a network command: names that are there already or not at all, full tables, rows at odds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from allocator.core.network import types as t
from allocator.core.results import Reason, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable

WEIGHTS: Final = ("cost", "lateness", "parcels", "stock_cover", "capacity", "priority")
"""Fields of a profile that are weights."""
Steps = tuple[str | int, ...]
"""The way to a part of a row: fields and positions."""


class Network(Protocol):
    """What is checked against: rows by id."""

    locations: dict[str, t.Location]
    groups: dict[str, t.Group]
    lanes: dict[str, t.Lane]
    profiles: dict[str, t.Profile]


def problem(network: Network, command: t.NetworkCommand) -> Rejected | None:
    """The first thing that speaks against `command`; None when it can be done."""
    match command:
        case t.CreateLocation() | t.UpdateLocation() | t.DeleteLocation():
            return _location_problem(network, command)
        case t.CreateGroup() | t.UpdateGroup() | t.DeleteGroup():
            return _group_problem(network, command)
        case t.CreateLane() | t.UpdateLane() | t.DeleteLane():
            return _lane_problem(network, command)
        case t.CreateProfile() | t.UpdateProfile() | t.DeleteProfile():
            return _profile_problem(network, command)
        case t.LoadNetwork():
            return _load_problem(network, command)
        case _:
            return None


def changed(row: Any, new: Any, fields: Iterable[str]) -> Any:  # noqa: ANN401  # rows of one type
    """`row` with the named fields of `new`."""
    return row._replace(**{name: getattr(new, name) for name in fields})


def lane_fault(lane: t.Lane) -> tuple[Steps, str] | None:
    """Where a lane's fields are at odds with each other, and why; None when they agree."""
    if lane.origin_location and lane.origin_group:
        return ("origin_group",), "origin_location and origin_group cannot both be set"
    before = 0
    for n, (distance_max_km, _) in enumerate(lane.transit):
        last = n == len(lane.transit) - 1
        if distance_max_km <= before and not (last and distance_max_km == 0):
            why = "bands ascend, and only the last can be 0, any distance"
            return ("transit", n, "distance_max_km"), f"{distance_max_km}, after {before}: {why}"
        before = distance_max_km
    if before and not before >= lane.distance_max_km > 0:
        reach = f"at {lane.distance_max_km} km" if lane.distance_max_km else "nowhere"
        return ("transit",), f"the last band ends at {before} km, the lane {reach}; 0 stands for any distance"
    return None


def profile_fault(profile: t.Profile) -> tuple[Steps, str] | None:
    """The first weight of a profile that is no weight, and why; None when sourcing can use them."""
    for name in WEIGHTS:
        weight = getattr(profile, name)
        if not 0 <= weight <= t.WEIGHT_MAX:  # so is NaN
            return (name,), f"{weight:g}; 0 to {t.WEIGHT_MAX:,.0f} is allowed"
    if not any(getattr(profile, name) for name in WEIGHTS):
        return (WEIGHTS[0],), f"all weights are 0; at least one of {', '.join(WEIGHTS)} must be above 0"
    return None


def _location_problem(
    network: Network, command: t.CreateLocation | t.UpdateLocation | t.DeleteLocation
) -> Rejected | None:
    match command:
        case t.CreateLocation(location=row):
            return _no_room(network.locations, row.location, t.LOCATIONS_MAX, "location")
        case t.UpdateLocation(location=row):
            return _missing_location(network, row.location)
        case t.DeleteLocation(location=name):
            return _missing_location(network, name) or _origin_in_use(network, "origin_location", name)


def _group_problem(network: Network, command: t.CreateGroup | t.UpdateGroup | t.DeleteGroup) -> Rejected | None:
    match command:
        case t.CreateGroup(group=row):
            full = _no_room(network.groups, row.group, t.GROUPS_MAX, "location_group")
            return full or _missing_members(network, row)
        case t.UpdateGroup(group=row):
            return _missing_group(network, row.group) or _missing_members(network, row)
        case t.DeleteGroup(group=name):
            return _missing_group(network, name) or _origin_in_use(network, "origin_group", name)


def _lane_problem(network: Network, command: t.CreateLane | t.UpdateLane | t.DeleteLane) -> Rejected | None:
    match command:
        case t.CreateLane(lane=row):
            full = _no_room(network.lanes, row.lane, t.LANES_MAX, "lane")
            return full or _bad_lane(network.locations, network.groups, row, "lane")
        case t.UpdateLane(lane=row, fields=fields):
            missing = _missing_lane(network, row.lane)
            after = row if missing else changed(network.lanes[row.lane], row, fields)
            return missing or _bad_lane(network.locations, network.groups, after, "lane")
        case t.DeleteLane(lane=name):
            return _missing_lane(network, name)


def _profile_problem(network: Network, command: t.CreateProfile | t.UpdateProfile | t.DeleteProfile) -> Rejected | None:
    match command:
        case t.CreateProfile(profile=row):
            full = _no_room(network.profiles, row.profile, t.PROFILES_MAX, "sourcing_profile")
            return full or _bad_profile(row, "sourcing_profile")
        case t.UpdateProfile(profile=row, fields=fields):
            missing = _missing_profile(network, row.profile)
            after = row if missing else changed(network.profiles[row.profile], row, fields)
            return missing or _bad_profile(after, "sourcing_profile")
        case t.DeleteProfile(profile=name):
            return _missing_profile(network, name)


def _load_problem(network: Network, command: t.LoadNetwork) -> Rejected | None:
    locations = network.locations.keys() | {row.location for row in command.locations}
    groups = network.groups.keys() | {row.group for row in command.groups}
    sizes = (
        (len(locations), t.LOCATIONS_MAX, "locations"),
        (len(groups), t.GROUPS_MAX, "groups"),
        (len(network.lanes.keys() | {row.lane for row in command.lanes}), t.LANES_MAX, "lanes"),
        (len(network.profiles.keys() | {row.profile for row in command.profiles}), t.PROFILES_MAX, "profiles"),
    )
    for count, most, what in sizes:
        if count > most:
            return Rejected(Reason.TABLE_FULL, what, f"{count} {what}; {most} are the most there may be")
    bad_lanes = (_bad_lane(locations, groups, row, f"lanes[{n}]") for n, row in enumerate(command.lanes))
    bad_profiles = (_bad_profile(row, f"profiles[{n}]") for n, row in enumerate(command.profiles))
    return next(filter(None, bad_lanes), None) or next(filter(None, bad_profiles), None)


def _no_room(table: dict[str, Any], name: str, most: int, what: str) -> Rejected | None:
    if name in table:
        return Rejected(Reason.EXISTS, f"{what}_id", f"{what} {name!r} is there already")
    if len(table) >= most:
        return Rejected(Reason.TABLE_FULL, what, f"{most} are the most there may be")
    return None


def _missing_location(network: Network, name: str) -> Rejected | None:
    if name in network.locations:
        return None
    return Rejected(Reason.LOCATION_UNKNOWN, "name", f"location {name!r} is not in the network")


def _missing_group(network: Network, name: str) -> Rejected | None:
    if name in network.groups:
        return None
    return Rejected(Reason.GROUP_UNKNOWN, "name", f"location group {name!r} is not in the network")


def _missing_lane(network: Network, name: str) -> Rejected | None:
    if name in network.lanes:
        return None
    return Rejected(Reason.LANE_UNKNOWN, "name", f"lane {name!r} is not in the network")


def _missing_profile(network: Network, name: str) -> Rejected | None:
    if name in network.profiles:
        return None
    return Rejected(Reason.PROFILE_UNKNOWN, "name", f"sourcing profile {name!r} is not in the network")


def _missing_members(network: Network, group: t.Group) -> Rejected | None:
    for i, name in enumerate(group.locations):
        if name not in network.locations:
            detail = f"location {name!r} is not in the network"
            return Rejected(Reason.LOCATION_UNKNOWN, f"location_group.locations[{i}]", detail)
    return None


def _origin_in_use(network: Network, field: str, name: str) -> Rejected | None:
    """Without its origin a lane would begin everywhere or nowhere: whoever takes it away has to say which."""
    for lane in network.lanes.values():
        if getattr(lane, field) == name:
            return Rejected(Reason.IN_USE, f"lanes/{lane.lane}", f"lane {lane.lane!r} begins there")
    return None


def _bad_lane(locations: Iterable[str], groups: Iterable[str], lane: t.Lane, path: str) -> Rejected | None:
    fault = lane_fault(lane)
    if fault is not None:
        return Rejected(Reason.INVALID, _path(path, fault[0]), fault[1])
    if lane.origin_location and lane.origin_location not in locations:
        detail = f"location {lane.origin_location!r} is not in the network"
        return Rejected(Reason.LOCATION_UNKNOWN, f"{path}.origin_location", detail)
    if lane.origin_group and lane.origin_group not in groups:
        detail = f"location group {lane.origin_group!r} is not in the network"
        return Rejected(Reason.GROUP_UNKNOWN, f"{path}.origin_group", detail)
    return None


def _bad_profile(profile: t.Profile, path: str) -> Rejected | None:
    fault = profile_fault(profile)
    return None if fault is None else Rejected(Reason.INVALID, _path(path, fault[0]), fault[1])


def _path(path: str, steps: Steps) -> str:
    return path + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
