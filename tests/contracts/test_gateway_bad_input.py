from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from allocator.v1 import availability_pb2 as a
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as r
from tests.support.api import DC, STORE_1, Api, Failure, cart, failure, make, nothing_changes, now, receipt, reserve

pytest_plugins = ("tests.support.gateway_fixtures",)

LONG = "x" * 65
ODD = ["", "ap ple", "äpfel", "-apple", "apple?", "apple\n", LONG]
TOO_MANY = 1_000_000_001
NAME = "reservations/some-reservation"


def call(api: Api, request: Message) -> Failure:
    """Make the call that `request` belongs to, and say how it fails; see that it changed nothing."""
    name = request.DESCRIPTOR.name.removesuffix("Request")
    stubs = (api.availability, api.reservations, api.inventory, api.network)
    method = next(getattr(stub, name) for stub in stubs if hasattr(stub, name))
    with nothing_changes(api):
        return failure(method, request)


def line(**fields: object) -> r.ReserveRequest:
    """A reserve of one line."""
    row = {"sku": "apple", "quantity": 1, "location": DC}
    return make(r.ReserveRequest, lines=[{**row, **fields}])


def good(**fields: Any) -> r.ReserveRequest:  # noqa: ANN401  # of the message
    """A reserve with a good line."""
    return reserve(("apple", 1), **fields)


@pytest.fixture(autouse=True)
def apple(api: Api) -> None:
    """There are apples, so that nothing but the fault itself is in the way."""
    api.record([receipt("apple", 100, movement_id="apples"), receipt("apple", 5, STORE_1, movement_id="apples")])


def named(value: object) -> str:
    """Part of a test's id."""
    return value.DESCRIPTOR.name if isinstance(value, Message) else str(value)[:60]


INVALID = [
    (make(r.ReserveRequest), ["lines"]),
    (line(quantity=0), ["lines[0].quantity"]),
    (line(quantity=-1), ["lines[0].quantity"]),
    (line(quantity=TOO_MANY), ["lines[0].quantity"]),
    (reserve(("apple", 600_000_000), ("apple", 600_000_000)), ["lines[1].quantity"]),
    *((line(sku=sku), ["lines[0].sku"]) for sku in ODD),
    *((line(location=name), ["lines[0].location"]) for name in ("", "dc-1", "locations/", "stores/dc-1")),
    (good(request_id="x" * 37), ["request_id"]),
    (good(request_id="a b"), ["request_id"]),
    (good(ttl={"seconds": 0}), ["ttl"]),
    (good(ttl={"seconds": -5}), ["ttl"]),
    (good(ttl={"nanos": 999_999_999}), ["ttl"]),
    (good(ttl={"seconds": 4 * 3600, "nanos": 1}), ["ttl"]),
    (good(channel="a channel"), ["channel"]),
    (good(order="an order"), ["order"]),
    (good(policy=9), ["policy"]),
    (good(pick_time={"seconds": -1}), ["pick_time"]),
    (good(pick_time={"seconds": 7_258_118_400}), ["pick_time"]),
    (
        make(r.ReserveRequest, lines=[{"sku": "?", "quantity": 0, "location": "?"}], order="?", channel="?"),
        ["lines[0].sku", "lines[0].location", "lines[0].quantity", "channel", "order"],
    ),
    (make(r.BatchReserveRequest), ["reserves"]),
    (make(r.CommitReservationRequest, name="some-reservation"), ["name"]),
    (make(r.CommitReservationRequest, name=NAME, request_id="?"), ["request_id"]),
    (make(r.ExtendReservationRequest, name=NAME, ttl={"seconds": 5 * 3600}), ["ttl"]),
    (make(r.ReleaseReservationRequest, name="?", reason="x" * 257), ["name", "reason"]),
    (make(r.ReleaseReservationRequest, name=NAME, reason="a\tb"), ["reason"]),
    (make(r.ReleaseReservationRequest, name=NAME, lines=[{"sku": "?", "quantity": 1}]), ["lines[0].sku"]),
    (make(r.FulfilReservationRequest, name=NAME, lines=[{"sku": "apple"}]), ["lines[0].quantity"]),
    (
        make(r.FulfilReservationRequest, name=NAME, lines=[{"sku": "apple", "quantity": 1, "location": "dc-1"}]),
        ["lines[0].location"],
    ),
    (make(r.GetReservationRequest, name="reservations/"), ["name"]),
    (make(r.ListReservationsRequest, location="dc-1"), ["location"]),
    (make(r.ListReservationsRequest, state=17, order="?"), ["state", "order"]),
    (make(r.ListReservationsRequest, page_size=-1), ["page_size"]),
    (make(a.CheckAvailabilityRequest), ["lines"]),
    (cart(("apple", 0)), ["lines[0].quantity"]),
    (cart(("apple", TOO_MANY)), ["lines[0].quantity"]),
    (cart(("apple", 600_000_000), ("apple", 600_000_000)), ["lines"]),
    (cart(("ap ple", 1), channel="?"), ["lines[0].sku", "channel"]),
    (cart(("apple", 1), locations=["dc-1"]), ["locations[0]"]),
    (cart(("apple", 1), locations=[DC], location_group="locationGroups/stores"), ["location_group"]),
    (cart(("apple", 1), location_group="stores"), ["location_group"]),
    (
        cart(("apple", 1), min_versions=[{"location": "dc-1", "version": -1}]),
        ["min_versions[0].location", "min_versions[0].version"],
    ),
    (make(a.BatchGetAvailabilityRequest), ["skus"]),
    (make(a.BatchGetAvailabilityRequest, skus=["apple", "apple"]), ["skus"]),
    (make(a.BatchGetAvailabilityRequest, skus=["?"]), ["skus[0]"]),
    (make(a.BatchGetAvailabilityRequest, skus=["apple"], locations=[DC, DC]), ["locations"]),
    (make(i.RecordMovementsRequest), ["movements"]),
    (make(i.RecordMovementsRequest, movements=[receipt("apple", 1)], request_id="?"), ["request_id"]),
    (
        make(i.SetCountRequest, location=DC, as_of_time=now()),
        ["lines"],
    ),
    (make(i.SetCountRequest, location=DC, lines=[{"sku": "apple"}]), ["as_of_time"]),
    (make(i.SetCountRequest, location=DC, lines=[{"sku": "apple"}], as_of_time={"seconds": 0}), ["as_of_time"]),
    (
        make(i.SetCountRequest, location=DC, lines=[{"sku": "apple"}], as_of_time={"seconds": now().seconds + 600}),
        ["as_of_time"],
    ),
    (
        make(
            i.SetCountRequest,
            location="dc-1",
            lines=[{"sku": "apple", "quantity": -1}, {"sku": "apple"}],
            as_of_time=now(),
            source="x" * 129,
            reference="\x00",
            reason="x" * 257,
            expected_version=-1,
        ),
        [
            "location",
            "lines[0].quantity",
            "lines[1].sku",
            "source",
            "reference",
            "reason",
            "expected_version",
        ],
    ),
    (make(i.SetStockPolicyRequest, location=DC), ["lines"]),
    (
        make(
            i.SetStockPolicyRequest,
            location=DC,
            lines=[
                {"sku": "apple", "safety_stock": -1},
                {"sku": "apple", "quotas": {"quotas": [{"channel": "", "quantity": -1}]}},
                {
                    "sku": "pear",
                    "disposition_moves": [{"from_disposition": "damaged", "to_disposition": "damaged"}],
                },
            ],
        ),
        [
            "lines[0].safety_stock",
            "lines[1].quotas.quotas[0].channel",
            "lines[1].quotas.quotas[0].quantity",
            "lines[2].disposition_moves[0].from_disposition",
            "lines[2].disposition_moves[0].quantity",
            "lines[1].sku",
        ],
    ),
    (
        make(
            i.SetStockPolicyRequest,
            location=DC,
            lines=[{"sku": "apple", "quotas": {"quotas": [{"channel": "web"}, {"channel": "web"}]}}],
        ),
        ["lines[0].quotas.quotas[1].channel"],
    ),
    (make(i.GetStockRequest, location=DC), ["skus"]),
    (make(i.GetStockRequest, location="dc-1", skus=["?"]), ["location", "skus[0]"]),
    (make(i.ListStockRequest, location="dc-1"), ["location"]),
    (make(i.ListStockRequest, location=DC, page_size=-1), ["page_size"]),
    (make(n.CreateLocationRequest, location_id="?"), ["location_id", "location", "location.kind"]),
    (make(n.GetLocationRequest, name="dc-1"), ["name"]),
    (make(n.ListLocationsRequest, page_size=-1), ["page_size"]),
    (make(n.UpdateLocationRequest), ["location", "location.name"]),
    (make(n.UpdateLocationRequest, location={"name": DC}, update_mask={"paths": ["colour"]}), ["update_mask"]),
    (make(n.UpdateLocationRequest, location={"name": DC}, update_mask={"paths": ["kind"]}), ["location.kind"]),
    (make(n.UpdateLocationRequest, location={"name": DC}, update_mask={"paths": ["state"]}), ["location.state"]),
    (make(n.DeleteLocationRequest, name="dc-1", request_id="?"), ["name", "request_id"]),
    (make(n.CreateLocationGroupRequest), ["location_group_id", "location_group"]),
    (
        make(n.CreateLocationGroupRequest, location_group_id="g", location_group={"locations": [DC, DC]}),
        ["location_group.locations"],
    ),
    (make(n.GetLocationGroupRequest, name="locations/dc-1"), ["name"]),
    (make(n.UpdateLocationGroupRequest), ["location_group", "location_group.name"]),
    (make(n.DeleteLocationGroupRequest, name="g"), ["name"]),
    (
        make(n.SetCapacityRequest, location=DC, capacity={}),
        ["capacity.measure", "capacity.window"],
    ),
    (
        make(
            n.SetCapacityRequest,
            location=DC,
            capacity={
                "measure": n.CAPACITY_MEASURE_UNITS,
                "window": {"seconds": 3600, "nanos": 1},
                "limit": -1,
                "overrides": [{"window_start_time": {"seconds": 5}, "limit": -1}],
            },
        ),
        [
            "capacity.window",
            "capacity.limit",
            "capacity.overrides[0].window_start_time",
            "capacity.overrides[0].limit",
        ],
    ),
]


@pytest.mark.parametrize(("request_", "fields"), INVALID, ids=named)
def test_bad_input_names_each_fault_and_changes_nothing(api: Api, request_: Message, fields: list[str]) -> None:
    """INVALID_ARGUMENT with one violation for each fault; the first is in the message too."""
    found = call(api, request_)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID")
    assert found.fields == fields
    assert found.message.startswith(fields[0])


LOCATION_FAULTS = [
    ({"display_name": "x" * 129}, "display_name"),
    ({"kind": 99}, "kind"),
    ({"state": 9}, "state"),
    ({"country_code": "gb"}, "country_code"),
    ({"city": "x" * 129}, "city"),
    ({"position": {"latitude": 91, "longitude": 0}}, "position.latitude"),
    ({"position": {"latitude": 0, "longitude": float("nan")}}, "position.longitude"),
    ({"time_zone": "Europe/Atlantis"}, "time_zone"),
    ({"time_zone": "Europe"}, "time_zone"),
    ({"opening_hours": [{"day": 0, "open_minute": 0, "close_minute": 1}]}, "opening_hours[0].day"),
    ({"opening_hours": [{"day": 1, "open_minute": 1440, "close_minute": 1441}]}, "opening_hours[0].open_minute"),
    ({"opening_hours": [{"day": 1, "open_minute": 60, "close_minute": 60}]}, "opening_hours[0].close_minute"),
    (
        {
            "opening_hours": [
                {"day": 1, "open_minute": 60, "close_minute": 120},
                {"day": 1, "open_minute": 119, "close_minute": 200},
            ]
        },
        "opening_hours[1]",
    ),
    ({"opening_exceptions": [{"date": {"year": 2025, "month": 2, "day": 30}}]}, "opening_exceptions[0].date"),
    (
        {"opening_exceptions": [{"date": {"year": 2025, "month": 2, "day": 3}, "closed": True, "open_minute": 5}]},
        "opening_exceptions[0].closed",
    ),
    (
        {
            "opening_exceptions": [
                {"date": {"year": 2025, "month": 2, "day": 3}, "closed": True},
                {"date": {"year": 2025, "month": 2, "day": 2}, "closed": True},
            ]
        },
        "opening_exceptions[1].date",
    ),
    (
        {
            "opening_exceptions": [
                {"date": {"year": 2025, "month": 2, "day": 3}, "open_minute": 1, "close_minute": 2},
                {"date": {"year": 2025, "month": 2, "day": 3}, "closed": True},
            ]
        },
        "opening_exceptions[1].date",
    ),
    ({"priority": -1}, "priority"),
    ({"priority": 1_000_001}, "priority"),
    ({"labels": {"a b": "c"}}, "labels"),
    ({"labels": {"a": "x" * 65}}, "labels"),
    ({"actor_group": "a b"}, "actor_group"),
]


@pytest.mark.parametrize(("fields", "field"), LOCATION_FAULTS)
def test_each_field_of_a_location_is_checked(api: Api, fields: dict[str, Any], field: str) -> None:
    """A malformed location is not created, and the fault is named by its path."""
    location = {"kind": n.LOCATION_KIND_STORE, **fields}
    found = call(api, make(n.CreateLocationRequest, location_id="new", location=location))
    assert (found.reason, found.fields[0]) == ("INVALID", f"location.{field}")


def many(count: int, **row: object) -> list[dict[str, Any]]:
    """That many rows."""
    return [row] * count


TOO_LARGE = [
    (make(r.ReserveRequest, lines=many(10_001, sku="apple", quantity=1, location=DC)), "lines", 10_001, 10_000),
    (make(r.BatchReserveRequest, reserves=[good()] * 1_001), "reserves", 1_001, 1_000),
    (
        make(r.BatchReserveRequest, reserves=[reserve(*[("apple", 1)] * 101)] * 100),
        "reserves.lines",
        10_100,
        10_000,
    ),
    (
        make(r.ReleaseReservationRequest, name=NAME, lines=many(10_001, sku="apple", quantity=1)),
        "lines",
        10_001,
        10_000,
    ),
    (cart(*[("apple", 1)] * 10_001), "lines", 10_001, 10_000),
    (cart(("apple", 1), locations=[DC] * 1_001), "locations", 1_001, 1_000),
    (cart(("apple", 1), min_versions=many(1_001, location=DC)), "min_versions", 1_001, 1_000),
    (make(a.BatchGetAvailabilityRequest, skus=["apple"] * 1_001), "skus", 1_001, 1_000),
    (make(i.RecordMovementsRequest, movements=[receipt("apple", 1)] * 10_001), "movements", 10_001, 10_000),
    (make(i.SetCountRequest, location=DC, lines=many(10_001, sku="apple")), "lines", 10_001, 10_000),
    (make(i.SetStockPolicyRequest, location=DC, lines=many(10_001, sku="apple")), "lines", 10_001, 10_000),
    (
        make(
            i.SetStockPolicyRequest, location=DC, lines=[{"sku": "apple", "quotas": {"quotas": many(33, channel="c")}}]
        ),
        "lines[0].quotas.quotas",
        33,
        32,
    ),
    (
        make(i.SetStockPolicyRequest, location=DC, lines=[{"sku": "apple", "disposition_moves": many(33, quantity=1)}]),
        "lines[0].disposition_moves",
        33,
        32,
    ),
    (make(i.GetStockRequest, location=DC, skus=["apple"] * 1_001), "skus", 1_001, 1_000),
    (
        make(n.CreateLocationRequest, location_id="new", location={"kind": 2, "opening_hours": many(71, day=1)}),
        "location.opening_hours",
        71,
        70,
    ),
    (
        make(n.CreateLocationRequest, location_id="new", location={"labels": {f"l{x}": "" for x in range(65)}}),
        "location.labels",
        65,
        64,
    ),
    (
        make(n.CreateLocationGroupRequest, location_group_id="g", location_group={"locations": [DC] * 1_001}),
        "location_group.locations",
        1_001,
        1_000,
    ),
    (
        make(n.SetCapacityRequest, location=DC, capacity={"overrides": many(1_001, limit=1)}),
        "capacity.overrides",
        1_001,
        1_000,
    ),
]


@pytest.mark.parametrize(("request_", "field", "count", "maximum"), TOO_LARGE, ids=named)
def test_too_many_items_name_the_maximum(api: Api, request_: Message, field: str, count: int, maximum: int) -> None:
    """BATCH_TOO_LARGE tells the field, how many there are and how many there may be."""
    found = call(api, request_)
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "BATCH_TOO_LARGE")
    assert found.metadata == {"field": field, "count": str(count), "maximum": str(maximum)}
    assert found.fields == [field]


NOWHERE = "locations/nowhere"
GROUP = "locationGroups/nobody"
UNKNOWN = [
    (line(sku="kiwi"), "SKU_UNKNOWN", {"sku": "kiwi", "location": DC}),
    (reserve(("apple", 1), ("apple", 1), ("kiwi", 1)), "SKU_UNKNOWN", {"sku": "kiwi", "location": DC}),
    (line(location=NOWHERE), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (make(r.CommitReservationRequest, name=NAME), "RESERVATION_UNKNOWN", {"reservation": NAME}),
    (make(r.ListReservationsRequest, location=NOWHERE), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (cart(("kiwi", 1)), "SKU_UNKNOWN", {"sku": "kiwi"}),
    (cart(("apple", 1), locations=[NOWHERE]), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (cart(("apple", 1), location_group=GROUP), "LOCATION_GROUP_UNKNOWN", {"location_group": GROUP}),
    (cart(("apple", 1), min_versions=[{"location": NOWHERE}]), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (
        make(a.BatchGetAvailabilityRequest, skus=["apple"], locations=[NOWHERE]),
        "LOCATION_UNKNOWN",
        {"location": NOWHERE},
    ),
    (
        make(i.SetCountRequest, location=NOWHERE, lines=[{"sku": "apple"}], as_of_time=now()),
        "LOCATION_UNKNOWN",
        {"location": NOWHERE},
    ),
    (
        make(i.SetCountRequest, location=DC, lines=[{"sku": "apple"}, {"sku": "kiwi"}], as_of_time=now()),
        "SKU_UNKNOWN",
        {"sku": "kiwi", "location": DC},
    ),
    (
        make(i.SetStockPolicyRequest, location=NOWHERE, lines=[{"sku": "apple"}]),
        "LOCATION_UNKNOWN",
        {"location": NOWHERE},
    ),
    (
        make(i.SetStockPolicyRequest, location=DC, lines=[{"sku": "kiwi"}]),
        "SKU_UNKNOWN",
        {"sku": "kiwi", "location": DC},
    ),
    (make(i.GetStockRequest, location=NOWHERE, skus=["apple"]), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (make(i.GetStockRequest, location=DC, skus=["apple", "kiwi"]), "SKU_UNKNOWN", {"sku": "kiwi", "location": DC}),
    (make(i.ListStockRequest, location=NOWHERE), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (make(n.GetLocationRequest, name=NOWHERE), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (
        make(n.UpdateLocationRequest, location={"name": NOWHERE, "city": "Bath"}),
        "LOCATION_UNKNOWN",
        {"location": NOWHERE},
    ),
    (make(n.DeleteLocationRequest, name=NOWHERE), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (make(n.SetCapacityRequest, location=NOWHERE), "LOCATION_UNKNOWN", {"location": NOWHERE}),
    (make(n.GetLocationGroupRequest, name=GROUP), "LOCATION_GROUP_UNKNOWN", {"location_group": GROUP}),
    (
        make(n.UpdateLocationGroupRequest, location_group={"name": GROUP}),
        "LOCATION_GROUP_UNKNOWN",
        {"location_group": GROUP},
    ),
    (make(n.DeleteLocationGroupRequest, name=GROUP), "LOCATION_GROUP_UNKNOWN", {"location_group": GROUP}),
    (
        make(n.CreateLocationGroupRequest, location_group_id="g", location_group={"locations": [DC, NOWHERE]}),
        "LOCATION_UNKNOWN",
        {"location": NOWHERE},
    ),
]


@pytest.mark.parametrize(("request_", "reason", "metadata"), UNKNOWN, ids=named)
def test_an_unknown_name_is_not_found(api: Api, request_: Message, reason: str, metadata: dict[str, str]) -> None:
    """NOT_FOUND with what was not found, and nothing changes."""
    found = call(api, request_)
    assert (found.code, found.reason, found.metadata) == (grpc.StatusCode.NOT_FOUND, reason, metadata)


def test_fields_set_at_create_cannot_be_updated(api: Api) -> None:
    """FIELD_IMMUTABLE names the field."""
    for field in ("name", "actor_group"):
        request = make(n.UpdateLocationRequest, location={"name": DC}, update_mask={"paths": [field]})
        found = call(api, request)
        assert (found.reason, found.metadata) == ("FIELD_IMMUTABLE", {"field": field})
    found = call(api, make(n.UpdateLocationRequest, location={"name": DC, "actor_group": "other"}))
    assert (found.reason, found.metadata) == ("FIELD_IMMUTABLE", {"field": "actor_group"})


def test_an_error_fits_into_a_header(api: Api) -> None:
    """However much is wrong with a request, its error is told in a bounded number of violations."""
    found = call(api, make(r.ReserveRequest, lines=many(5_000, sku="?" * 1_000, quantity=-1, location="?" * 1_000)))
    assert len(found.fields) == 16
    assert "and 14999 more" in found.message


def test_a_message_over_the_limit_is_refused(api: Api) -> None:
    """16 MiB is the most that is read; more ends in RESOURCE_EXHAUSTED."""
    with pytest.raises(grpc.RpcError) as caught:
        api.reservations.Reserve(good(order="x" * (16 * 2**20)))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
