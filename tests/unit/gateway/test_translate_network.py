from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import Capacity, Configure, Measure
from allocator.core.network.types import Group, Location
from allocator.core.results import Reason, Rejected
from allocator.gateway import translate_location as tl
from allocator.gateway import translate_network as t
from allocator.gateway.faults import Faults
from allocator.v1 import network_pb2 as n
from tests.support.api import make

S = 10**9
GROUP = "locationGroups/g"
words = st.text(st.characters(exclude_categories=["C"]), max_size=20)
minutes = st.tuples(st.integers(0, 1_439), st.integers(1, 1_440)).filter(lambda span: span[0] < span[1])
locations = st.builds(
    Location,
    location=st.just("dc"),
    display_name=words,
    kind=st.integers(1, 5),
    open=st.booleans(),
    country_code=st.sampled_from(["", "GB"]),
    city=words,
    position=st.none() | st.tuples(st.floats(-90, 90), st.floats(-180, 180)),
    time_zone=st.sampled_from(["Europe/London", "Etc/UTC", "America/New_York"]),
    hours=st.lists(st.tuples(st.integers(1, 7), minutes), max_size=5, unique_by=lambda row: row[0]).map(
        lambda rows: tuple((day, *span) for day, span in rows)
    ),
    exceptions=st.lists(st.tuples(st.dates(), minutes, words), max_size=4).map(
        lambda rows: tuple(sorted((day.isoformat(), False, *span, name) for day, span, name in rows))
    ),
    priority=st.integers(0, 1_000_000),
    labels=st.dictionaries(st.sampled_from(["region", "size", "a/b"]), words, max_size=3).map(
        lambda labels: tuple(sorted(labels.items()))
    ),
    actor_group=st.sampled_from(["", "south"]),
    channels=st.lists(st.sampled_from(["web", "store", "a/b"]), unique=True).map(tuple),
    modes=st.lists(st.integers(1, 3), unique=True).map(tuple),
    cut_offs=st.dictionaries(st.sampled_from(["", "next-day"]), st.integers(0, 1_440)).map(
        lambda rows: tuple(rows.items())
    ),
    handling_days=st.integers(0, 30),
)


@given(locations)
def test_a_location_comes_back_as_it_went_out(location: Location) -> None:
    """Every field crosses both ways."""
    message = n.Location()
    tl.fill_location(message, location)
    faults = Faults()
    assert tl.to_location("dc", message, faults) == location
    faults.check()


@given(locations, st.sets(st.sampled_from(tl.LOCATION_FIELDS)))
def test_an_update_carries_only_the_fields_it_names(location: Location, fields: set[str]) -> None:
    """The others keep their defaults, so that a repeat compares what was asked and nothing else."""
    message = n.Location()
    tl.fill_location(message, location)
    values, names = tl.to_update("dc", message, sorted(fields), Faults())
    assert len(names) == len(fields)
    for name in Location._fields[1:]:
        default = Location._field_defaults[name]
        assert getattr(values, name) == (getattr(location, name) if name in names else default)


@pytest.mark.parametrize(
    ("fields", "paths", "expected"),
    [
        ({"city": "Bath", "priority": 3}, (), ["city", "priority"]),
        ({"name": "locations/dc", "actor_group": "south"}, (), []),
        ({"city": "Bath"}, ("priority", "city", "city"), ["city", "priority"]),
        ({}, ("labels",), ["labels"]),
    ],
)
def test_without_a_mask_all_that_is_not_empty_is_changed(
    fields: dict[str, Any], paths: tuple[str, ...], expected: list[str]
) -> None:
    """With one, what it names and nothing else."""
    request = make(n.UpdateLocationRequest, location=fields, update_mask={"paths": paths})
    faults = Faults()
    found = tl.fields_to_change(request.location, request.update_mask, tl.LOCATION_FIELDS, tl.IMMUTABLE_FIELDS, faults)
    faults.check()
    assert found == expected


def test_members_of_a_group_are_kept_in_order() -> None:
    """However they were named."""
    message = make(n.LocationGroup, display_name="All", locations=["locations/b", "locations/a"])
    faults = Faults()
    group = t.to_group("all", message, t.GROUP_FIELDS, faults)
    faults.check()
    assert group == Group("all", "All", ("a", "b"))
    told = n.LocationGroup()
    t.fill_group(told, group._replace(locations=("b", "a")))
    assert (told.name, list(told.locations)) == ("locationGroups/all", ["locations/a", "locations/b"])


def test_a_capacity_crosses_with_its_overrides() -> None:
    """Windows may begin in 1970 too; without a capacity the location's is cleared."""
    overrides = [
        {"window_start_time": {"seconds": 7_200}, "limit": 0},
        {"window_start_time": {"seconds": 0}, "limit": 9},
    ]
    capacity = {"measure": n.CAPACITY_MEASURE_ORDERS, "window": {"seconds": 3_600}, "limit": 5, "overrides": overrides}
    faults = Faults()
    request = make(n.SetCapacityRequest, capacity=capacity)
    command = t.to_capacity(request, "request-1", faults)
    faults.check()
    expected = Capacity(Measure.ORDERS, 3_600 * S, 5, ((0, 9), (7_200 * S, 0)))
    assert command == Configure("request-1", capacity=expected)
    cleared = t.to_capacity(n.SetCapacityRequest(), "request-1", faults)
    assert cleared == Configure("request-1", clear_capacity=True)


def test_a_window_has_one_override() -> None:
    """Two would say different things of it."""
    row = {"window_start_time": {"seconds": 3_600}, "limit": 1}
    capacity = {"measure": 1, "window": {"seconds": 3_600}, "overrides": [row, row]}
    faults = Faults()
    t.to_capacity(make(n.SetCapacityRequest, capacity=capacity), "request-1", faults)
    assert [fault.field for fault in faults.found] == ["capacity.overrides[1].window_start_time"]


@pytest.mark.parametrize(
    ("rejected", "reason", "metadata"),
    [
        (Rejected(Reason.EXISTS, "location_id", ""), "LOCATION_EXISTS", {"location": "locations/dc"}),
        (Rejected(Reason.LOCATION_UNKNOWN, "name", ""), "LOCATION_UNKNOWN", {"location": "locations/dc"}),
        (
            Rejected(Reason.IN_USE, "lanes/l", ""),
            "LOCATION_IN_USE",
            {"location": "locations/dc", "lane": "lanes/l"},
        ),
        (Rejected(Reason.TABLE_FULL, "location", ""), "TABLE_FULL", {"field": "location"}),
        (Rejected(Reason.REQUEST_ID_REUSED, "fields", ""), "REQUEST_ID_REUSED", {"field": "update_mask"}),
    ],
)
def test_a_refused_change_of_a_location_is_told_by_name(
    rejected: Rejected, reason: str, metadata: dict[str, str]
) -> None:
    """What exists, is unknown, in use or full."""
    error = t.from_location_rejected(rejected, "dc")
    assert (error.reason, error.metadata) == (reason, metadata)


@pytest.mark.parametrize(
    ("rejected", "reason", "metadata"),
    [
        (Rejected(Reason.EXISTS, "location_group_id", ""), "LOCATION_GROUP_EXISTS", {"location_group": GROUP}),
        (Rejected(Reason.GROUP_UNKNOWN, "name", ""), "LOCATION_GROUP_UNKNOWN", {"location_group": GROUP}),
        (
            Rejected(Reason.LOCATION_UNKNOWN, "location_group.locations[1]", ""),
            "LOCATION_UNKNOWN",
            {"location": "locations/b"},
        ),
        (
            Rejected(Reason.IN_USE, "lanes/l", ""),
            "LOCATION_GROUP_IN_USE",
            {"location_group": GROUP, "lane": "lanes/l"},
        ),
        (Rejected(Reason.TABLE_FULL, "location_group", ""), "TABLE_FULL", {"field": "location_group"}),
    ],
)
def test_a_refused_change_of_a_group_is_told_by_name(rejected: Rejected, reason: str, metadata: dict[str, str]) -> None:
    """The group, or the member that the ledger points at."""
    error = t.from_group_rejected(rejected, Group("g", "", ("a", "b")))
    assert (error.reason, error.metadata) == (reason, metadata)
