from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from allocator.config import PromiseSettings
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as r
from allocator.v1.common_pb2 import FULFILMENT_MODE_SHIP_FROM_STORE
from tests.support.api import STORE_1, STORE_2, Api, make, movement
from tests.support.gateway import Serve, fresh

pytest_plugins = ("tests.support.gateway_fixtures",)

WAIT_S = 10.0


@pytest.fixture
def api(serve: Serve) -> Iterator[Api]:
    """A service that sources again what a shortage puts at risk."""
    with serve(promises=PromiseSettings(resource_shortages=True)).channel() as channel:
        yield Api(channel)


def held_at(api: Api, name: str) -> dict[str, int]:
    """Open units of a reservation by location."""
    return {line.location: line.open for line in api.reservation(name).lines if line.open}


def test_units_at_risk_are_taken_over_by_a_location_that_has_them(api: Api) -> None:
    """A sale at the till takes what was promised to an order; the other store takes it over, in the order's state."""
    level = fresh("level")
    lane = {"service_level": level, "parcel_micros": 5_000_000}
    api.network.CreateLane(make(n.CreateLaneRequest, lane_id=fresh("lane"), lane=lane))
    apple = api.stocked(5, STORE_1)
    order = {"lines": [{"sku": apple, "quantity": 4}], "mode": FULFILMENT_MODE_SHIP_FROM_STORE, "service_level": level}
    name = api.reservations.Allocate(make(r.AllocateRequest, order=order)).reservation.name
    api.commit(name)
    api.receive(apple, 10, STORE_2)
    response = api.record([movement(i.MOVEMENT_TYPE_SALE, apple, 3, STORE_1)])
    assert response.results[0].shortage.missing == 2
    deadline_s = time.monotonic() + WAIT_S
    while held_at(api, name) != {STORE_1: 2, STORE_2: 2} and time.monotonic() < deadline_s:
        pass
    assert held_at(api, name) == {STORE_1: 2, STORE_2: 2}
    assert api.reservation(name).state == r.RESERVATION_STATE_COMMITTED
    assert (api.stock(apple, STORE_1).committed, api.stock(apple, STORE_2).committed) == (2, 2)


def test_a_repeated_policy_moves_nothing_a_second_time(api: Api) -> None:
    """A disposition move leaves a shortage once; its repeat is only told what was told before."""
    level = fresh("level")
    lane = {"service_level": level, "parcel_micros": 5_000_000}
    api.network.CreateLane(make(n.CreateLaneRequest, lane_id=fresh("lane"), lane=lane))
    apple = api.stocked(5, STORE_1)
    order = {"lines": [{"sku": apple, "quantity": 4}], "mode": FULFILMENT_MODE_SHIP_FROM_STORE, "service_level": level}
    name = api.reservations.Allocate(make(r.AllocateRequest, order=order)).reservation.name
    api.receive(apple, 10, STORE_2)
    moves = [{"to_disposition": "damaged", "quantity": 2}]
    rows = [{"sku": apple, "disposition_moves": moves}]
    request = make(i.SetStockPolicyRequest, location=STORE_1, lines=rows, request_id=fresh("request"))
    api.inventory.SetStockPolicy(request)
    deadline_s = time.monotonic() + WAIT_S
    while held_at(api, name) != {STORE_1: 3, STORE_2: 1} and time.monotonic() < deadline_s:
        pass
    assert api.inventory.SetStockPolicy(request).repeated_request
    api.receive(apple, 1, STORE_2)  # whatever the repeat began is on its way by now
    assert held_at(api, name) == {STORE_1: 3, STORE_2: 1}
