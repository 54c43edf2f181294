"""NetworkService: locations, groups and capacity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocator.core.commands import Configure, Summarise
from allocator.core.network.types import (
    CreateGroup,
    CreateLocation,
    DeleteGroup,
    DeleteLocation,
    UpdateGroup,
    UpdateLocation,
)
from allocator.core.results import Reason, Rejected
from allocator.gateway import pages
from allocator.gateway import translate_location as tl
from allocator.gateway import translate_network as t
from allocator.gateway.calls import Call, Calls, unary
from allocator.gateway.errors import ApiError, from_rejected, group_unknown, location_unknown
from allocator.gateway.faults import Faults
from allocator.gateway.names import GROUPS, location_name
from allocator.gateway.newcomers import Newcomers
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError
from allocator.runtime.hosted import NETWORK
from allocator.v1.network_pb2 import (
    CreateLocationGroupRequest,
    CreateLocationGroupResponse,
    CreateLocationRequest,
    CreateLocationResponse,
    DeleteLocationGroupRequest,
    DeleteLocationGroupResponse,
    DeleteLocationRequest,
    DeleteLocationResponse,
    GetLocationGroupRequest,
    GetLocationGroupResponse,
    GetLocationRequest,
    GetLocationResponse,
    ListLocationGroupsRequest,
    ListLocationGroupsResponse,
    ListLocationsRequest,
    ListLocationsResponse,
    SetCapacityRequest,
    SetCapacityResponse,
    UpdateLocationGroupRequest,
    UpdateLocationGroupResponse,
    UpdateLocationRequest,
    UpdateLocationResponse,
)
from allocator.v1.network_pb2_grpc import NetworkServiceServicer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.network.types import NetworkDone
    from allocator.runtime.router import Router
    from allocator.v1.network_pb2 import Location, LocationGroup


class NetworkServicer(NetworkServiceServicer):
    """Changes the network at its ledger and reads this gateway's copy of it."""

    def __init__(self, router: Router, calls: Calls) -> None:
        self.calls = calls
        self._router = router
        self._network = router.network
        self._newcomers = Newcomers(router)

    @unary
    async def CreateLocation(self, request: CreateLocationRequest, call: Call) -> CreateLocationResponse:
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
        response = CreateLocationResponse(repeated_request=result.repeated)
        self._fill(response.location, location)
        return response

    @unary
    async def GetLocation(self, request: GetLocationRequest, call: Call) -> GetLocationResponse:  # noqa: ARG002
        """Read a location."""
        faults = Faults()
        location = faults.name("name", request.name)
        faults.check()
        response = GetLocationResponse()
        self._fill(response.location, location)
        return response

    @unary
    async def ListLocations(self, request: ListLocationsRequest, call: Call) -> ListLocationsResponse:  # noqa: ARG002
        """Read a page of locations."""
        names, token = _page(self._network.locations, request, "locations")
        response = ListLocationsResponse(next_page_token=token)
        for name in names:
            self._fill(response.locations.add(), name)
        return response

    @unary
    async def UpdateLocation(self, request: UpdateLocationRequest, call: Call) -> UpdateLocationResponse:
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
        response = UpdateLocationResponse(repeated_request=result.repeated)
        self._fill(response.location, location)
        return response

    @unary
    async def DeleteLocation(self, request: DeleteLocationRequest, call: Call) -> DeleteLocationResponse:
        """Delete a location that is closed and empty."""
        faults = Faults()
        location = faults.name("name", request.name)
        request_id = faults.request_id(call.named(request.request_id))
        faults.check()
        if location in self._network.locations:
            await self._check_unused(location, call)
        result = await self._change(DeleteLocation(request_id, location), call, location=location)
        return DeleteLocationResponse(repeated_request=result.repeated)

    @unary
    async def CreateLocationGroup(self, request: CreateLocationGroupRequest, call: Call) -> CreateLocationGroupResponse:
        """Create a group."""
        faults = Faults()
        group = faults.id("location_group_id", request.location_group_id)
        request_id = faults.request_id(call.named(request.request_id))
        if not request.HasField("location_group"):
            faults.add("location_group", "it must be set")
        values = t.to_group(group, request.location_group, t.GROUP_FIELDS, faults)
        faults.check()
        command = CreateGroup(request_id, values)
        result = await self._change(command, call, group=group, members=values.locations)
        response = CreateLocationGroupResponse(repeated_request=result.repeated)
        self._fill_group(response.location_group, group)
        return response

    @unary
    async def GetLocationGroup(self, request: GetLocationGroupRequest, call: Call) -> GetLocationGroupResponse:  # noqa: ARG002
        """Read a group."""
        faults = Faults()
        group = faults.name("name", request.name, GROUPS)
        faults.check()
        response = GetLocationGroupResponse()
        self._fill_group(response.location_group, group)
        return response

    @unary
    async def ListLocationGroups(
        self,
        request: ListLocationGroupsRequest,
        call: Call,  # noqa: ARG002
    ) -> ListLocationGroupsResponse:
        """Read a page of groups."""
        names, token = _page(self._network.groups, request, "groups")
        response = ListLocationGroupsResponse(next_page_token=token)
        for name in names:
            self._fill_group(response.location_groups.add(), name)
        return response

    @unary
    async def UpdateLocationGroup(self, request: UpdateLocationGroupRequest, call: Call) -> UpdateLocationGroupResponse:
        """Change the fields of a group."""
        faults = Faults()
        if not request.HasField("location_group"):
            faults.add("location_group", "it must be set")
        group = faults.name("location_group.name", request.location_group.name, GROUPS)
        request_id = faults.request_id(call.named(request.request_id))
        mask = request.update_mask if request.HasField("update_mask") else None
        fields = tl.fields_to_change(request.location_group, mask, t.GROUP_FIELDS, ("name",), faults)
        values = t.to_group(group, request.location_group, fields, faults)
        faults.check()
        command = UpdateGroup(request_id, values, tuple(fields))
        result = await self._change(command, call, group=group, members=values.locations)
        response = UpdateLocationGroupResponse(repeated_request=result.repeated)
        self._fill_group(response.location_group, group)
        return response

    @unary
    async def DeleteLocationGroup(self, request: DeleteLocationGroupRequest, call: Call) -> DeleteLocationGroupResponse:
        """Delete a group."""
        faults = Faults()
        group = faults.name("name", request.name, GROUPS)
        request_id = faults.request_id(call.named(request.request_id))
        faults.check()
        result = await self._change(DeleteGroup(request_id, group), call, group=group)
        return DeleteLocationGroupResponse(repeated_request=result.repeated)

    @unary
    async def SetCapacity(self, request: SetCapacityRequest, call: Call) -> SetCapacityResponse:
        """Set or clear what a location can pick per time window."""
        faults = Faults()
        location = faults.name("location", request.location)
        request_id = faults.request_id(call.named(request.request_id))
        command = t.to_capacity(request, request_id, faults)
        faults.check()
        if not await self._newcomers.arrived(lambda: location in self._network.locations):
            raise location_unknown(location)
        result, version = await self._ask(location, command, call)
        response = SetCapacityResponse(repeated_request=result.repeated)
        response.versions.add(location=location_name(location), version=version)
        return response

    async def _change(self, command: tuple[Any, ...], call: Call, **about: Any) -> NetworkDone:  # noqa: ANN401  # names
        """Have the network's ledger take a change over; this gateway's copy has it when this returns."""
        result, _ = await self._router.submit(NETWORK, command, call.trail)
        if isinstance(result, Rejected):
            raise t.from_network_rejected(result, **about)
        done: NetworkDone = result
        return done

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

    def _keep_actor_group(self, location: str, message: Location) -> None:
        """Refuse another actor group in an update without a mask; the same one comes with read, change, write."""
        now = self._network.locations.get(location)
        if now is not None and message.actor_group not in {"", now.actor_group}:
            raise ApiError("FIELD_IMMUTABLE", "actor_group is set once, at create", {"field": "actor_group"})

    def _is(self, location: str, *, open_: bool) -> bool:
        now = self._network.locations.get(location)
        return now is not None and now.open == open_

    def _fill(self, message: Location, location: str) -> None:
        found = self._network.locations.get(location)
        if found is None:
            raise location_unknown(location)
        tl.fill_location(message, found)

    def _fill_group(self, message: LocationGroup, group: str) -> None:
        found = self._network.groups.get(group)
        if found is None:
            raise group_unknown(group)
        t.fill_group(message, found)


def _page(
    names: Iterable[str], request: ListLocationsRequest | ListLocationGroupsRequest, what: str
) -> tuple[list[str], str]:
    """A page of names in their order, and the token of the next one."""
    room = pages.size(request.page_size)
    after = pages.read_token(request.page_token, what)[0] if request.page_token else ""
    rest = sorted(name for name in names if name > after)
    more = len(rest) > room
    return rest[:room], pages.make_token((rest[room - 1],), what) if more else ""
