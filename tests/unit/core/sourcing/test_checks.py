from __future__ import annotations

import math
from typing import Any

import pytest

from allocator.core.network.types import Group, Location, Mode, Profile
from allocator.core.sourcing import DEFAULT, Fault, check_order, check_profile
from tests.unit.core.sourcing.worlds import order_of, table_of

TABLE = table_of(Location("leeds"), groups=(Group("north"),))


def test_a_good_order_and_the_default_profile_pass() -> None:
    """With every name known."""
    order = order_of(1, 2, profile=DEFAULT, group="north", only=("leeds",), excluded=("leeds",), splits_max=10)
    assert check_order(TABLE, order) is None
    pickup = order._replace(mode=Mode.PICKUP, service_level="", pickup_location="leeds")
    assert check_order(TABLE, pickup) is None


@pytest.mark.parametrize("weight", ["cost", "lateness", "parcels", "stock_cover", "capacity", "priority"])
@pytest.mark.parametrize("value", [-0.001, math.nan, math.inf, 1e7])
def test_a_bad_weight_is_named(weight: str, value: float) -> None:
    """Negative, not a number, infinite or far too big."""
    problem = check_profile(Profile("p", **{weight: value}))  # type: ignore[arg-type]  # one field of many
    assert problem is not None
    assert problem.field == f"profile.{weight}"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"cost": 0.0}, "profile"),
        ({"splits_max": 0}, "profile.splits_max"),
        ({"splits_max": 11}, "profile.splits_max"),
        ({"age_max_s": -1.0}, "profile.age_max_s"),
        ({"age_max_s": math.nan}, "profile.age_max_s"),
    ],
)
def test_a_bad_profile_is_named(values: dict[str, Any], field: str) -> None:
    """All weights zero, parcels or age out of range."""
    problem = check_profile(Profile("p", **values))
    assert problem is not None
    assert (problem.fault, problem.field) == (Fault.OUT_OF_RANGE, field)
    assert check_order(TABLE, order_of(1, profile=Profile("p", **values))) == problem


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"lines": ()}, "lines"),
        ({"lines": tuple((str(i), 1, 0) for i in range(201))}, "lines"),
        ({"lines": (("fig", 1, 0), ("fig", 1, 0))}, "lines[1].sku"),
        ({"lines": (("fig", 0, 0),)}, "lines[0].quantity"),
        ({"lines": (("fig", 1_000_000_001, 0),)}, "lines[0].quantity"),
        ({"lines": (("fig", 1, -1),)}, "lines[0].unit_weight_g"),
        ({"mode": 9}, "mode"),
        ({"pickup_location": "leeds"}, "pickup_location"),
        ({"destination": (90.5, 0.0)}, "destination.latitude"),
        ({"destination": (math.nan, 0.0)}, "destination.latitude"),
        ({"destination": (0.0, -180.5)}, "destination.longitude"),
        ({"country": "gb"}, "country"),
        ({"country": "GBR"}, "country"),
        ({"promise_by_ns": -1}, "promise_by_ns"),
        ({"now_ns": -1}, "now_ns"),
        ({"splits_max": 11}, "splits_max"),
        ({"splits_max": -1}, "splits_max"),
    ],
)
def test_a_bad_field_is_named(values: dict[str, Any], field: str) -> None:
    """Anything out of range, with the range in words."""
    problem = check_order(TABLE, order_of(1, **values))
    assert problem is not None
    assert (problem.fault, problem.field) == (Fault.OUT_OF_RANGE, field)
    assert problem.detail


@pytest.mark.parametrize(
    ("values", "fault", "field"),
    [
        ({"service_level": "drone"}, Fault.SERVICE_LEVEL_UNKNOWN, "service_level"),
        ({"service_level": ""}, Fault.SERVICE_LEVEL_UNKNOWN, "service_level"),
        ({"group": "south"}, Fault.GROUP_UNKNOWN, "group"),
        ({"only": ("leeds", "hull")}, Fault.LOCATION_UNKNOWN, "only"),
        ({"excluded": ("hull",)}, Fault.LOCATION_UNKNOWN, "excluded"),
        ({"mode": Mode.PICKUP, "pickup_location": "hull"}, Fault.LOCATION_UNKNOWN, "pickup_location"),
    ],
)
def test_an_unknown_name_is_named(values: dict[str, Any], fault: Fault, field: str) -> None:
    """With the field that it is in."""
    problem = check_order(TABLE, order_of(1, **values))
    assert problem is not None
    assert (problem.fault, problem.field) == (fault, field)


@pytest.mark.parametrize("plans_max", [0, 11])
def test_plans_have_a_bound(plans_max: int) -> None:
    """1 to 10 of them."""
    problem = check_order(TABLE, order_of(1), plans_max)
    assert problem is not None
    assert problem.field == "plans_max"
