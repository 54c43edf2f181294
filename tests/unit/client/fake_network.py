"""The fake's NetworkService."""
# ruff: noqa: ANN401, ARG002, N802 - gRPC names the methods, and hands each a context whether it wants one or not.

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import error_details_pb2

from allocator.v1 import network_pb2 as pb
from tests.unit.client.fake_lanes import FakeLanes
from tests.unit.client.fake_state import Refusal, page


class FakeNetwork(FakeLanes):
    """Locations and groups in dictionaries; so are lanes and profiles."""

    def CreateLocation(self, request: pb.CreateLocationRequest, context: Any) -> pb.CreateLocationResponse:
        """Create."""
        name = f"locations/{request.location_id}"
        if name in self._state.locations:
            info = error_details_pb2.ErrorInfo(reason="LOCATION_EXISTS", domain="allocator.v1")
            raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"{name} is there already", info)
        self._state.add(request.location_id)
        self._state.locations[name].CopyFrom(request.location)
        self._state.locations[name].name = name
        return pb.CreateLocationResponse(location=self._state.locations[name])

    def GetLocation(self, request: pb.GetLocationRequest, context: Any) -> pb.GetLocationResponse:
        """Read."""
        return pb.GetLocationResponse(location=self._state.locations[self._state.known(request.name)])

    def ListLocations(self, request: pb.ListLocationsRequest, context: Any) -> pb.ListLocationsResponse:
        """Read a page."""
        locations = [self._state.locations[name] for name in sorted(self._state.locations)]
        items, token = page(locations, request.page_size, request.page_token)
        return pb.ListLocationsResponse(locations=items, next_page_token=token)

    def UpdateLocation(self, request: pb.UpdateLocationRequest, context: Any) -> pb.UpdateLocationResponse:
        """Change the fields of the mask."""
        location = self._state.locations[self._state.known(request.location.name)]
        request.update_mask.MergeMessage(request.location, location, replace_repeated_field=True)
        return pb.UpdateLocationResponse(location=location)

    def DeleteLocation(self, request: pb.DeleteLocationRequest, context: Any) -> pb.DeleteLocationResponse:
        """Delete, if it is empty."""
        name = self._state.known(request.name)
        if any(stock.on_hand for stock in self._state.stock[name].values()):
            info = error_details_pb2.ErrorInfo(reason="LOCATION_IN_USE", domain="allocator.v1")
            raise Refusal(grpc.StatusCode.FAILED_PRECONDITION, f"{name} has stock", info)
        del self._state.locations[name], self._state.stock[name]
        return pb.DeleteLocationResponse()

    def CreateLocationGroup(self, request: pb.CreateLocationGroupRequest, context: Any) -> Any:
        """Create."""
        name = f"locationGroups/{request.location_group_id}"
        group = self._state.groups[name] = pb.LocationGroup()
        group.CopyFrom(request.location_group)
        group.name = name
        return pb.CreateLocationGroupResponse(location_group=group)

    def GetLocationGroup(self, request: pb.GetLocationGroupRequest, context: Any) -> pb.GetLocationGroupResponse:
        """Read."""
        return pb.GetLocationGroupResponse(location_group=self._state.groups[request.name])

    def ListLocationGroups(self, request: pb.ListLocationGroupsRequest, context: Any) -> Any:
        """Read a page."""
        items, token = page(list(self._state.groups.values()), request.page_size, request.page_token)
        return pb.ListLocationGroupsResponse(location_groups=items, next_page_token=token)

    def UpdateLocationGroup(self, request: pb.UpdateLocationGroupRequest, context: Any) -> Any:
        """Change the fields of the mask."""
        group = self._state.groups[request.location_group.name]
        request.update_mask.MergeMessage(request.location_group, group, replace_repeated_field=True)
        return pb.UpdateLocationGroupResponse(location_group=group)

    def DeleteLocationGroup(self, request: pb.DeleteLocationGroupRequest, context: Any) -> Any:
        """Delete."""
        del self._state.groups[request.name]
        return pb.DeleteLocationGroupResponse()

    def SetCapacity(self, request: pb.SetCapacityRequest, context: Any) -> pb.SetCapacityResponse:
        """Set or clear."""
        name = self._state.known(request.location)
        self._state.capacities.pop(name, None)
        if request.HasField("capacity"):
            self._state.capacities[name] = request.capacity
        return pb.SetCapacityResponse(versions=self._state.version_list([name]))
