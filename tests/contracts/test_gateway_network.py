from __future__ import annotations

import grpc

from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as r
from tests.support.api import DC, STORE_1, STORE_2, Api, failure, make, movement, nothing_changes
from tests.support.gateway import Serve, fresh

pytest_plugins = ("tests.support.gateway_fixtures",)

STORE = n.LOCATION_KIND_STORE
FULL = make(
    n.Location,
    display_name="London, Oxford Street",
    kind=n.LOCATION_KIND_DARK_STORE,
    state=n.LOCATION_STATE_CLOSED,
    country_code="GB",
    city="London",
    position={"latitude": 51.5, "longitude": -0.14},
    time_zone="Europe/London",
    opening_hours=[
        {"day": 1, "open_minute": 540, "close_minute": 720},
        {"day": 1, "open_minute": 780, "close_minute": 1080},
        {"day": 7, "open_minute": 0, "close_minute": 1440},
    ],
    opening_exceptions=[
        {"date": {"year": 2025, "month": 12, "day": 25}, "closed": True, "display_name": "Christmas"},
        {"date": {"year": 2025, "month": 12, "day": 26}, "open_minute": 600, "close_minute": 700},
        {"date": {"year": 2025, "month": 12, "day": 26}, "open_minute": 800, "close_minute": 900},
    ],
    priority=7,
    labels={"region": "south", "size": "XL"},
    actor_group="south",
)


def create(api: Api, **location: object) -> str:
    """A new location; its name."""
    request = make(n.CreateLocationRequest, location_id=fresh("place"), location={"kind": STORE, **location})
    return api.network.CreateLocation(request).location.name


def get(api: Api, name: str) -> n.Location:
    """A location as it is."""
    return api.network.GetLocation(make(n.GetLocationRequest, name=name)).location


def update(api: Api, name: str, *paths: str, **fields: object) -> n.Location:
    """Change fields of a location, with a mask when paths are given."""
    mask = {"paths": paths} if paths else None
    request = make(n.UpdateLocationRequest, location={"name": name, **fields}, update_mask=mask)
    return api.network.UpdateLocation(request).location


def test_a_location_keeps_all_it_was_created_with(api: Api) -> None:
    """What was sent is read back, with the name the id makes."""
    name = fresh("place")
    made = api.network.CreateLocation(make(n.CreateLocationRequest, location_id=name, location=FULL)).location
    expected = make(n.Location)
    expected.CopyFrom(FULL)
    expected.name = f"locations/{name}"
    assert made == expected
    assert get(api, made.name) == expected


def test_a_location_is_open_and_in_utc_unless_told_otherwise(api: Api) -> None:
    """The defaults of the contract."""
    location = get(api, create(api))
    assert (location.state, location.time_zone) == (n.LOCATION_STATE_OPEN, "Etc/UTC")


def test_a_new_location_takes_stock_and_reservations_at_once(api: Api) -> None:
    """Create answers when the location serves: no restart, no waiting."""
    name = create(api)
    apple = api.stocked(5, name)
    held = api.held((apple, 2), at=name)
    assert held.home_location == name
    assert api.available(apple, name) == 3
    assert api.commit(held.name).status == r.TRANSITION_STATUS_DONE


def test_a_location_created_closed_refuses_reservations(api: Api) -> None:
    """Movements are recorded there all the same; opened, it takes them."""
    name = create(api, state=n.LOCATION_STATE_CLOSED)
    apple = api.stocked(5, name)
    refused = api.reserve((apple, 1), at=name)
    assert refused.status == r.RESERVE_STATUS_LOCATION_CLOSED
    assert [(line.status, line.available) for line in refused.lines] == [(r.LINE_STATUS_NOT_HELD, 5)]
    assert update(api, name, state=n.LOCATION_STATE_OPEN).state == n.LOCATION_STATE_OPEN
    api.held((apple, 1), at=name)


def test_closing_a_location_keeps_what_was_made(api: Api) -> None:
    """New reservations are refused, even of SKUs it never stocked; made ones are committed and fulfilled."""
    name = create(api)
    apple, elsewhere = api.stocked(5, name), api.stocked(5, DC)
    held = api.held((apple, 2), at=name)
    update(api, name, "state", state=n.LOCATION_STATE_CLOSED)
    for sku in (apple, elsewhere):
        assert api.reserve((sku, 1), at=name).status == r.RESERVE_STATUS_LOCATION_CLOSED
    api.commit(held.name)
    assert api.fulfil(held.name).status == r.TRANSITION_STATUS_DONE


def test_a_repeated_create_is_the_first_one(api: Api) -> None:
    """The same request id answers again; the id taken by another request is LOCATION_EXISTS."""
    request = make(
        n.CreateLocationRequest, location_id=fresh("place"), location={"kind": STORE}, request_id=fresh("request")
    )
    answers = [api.network.CreateLocation(request) for _ in range(2)]
    assert [answer.repeated_request for answer in answers] == [False, True]
    assert answers[0].location == answers[1].location
    request.location.city = "Bath"
    assert failure(api.network.CreateLocation, request).reason == "REQUEST_ID_REUSED"
    request.request_id = fresh("request")
    found = failure(api.network.CreateLocation, request)
    assert (found.code, found.reason) == (grpc.StatusCode.ALREADY_EXISTS, "LOCATION_EXISTS")
    assert found.metadata == {"location": f"locations/{request.location_id}"}


def test_an_update_changes_the_fields_of_its_mask(api: Api) -> None:
    """Masked fields are taken even when empty; without a mask those that are not empty; lists are replaced whole."""
    name = create(api, city="Bath", country_code="GB", labels={"a": "1", "b": "2"})
    assert update(api, name, "city", city="", country_code="FR").city == ""
    assert get(api, name).country_code == "GB"
    changed = update(api, name, display_name="Bath", labels={"c": "3"})
    assert (changed.display_name, changed.country_code, dict(changed.labels)) == ("Bath", "GB", {"c": "3"})
    read = get(api, name)
    read.priority = 9
    assert api.network.UpdateLocation(make(n.UpdateLocationRequest, location=read)).location.priority == 9


def test_a_repeated_update_changes_nothing_again(api: Api) -> None:
    """A late retry of a closing does not close what was opened since."""
    name = create(api)
    closing = make(
        n.UpdateLocationRequest, location={"name": name, "state": n.LOCATION_STATE_CLOSED}, request_id=fresh("request")
    )
    assert not api.network.UpdateLocation(closing).repeated_request
    update(api, name, state=n.LOCATION_STATE_OPEN)
    again = api.network.UpdateLocation(closing)
    assert (again.repeated_request, again.location.state) == (True, n.LOCATION_STATE_OPEN)
    apple = api.stocked(1, name)
    api.held((apple, 1), at=name)


def test_locations_are_listed_in_pages(api: Api) -> None:
    """In the order of names, each exactly once."""
    made = {create(api) for _ in range(5)}
    listed: list[str] = []
    token = ""
    while True:
        page = api.network.ListLocations(make(n.ListLocationsRequest, page_size=2, page_token=token))
        assert len(page.locations) <= 2
        listed += [location.name for location in page.locations]
        token = page.next_page_token
        if not token:
            break
    assert listed == sorted(set(listed))
    assert made | {DC, STORE_1, STORE_2} <= set(listed)
    request = make(n.ListLocationGroupsRequest, page_token=fresh())
    assert failure(api.network.ListLocationGroups, request).reason == "PAGE_TOKEN_INVALID"


def test_only_a_closed_and_empty_location_can_be_deleted(api: Api) -> None:
    """LOCATION_IN_USE says what is left; then it is gone from the network and from its groups."""
    name = create(api)
    group = make(
        n.CreateLocationGroupRequest, location_group_id=fresh("group"), location_group={"locations": [name, DC]}
    )
    group_name = api.network.CreateLocationGroup(group).location_group.name
    apple = api.stocked(2, name)
    held = api.held((apple, 1), at=name)
    request = make(n.DeleteLocationRequest, name=name, request_id=fresh("request"))
    with nothing_changes(api):
        found = failure(api.network.DeleteLocation, request)
    assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LOCATION_IN_USE")
    assert found.metadata == {"location": name}
    assert all(part in found.message for part in ("open", "1 SKUs", "1 reservations"))
    api.release(held.name)
    api.record([movement(i.MOVEMENT_TYPE_ADJUSTMENT, apple, -2, name)])
    assert failure(api.network.DeleteLocation, request).reason == "LOCATION_IN_USE"
    update(api, name, state=n.LOCATION_STATE_CLOSED)
    answers = [api.network.DeleteLocation(request) for _ in range(2)]
    assert [answer.repeated_request for answer in answers] == [False, True]
    assert failure(get, api, name).reason == "LOCATION_UNKNOWN"
    members = api.network.GetLocationGroup(make(n.GetLocationGroupRequest, name=group_name)).location_group.locations
    assert list(members) == [DC]


def test_groups_are_created_changed_and_deleted(api: Api) -> None:
    """Members are kept in the order of names; reads of the group follow at once."""
    group_id = fresh("group")
    name = f"locationGroups/{group_id}"
    group = make(n.LocationGroup, display_name="Some", locations=[STORE_2, DC])
    request = make(
        n.CreateLocationGroupRequest, location_group_id=group_id, location_group=group, request_id=fresh("request")
    )
    answers = [api.network.CreateLocationGroup(request) for _ in range(2)]
    assert [answer.repeated_request for answer in answers] == [False, True]
    assert list(answers[0].location_group.locations) == [DC, STORE_2]
    request.request_id = fresh("request")
    found = failure(api.network.CreateLocationGroup, request)
    assert (found.reason, found.metadata) == ("LOCATION_GROUP_EXISTS", {"location_group": name})
    apple = api.stocked(3, STORE_1)
    assert api.check((apple, 1), location_group=name).lines[0].total == 0
    change = make(
        n.UpdateLocationGroupRequest,
        location_group={"name": name, "display_name": "", "locations": [STORE_1]},
        update_mask={"paths": ["locations"]},
    )
    changed = api.network.UpdateLocationGroup(change).location_group
    assert (changed.display_name, list(changed.locations)) == ("Some", [STORE_1])
    assert api.check((apple, 1), location_group=name).lines[0].total == 3
    listed = api.network.ListLocationGroups(make(n.ListLocationGroupsRequest)).location_groups
    assert name in [row.name for row in listed]
    api.network.DeleteLocationGroup(make(n.DeleteLocationGroupRequest, name=name))
    assert failure(api.check, (apple, 1), location_group=name).reason == "LOCATION_GROUP_UNKNOWN"
    assert get(api, STORE_1).name == STORE_1


def test_an_update_of_a_group_looks_only_at_the_fields_it_changes(api: Api) -> None:
    """Members that are not in the mask may be anything."""
    request = make(n.CreateLocationGroupRequest, location_group_id=fresh("group"), location_group={"locations": [DC]})
    name = api.network.CreateLocationGroup(request).location_group.name
    change = make(
        n.UpdateLocationGroupRequest,
        location_group={"name": name, "display_name": "New", "locations": ["locations/nowhere"]},
        update_mask={"paths": ["display_name"]},
    )
    changed = api.network.UpdateLocationGroup(change).location_group
    assert (changed.display_name, list(changed.locations)) == ("New", [DC])


def capacity(at: str, limit: int, **fields: object) -> n.SetCapacityRequest:
    """Units per hour."""
    values = {"measure": n.CAPACITY_MEASURE_UNITS, "window": {"seconds": 3600}, "limit": limit}
    return make(n.SetCapacityRequest, location=at, capacity={**values, **fields})


def test_capacity_bounds_what_is_picked_in_a_window(api: Api) -> None:
    """Stock alone is not enough: NO_CAPACITY tells what the window still takes; cleared, it takes everything."""
    name = create(api)
    apple = api.stocked(100, name)
    response = api.network.SetCapacity(capacity(name, 5))
    assert [version.location for version in response.versions] == [name]
    api.held((apple, 3), at=name)
    refused = api.reserve((apple, 3), at=name)
    assert (refused.status, refused.capacity_left) == (r.RESERVE_STATUS_NO_CAPACITY, 2)
    assert [(line.status, line.available) for line in refused.lines] == [(r.LINE_STATUS_NOT_HELD, 97)]
    api.network.SetCapacity(make(n.SetCapacityRequest, location=name))
    api.held((apple, 3), at=name)


def test_one_window_may_have_another_capacity(api: Api) -> None:
    """pick_time chooses the window; an override is the limit there."""
    name = create(api)
    apple = api.stocked(100, name)
    busy = 1_800_000_000
    request = capacity(name, 1, overrides=[{"window_start_time": {"seconds": busy}, "limit": 10}])
    request.request_id = fresh("request")
    assert [api.network.SetCapacity(request).repeated_request for _ in range(2)] == [False, True]
    assert api.reserve((apple, 5), at=name).status == r.RESERVE_STATUS_NO_CAPACITY
    api.held((apple, 5), at=name, pick_time={"seconds": busy + 1800})


def test_two_gateways_know_the_same_network(serve: Serve) -> None:
    """A location made through one gateway is reserved at through the other."""
    service = serve(gateways=2)
    with service.channel(0) as first, service.channel(1) as second:
        name = create(Api(first))
        versions = Api(first).receive("apple", 5, name).versions
        api = Api(second)
        while name not in {row.name for row in api.network.ListLocations(make(n.ListLocationsRequest)).locations}:
            pass  # its feed brings it within a round trip
        assert api.check(("apple", 1), locations=[name], min_versions=versions).lines[0].total == 5
        api.held(("apple", 2), at=name)
