from __future__ import annotations

import math
from collections import Counter

import pytest

from demo.errors import DemoError
from demo.places import AROUND_DEGREES, CAPITALS, CITIES, HOME, Place, place_of
from demo.plan import SEED


def test_a_customer_always_lives_at_the_same_place() -> None:
    """Whoever asks, and another seed moves people."""
    assert place_of("United Kingdom", "17850", SEED) == place_of("United Kingdom", "17850", SEED)
    assert place_of("United Kingdom", "17850", SEED) != place_of("United Kingdom", "17850", 1)


def test_customers_live_around_their_city() -> None:
    """No farther off than chance takes them, so that the city is where the picture says."""
    cities = {city.city: city for city in CITIES}
    for number in range(500):
        place = place_of("United Kingdom", str(number), SEED)
        city = cities[place.city]
        assert math.dist(place[2:], city[2:]) < 6 * AROUND_DEGREES
        assert place.country == HOME


def test_larger_cities_have_more_customers() -> None:
    """About as many as their share of all people in the list."""
    found = Counter(place_of("United Kingdom", str(number), SEED).city for number in range(5_000))
    everybody = sum(CITIES.values())
    for city, people in CITIES.items():
        assert found[city.city] / 5_000 == pytest.approx(people / everybody, abs=0.03)


def test_customers_abroad_live_in_the_capital() -> None:
    """The data knows no more than the country."""
    assert place_of("EIRE", "14911", SEED) == Place("Dublin", "IE", 53.350, -6.260)
    assert HOME not in {place.country for place in CAPITALS.values()}


def test_a_country_that_nobody_placed_is_told() -> None:
    """Another cut may have others."""
    with pytest.raises(DemoError, match="'Brazil' is in the orders"):
        place_of("Brazil", "1", SEED)
