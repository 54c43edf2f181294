from __future__ import annotations

import pytest

from demo.acks import Parcel
from demo.places import CAPITALS
from demo.plan import Fate, PlannedOrder
from demo.served import flows, sent_from, served

ORDERS = [
    PlannedOrder("1", {"A": 6, "B": 2}, "", Fate.SHIPPED, CAPITALS["France"]),
    PlannedOrder("2", {"A": 4}, "", Fate.SHIPPED, CAPITALS["EIRE"]),
    PlannedOrder("3", {"C": 8}, "", Fate.SHIPPED, CAPITALS["EIRE"]),
]
PARCELS = {
    "1": [Parcel("leeds", 5, 3_000_000, 1), Parcel("york", 3, 5_000_000, 4)],
    "2": [Parcel("leeds", 2, 4_000_000, 2)],
}


def test_orders_are_summed_up() -> None:
    """An order is there with its last parcel; one that got nothing counts for the fill rate alone."""
    assert served(ORDERS, PARCELS).figures() == {
        "fill_rate": 0.5,
        "parcels_per_order": 1.5,
        "cost_per_order": 6.0,
        "cost_per_unit": pytest.approx(1.2),
        "days_to_delivery": 3.0,
    }


def test_nothing_at_all_is_nothing() -> None:
    """No division by zero."""
    assert set(served(ORDERS, {}).figures().values()) == {0.0}
    assert set(served([], {}).figures().values()) == {0.0}


def test_flows_go_from_locations_to_cities() -> None:
    """One for each parcel."""
    assert flows(ORDERS, PARCELS) == {("leeds", "Paris"): 1, ("york", "Paris"): 1, ("leeds", "Dublin"): 1}
    assert sent_from(PARCELS) == {"leeds": 7, "york": 3}
