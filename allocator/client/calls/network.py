"""Calls of NetworkService."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from google.protobuf.duration_pb2 import Duration
from google.type.date_pb2 import Date  # type: ignore[import-untyped]  # it has no py.typed
from google.type.latlng_pb2 import LatLng  # type: ignore[import-untyped]  # as above

from allocator.client import wire
from allocator.client.call import Call, Page, Pages
from allocator.client.calls.supply import written
from allocator.client.enums import CapacityMeasure, FulfilmentMode, LocationKind, LocationState
from allocator.client.types.inventory import Written
from allocator.client.types.network import (
    Capacity,
    Location,
    LocationGroup,
    OpeningException,
    OpeningHours,
    Position,
)
from allocator.v1 import common_pb2
from allocator.v1 import network_pb2 as pb
from allocator.v1.network_pb2_grpc import NetworkServiceStub

_KIND = wire.EnumMap(LocationKind, pb.LocationKind)
_STATE = wire.EnumMap(LocationState, pb.LocationState)
_MODE = wire.EnumMap(FulfilmentMode, common_pb2.FulfilmentMode)
_MEASURE = wire.EnumMap(CapacityMeasure, pb.CapacityMeasure)


def create_location(location: Location, *, request_id: str | None = None) -> Call[Location]:
    """Create a location; it has no stock yet.

    Raises:
        AlreadyExists: the id is taken.
    """
    request = pb.CreateLocationRequest(
        location_id=location.id, location=_location_message(location), request_id=request_id or ""
    )
    return Call(NetworkServiceStub, "CreateLocation", request, _location_of, writes=True)


def location(location_id: str) -> Call[Location]:
    """Read a location.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.GetLocationRequest(name=wire.location_name(location_id))
    return Call(NetworkServiceStub, "GetLocation", request, _location_of)


def locations(*, page_size: int = 1_000) -> Pages[Location]:
    """List all locations in the order of ids."""

    def call(token: str) -> Call[Page[Location]]:
        request = pb.ListLocationsRequest(page_size=page_size, page_token=token)
        return Call(NetworkServiceStub, "ListLocations", request, _location_page)

    return Pages(call)


def update_location(
    location: Location, fields: Iterable[str] | None = None, *, request_id: str | None = None
) -> Call[Location]:
    """Change a location.

    Args:
        location: with its id and the new values.
        fields: which to change, names of `Location`; None: every one that is not empty.
        request_id: see `reserve`.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.UpdateLocationRequest(
        location=_location_message(location), update_mask=wire.mask(fields), request_id=request_id or ""
    )
    return Call(NetworkServiceStub, "UpdateLocation", request, _location_of, writes=True)


def delete_location(location_id: str, *, request_id: str | None = None) -> Call[None]:
    """Delete a location and take it out of its groups; its journal is kept.

    Raises:
        NotFound: there is none with this id.
        FailedPrecondition: it has units on hand or open reservations.
    """
    request = pb.DeleteLocationRequest(name=wire.location_name(location_id), request_id=request_id or "")
    return Call(NetworkServiceStub, "DeleteLocation", request, _nothing, writes=True)


def create_group(group: LocationGroup, *, request_id: str | None = None) -> Call[LocationGroup]:
    """Create a location group.

    Raises:
        AlreadyExists: the id is taken.
        NotFound: a member is unknown.
    """
    request = pb.CreateLocationGroupRequest(
        location_group_id=group.id, location_group=_group_message(group), request_id=request_id or ""
    )
    return Call(NetworkServiceStub, "CreateLocationGroup", request, _group_of, writes=True)


def group(group_id: str) -> Call[LocationGroup]:
    """Read a location group.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.GetLocationGroupRequest(name=wire.group_name(group_id))
    return Call(NetworkServiceStub, "GetLocationGroup", request, _group_of)


def groups(*, page_size: int = 1_000) -> Pages[LocationGroup]:
    """List all location groups in the order of ids."""

    def call(token: str) -> Call[Page[LocationGroup]]:
        request = pb.ListLocationGroupsRequest(page_size=page_size, page_token=token)
        return Call(NetworkServiceStub, "ListLocationGroups", request, _group_page)

    return Pages(call)


def update_group(
    group: LocationGroup, fields: Iterable[str] | None = None, *, request_id: str | None = None
) -> Call[LocationGroup]:
    """Change a location group.

    Args:
        group: with its id and the new values.
        fields: which to change, names of `LocationGroup`; None: every one that is not empty.
        request_id: see `reserve`.

    Raises:
        NotFound: the group or a member is unknown.
    """
    request = pb.UpdateLocationGroupRequest(
        location_group=_group_message(group), update_mask=wire.mask(fields), request_id=request_id or ""
    )
    return Call(NetworkServiceStub, "UpdateLocationGroup", request, _group_of, writes=True)


def delete_group(group_id: str, *, request_id: str | None = None) -> Call[None]:
    """Delete a location group; its locations stay.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.DeleteLocationGroupRequest(name=wire.group_name(group_id), request_id=request_id or "")
    return Call(NetworkServiceStub, "DeleteLocationGroup", request, _nothing, writes=True)


def set_capacity(location_id: str, capacity: Capacity | None, *, request_id: str | None = None) -> Call[Written]:
    """Set what a location can pick per time window, replacing what was set; None: no limit any more.

    Raises:
        NotFound: the location is unknown.
    """
    request = pb.SetCapacityRequest(
        location=wire.location_name(location_id),
        capacity=None if capacity is None else _capacity_message(capacity),
        request_id=request_id or "",
    )
    return Call(NetworkServiceStub, "SetCapacity", request, written, writes=True)


def _location_message(location: Location) -> pb.Location:
    position = location.position
    return pb.Location(
        name=wire.location_name(location.id),
        display_name=location.display_name,
        kind=_KIND.number(location.kind),
        state=_STATE.number(location.state),
        country_code=location.country_code,
        city=location.city,
        position=LatLng(latitude=position.latitude, longitude=position.longitude) if position else None,
        time_zone=location.time_zone,
        opening_hours=map(_hours_message, location.opening_hours),
        opening_exceptions=map(_exception_message, location.opening_exceptions),
        priority=location.priority,
        labels=location.labels,
        actor_group=location.actor_group,
        channels=location.channels,
        modes=map(_MODE.number, location.modes),
        cut_offs=[pb.CutOff(service_level=level, minute=minute) for level, minute in location.cut_offs.items()],
        handling_days=location.handling_days,
    )


def _hours_message(hours: OpeningHours) -> pb.OpeningHours:
    return pb.OpeningHours(day=hours.day, open_minute=hours.open_minute, close_minute=hours.close_minute)


def _exception_message(exception: OpeningException) -> pb.OpeningException:
    on = exception.date
    return pb.OpeningException(
        date=Date(year=on.year, month=on.month, day=on.day),
        closed=exception.closed,
        open_minute=exception.open_minute,
        close_minute=exception.close_minute,
        display_name=exception.display_name,
    )


def _group_message(group: LocationGroup) -> pb.LocationGroup:
    return pb.LocationGroup(
        name=wire.group_name(group.id),
        display_name=group.display_name,
        locations=map(wire.location_name, group.locations),
    )


def _capacity_message(capacity: Capacity) -> pb.Capacity:
    return pb.Capacity(
        measure=_MEASURE.number(capacity.measure),
        window=Duration(seconds=capacity.window_s),
        limit=capacity.limit,
        overrides=[
            pb.CapacityOverride(window_start_time=wire.timestamp("overrides", start), limit=limit)
            for start, limit in capacity.overrides.items()
        ],
    )


def _location_of(
    message: pb.GetLocationResponse | pb.CreateLocationResponse | pb.UpdateLocationResponse,
) -> Location:
    return _location(message.location)


def _location(message: pb.Location) -> Location:
    position = message.position
    return Location(
        id=wire.plain_id(message.name),
        kind=_KIND.parse(message.kind),
        state=_STATE.parse(message.state),
        display_name=message.display_name,
        country_code=message.country_code,
        city=message.city,
        position=Position(position.latitude, position.longitude) if message.HasField("position") else None,
        time_zone=message.time_zone,
        opening_hours=tuple(OpeningHours(h.day, h.open_minute, h.close_minute) for h in message.opening_hours),
        opening_exceptions=tuple(map(_exception, message.opening_exceptions)),
        priority=message.priority,
        labels=dict(message.labels),
        actor_group=message.actor_group,
        channels=tuple(message.channels),
        modes=tuple(map(_MODE.parse, message.modes)),
        cut_offs={cut_off.service_level: cut_off.minute for cut_off in message.cut_offs},
        handling_days=message.handling_days,
    )


def _exception(message: pb.OpeningException) -> OpeningException:
    on = date(message.date.year, message.date.month, message.date.day)
    return OpeningException(on, message.closed, message.open_minute, message.close_minute, message.display_name)


def _location_page(message: pb.ListLocationsResponse) -> Page[Location]:
    return Page(tuple(map(_location, message.locations)), message.next_page_token)


def _group_of(
    message: pb.GetLocationGroupResponse | pb.CreateLocationGroupResponse | pb.UpdateLocationGroupResponse,
) -> LocationGroup:
    return _group(message.location_group)


def _group(message: pb.LocationGroup) -> LocationGroup:
    return LocationGroup(
        wire.plain_id(message.name), tuple(map(wire.plain_id, message.locations)), message.display_name
    )


def _group_page(message: pb.ListLocationGroupsResponse) -> Page[LocationGroup]:
    return Page(tuple(map(_group, message.location_groups)), message.next_page_token)


def _nothing(message: pb.DeleteLocationResponse | pb.DeleteLocationGroupResponse) -> None:  # noqa: ARG001  # a parse
    return None
