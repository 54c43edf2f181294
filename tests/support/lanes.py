"""Lanes, profiles and locations to create, and calls that fail, for the tests of a gateway."""

from __future__ import annotations

from google.protobuf.message import Message

from allocator.v1 import common_pb2 as c
from allocator.v1 import network_pb2 as n
from tests.support.api import DC, Api, Failure, failure, make, nothing_changes
from tests.support.gateway import fresh

LANE = {
    "service_level": "next-day",
    "display_name": "Next day",
    "origin_location": DC,
    "countries": ["GB", "IE"],
    "distance_max_km": 500,
    "transit": [{"distance_max_km": 100, "days": 1}, {"days": 2}],
    "parcel_micros": 8_759_000,
    "unit_micros": 1,
    "kg_micros": 932_587,
    "km_micros": 2,
    "kg_km_micros": 741,
}
PROFILE = {
    "display_name": "Thrifty",
    "cost": 1.0,
    "lateness": 0.5,
    "parcels": 2.0,
    "stock_cover": 0.25,
    "capacity": 3.0,
    "priority": 4.0,
    "splits_max": 2,
    "age_max": {"seconds": 90},
}
SERVES = {
    "channels": ["web", "store"],
    "modes": [c.FULFILMENT_MODE_PICKUP, c.FULFILMENT_MODE_SHIP_FROM_STORE],
    "cut_offs": [{"minute": 720}, {"service_level": "next-day", "minute": 1_020}],
    "handling_days": 2,
}


def call(api: Api, request: Message) -> Failure:
    """Make the call that `request` belongs to, and say how it fails; see that it changed nothing."""
    with nothing_changes(api):
        return failure(getattr(api.network, request.DESCRIPTOR.name.removesuffix("Request")), request)


def lane(**fields: object) -> n.CreateLaneRequest:
    """A lane to create, good but for `fields`."""
    return make(n.CreateLaneRequest, lane_id="new", lane={**LANE, **fields})


def profile(**fields: object) -> n.CreateSourcingProfileRequest:
    """A profile to create, good but for `fields`."""
    return make(n.CreateSourcingProfileRequest, sourcing_profile_id="new", sourcing_profile={**PROFILE, **fields})


def serving(**fields: object) -> n.CreateLocationRequest:
    """A location to create, good but for `fields`."""
    location = {"kind": n.LOCATION_KIND_STORE, **SERVES, **fields}
    return make(n.CreateLocationRequest, location_id="new", location=location)


def new_lane(api: Api, **fields: object) -> str:
    """A new lane; its name."""
    request = make(n.CreateLaneRequest, lane_id=fresh("lane"), lane={"service_level": "next-day", **fields})
    return api.network.CreateLane(request).lane.name
