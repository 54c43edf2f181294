from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from demo.acks import Parcel
from demo.asks import unit_weight_g
from demo.places import CAPITALS, HOME, Place
from demo.plan import NEXT_DAY, STANDARD
from demo.scene import Scene
from demo.tariff import Tariff

ZONE = ZoneInfo("Europe/London")
TUESDAY_NOON = datetime(2026, 3, 3, 12, tzinfo=ZONE)
LEEDS = Place("Leeds", HOME, 53.80, -1.55)
LINES = {"85123A": 6, "22423": 2}


@pytest.fixture
def tariff(scene: Scene) -> Tariff:
    """The lanes of the demo, on a Tuesday at noon."""
    return Tariff(scene.network, TUESDAY_NOON.timestamp(), ZONE)


def haversine_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two positions in degrees."""
    (north, east), (north_2, east_2) = (map(math.radians, at) for at in (a, b))
    half = math.sin((north_2 - north) / 2) ** 2
    half += math.cos(north) * math.cos(north_2) * math.sin((east_2 - east) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(half))


def test_a_parcel_costs_what_its_lane_says(tariff: Tariff, scene: Scene) -> None:
    """The published figure: so much a parcel, a kilogram, and a kilogram and kilometre."""
    parcel = tariff.parcel("daventry-dc", LINES, LEEDS, STANDARD)
    daventry = next(one.position for one in scene.network.locations if one.location == "daventry-dc")
    assert daventry is not None
    kg = sum(units * unit_weight_g(sku) for sku, units in LINES.items()) / 1000
    cost = 8.759 + 0.932555 * kg + 0.000741 * kg * haversine_km(daventry, LEEDS[2:])
    assert parcel is not None
    assert parcel == Parcel("daventry-dc", 8, parcel.cost_micros, 2)
    assert parcel.cost_micros == pytest.approx(1e6 * cost, abs=100)


def test_the_lanes_are_the_published_figure_in_metric_units(scene: Scene) -> None:
    """0.423 a pound and 0.000541 a pound and mile, to the last digit that the file has."""
    for lane in scene.network.lanes:
        assert lane.kg_micros == round(423_000 / 0.45359237)
        assert lane.kg_km_micros == round(541 / 0.45359237 / 1.609344)


def test_a_place_is_served_from_the_nearest_on(tariff: Tariff) -> None:
    """From all in the country, overnight only from those that are near or have the lane, abroad from the centres."""
    assert tariff.nearest(LEEDS, STANDARD)[:3] == ("leeds-1", "manchester-1", "warrington-dc")
    assert len(tariff.nearest(LEEDS, STANDARD)) == 12
    assert "glasgow-1" not in tariff.nearest(LEEDS, NEXT_DAY)
    assert tariff.nearest(CAPITALS["France"], STANDARD) == ("daventry-dc", "warrington-dc")


def test_where_no_lane_goes_there_is_no_parcel(tariff: Tariff) -> None:
    """A store does not export."""
    assert tariff.parcel("leeds-1", LINES, CAPITALS["France"], STANDARD) is None


def test_every_order_of_the_demo_can_be_served_from_somewhere(tariff: Tariff, scene: Scene) -> None:
    """No country and no corner was forgotten in the network file."""
    assert all(tariff.nearest(order.place, order.service_level) for order in scene.plan.orders)
