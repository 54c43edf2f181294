from __future__ import annotations

from collections.abc import Sequence

import pytest

from allocator.v1 import network_pb2 as n
from allocator.v1 import sourcing_pb2 as s
from allocator.v1.common_pb2 import FULFILMENT_MODE_SHIP_FROM_STORE
from tests.support.api import DC, STORE_1, STORE_2, Api, make
from tests.support.gateway import fresh

pytest_plugins = ("tests.support.gateway_fixtures",)


@pytest.fixture
def level(api: Api) -> str:
    """A service level of its own, with one lane from everywhere at 5 a parcel."""
    return lane(api)


def lane(api: Api, service_level: str = "", **fields: object) -> str:
    """A new lane, of a service level of its own unless one is given."""
    level = service_level or fresh("level")
    row = {"service_level": level, "parcel_micros": 5_000_000, **fields}
    api.network.CreateLane(make(n.CreateLaneRequest, lane_id=fresh("lane"), lane=row))
    return level


def order(*lines: tuple[str, int], level: str, **fields: object) -> dict[str, object]:
    """An order that is shipped from stores."""
    rows = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
    return {"lines": rows, "mode": FULFILMENT_MODE_SHIP_FROM_STORE, "service_level": level, **fields}


def source(api: Api, asked: dict[str, object], **fields: object) -> s.SourceResponse:
    """Source an order."""
    return api.sourcing.Source(make(s.SourceRequest, order=asked, **fields))


def assigned(plan: s.SourcingPlan) -> Sequence[tuple[str, str, int]]:
    """What comes from where."""
    return [(part.sku, part.location, part.quantity) for part in plan.assignments]


def test_one_location_that_has_it_all_is_the_best_plan(api: Api, level: str) -> None:
    """Two parcels cost more than one, so the place that has both lines comes first."""
    apple, pear = api.stocked(10, DC), api.stocked(10, STORE_2)
    api.receive(apple, 10, STORE_1)
    api.receive(pear, 10, STORE_1)
    response = source(api, order((apple, 2), (pear, 1), level=level))
    assert assigned(response.plans[0]) == [(apple, STORE_1, 2), (pear, STORE_1, 1)]
    assert response.plans[0].cost_micros == 5_000_000
    assert assigned(response.plans[1]) == [(apple, DC, 2), (pear, STORE_2, 1)]
