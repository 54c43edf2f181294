"""Calls of NetworkService about lanes and sourcing profiles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from google.protobuf.duration_pb2 import Duration

from allocator.client import wire
from allocator.client.call import Call, Page, Pages
from allocator.client.types.lanes import Lane, SourcingProfile, TransitBand
from allocator.v1 import network_pb2 as pb
from allocator.v1.network_pb2_grpc import NetworkServiceStub

_LANE_PLAIN: Final = (
    "service_level",
    "display_name",
    "countries",
    "distance_max_km",
    "parcel_micros",
    "unit_micros",
    "kg_micros",
    "km_micros",
    "kg_km_micros",
)
_PROFILE_PLAIN: Final = (
    "display_name",
    "cost",
    "lateness",
    "parcels",
    "stock_cover",
    "capacity",
    "priority",
    "splits_max",
)


def create_lane(lane: Lane, *, request_id: str | None = None) -> Call[Lane]:
    """Create a lane.

    Raises:
        AlreadyExists: the id is taken.
        NotFound: its origin is unknown.
    """
    request = pb.CreateLaneRequest(lane_id=lane.id, lane=_lane_message(lane), request_id=request_id or "")
    return Call(NetworkServiceStub, "CreateLane", request, _lane_of, writes=True)


def lane(lane_id: str) -> Call[Lane]:
    """Read a lane.

    Raises:
        NotFound: there is none with this id.
    """
    return Call(NetworkServiceStub, "GetLane", pb.GetLaneRequest(name=wire.lane_name(lane_id)), _lane_of)


def lanes(*, page_size: int = 1_000) -> Pages[Lane]:
    """List all lanes in the order of ids."""

    def call(token: str) -> Call[Page[Lane]]:
        request = pb.ListLanesRequest(page_size=page_size, page_token=token)
        return Call(NetworkServiceStub, "ListLanes", request, _lane_page)

    return Pages(call)


def update_lane(lane: Lane, fields: Iterable[str] | None = None, *, request_id: str | None = None) -> Call[Lane]:
    """Change a lane.

    Args:
        lane: with its id and the new values.
        fields: which to change, names of `Lane`; None: every one that is not empty.
        request_id: see `reserve`.

    Raises:
        NotFound: the lane or its origin is unknown.
    """
    request = pb.UpdateLaneRequest(lane=_lane_message(lane), update_mask=wire.mask(fields), request_id=request_id or "")
    return Call(NetworkServiceStub, "UpdateLane", request, _lane_of, writes=True)


def delete_lane(lane_id: str, *, request_id: str | None = None) -> Call[None]:
    """Delete a lane; plans made with it stay as they are.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.DeleteLaneRequest(name=wire.lane_name(lane_id), request_id=request_id or "")
    return Call(NetworkServiceStub, "DeleteLane", request, _nothing, writes=True)


def create_profile(profile: SourcingProfile, *, request_id: str | None = None) -> Call[SourcingProfile]:
    """Create a sourcing profile.

    Raises:
        AlreadyExists: the id is taken.
    """
    request = pb.CreateSourcingProfileRequest(
        sourcing_profile_id=profile.id, sourcing_profile=_profile_message(profile), request_id=request_id or ""
    )
    return Call(NetworkServiceStub, "CreateSourcingProfile", request, _profile_of, writes=True)


def profile(profile_id: str) -> Call[SourcingProfile]:
    """Read a sourcing profile.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.GetSourcingProfileRequest(name=wire.profile_name(profile_id))
    return Call(NetworkServiceStub, "GetSourcingProfile", request, _profile_of)


def profiles(*, page_size: int = 1_000) -> Pages[SourcingProfile]:
    """List all sourcing profiles in the order of ids."""

    def call(token: str) -> Call[Page[SourcingProfile]]:
        request = pb.ListSourcingProfilesRequest(page_size=page_size, page_token=token)
        return Call(NetworkServiceStub, "ListSourcingProfiles", request, _profile_page)

    return Pages(call)


def update_profile(
    profile: SourcingProfile, fields: Iterable[str] | None = None, *, request_id: str | None = None
) -> Call[SourcingProfile]:
    """Change a sourcing profile.

    Args:
        profile: with its id and the new values.
        fields: which to change, names of `SourcingProfile`; None: every one that is not empty.
        request_id: see `reserve`.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.UpdateSourcingProfileRequest(
        sourcing_profile=_profile_message(profile), update_mask=wire.mask(fields), request_id=request_id or ""
    )
    return Call(NetworkServiceStub, "UpdateSourcingProfile", request, _profile_of, writes=True)


def delete_profile(profile_id: str, *, request_id: str | None = None) -> Call[None]:
    """Delete a sourcing profile.

    Raises:
        NotFound: there is none with this id.
    """
    request = pb.DeleteSourcingProfileRequest(name=wire.profile_name(profile_id), request_id=request_id or "")
    return Call(NetworkServiceStub, "DeleteSourcingProfile", request, _nothing, writes=True)


def _lane_message(lane: Lane) -> pb.Lane:
    return pb.Lane(
        name=wire.lane_name(lane.id),
        origin_location=wire.location_name(lane.origin_location),
        origin_group=wire.group_name(lane.origin_group),
        transit=[pb.TransitBand(distance_max_km=band.distance_max_km, days=band.days) for band in lane.transit],
        **{name: getattr(lane, name) for name in _LANE_PLAIN},
    )


def _lane(message: pb.Lane) -> Lane:
    plain = {name: getattr(message, name) for name in _LANE_PLAIN}
    return Lane(
        id=wire.plain_id(message.name),
        origin_location=wire.plain_id(message.origin_location),
        origin_group=wire.plain_id(message.origin_group),
        transit=tuple(TransitBand(band.days, band.distance_max_km) for band in message.transit),
        **{**plain, "countries": tuple(message.countries)},
    )


def _profile_message(profile: SourcingProfile) -> pb.SourcingProfile:
    message = pb.SourcingProfile(
        name=wire.profile_name(profile.id), **{name: getattr(profile, name) for name in _PROFILE_PLAIN}
    )
    if profile.age_max is not None:
        message.age_max.CopyFrom(_duration(profile.age_max))
    return message


def _profile(message: pb.SourcingProfile) -> SourcingProfile:
    return SourcingProfile(
        id=wire.plain_id(message.name),
        age_max=message.age_max.ToTimedelta() if message.HasField("age_max") else None,
        **{name: getattr(message, name) for name in _PROFILE_PLAIN},
    )


def _duration(length: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(length)
    return duration


def _lane_of(message: pb.GetLaneResponse | pb.CreateLaneResponse | pb.UpdateLaneResponse) -> Lane:
    return _lane(message.lane)


def _lane_page(message: pb.ListLanesResponse) -> Page[Lane]:
    return Page(tuple(map(_lane, message.lanes)), message.next_page_token)


def _profile_of(
    message: pb.GetSourcingProfileResponse | pb.CreateSourcingProfileResponse | pb.UpdateSourcingProfileResponse,
) -> SourcingProfile:
    return _profile(message.sourcing_profile)


def _profile_page(message: pb.ListSourcingProfilesResponse) -> Page[SourcingProfile]:
    return Page(tuple(map(_profile, message.sourcing_profiles)), message.next_page_token)


def _nothing(message: pb.DeleteLaneResponse | pb.DeleteSourcingProfileResponse) -> None:  # noqa: ARG001  # a parse
    return None
