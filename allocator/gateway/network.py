"""NetworkService: locations, groups, capacity, lanes and sourcing profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocator.core.commands import Configure, Summarise
from allocator.core.network.types import CreateLocation, DeleteLocation, UpdateLocation
from allocator.core.results import Reason, Rejected
from allocator.gateway import network_rows as rows
from allocator.gateway import translate_location as tl
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls, unary
from allocator.gateway.errors import ApiError, from_rejected, location_unknown
from allocator.gateway.faults import Faults
from allocator.gateway.names import location_name
from allocator.gateway.newcomers import Newcomers
from allocator.gateway.translate_network import from_location_rejected, to_capacity
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError
from allocator.v1 import network_pb2 as pb
from allocator.v1.network_pb2_grpc import NetworkServiceServicer

if TYPE_CHECKING:
    from allocator.core.network.types import NetworkDone
    from allocator.runtime.router import Router


class NetworkServicer(NetworkServiceServicer):
    """Changes the network at its ledger and reads this gateway's copy of it."""

    def __init__(self, router: Router, calls: Calls) -> None:
        self.calls = calls
        self._router = router
        self._network = router.network
        self._newcomers = Newcomers(router)
        self._groups = rows.Rows(rows.GROUP, router)
        self._lanes = rows.Rows(rows.LANE, router)
        self._profiles = rows.Rows(rows.PROFILE, router)

    @unary
    async def CreateLocation(self, request: pb.CreateLocationRequest, call: Call) -> pb.CreateLocationResponse:
        """Create a location, have it hosted and open it if that is its state."""
        faults = Faults()
        location = faults.id("location_id", request.location_id)
        request_id = faults.request_id(call.named(request.request_id))
        if not request.HasField("location"):
            faults.add("location", "it must be set")
        command = CreateLocation(request_id, tl.to_location(location, request.location, faults))
        faults.check()
        result = await self._change(command, call, location=location)
        await self._host(location)
        await self._configure(location, Configure(request_id, accepting=command.location.open), call)
        response = pb.CreateLocationResponse(repeated_request=result.repeated)
        self._fill(response.location, location)
        return response

    @unary
    async def GetLocation(self, request: pb.GetLocationRequest, call: Call) -> pb.GetLocationResponse:  # noqa: ARG002
        """Read a location."""
        faults = Faults()
        location = faults.name("name", request.name)
        faults.check()
        response = pb.GetLocationResponse()
        self._fill(response.location, location)
        return response

    @unary
    async def ListLocations(self, request: pb.ListLocationsRequest, call: Call) -> pb.ListLocationsResponse:  # noqa: ARG002
        """Read a page of locations."""
        names, token = rows.page(self._network.locations, request, "locations")
        response = pb.ListLocationsResponse(next_page_token=token)
        for name in names:
            self._fill(response.locations.add(), name)
        return response

    @unary
    async def UpdateLocation(self, request: pb.UpdateLocationRequest, call: Call) -> pb.UpdateLocationResponse:
        """Change the fields of a location; its state also at its ledger."""
        faults = Faults()
        if not request.HasField("location"):
            faults.add("location", "it must be set")
        location = faults.name("location.name", request.location.name)
        request_id = faults.request_id(call.named(request.request_id))
        mask = request.update_mask if request.HasField("update_mask") else None
        fields = tl.fields_to_change(request.location, mask, tl.LOCATION_FIELDS, tl.IMMUTABLE_FIELDS, faults)
        values, names = tl.to_update(location, request.location, fields, faults)
        faults.check()
        if mask is None:
            self._keep_actor_group(location, request.location)
        result = await self._change(UpdateLocation(request_id, values, names), call, location=location)
        if "open" in names and self._is(location, open_=values.open):
            await self._configure(location, Configure(request_id, accepting=values.open), call)
        response = pb.UpdateLocationResponse(repeated_request=result.repeated)
        self._fill(response.location, location)
        return response

    @unary
    async def DeleteLocation(self, request: pb.DeleteLocationRequest, call: Call) -> pb.DeleteLocationResponse:
        """Delete a location that is closed and empty."""
        faults = Faults()
        location = faults.name("name", request.name)
        request_id = faults.request_id(call.named(request.request_id))
        faults.check()
        if location in self._network.locations:
            await self._check_unused(location, call)
        result = await self._change(DeleteLocation(request_id, location), call, location=location)
        return pb.DeleteLocationResponse(repeated_request=result.repeated)

    @unary
    async def SetCapacity(self, request: pb.SetCapacityRequest, call: Call) -> pb.SetCapacityResponse:
        """Set or clear what a location can pick per time window."""
        faults = Faults()
        location = faults.name("location", request.location)
        request_id = faults.request_id(call.named(request.request_id))
        command = to_capacity(request, request_id, faults)
        faults.check()
        if not await self._newcomers.arrived(lambda: location in self._network.locations):
            raise location_unknown(location)
        result, version = await self._ask(location, command, call)
        response = pb.SetCapacityResponse(repeated_request=result.repeated)
        response.versions.add(location=location_name(location), version=version)
        return response

    @unary
    async def CreateLocationGroup(
        self,
        request: pb.CreateLocationGroupRequest,
        call: Call,
    ) -> pb.CreateLocationGroupResponse:
        """Create a group."""
        return await self._groups.create(request, pb.CreateLocationGroupResponse(), call)

    @unary
    async def GetLocationGroup(
        self,
        request: pb.GetLocationGroupRequest,
        call: Call,  # noqa: ARG002
    ) -> pb.GetLocationGroupResponse:
        """Read a group."""
        return await self._groups.get(request, pb.GetLocationGroupResponse())

    @unary
    async def ListLocationGroups(
        self,
        request: pb.ListLocationGroupsRequest,
        call: Call,  # noqa: ARG002
    ) -> pb.ListLocationGroupsResponse:
        """Read a page of groups."""
        return await self._groups.list(request, pb.ListLocationGroupsResponse())

    @unary
    async def UpdateLocationGroup(
        self,
        request: pb.UpdateLocationGroupRequest,
        call: Call,
    ) -> pb.UpdateLocationGroupResponse:
        """Change the fields of a group."""
        return await self._groups.update(request, pb.UpdateLocationGroupResponse(), call)

    @unary
    async def DeleteLocationGroup(
        self,
        request: pb.DeleteLocationGroupRequest,
        call: Call,
    ) -> pb.DeleteLocationGroupResponse:
        """Delete a group."""
        return await self._groups.delete(request, pb.DeleteLocationGroupResponse(), call)

    @unary
    async def CreateLane(self, request: pb.CreateLaneRequest, call: Call) -> pb.CreateLaneResponse:
        """Create a lane."""
        return await self._lanes.create(request, pb.CreateLaneResponse(), call)

    @unary
    async def GetLane(self, request: pb.GetLaneRequest, call: Call) -> pb.GetLaneResponse:  # noqa: ARG002
        """Read a lane."""
        return await self._lanes.get(request, pb.GetLaneResponse())

    @unary
    async def ListLanes(self, request: pb.ListLanesRequest, call: Call) -> pb.ListLanesResponse:  # noqa: ARG002
        """Read a page of lanes."""
        return await self._lanes.list(request, pb.ListLanesResponse())

    @unary
    async def UpdateLane(self, request: pb.UpdateLaneRequest, call: Call) -> pb.UpdateLaneResponse:
        """Change the fields of a lane."""
        return await self._lanes.update(request, pb.UpdateLaneResponse(), call)

    @unary
    async def DeleteLane(self, request: pb.DeleteLaneRequest, call: Call) -> pb.DeleteLaneResponse:
        """Delete a lane."""
        return await self._lanes.delete(request, pb.DeleteLaneResponse(), call)

    @unary
    async def CreateSourcingProfile(
        self,
        request: pb.CreateSourcingProfileRequest,
        call: Call,
    ) -> pb.CreateSourcingProfileResponse:
        """Create a sourcing profile."""
        return await self._profiles.create(request, pb.CreateSourcingProfileResponse(), call)

    @unary
    async def GetSourcingProfile(
        self,
        request: pb.GetSourcingProfileRequest,
        call: Call,  # noqa: ARG002
    ) -> pb.GetSourcingProfileResponse:
        """Read a sourcing profile."""
        return await self._profiles.get(request, pb.GetSourcingProfileResponse())

    @unary
    async def ListSourcingProfiles(
        self,
        request: pb.ListSourcingProfilesRequest,
        call: Call,  # noqa: ARG002
    ) -> pb.ListSourcingProfilesResponse:
        """Read a page of sourcing profiles."""
        return await self._profiles.list(request, pb.ListSourcingProfilesResponse())

    @unary
    async def UpdateSourcingProfile(
        self,
        request: pb.UpdateSourcingProfileRequest,
        call: Call,
    ) -> pb.UpdateSourcingProfileResponse:
        """Change the fields of a sourcing profile."""
        return await self._profiles.update(request, pb.UpdateSourcingProfileResponse(), call)

    @unary
    async def DeleteSourcingProfile(
        self,
        request: pb.DeleteSourcingProfileRequest,
        call: Call,
    ) -> pb.DeleteSourcingProfileResponse:
        """Delete a sourcing profile."""
        return await self._profiles.delete(request, pb.DeleteSourcingProfileResponse(), call)

    async def _change(self, command: tuple[Any, ...], call: Call, location: str) -> NetworkDone:
        return await rows.change(self._router, command, call, lambda told: from_location_rejected(told, location))

    async def _ask(self, location: str, command: Configure | Summarise, call: Call) -> tuple[Any, int]:
        """Ask the location's own ledger; it remembers request ids apart from those of the network's."""
        result, version = await self._router.submit(location, command, call.trail)
        if isinstance(result, Rejected):
            raise from_rejected(result, location)
        return result, version

    async def _configure(self, location: str, command: Configure, call: Call) -> None:
        """Tell the location's ledger what the network's has already: the call is half done, whatever comes now."""
        try:
            result, _ = await self._router.submit(location, command, call.trail)
        except OverloadedError as error:
            raise OutcomeUnknownError(f"the network has it, {location} itself does not: {error}") from error
        if not isinstance(result, Rejected):
            return
        if result.reason == Reason.RECOVERING:
            raise OutcomeUnknownError(f"the network has it, {location} itself does not: {result.detail}")
        raise from_rejected(result, location)

    async def _host(self, location: str) -> None:
        """Have the actor that the location was placed in host it."""
        try:
            await self._router.adopt(location)
        except Exception as error:
            raise OutcomeUnknownError(f"the actor of {location} went away: {type(error).__name__}") from error

    async def _check_unused(self, location: str, call: Call) -> None:
        """Refuse to delete a location that is open, has stock or has open reservations."""
        left = ["it is open (close it first, so that nothing new comes)"] if self._is(location, open_=True) else []
        summary, _ = await self._ask(location, Summarise(), call)
        if summary.stocked:
            left.append(f"{summary.stocked} SKUs have units on hand")
        if summary.live:
            left.append(f"{summary.live} reservations are open")
        if left:
            name = location_name(location)
            raise ApiError("LOCATION_IN_USE", f"{name} is in use: {', '.join(left)}", {"location": name})

    def _keep_actor_group(self, location: str, message: pb.Location) -> None:
        """Refuse another actor group in an update without a mask; the same one comes with read, change, write."""
        now = self._network.locations.get(location)
        if now is not None and message.actor_group not in {"", now.actor_group}:
            raise ApiError("FIELD_IMMUTABLE", "actor_group is set once, at create", {"field": "actor_group"})

    def _is(self, location: str, *, open_: bool) -> bool:
        now = self._network.locations.get(location)
        return now is not None and now.open == open_

    def _fill(self, message: pb.Location, location: str) -> None:
        found = self._network.locations.get(location)
        if found is None:
            raise location_unknown(location)
        tl.fill_location(message, found)
