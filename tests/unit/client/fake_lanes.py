"""The lanes and sourcing profiles of the fake's NetworkService."""
# ruff: noqa: ANN401, ARG002, N802 - gRPC names the methods, and hands each a context whether it wants one or not.

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import error_details_pb2

from allocator.v1 import network_pb2 as pb
from allocator.v1.network_pb2_grpc import NetworkServiceServicer
from tests.unit.client.fake_state import Refusal, State, page


class FakeLanes(NetworkServiceServicer):
    """Lanes and profiles in one dictionary each, by name."""

    def __init__(self, state: State) -> None:
        self._state = state

    def CreateLane(self, request: pb.CreateLaneRequest, context: Any) -> pb.CreateLaneResponse:
        """Create."""
        name = f"lanes/{request.lane_id}"
        return pb.CreateLaneResponse(lane=_put(self._state.lanes, name, request.lane))

    def GetLane(self, request: pb.GetLaneRequest, context: Any) -> pb.GetLaneResponse:
        """Read."""
        return pb.GetLaneResponse(lane=_known(self._state.lanes, request.name))

    def ListLanes(self, request: pb.ListLanesRequest, context: Any) -> pb.ListLanesResponse:
        """Read a page."""
        items, token = page(list(self._state.lanes.values()), request.page_size, request.page_token)
        return pb.ListLanesResponse(lanes=items, next_page_token=token)

    def UpdateLane(self, request: pb.UpdateLaneRequest, context: Any) -> pb.UpdateLaneResponse:
        """Change the fields of the mask."""
        lane = _known(self._state.lanes, request.lane.name)
        request.update_mask.MergeMessage(request.lane, lane, replace_repeated_field=True)
        return pb.UpdateLaneResponse(lane=lane)

    def DeleteLane(self, request: pb.DeleteLaneRequest, context: Any) -> pb.DeleteLaneResponse:
        """Delete."""
        _known(self._state.lanes, request.name)
        del self._state.lanes[request.name]
        return pb.DeleteLaneResponse()

    def CreateSourcingProfile(self, request: pb.CreateSourcingProfileRequest, context: Any) -> Any:
        """Create."""
        name = f"sourcingProfiles/{request.sourcing_profile_id}"
        profile = _put(self._state.profiles, name, request.sourcing_profile)
        return pb.CreateSourcingProfileResponse(sourcing_profile=profile)

    def GetSourcingProfile(self, request: pb.GetSourcingProfileRequest, context: Any) -> pb.GetSourcingProfileResponse:
        """Read."""
        return pb.GetSourcingProfileResponse(sourcing_profile=_known(self._state.profiles, request.name))

    def ListSourcingProfiles(self, request: pb.ListSourcingProfilesRequest, context: Any) -> Any:
        """Read a page."""
        items, token = page(list(self._state.profiles.values()), request.page_size, request.page_token)
        return pb.ListSourcingProfilesResponse(sourcing_profiles=items, next_page_token=token)

    def UpdateSourcingProfile(self, request: pb.UpdateSourcingProfileRequest, context: Any) -> Any:
        """Change the fields of the mask."""
        profile = _known(self._state.profiles, request.sourcing_profile.name)
        request.update_mask.MergeMessage(request.sourcing_profile, profile, replace_repeated_field=True)
        return pb.UpdateSourcingProfileResponse(sourcing_profile=profile)

    def DeleteSourcingProfile(self, request: pb.DeleteSourcingProfileRequest, context: Any) -> Any:
        """Delete."""
        _known(self._state.profiles, request.name)
        del self._state.profiles[request.name]
        return pb.DeleteSourcingProfileResponse()


def _put(table: dict[str, Any], name: str, message: Any) -> Any:
    table[name] = type(message)()
    table[name].CopyFrom(message)
    table[name].name = name
    return table[name]


def _known(table: dict[str, Any], name: str) -> Any:
    if name not in table:
        info = error_details_pb2.ErrorInfo(reason="LANE_UNKNOWN", domain="allocator.v1")
        raise Refusal(grpc.StatusCode.NOT_FOUND, f"there is no {name!r}", info)
    return table[name]
