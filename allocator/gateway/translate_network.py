"""Groups and capacity between the contract and the core. Locations have a module of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocator.core.commands import Capacity, Configure, Measure
from allocator.core.limits import NS_PER_S, QUANTITY_MAX
from allocator.core.network.types import Group
from allocator.core.results import Reason, Rejected
from allocator.core.settings import WINDOW_MAX_NS, WINDOW_MIN_NS
from allocator.gateway.errors import ApiError, from_rejected, group_unknown, location_unknown, too_many
from allocator.gateway.faults import Faults
from allocator.gateway.limits import CAPACITY_OVERRIDES_MAX, LOCATIONS_PER_CALL_MAX, SOURCE_LENGTH_MAX
from allocator.gateway.names import group_name, location_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from allocator.v1.network_pb2 import Capacity as WireCapacity
    from allocator.v1.network_pb2 import LocationGroup, SetCapacityRequest

GROUP_FIELDS: Final = ("display_name", "locations")
_MEASURES: Final = frozenset(measure.value for measure in Measure)
_EPOCH_AS_READ_NS: Final = 1


def to_group(group: str, message: LocationGroup, fields: Collection[str], faults: Faults) -> Group:
    """A group with the named fields of `message`, its members in the order of names.

    Raises:
        ApiError: BATCH_TOO_LARGE.
    """
    values = Group(group)
    if "display_name" in fields:
        name = faults.text("location_group.display_name", message.display_name, SOURCE_LENGTH_MAX)
        values = values._replace(display_name=name)
    if "locations" in fields:
        values = values._replace(locations=_members(message.locations, faults))
    return values


def fill_group(message: LocationGroup, group: Group) -> None:
    """Write a group."""
    message.name = group_name(group.group)
    message.display_name = group.display_name
    message.locations.extend([location_name(location) for location in sorted(group.locations)])


def to_capacity(request: SetCapacityRequest, request_id: str, faults: Faults) -> Configure:
    """The command that sets or clears a capacity.

    Raises:
        ApiError: BATCH_TOO_LARGE.
    """
    if not request.HasField("capacity"):
        return Configure(request_id, clear_capacity=True)
    return Configure(request_id, capacity=_capacity(request.capacity, faults))


def from_location_rejected(rejected: Rejected, location: str) -> ApiError:
    """The error that an error answer to a command about `location` means to the caller."""
    name = location_name(location)
    match rejected.reason:
        case Reason.EXISTS:
            return ApiError("LOCATION_EXISTS", f"{name} exists already", {"location": name})
        case Reason.LOCATION_UNKNOWN:
            return location_unknown(location)
        case Reason.IN_USE:
            metadata = {"location": name, "lane": rejected.field}
            return ApiError("LOCATION_IN_USE", f"{name} is in use: {rejected.detail}", metadata)
        case _:
            return from_rejected(rejected)


def from_group_rejected(rejected: Rejected, group: Group) -> ApiError:
    """The error that an error answer to a command about `group` means to the caller."""
    name = group_name(group.group)
    match rejected.reason:
        case Reason.EXISTS:
            return ApiError("LOCATION_GROUP_EXISTS", f"{name} exists already", {"location_group": name})
        case Reason.GROUP_UNKNOWN:
            return group_unknown(group.group)
        case Reason.LOCATION_UNKNOWN:
            n = int(rejected.field.partition("[")[2].rstrip("]"))
            return location_unknown(group.locations[n])
        case Reason.IN_USE:
            metadata = {"location_group": name, "lane": rejected.field}
            return ApiError("LOCATION_GROUP_IN_USE", f"{name} is in use: {rejected.detail}", metadata)
        case _:
            return from_rejected(rejected)


def _members(names: Sequence[str], faults: Faults) -> tuple[str, ...]:
    field = "location_group.locations"
    if len(names) > LOCATIONS_PER_CALL_MAX:
        raise too_many(field, len(names), LOCATIONS_PER_CALL_MAX)
    members = [faults.name(f"{field}[{n}]", name) for n, name in enumerate(names)]
    if len(set(members)) < len(members):
        faults.add(field, "a location is named twice")
    return tuple(sorted(members))


def _capacity(message: WireCapacity, faults: Faults) -> Capacity:
    measure = faults.choice("capacity.measure", message.measure, _MEASURES)
    least_s, most_s = WINDOW_MIN_NS // NS_PER_S, WINDOW_MAX_NS // NS_PER_S
    window_ns = faults.length("capacity.window", message.window, least_s, most_s)
    if window_ns % NS_PER_S:
        faults.add("capacity.window", "whole seconds are allowed")
    limit = faults.units("capacity.limit", message.limit, 0, QUANTITY_MAX)
    return Capacity(measure, window_ns, limit, _overrides(message, window_ns, faults))


def _overrides(message: WireCapacity, window_ns: int, faults: Faults) -> tuple[tuple[int, int], ...]:
    if len(message.overrides) > CAPACITY_OVERRIDES_MAX:
        raise too_many("capacity.overrides", len(message.overrides), CAPACITY_OVERRIDES_MAX)
    limits: dict[int, int] = {}
    for n, override in enumerate(message.overrides):
        field = f"capacity.overrides[{n}]"
        start_ns = faults.time(f"{field}.window_start_time", override.window_start_time)
        start_ns = 0 if start_ns == _EPOCH_AS_READ_NS else start_ns
        if not override.HasField("window_start_time") or (window_ns and start_ns % window_ns):
            faults.add(f"{field}.window_start_time", "it must be a multiple of the window since 1970 UTC")
        if start_ns in limits:
            faults.add(f"{field}.window_start_time", "this window stands there twice")
        limits[start_ns] = faults.units(f"{field}.limit", override.limit, 0, QUANTITY_MAX)
    return tuple(sorted(limits.items()))
