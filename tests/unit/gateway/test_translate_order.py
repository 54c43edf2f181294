from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.limits import DAY_NS
from allocator.core.network.types import Mode
from allocator.core.sourcing.profiles import DEFAULT
from allocator.core.sourcing.types import SourcingOrder
from allocator.gateway import translate_order as t
from allocator.gateway.errors import ApiError
from allocator.gateway.faults import Faults
from allocator.v1 import sourcing_pb2 as pb
from allocator.v1.common_pb2 import FULFILMENT_MODE_PICKUP, FULFILMENT_MODE_SHIP
from tests.support.api import make
from tests.unit.gateway.models import NOW_NS

HORIZON_NS = 30 * DAY_NS
NAN, INFINITE = float("nan"), float("inf")
LINE = {"sku": "apple", "quantity": 1}
MANY = [{"sku": f"sku-{n}", "quantity": 1} for n in range(201)]
PLACES = [f"locations/store-{n}" for n in range(1001)]


def message(**fields: object) -> pb.SourcingOrder:
    """An order of one apple at the standard service level, with other fields."""
    return make(pb.SourcingOrder, **{"lines": [LINE], "service_level": "standard", **fields})


def stamp(at_ns: int) -> dict[str, int]:
    """A time on the wire."""
    return {"seconds": at_ns // 10**9, "nanos": at_ns % 10**9}


def read(asked: pb.SourcingOrder, faults: Faults | None = None) -> SourcingOrder:
    """What it means."""
    return t.to_order(asked, faults or Faults(), NOW_NS, HORIZON_NS)


def fields_at_fault(asked: pb.SourcingOrder) -> list[str]:
    """The fields that are wrong with an order."""
    faults = Faults()
    read(asked, faults)
    t.weighed(DEFAULT, asked, faults)
    return [violation.field for violation in faults.found]


def test_every_field_of_an_order_arrives() -> None:
    """Names lose their collections, times become nanoseconds, and a mode that is not said is SHIP."""
    asked = message(
        destination={"latitude": 53.8, "longitude": -1.5},
        country_code="GB",
        promise_by=stamp(NOW_NS + DAY_NS),
        channel="web",
        location_group="locationGroups/north",
        locations=["locations/hull", "locations/york"],
        excluded_locations=["locations/leeds"],
        splits_max=2,
        allow_shortfall=True,
    )
    assert read(asked) == SourcingOrder(
        (("apple", 1, 0),),
        NOW_NS,
        "standard",
        Mode.SHIP,
        "web",
        "north",
        ("hull", "york"),
        ("leeds",),
        (53.8, -1.5),
        "GB",
        "",
        NOW_NS + DAY_NS,
        DEFAULT,
        2,
        True,  # noqa: FBT003  # a field of a tuple
    )


def test_a_pickup_needs_no_service_level() -> None:
    """It may name the place instead."""
    asked = message(service_level="", mode=FULFILMENT_MODE_PICKUP, pickup_location="locations/york")
    order = read(asked)
    assert (order.mode, order.service_level, order.pickup_location) == (Mode.PICKUP, "", "york")
    assert fields_at_fault(asked) == []


lines = st.lists(
    st.tuples(st.sampled_from(("apple", "pear", "fig")), st.integers(1, 100), st.integers(0, 9)), min_size=1
)


@given(lines)
def test_lines_of_a_sku_are_summed_at_their_greatest_weight(rows: list[tuple[str, int, int]]) -> None:
    """In the order in which their SKUs first come."""
    asked = message(lines=[{"sku": sku, "quantity": units, "unit_weight_grams": grams} for sku, units, grams in rows])
    expected = {
        sku: (sum(row[1] for row in rows if row[0] == sku), max(row[2] for row in rows if row[0] == sku))
        for sku, _, _ in rows
    }
    assert read(asked).lines == tuple((sku, *both) for sku, both in expected.items())


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"lines": []}, "lines"),
    ({"lines": [LINE, {"sku": "a b", "quantity": 1}]}, "lines[1].sku"),
    ({"lines": [{"sku": "apple"}]}, "lines[0].quantity"),
    ({"lines": [{"sku": "apple", "quantity": -1}]}, "lines[0].quantity"),
    ({"lines": [{"sku": "apple", "quantity": 600_000_000}] * 2}, "lines[1].quantity"),
    ({"lines": [{**LINE, "unit_weight_grams": -1}]}, "lines[0].unit_weight_grams"),
    ({"lines": [{**LINE, "unit_weight_grams": 10_000_001}]}, "lines[0].unit_weight_grams"),
    ({"mode": 9}, "mode"),
    ({"service_level": ""}, "service_level"),
    ({"service_level": "next day"}, "service_level"),
    ({"destination": {"latitude": 90.1}}, "destination.latitude"),
    ({"destination": {"latitude": NAN}}, "destination.latitude"),
    ({"destination": {"longitude": -180.5}}, "destination.longitude"),
    ({"destination": {"longitude": INFINITE}}, "destination.longitude"),
    ({"country_code": "gb"}, "country_code"),
    ({"country_code": "GBR"}, "country_code"),
    ({"pickup_location": "locations/york"}, "pickup_location"),
    ({"mode": FULFILMENT_MODE_SHIP, "pickup_location": "locations/york"}, "pickup_location"),
    ({"mode": FULFILMENT_MODE_PICKUP, "pickup_location": "york"}, "pickup_location"),
    ({"promise_by": stamp(NOW_NS - DAY_NS)}, "promise_by"),
    ({"promise_by": stamp(NOW_NS + HORIZON_NS + DAY_NS)}, "promise_by"),
    ({"promise_by": {"seconds": -1}}, "promise_by"),
    ({"channel": "a channel"}, "channel"),
    ({"location_group": "north"}, "location_group"),
    ({"locations": ["locations/york", "york"]}, "locations[1]"),
    ({"excluded_locations": ["stores/york"]}, "excluded_locations[0]"),
    ({"weights": {"cost": -0.1}}, "weights.cost"),
    ({"weights": {"cost": 1, "lateness": NAN}}, "weights.lateness"),
    ({"weights": {"cost": 1, "parcels": INFINITE}}, "weights.parcels"),
    ({"weights": {"stock_cover": 1.1e9}}, "weights.stock_cover"),
    ({"weights": {}}, "weights"),
    ({"splits_max": -1}, "splits_max"),
    ({"splits_max": 11}, "splits_max"),
]


@pytest.mark.parametrize(("fields", "field"), WRONG)
def test_each_fault_names_its_field(fields: dict[str, Any], field: str) -> None:
    """One fault, at its path below the order."""
    assert fields_at_fault(message(**fields)) == [f"order.{field}"]


def test_all_faults_are_told_together() -> None:
    """In the order of the fields, after those of the rest of the request."""
    faults = Faults()
    faults.add("ttl", "too long")
    read(message(lines=[{"sku": "?"}], splits_max=99), faults)
    assert {violation.field for violation in faults.found} == {
        "ttl",
        "order.lines[0].sku",
        "order.lines[0].quantity",
        "order.splits_max",
    }


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"lines": MANY}, "order.lines"),
        ({"locations": PLACES}, "order.locations"),
        ({"excluded_locations": PLACES}, "order.excluded_locations"),
    ],
)
def test_too_many_of_anything_is_told_with_the_maximum(fields: dict[str, Any], field: str) -> None:
    """BATCH_TOO_LARGE, before anything else is looked at."""
    with pytest.raises(ApiError) as told:
        read(message(**fields))
    assert (told.value.reason, told.value.metadata["field"]) == ("BATCH_TOO_LARGE", field)


def test_weights_of_the_order_replace_all_of_the_profile() -> None:
    """Those it does not name are 0; limits stay those of the profile."""
    profile = DEFAULT._replace(profile="mine", splits_max=5, age_max_s=2.0)
    mine = t.weighed(profile, message(weights={"lateness": 2.5}), Faults())
    assert mine == profile._replace(cost=0.0, lateness=2.5, parcels=0.0, stock_cover=0.0, capacity=0.0, priority=0.0)
    assert t.weighed(profile, message(), Faults()) is profile
