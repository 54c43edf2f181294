from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from allocator.core.commands import Movement, MovementType
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as r
from allocator.v1 import sourcing_pb2 as s
from allocator.v1.common_pb2 import FULFILMENT_MODE_PICKUP, FULFILMENT_MODE_SHIP_FROM_STORE
from tests.support.api import DC, STORE_1, STORE_2, Api, failure, make, movement, now
from tests.support.gateway import LocalService, fresh

pytest_plugins = ("tests.support.gateway_fixtures",)

DAY_S = 86_400
SUPPLY = i.SUPPLY_KIND_PURCHASE_ORDER


@pytest.fixture
def level(api: Api) -> str:
    """A service level of its own, with one lane from everywhere at 5 a parcel."""
    name = fresh("level")
    row = {"service_level": name, "parcel_micros": 5_000_000}
    api.network.CreateLane(make(n.CreateLaneRequest, lane_id=fresh("lane"), lane=row))
    return name


def order(*lines: tuple[str, int], level: str = "", **fields: object) -> dict[str, object]:
    """An order that is shipped from stores."""
    rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    return {"lines": rows, "mode": FULFILMENT_MODE_SHIP_FROM_STORE, "service_level": level, **fields}


def allocate(api: Api, asked: dict[str, object], **fields: object) -> r.AllocateResponse:
    """Source and hold an order."""
    return api.reservations.Allocate(make(r.AllocateRequest, order=asked, **fields))


def held_at(reservation: r.Reservation) -> dict[str, int]:
    """Open units by location."""
    found: dict[str, int] = {}
    for line in reservation.lines:
        found[line.location] = found.get(line.location, 0) + line.open
    return {location: units for location, units in found.items() if units}


def test_an_order_is_held_at_the_best_place(api: Api, level: str) -> None:
    """The plan that Source would rank first is held, and the reservation says where."""
    apple, pear = api.stocked(10, STORE_1), api.stocked(10, STORE_1)
    api.receive(apple, 10, STORE_2)
    response = allocate(api, order((apple, 2), (pear, 1), level=level), order_reference="order-7")
    assert response.status == r.ALLOCATE_STATUS_HELD
    assert response.plans_tried == 1
    assert [(part.location, part.units) for part in response.plan.parcels] == [(STORE_1, 3)]
    assert held_at(response.reservation) == {STORE_1: 3}
    assert response.reservation.order == "order-7"
    assert api.stock(apple, STORE_1).held == 2
    assert held_at(api.reservation(response.reservation.name)) == {STORE_1: 3}


def test_an_order_may_be_split(api: Api, level: str) -> None:
    """What no location has alone is held at several, committed and fulfilled at all of them."""
    apple = api.stocked(3, STORE_1)
    api.receive(apple, 3, STORE_2)
    response = allocate(api, order((apple, 5), level=level))
    assert sum(held_at(response.reservation).values()) == 5
    assert api.commit(response.reservation.name).status == r.TRANSITION_STATUS_DONE
    assert api.stock(apple, STORE_1).committed + api.stock(apple, STORE_2).committed == 5
    done = api.fulfil(response.reservation.name)
    assert done.reservation.state == r.RESERVATION_STATE_FULFILLED
    assert api.stock(apple, STORE_1).on_hand + api.stock(apple, STORE_2).on_hand == 1


def test_a_repeat_gets_the_first_answer_even_when_the_stock_is_gone(api: Api, level: str) -> None:
    """The same request id is the same reservation; with other content it is an error that names the field."""
    apple, request_id = api.stocked(5, STORE_1), fresh("request")
    first = allocate(api, order((apple, 5), level=level), request_id=request_id)
    again = allocate(api, order((apple, 5), level=level), request_id=request_id)
    assert (again.status, again.repeated_request) == (r.ALLOCATE_STATUS_HELD, True)
    assert again.reservation.name == first.reservation.name
    assert again.plan == first.plan
    assert api.stock(apple, STORE_1).held == 5
    found = failure(allocate, api, order((apple, 4), level=level), request_id=request_id)
    assert (found.code, found.metadata) == (grpc.StatusCode.ALREADY_EXISTS, {"field": "order"})


def test_a_refusal_is_remembered_too(api: Api, level: str) -> None:
    """An order that could not be served stays refused under its request id, whatever comes in later."""
    apple, request_id = api.stocked(1, STORE_1), fresh("request")
    first = allocate(api, order((apple, 5), level=level), request_id=request_id)
    assert first.status == r.ALLOCATE_STATUS_INSUFFICIENT_STOCK
    assert [(row.sku, row.quantity) for row in first.partial.shortfalls] == [(apple, 4)]
    api.receive(apple, 10, STORE_1)
    again = allocate(api, order((apple, 5), level=level), request_id=request_id)
    assert (again.status, again.repeated_request) == (first.status, True)
    assert api.stock(apple, STORE_1).held == 0


def test_a_shortfall_holds_nothing_up_when_the_order_allows_it(api: Api, level: str) -> None:
    """What there is is held, what there is not is told."""
    apple = api.stocked(2, STORE_1)
    response = allocate(api, order((apple, 5), level=level, allow_shortfall=True))
    assert response.status == r.ALLOCATE_STATUS_PARTIALLY_HELD
    assert [(row.sku, row.quantity) for row in response.plan.shortfalls] == [(apple, 3)]
    assert api.stock(apple, STORE_1).held == 2


def test_no_eligible_location_names_the_filter_that_emptied_the_list(api: Api, level: str) -> None:
    """A status, not an error: nothing is held."""
    apple = api.stocked(5, DC)
    response = allocate(api, order((apple, 1), level=level, locations=[STORE_1]))
    assert response.status == r.ALLOCATE_STATUS_NO_ELIGIBLE_LOCATION
    assert response.emptied_by == s.SOURCING_FILTER_STOCK


def test_a_declined_assignment_is_sourced_again(api: Api, level: str) -> None:
    """The refusing store's stock is corrected and another one takes over, in the state the reservation is in."""
    apple = api.stocked(5, STORE_1)
    response = allocate(api, order((apple, 4), level=level))
    name = response.reservation.name
    api.commit(name)
    api.receive(apple, 5, STORE_2)
    request = make(r.RejectAssignmentRequest, name=name, location=STORE_1, reason=r.REJECT_REASON_NOT_IN_STOCK)
    rejected = api.reservations.RejectAssignment(request)
    assert rejected.status == r.TRANSITION_STATUS_DONE
    assert [(row.sku, row.quantity, row.location) for row in rejected.assignments] == [(apple, 4, STORE_2)]
    assert not rejected.shortfalls
    assert held_at(rejected.reservation) == {STORE_2: 4}
    assert (api.stock(apple, STORE_1).on_hand, api.stock(apple, STORE_1).committed) == (1, 0)
    assert (api.stock(apple, STORE_2).on_hand, api.stock(apple, STORE_2).committed) == (5, 4)


def test_a_pickup_waits_at_the_store_until_its_window_ends(api: Api) -> None:
    """BOPIS: held where the customer picks up, with the end of the window on the reservation."""
    apple = api.stocked(5, STORE_1)
    asked = order((apple, 1), mode=FULFILMENT_MODE_PICKUP, pickup_location=STORE_1)
    response = allocate(api, asked, pickup_window={"seconds": 3600})
    assert response.status == r.ALLOCATE_STATUS_HELD
    held = response.reservation
    assert held_at(held) == {STORE_1: 1}
    assert 3590 < held.pickup_end_time.seconds - held.create_time.seconds <= 3600


def test_a_shipment_told_by_the_store_fulfils_its_part(api: Api, level: str) -> None:
    """A movement that names the reservation at a participant takes the units out of it, and the home learns of it."""
    apple = api.stocked(5, STORE_1)
    name = allocate(api, order((apple, 2), level=level)).reservation.name
    api.commit(name)
    api.record([movement(9, apple, 2, STORE_1, reservation=name)])
    stock = api.stock(apple, STORE_1)
    assert (stock.on_hand, stock.committed) == (3, 0)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "order"),
        ({"order": {"lines": [{"sku": "apple", "quantity": 1}], "service_level": "x"}, "ttl": {"seconds": 0}}, "ttl"),
        (
            {"order": {"lines": [{"sku": "a", "quantity": 1}], "service_level": "x"}, "pickup_window": {"seconds": 60}},
            "pickup_window",
        ),
        (
            {"order": {"lines": [{"sku": "a", "quantity": 1}], "service_level": "x"}, "order_reference": "no spaces"},
            "order_reference",
        ),
    ],
)
def test_bad_input_of_an_allocate_names_the_field(api: Api, fields: dict[str, object], field: str) -> None:
    """INVALID_ARGUMENT with the field, and nothing is held."""
    found = failure(api.reservations.Allocate, make(r.AllocateRequest, **fields))
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    assert any(name.startswith(field) for name in found.fields)


def test_a_location_that_says_no_is_passed_over(api: Api, service: LocalService, level: str) -> None:
    """The gateway's picture was too rosy: the first plan meets a location that has too little, the next one holds."""
    apple = api.stocked(1, STORE_1)
    api.receive(apple, 5, STORE_2)
    with rosy(api, service, apple, STORE_1):
        response = allocate(api, order((apple, 3), level=level))
    assert (response.status, response.plans_tried) == (r.ALLOCATE_STATUS_HELD, 2)
    assert held_at(response.reservation) == {STORE_2: 3}
    assert api.stock(apple, STORE_1).held == 0


def test_when_every_location_says_no_the_order_is_refused(api: Api, service: LocalService, level: str) -> None:
    """Nothing is held, and the answer tells what there really is."""
    apple = api.stocked(1, STORE_1)
    with rosy(api, service, apple, STORE_1):
        response = allocate(api, order((apple, 3), level=level))
    assert response.status == r.ALLOCATE_STATUS_INSUFFICIENT_STOCK
    assert [(row.sku, row.quantity) for row in response.partial.shortfalls] == [(apple, 2)]
    assert api.stock(apple, STORE_1).held == 0


def test_a_repeat_meets_its_home_also_when_the_network_has_grown(api: Api, level: str) -> None:
    """New locations win request ids over from others; those used before are known where they were."""
    apple = api.stocked(50, STORE_1)
    requests = [fresh("request") for _ in range(12)]
    first = [allocate(api, order((apple, 1), level=level), request_id=name).reservation.name for name in requests]
    for _ in range(3):
        location = {"kind": n.LOCATION_KIND_STORE}
        api.network.CreateLocation(make(n.CreateLocationRequest, location_id=fresh("store"), location=location))
    again = [allocate(api, order((apple, 1), level=level), request_id=name) for name in requests]
    assert [response.reservation.name for response in again] == first
    assert api.stock(apple, STORE_1).held == 12


def test_a_repeat_is_answered_when_what_it_names_is_gone(api: Api) -> None:
    """The lane left the network after the order was held: the first answer stands."""
    lane_id, level, request_id = fresh("lane"), fresh("level"), fresh("request")
    lane = {"service_level": level, "parcel_micros": 5_000_000}
    made = api.network.CreateLane(make(n.CreateLaneRequest, lane_id=lane_id, lane=lane)).lane
    apple = api.stocked(5, STORE_1)
    first = allocate(api, order((apple, 1), level=level), request_id=request_id)
    api.network.DeleteLane(make(n.DeleteLaneRequest, name=made.name))
    again = allocate(api, order((apple, 1), level=level), request_id=request_id)
    assert (again.repeated_request, again.reservation.name) == (True, first.reservation.name)
    assert again.plan == first.plan
    found = failure(allocate, api, order((apple, 2), level=level), request_id=request_id)
    assert found.metadata == {"field": "order"}
    rejected = make(
        r.RejectAssignmentRequest, name=first.reservation.name, location=STORE_1, reason=r.REJECT_REASON_NOT_IN_STOCK
    )
    assert api.reservations.RejectAssignment(rejected).status == r.TRANSITION_STATUS_DONE
    assert api.stock(apple, STORE_1).on_hand == 4


@contextmanager
def rosy(api: Api, service: LocalService, sku: str, location: str) -> Iterator[None]:
    """The gateway believes that a location has 100 units more of a SKU than it has: it has not heard of their sale."""
    api.receive(sku, 100, location)
    actor = service.actor()
    actor.hold_feed()
    name = location.removeprefix("locations/")
    actor.ask(name, [Movement("//till", fresh("sale"), 0, sku, MovementType.SALE, 100)])
    yield
    actor.release_feed()


def expect(api: Api, sku: str, quantity: int, at: str) -> Timestamp:
    """Announce supply for tomorrow; returns the day after, to promise by."""
    tomorrow, later = now(), now()
    tomorrow.seconds += DAY_S
    later.seconds += 2 * DAY_S
    line = {"supply": fresh("po"), "sku": sku, "quantity": quantity, "expect_time": tomorrow, "kind": SUPPLY}
    api.inventory.SetSupply(make(i.SetSupplyRequest, location=at, lines=[line], request_id=fresh("request")))
    return later


@pytest.mark.parametrize("reason", [r.REJECT_REASON_NOT_IN_STOCK, r.REJECT_REASON_DAMAGED])
def test_declined_units_that_only_waited_correct_no_stock(api: Api, level: str, reason: int) -> None:
    """Of six units two were in stock: no more than these two can be missing or damaged."""
    apple = api.stocked(2, STORE_1)
    by = expect(api, apple, 5, STORE_1)
    response = allocate(api, order((apple, 6), level=level, promise_by=by))
    assert response.status == r.ALLOCATE_STATUS_HELD
    name = response.reservation.name
    request = make(r.RejectAssignmentRequest, name=name, location=STORE_1, reason=reason, skip_resourcing=True)
    assert api.reservations.RejectAssignment(request).status == r.TRANSITION_STATUS_DONE
    stock = api.stock(apple, STORE_1)
    unsellable = sum(row.quantity for row in stock.unsellable)
    assert (stock.on_hand - unsellable, stock.held, stock.waiting) == (0, 0, 0)
    assert stock.on_hand >= 0


def test_a_dated_order_is_sourced_again_with_its_date(api: Api, level: str) -> None:
    """What another location expects in time may take over, as it might have in the first place."""
    apple = api.stocked(2, STORE_1)
    by = expect(api, apple, 1, STORE_1)
    name = allocate(api, order((apple, 2), level=level, promise_by=by)).reservation.name
    expect(api, apple, 5, STORE_2)
    request = make(r.RejectAssignmentRequest, name=name, location=STORE_1, reason=r.REJECT_REASON_NOT_IN_STOCK)
    rejected = api.reservations.RejectAssignment(request)
    assert [(row.location, row.quantity) for row in rejected.assignments] == [(STORE_2, 2)]
    assert not rejected.shortfalls
    assert api.stock(apple, STORE_2).waiting == 2
