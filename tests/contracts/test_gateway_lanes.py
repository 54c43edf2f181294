from __future__ import annotations

import grpc

from allocator.v1 import network_pb2 as n
from tests.support.api import DC, Api, failure, make
from tests.support.gateway import Serve, fresh
from tests.support.lanes import LANE, PROFILE, SERVES, call, new_lane, serving

pytest_plugins = ("tests.support.gateway_fixtures",)

STORES = "locationGroups/stores"


def change_lane(api: Api, name: str, *paths: str, **fields: object) -> n.Lane:
    """Change fields of a lane, with a mask when paths are given."""
    mask = {"paths": paths} if paths else None
    return api.network.UpdateLane(make(n.UpdateLaneRequest, lane={"name": name, **fields}, update_mask=mask)).lane


def test_a_lane_keeps_all_it_was_created_with(api: Api) -> None:
    """What was sent is read back, with the name the id makes."""
    request = make(n.CreateLaneRequest, lane_id=fresh("lane"), lane=LANE, request_id=fresh("request"))
    answers = [api.network.CreateLane(request) for _ in range(2)]
    assert [answer.repeated_request for answer in answers] == [False, True]
    expected = make(n.Lane, name=f"lanes/{request.lane_id}", **LANE)
    assert answers[0].lane == answers[1].lane == expected
    assert api.network.GetLane(make(n.GetLaneRequest, name=expected.name)).lane == expected
    request.request_id = fresh("request")
    found = failure(api.network.CreateLane, request)
    assert (found.code, found.reason) == (grpc.StatusCode.ALREADY_EXISTS, "LANE_EXISTS")
    assert found.metadata == {"lane": expected.name}


def test_an_update_of_a_lane_changes_the_fields_of_its_mask(api: Api) -> None:
    """Masked fields are taken even when empty, without a mask those that are not; lists are replaced whole."""
    name = new_lane(api, **LANE)
    changed = change_lane(api, name, "origin_location", "origin_group", origin_group=STORES, service_level="?")
    assert (changed.origin_location, changed.origin_group, changed.service_level) == ("", STORES, "next-day")
    changed = change_lane(api, name, countries=["FR"], kg_micros=5)
    assert (list(changed.countries), changed.kg_micros, changed.parcel_micros) == (["FR"], 5, 8_759_000)
    assert list(change_lane(api, name, "countries").countries) == []


def test_the_fields_of_a_lane_have_to_agree_after_an_update(api: Api) -> None:
    """Each value may be fine alone and wrong beside what the lane has already."""
    name = new_lane(api, origin_location=DC, distance_max_km=100, transit=[{"distance_max_km": 100, "days": 1}])
    for fields, at in (
        ({"origin_group": STORES}, "lane.origin_group"),
        ({"distance_max_km": 101}, "lane.transit"),
        ({"transit": [{"distance_max_km": 99, "days": 1}]}, "lane.transit"),
    ):
        request = make(n.UpdateLaneRequest, lane={"name": name, **fields})
        found = call(api, request)
        assert (found.reason, found.fields) == ("INVALID", [at])


def test_lanes_are_listed_in_pages_and_deleted(api: Api) -> None:
    """In the order of names, each exactly once; a repeated delete is the first one."""
    made = {new_lane(api) for _ in range(3)}
    listed: list[str] = []
    token = ""
    while not listed or token:
        page = api.network.ListLanes(make(n.ListLanesRequest, page_size=2, page_token=token))
        listed += [row.name for row in page.lanes]
        token = page.next_page_token
    assert listed == sorted(set(listed))
    assert made <= set(listed)
    name = made.pop()
    request = make(n.DeleteLaneRequest, name=name, request_id=fresh("request"))
    assert [api.network.DeleteLane(request).repeated_request for _ in range(2)] == [False, True]
    assert failure(api.network.GetLane, make(n.GetLaneRequest, name=name)).reason == "LANE_UNKNOWN"


def test_where_a_lane_begins_cannot_be_deleted(api: Api) -> None:
    """The error names the lane; without the lane it goes."""
    place = make(
        n.CreateLocationRequest,
        location_id=fresh("place"),
        location={"kind": n.LOCATION_KIND_STORE, "state": n.LOCATION_STATE_CLOSED},
    )
    location = api.network.CreateLocation(place).location.name
    request = make(n.CreateLocationGroupRequest, location_group_id=fresh("group"), location_group={})
    group = api.network.CreateLocationGroup(request).location_group.name
    lanes = [new_lane(api, origin_location=location), new_lane(api, origin_group=group)]
    found = call(api, make(n.DeleteLocationRequest, name=location))
    assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LOCATION_IN_USE")
    assert found.metadata == {"location": location, "lane": lanes[0]}
    found = call(api, make(n.DeleteLocationGroupRequest, name=group))
    assert (found.code, found.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LOCATION_GROUP_IN_USE")
    assert found.metadata == {"location_group": group, "lane": lanes[1]}
    for name in lanes:
        api.network.DeleteLane(make(n.DeleteLaneRequest, name=name))
    api.network.DeleteLocation(make(n.DeleteLocationRequest, name=location))
    api.network.DeleteLocationGroup(make(n.DeleteLocationGroupRequest, name=group))


def test_profiles_are_created_changed_listed_and_deleted(api: Api) -> None:
    """What was sent is read back; a repeat is the first answer."""
    profile_id = fresh("profile")
    name = f"sourcingProfiles/{profile_id}"
    request = make(
        n.CreateSourcingProfileRequest,
        sourcing_profile_id=profile_id,
        sourcing_profile=PROFILE,
        request_id=fresh("request"),
    )
    answers = [api.network.CreateSourcingProfile(request) for _ in range(2)]
    assert [answer.repeated_request for answer in answers] == [False, True]
    expected = make(n.SourcingProfile, name=name, **PROFILE)
    read = api.network.GetSourcingProfile(make(n.GetSourcingProfileRequest, name=name)).sourcing_profile
    assert answers[0].sourcing_profile == answers[1].sourcing_profile == read == expected
    request.request_id = fresh("request")
    found = failure(api.network.CreateSourcingProfile, request)
    assert (found.reason, found.metadata) == ("SOURCING_PROFILE_EXISTS", {"sourcing_profile": name})
    change = make(
        n.UpdateSourcingProfileRequest,
        sourcing_profile={"name": name, "cost": 9.0, "priority": 9.0},
        update_mask={"paths": ["cost", "age_max", "splits_max"]},
    )
    changed = api.network.UpdateSourcingProfile(change).sourcing_profile
    assert (changed.cost, changed.priority, changed.splits_max) == (9.0, 4.0, 3)
    assert not changed.HasField("age_max")
    listed = api.network.ListSourcingProfiles(make(n.ListSourcingProfilesRequest)).sourcing_profiles
    assert name in [row.name for row in listed]
    api.network.DeleteSourcingProfile(make(n.DeleteSourcingProfileRequest, name=name))
    found = failure(api.network.GetSourcingProfile, make(n.GetSourcingProfileRequest, name=name))
    assert found.reason == "SOURCING_PROFILE_UNKNOWN"


def test_a_profile_always_has_a_weight(api: Api) -> None:
    """Taking away the last one is refused, whether at create or later."""
    found = call(api, make(n.CreateSourcingProfileRequest, sourcing_profile_id="new", sourcing_profile={}))
    assert (found.reason, found.fields) == ("INVALID", ["sourcing_profile.cost"])
    assert "all weights are 0" in found.message
    request = make(
        n.CreateSourcingProfileRequest, sourcing_profile_id=fresh("profile"), sourcing_profile={"parcels": 1.0}
    )
    name = api.network.CreateSourcingProfile(request).sourcing_profile.name
    change = make(n.UpdateSourcingProfileRequest, sourcing_profile={"name": name}, update_mask={"paths": ["parcels"]})
    assert "all weights are 0" in call(api, change).message


def test_a_location_keeps_what_it_serves(api: Api) -> None:
    """Channels, modes, cut-offs and handling days are read back, and replaced whole."""
    request = serving()
    request.location_id = fresh("place")
    made = api.network.CreateLocation(request).location
    assert list(made.channels) == SERVES["channels"]
    assert list(made.modes) == SERVES["modes"]
    assert [(row.service_level, row.minute) for row in made.cut_offs] == [("", 720), ("next-day", 1_020)]
    assert made.handling_days == 2
    change = make(
        n.UpdateLocationRequest,
        location={"name": made.name, "cut_offs": [{"minute": 60}]},
        update_mask={"paths": ["cut_offs", "channels", "modes", "handling_days"]},
    )
    changed = api.network.UpdateLocation(change).location
    assert [(row.service_level, row.minute) for row in changed.cut_offs] == [("", 60)]
    assert (list(changed.channels), list(changed.modes), changed.handling_days) == ([], [], 0)


def test_all_gateways_know_a_lane(serve: Serve) -> None:
    """What is made through one is read through the other, once its feed has brought it."""
    service = serve(gateways=2)
    with service.channel(0) as first, service.channel(1) as second:
        name = new_lane(Api(first), **LANE)
        api = Api(second)
        while not (lanes := api.network.ListLanes(make(n.ListLanesRequest)).lanes):
            pass  # its feed brings it within a round trip
        assert lanes[0] == make(n.Lane, name=name, **LANE)
