"""How parcels travel, and what makes one way of sourcing better than another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class TransitBand:
    """Destinations up to `distance_max_km` away are `days` calendar days away; 0 km: any distance, the last band."""

    days: int
    distance_max_km: int = 0


@dataclass(frozen=True, slots=True)
class Lane:
    """How parcels go from origins to destinations at one service level; limits are those of `Lane` in the contract.

    Attributes:
        id: plain, without `lanes/`.
        service_level: what customers choose; several lanes can have the same.
        display_name: for people.
        origin_location: where parcels begin; at most one of this and `origin_group`, both empty: everywhere.
        countries: destinations, ISO 3166-1 alpha-2; empty: all.
        distance_max_km: the farthest destination, great circle; 0: no limit.
        transit: ascending; empty: delivered on the day of dispatch.
        parcel_micros: cost of a parcel, in millionths of the network's currency, as are all costs.
        unit_micros: cost of each unit in it.
        kg_micros: cost of each kilogram.
        km_micros: cost of each kilometre.
        kg_km_micros: cost of each kilogram and kilometre.
    """

    id: str
    service_level: str
    display_name: str = ""
    origin_location: str = ""
    origin_group: str = ""
    countries: tuple[str, ...] = ()
    distance_max_km: int = 0
    transit: tuple[TransitBand, ...] = ()
    parcel_micros: int = 0
    unit_micros: int = 0
    kg_micros: int = 0
    km_micros: int = 0
    kg_km_micros: int = 0


@dataclass(frozen=True, slots=True)
class SourcingProfile:
    """Named weights of sourcing, each 0 or more and not all of them 0.

    Attributes:
        id: plain, without `sourcingProfiles/`.
        display_name: for people.
        cost: weight of what transport costs.
        lateness: weight of days after the promised one.
        parcels: weight of each parcel.
        stock_cover: weight of draining a location.
        capacity: weight of filling what a location can pick.
        priority: weight of the priority of locations.
        splits_max: most locations that an order is split over, 1 to 10; 0 is taken as 3.
        age_max: locations of which nothing was heard for longer are left out; None: none is.
    """

    id: str
    display_name: str = ""
    cost: float = 0.0
    lateness: float = 0.0
    parcels: float = 0.0
    stock_cover: float = 0.0
    capacity: float = 0.0
    priority: float = 0.0
    splits_max: int = 0
    age_max: timedelta | None = None
