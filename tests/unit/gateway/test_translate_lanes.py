from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.network.checks import WEIGHTS
from allocator.core.network.types import COST_MAX_MICROS, DISTANCE_MAX_KM, WEIGHT_MAX, Lane, Profile
from allocator.core.results import Reason, Rejected
from allocator.gateway import translate_lanes as t
from allocator.gateway.faults import Faults
from allocator.v1 import network_pb2 as n

costs = st.integers(0, COST_MAX_MICROS)
bands = st.lists(st.tuples(st.integers(0, DISTANCE_MAX_KM), st.integers(0, 365)), max_size=4).map(tuple)
lanes = st.builds(
    Lane,
    lane=st.just("uk"),
    service_level=st.sampled_from(["next-day", "standard"]),
    display_name=st.sampled_from(["", "United Kingdom"]),
    origin_location=st.sampled_from(["", "dc", "a/b"]),
    origin_group=st.sampled_from(["", "stores"]),
    countries=st.sampled_from([(), ("GB", "IE")]),
    distance_max_km=st.integers(0, DISTANCE_MAX_KM),
    transit=bands,
    parcel_micros=costs,
    unit_micros=costs,
    kg_micros=costs,
    km_micros=costs,
    kg_km_micros=costs,
)
weights = st.floats(0, WEIGHT_MAX)
profiles = st.builds(
    Profile,
    profile=st.just("thrifty"),
    display_name=st.sampled_from(["", "Thrifty"]),
    **dict.fromkeys(WEIGHTS, weights),
    splits_max=st.integers(1, 10),
    age_max_s=st.sampled_from([0.0, 0.25, 90.0, 604_800.0]),
)


@given(lanes)
def test_a_lane_comes_back_as_it_went_out(lane: Lane) -> None:
    """Every field crosses both ways."""
    message, faults = n.Lane(), Faults()
    t.fill_lane(message, lane)
    assert t.to_lane("uk", message, t.LANE_FIELDS, faults) == lane
    faults.check()


@given(profiles)
def test_a_profile_comes_back_as_it_went_out(profile: Profile) -> None:
    """Every field crosses both ways, weights exactly."""
    message, faults = n.SourcingProfile(), Faults()
    t.fill_profile(message, profile)
    assert t.to_profile("thrifty", message, t.PROFILE_FIELDS, faults) == profile
    faults.check()


@given(lanes, st.sets(st.sampled_from(list(t.LANE_FIELDS))))
def test_an_update_carries_only_the_fields_it_names(lane: Lane, fields: set[str]) -> None:
    """The others keep their defaults, so that a repeat compares what was asked and nothing else."""
    message = n.Lane()
    t.fill_lane(message, lane)
    values = t.to_lane("uk", message, fields, Faults())
    defaults = {"service_level": "", **Lane._field_defaults}
    for name in Lane._fields[1:]:
        assert getattr(values, name) == (getattr(lane, name) if name in fields else defaults[name])


def test_an_order_is_split_over_three_locations_unless_told_otherwise() -> None:
    """0 on the wire is the default."""
    faults = Faults()
    assert t.to_profile("p", n.SourcingProfile(cost=1.0), t.PROFILE_FIELDS, faults) == Profile("p", cost=1.0)
    faults.check()


LANE = Lane("uk", "next-day", origin_location="dc")
GROUPED = Lane("uk", "next-day", origin_group="stores")


@pytest.mark.parametrize(
    ("rejected", "lane", "reason", "metadata"),
    [
        (Rejected(Reason.EXISTS, "lane_id", ""), LANE, "LANE_EXISTS", {"lane": "lanes/uk"}),
        (Rejected(Reason.LANE_UNKNOWN, "name", ""), LANE, "LANE_UNKNOWN", {"lane": "lanes/uk"}),
        (Rejected(Reason.LOCATION_UNKNOWN, "", ""), LANE, "LOCATION_UNKNOWN", {"location": "locations/dc"}),
        (
            Rejected(Reason.GROUP_UNKNOWN, "", ""),
            GROUPED,
            "LOCATION_GROUP_UNKNOWN",
            {"location_group": "locationGroups/stores"},
        ),
        (Rejected(Reason.TABLE_FULL, "lane", ""), LANE, "TABLE_FULL", {"field": "lane"}),
    ],
)
def test_a_refused_change_of_a_lane_is_told_by_name(
    rejected: Rejected, lane: Lane, reason: str, metadata: dict[str, str]
) -> None:
    """The lane, or the origin that is not there."""
    error = t.from_lane_rejected(rejected, lane)
    assert (error.reason, error.metadata) == (reason, metadata)


@pytest.mark.parametrize(
    ("rejected", "reason", "metadata"),
    [
        (Rejected(Reason.EXISTS, "", ""), "SOURCING_PROFILE_EXISTS", {"sourcing_profile": "sourcingProfiles/p"}),
        (
            Rejected(Reason.PROFILE_UNKNOWN, "name", ""),
            "SOURCING_PROFILE_UNKNOWN",
            {"sourcing_profile": "sourcingProfiles/p"},
        ),
        (Rejected(Reason.REQUEST_ID_REUSED, "profile", ""), "REQUEST_ID_REUSED", {"field": "sourcing_profile"}),
        (Rejected(Reason.INVALID, "sourcing_profile.cost", ""), "INVALID", {}),
    ],
)
def test_a_refused_change_of_a_profile_is_told_by_name(
    rejected: Rejected, reason: str, metadata: dict[str, Any]
) -> None:
    """Of the contract, not of the core."""
    error = t.from_profile_rejected(rejected, Profile("p"))
    assert (error.reason, error.metadata) == (reason, metadata)
