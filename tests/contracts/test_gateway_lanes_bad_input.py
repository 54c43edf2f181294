from __future__ import annotations

import math

import grpc
import pytest
from google.protobuf.message import Message

from allocator.v1 import network_pb2 as n
from tests.support.api import DC, Api, make
from tests.support.lanes import call, lane, new_lane, profile, serving

pytest_plugins = ("tests.support.gateway_fixtures",)

STORES = "locationGroups/stores"


def named(value: object) -> str:
    """Part of a test's id."""
    return value.DESCRIPTOR.name if isinstance(value, Message) else str(value)[:60]


COSTS = ("parcel_micros", "unit_micros", "kg_micros", "km_micros", "kg_km_micros")
WEIGHTS = ("cost", "lateness", "parcels", "stock_cover", "capacity", "priority")
INVALID = [
    (make(n.CreateLaneRequest), ["lane_id", "lane", "lane.service_level"]),
    (lane(service_level="next day"), ["lane.service_level"]),
    (lane(display_name="x" * 129), ["lane.display_name"]),
    (lane(display_name="\n"), ["lane.display_name"]),
    (lane(origin_location="dc-1"), ["lane.origin_location"]),
    (lane(origin_location="", origin_group=DC), ["lane.origin_group"]),
    (lane(origin_group=STORES), ["lane.origin_group"]),
    (lane(countries=["GB", "gb"]), ["lane.countries[1]"]),
    (lane(countries=["GB", "GB"]), ["lane.countries[1]"]),
    (lane(distance_max_km=-1), ["lane.distance_max_km"]),
    (lane(distance_max_km=20_101), ["lane.distance_max_km"]),
    (lane(transit=[{"distance_max_km": -1, "days": 1}]), ["lane.transit[0].distance_max_km"]),
    (lane(transit=[{"days": -1}]), ["lane.transit[0].days"]),
    (lane(transit=[{"days": 366}]), ["lane.transit[0].days"]),
    (lane(transit=[{"days": 1}, {"days": 2}]), ["lane.transit[0].distance_max_km"]),
    (
        lane(transit=[{"distance_max_km": 9, "days": 1}, {"distance_max_km": 9, "days": 2}]),
        ["lane.transit[1].distance_max_km"],
    ),
    (lane(distance_max_km=0, transit=[{"distance_max_km": 9, "days": 1}]), ["lane.transit"]),
    *((lane(**{cost: value}), [f"lane.{cost}"]) for cost in COSTS for value in (-1, 10**12 + 1)),
    (make(n.GetLaneRequest, name="new"), ["name"]),
    (make(n.ListLanesRequest, page_size=-1), ["page_size"]),
    (make(n.UpdateLaneRequest), ["lane", "lane.name"]),
    (make(n.UpdateLaneRequest, lane={"name": "lanes/l"}, update_mask={"paths": ["colour"]}), ["update_mask"]),
    (make(n.DeleteLaneRequest, name="l", request_id="?"), ["name", "request_id"]),
    (make(n.CreateSourcingProfileRequest), ["sourcing_profile_id", "sourcing_profile"]),
    *(
        (profile(**{weight: value}), [f"sourcing_profile.{weight}"])
        for weight in WEIGHTS
        for value in (-0.1, math.nan, math.inf, 1e10)
    ),
    (profile(splits_max=-1), ["sourcing_profile.splits_max"]),
    (profile(splits_max=11), ["sourcing_profile.splits_max"]),
    (profile(age_max={"seconds": -1}), ["sourcing_profile.age_max"]),
    (profile(age_max={"seconds": 604_801}), ["sourcing_profile.age_max"]),
    (profile(display_name="x" * 129), ["sourcing_profile.display_name"]),
    (make(n.GetSourcingProfileRequest, name="lanes/l"), ["name"]),
    (make(n.UpdateSourcingProfileRequest), ["sourcing_profile", "sourcing_profile.name"]),
    (make(n.DeleteSourcingProfileRequest, name="p"), ["name"]),
    (serving(channels=["web", "a channel"]), ["location.channels[1]"]),
    (serving(channels=["web", "web"]), ["location.channels[1]"]),
    (serving(modes=[0]), ["location.modes[0]"]),
    (serving(modes=[4]), ["location.modes[0]"]),
    (serving(modes=[1, 1]), ["location.modes[1]"]),
    (serving(cut_offs=[{"minute": 1_441}]), ["location.cut_offs[0].minute"]),
    (serving(cut_offs=[{"minute": -1}]), ["location.cut_offs[0].minute"]),
    (serving(cut_offs=[{"service_level": "?", "minute": 1}]), ["location.cut_offs[0].service_level"]),
    (serving(cut_offs=[{"minute": 1}, {"minute": 2}]), ["location.cut_offs[1].service_level"]),
    (serving(handling_days=-1), ["location.handling_days"]),
    (serving(handling_days=31), ["location.handling_days"]),
]


@pytest.mark.parametrize(("request_", "fields"), INVALID, ids=named)
def test_bad_input_names_its_fields(api: Api, request_: Message, fields: list[str]) -> None:
    """INVALID_ARGUMENT with each field that is wrong, and nothing changes."""
    found = call(api, request_)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID")
    assert found.fields == fields


TOO_LARGE = [
    (lane(countries=["GB"] * 251), "lane.countries", 251, 250),
    (lane(transit=[{"days": 1}] * 65), "lane.transit", 65, 64),
    (serving(channels=["web"] * 65), "location.channels", 65, 64),
    (serving(modes=[1] * 4), "location.modes", 4, 3),
    (serving(cut_offs=[{"minute": 1}] * 65), "location.cut_offs", 65, 64),
]


@pytest.mark.parametrize(("request_", "field", "count", "maximum"), TOO_LARGE, ids=named)
def test_too_many_items_name_the_maximum(api: Api, request_: Message, field: str, count: int, maximum: int) -> None:
    """BATCH_TOO_LARGE tells the field, how many there are and how many there may be."""
    found = call(api, request_)
    assert found.reason == "BATCH_TOO_LARGE"
    assert found.metadata == {"field": field, "count": str(count), "maximum": str(maximum)}


NOWHERE, NO_GROUP, NO_LANE = "locations/nowhere", "locationGroups/nobody", "lanes/nothing"
NO_PROFILE = "sourcingProfiles/nothing"
UNKNOWN = [
    (lane(origin_location=NOWHERE), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (lane(origin_location="", origin_group=NO_GROUP), "LOCATION_GROUP_UNKNOWN", {"location_group": NO_GROUP}),
    (make(n.GetLaneRequest, name=NO_LANE), "LANE_UNKNOWN", {"lane": NO_LANE}),
    (make(n.UpdateLaneRequest, lane={"name": NO_LANE, "unit_micros": 1}), "LANE_UNKNOWN", {"lane": NO_LANE}),
    (make(n.DeleteLaneRequest, name=NO_LANE), "LANE_UNKNOWN", {"lane": NO_LANE}),
    (
        make(n.GetSourcingProfileRequest, name=NO_PROFILE),
        "SOURCING_PROFILE_UNKNOWN",
        {"sourcing_profile": NO_PROFILE},
    ),
    (
        make(n.UpdateSourcingProfileRequest, sourcing_profile={"name": NO_PROFILE, "cost": 1.0}),
        "SOURCING_PROFILE_UNKNOWN",
        {"sourcing_profile": NO_PROFILE},
    ),
    (
        make(n.DeleteSourcingProfileRequest, name=NO_PROFILE),
        "SOURCING_PROFILE_UNKNOWN",
        {"sourcing_profile": NO_PROFILE},
    ),
]


@pytest.mark.parametrize(("request_", "reason", "metadata"), UNKNOWN, ids=named)
def test_an_unknown_name_is_not_found(api: Api, request_: Message, reason: str, metadata: dict[str, str]) -> None:
    """NOT_FOUND with what was not found, and nothing changes."""
    found = call(api, request_)
    assert (found.code, found.reason, found.metadata) == (grpc.StatusCode.NOT_FOUND, reason, metadata)


def test_names_are_set_at_create(api: Api) -> None:
    """FIELD_IMMUTABLE names the field."""
    requests: tuple[Message, ...] = (
        make(n.UpdateLaneRequest, lane={"name": new_lane(api)}, update_mask={"paths": ["name"]}),
        make(n.UpdateSourcingProfileRequest, sourcing_profile={"name": NO_PROFILE}, update_mask={"paths": ["name"]}),
    )
    for request in requests:
        found = call(api, request)
        assert (found.reason, found.metadata) == ("FIELD_IMMUTABLE", {"field": "name"})
