"""Where the customers of the demo live. MADE UP: the order data knows a country, and nothing else of a place.

Customers of the United Kingdom are spread over its cities by lot, weighted by population and some kilometres around
each; those of other countries all live in its capital.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from demo.errors import DemoError

HOME: Final = "GB"
AROUND_DEGREES: Final = 0.06
"""Standard deviation of how far customers live from the middle of their city, degrees of latitude and longitude."""


class Place(NamedTuple):
    """Where something is sent to, degrees WGS 84; `country` is ISO 3166-1 alpha-2."""

    city: str
    country: str
    latitude: float
    longitude: float


CITIES: Final = {
    Place("London", HOME, 51.507, -0.128): 8_800,
    Place("Birmingham", HOME, 52.480, -1.903): 1_140,
    Place("Leeds", HOME, 53.800, -1.549): 810,
    Place("Glasgow", HOME, 55.861, -4.250): 630,
    Place("Sheffield", HOME, 53.381, -1.470): 560,
    Place("Manchester", HOME, 53.479, -2.245): 550,
    Place("Bradford", HOME, 53.795, -1.759): 550,
    Place("Edinburgh", HOME, 55.953, -3.189): 510,
    Place("Liverpool", HOME, 53.408, -2.992): 490,
    Place("Bristol", HOME, 51.454, -2.597): 470,
    Place("Leicester", HOME, 52.637, -1.140): 370,
    Place("Cardiff", HOME, 51.482, -3.179): 360,
    Place("Belfast", HOME, 54.597, -5.930): 345,
    Place("Coventry", HOME, 52.407, -1.520): 345,
    Place("Nottingham", HOME, 52.955, -1.149): 325,
    Place("Newcastle", HOME, 54.978, -1.614): 300,
    Place("Brighton", HOME, 50.829, -0.141): 275,
    Place("Hull", HOME, 53.744, -0.333): 265,
    Place("Plymouth", HOME, 50.372, -4.142): 265,
    Place("Stoke-on-Trent", HOME, 53.003, -2.179): 260,
    Place("Southampton", HOME, 50.905, -1.404): 250,
    Place("Swansea", HOME, 51.621, -3.944): 240,
    Place("Aberdeen", HOME, 57.149, -2.094): 200,
    Place("Dundee", HOME, 56.462, -2.971): 150,
    Place("Norwich", HOME, 52.629, 1.297): 145,
    Place("Exeter", HOME, 50.726, -3.527): 130,
    Place("Carlisle", HOME, 54.893, -2.933): 110,
    Place("Inverness", HOME, 57.478, -4.225): 50,
}
"""Cities of the United Kingdom by their people, in thousands and roughly as in the censuses of 2021 and 2022."""

CAPITALS: Final = {
    "Australia": Place("Canberra", "AU", -35.282, 149.129),
    "Belgium": Place("Brussels", "BE", 50.850, 4.352),
    "Channel Islands": Place("Saint Helier", "JE", 49.187, -2.107),
    "Cyprus": Place("Nicosia", "CY", 35.173, 33.365),
    "Denmark": Place("Copenhagen", "DK", 55.676, 12.568),
    "EIRE": Place("Dublin", "IE", 53.350, -6.260),
    "France": Place("Paris", "FR", 48.857, 2.352),
    "Germany": Place("Berlin", "DE", 52.520, 13.405),
    "Iceland": Place("Reykjavik", "IS", 64.147, -21.943),
    "Italy": Place("Rome", "IT", 41.903, 12.496),
    "Japan": Place("Tokyo", "JP", 35.690, 139.692),
    "Lithuania": Place("Vilnius", "LT", 54.687, 25.280),
    "Netherlands": Place("Amsterdam", "NL", 52.368, 4.904),
    "Norway": Place("Oslo", "NO", 59.914, 10.752),
    "Poland": Place("Warsaw", "PL", 52.230, 21.012),
    "Portugal": Place("Lisbon", "PT", 38.722, -9.139),
    "Spain": Place("Madrid", "ES", 40.417, -3.704),
    "Sweden": Place("Stockholm", "SE", 59.329, 18.069),
    "Switzerland": Place("Bern", "CH", 46.948, 7.447),
}
"""By what the order data calls the country."""


def place_of(country: str, customer: str, seed: int) -> Place:
    """Where a customer lives; the same one always at the same place.

    Args:
        country: as in the order data.
        customer: its number, or that of the order where nobody knows who it was.
        seed: of the lots.

    Raises:
        DemoError: nobody has placed that country yet.
    """
    if country in CAPITALS:
        return CAPITALS[country]
    if country != "United Kingdom":
        raise DemoError(f"{country!r} is in the orders, but not in demo/places.py")
    chance = Random(f"{seed}/place/{customer}")
    (city,) = chance.choices(list(CITIES), list(CITIES.values()))
    return city._replace(
        latitude=round(chance.gauss(city.latitude, AROUND_DEGREES), 4),
        longitude=round(chance.gauss(city.longitude, AROUND_DEGREES), 4),
    )
