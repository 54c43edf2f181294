"""Lanes and sourcing profiles between the contract and the core."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from allocator.core.limits import NS_PER_S
from allocator.core.network import types as t
from allocator.core.network.checks import WEIGHTS
from allocator.core.results import Reason, Rejected
from allocator.gateway.errors import (
    ApiError,
    from_rejected,
    group_unknown,
    lane_unknown,
    location_unknown,
    profile_unknown,
    too_many,
)
from allocator.gateway.limits import SOURCE_LENGTH_MAX
from allocator.gateway.names import GROUPS, LOCATIONS, group_name, lane_name, location_name, profile_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from allocator.gateway.faults import Faults
    from allocator.v1.network_pb2 import Lane as WireLane
    from allocator.v1.network_pb2 import SourcingProfile

    Reader = Callable[[Any, str, Faults], Any]

SPLITS_DEFAULT: Final = 3
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


def to_lane(lane: str, message: WireLane, fields: Collection[str], faults: Faults) -> t.Lane:
    """A lane with the named fields of `message`; whether they fit those it has is for the ledger to say.

    Raises:
        ApiError: BATCH_TOO_LARGE.
    """
    values = {name: _LANE_READERS[name](message, f"lane.{name}", faults) for name in fields}
    return t.Lane(**{"lane": lane, "service_level": "", **values})


def fill_lane(message: WireLane, lane: t.Lane) -> None:
    """Write a lane."""
    message.name = lane_name(lane.lane)
    for name in ("service_level", "display_name", "distance_max_km", *_COSTS):
        setattr(message, name, getattr(lane, name))
    message.origin_location = location_name(lane.origin_location) if lane.origin_location else ""
    message.origin_group = group_name(lane.origin_group) if lane.origin_group else ""
    message.countries.extend(lane.countries)
    for distance_max_km, days in lane.transit:
        message.transit.add(distance_max_km=distance_max_km, days=days)


def to_profile(profile: str, message: SourcingProfile, fields: Collection[str], faults: Faults) -> t.Profile:
    """A sourcing profile with the named fields of `message`; whether any weight is left is for the ledger to say."""
    values = {PROFILE_FIELDS[name]: _PROFILE_READERS[name](message, f"sourcing_profile.{name}", faults)
              for name in fields}  # fmt: skip
    return t.Profile(profile=profile, **values)


def fill_profile(message: SourcingProfile, profile: t.Profile) -> None:
    """Write a sourcing profile."""
    message.name = profile_name(profile.profile)
    for name in ("display_name", "splits_max", *WEIGHTS):
        setattr(message, name, getattr(profile, name))
    if profile.age_max_s:
        message.age_max.FromNanoseconds(round(profile.age_max_s * NS_PER_S))


def from_lane_rejected(rejected: Rejected, lane: t.Lane) -> ApiError:
    """The error that an error answer to a command about `lane` means to the caller."""
    match rejected.reason:
        case Reason.EXISTS:
            name = lane_name(lane.lane)
            return ApiError("LANE_EXISTS", f"{name} exists already", {"lane": name})
        case Reason.LANE_UNKNOWN:
            return lane_unknown(lane.lane)
        case Reason.LOCATION_UNKNOWN:
            return location_unknown(lane.origin_location)
        case Reason.GROUP_UNKNOWN:
            return group_unknown(lane.origin_group)
        case _:
            return from_rejected(rejected)


def from_profile_rejected(rejected: Rejected, profile: t.Profile) -> ApiError:
    """The error that an error answer to a command about `profile` means to the caller."""
    match rejected.reason:
        case Reason.EXISTS:
            name = profile_name(profile.profile)
            return ApiError("SOURCING_PROFILE_EXISTS", f"{name} exists already", {"sourcing_profile": name})
        case Reason.PROFILE_UNKNOWN:
            return profile_unknown(profile.profile)
        case _:
            return from_rejected(rejected)


def _display_name(message: WireLane | SourcingProfile, field: str, faults: Faults) -> str:
    return faults.text(field, message.display_name, SOURCE_LENGTH_MAX)


def _origin(attribute: str, collection: str) -> Reader:
    def read(message: WireLane, field: str, faults: Faults) -> str:
        name = getattr(message, attribute)
        return faults.name(field, name, collection) if name else ""

    return read


def _countries(message: WireLane, field: str, faults: Faults) -> tuple[str, ...]:
    if len(message.countries) > t.COUNTRIES_MAX:
        raise too_many(field, len(message.countries), t.COUNTRIES_MAX)
    for n, country in enumerate(message.countries):
        if not _COUNTRY.fullmatch(country):
            faults.add(f"{field}[{n}]", "it must be two capital letters (ISO 3166-1 alpha-2), such as GB")
        elif country in message.countries[:n]:
            faults.add(f"{field}[{n}]", f"{country} is there twice")
    return tuple(message.countries)


def _transit(message: WireLane, field: str, faults: Faults) -> tuple[tuple[int, int], ...]:
    if len(message.transit) > t.TRANSIT_BANDS_MAX:
        raise too_many(field, len(message.transit), t.TRANSIT_BANDS_MAX)
    for n, band in enumerate(message.transit):
        faults.units(f"{field}[{n}].distance_max_km", band.distance_max_km, 0, t.DISTANCE_MAX_KM)
        faults.units(f"{field}[{n}].days", band.days, 0, t.TRANSIT_DAYS_MAX)
    return tuple((band.distance_max_km, band.days) for band in message.transit)


def _number(attribute: str, most: int) -> Reader:
    return lambda message, field, faults: faults.units(field, getattr(message, attribute), 0, most)


def _weight(attribute: str) -> Reader:
    def read(message: SourcingProfile, field: str, faults: Faults) -> float:
        weight: float = getattr(message, attribute)
        if not 0 <= weight <= t.WEIGHT_MAX:  # NaN is not, either
            faults.add(field, f"{weight:g}; 0 to {t.WEIGHT_MAX:,.0f} is allowed")
        return weight

    return read


def _splits(message: SourcingProfile, field: str, faults: Faults) -> int:
    return faults.units(field, message.splits_max or SPLITS_DEFAULT, 1, t.SPLITS_MAX)


def _age_max_s(message: SourcingProfile, field: str, faults: Faults) -> float:
    if not message.HasField("age_max"):
        return 0.0
    return faults.length(field, message.age_max, 0, t.AGE_MAX_S) / NS_PER_S


_COSTS: Final = ("parcel_micros", "unit_micros", "kg_micros", "km_micros", "kg_km_micros")
_LANE_READERS: Final[Mapping[str, Reader]] = {
    "service_level": lambda message, field, faults: faults.id(field, message.service_level),
    "display_name": _display_name,
    "origin_location": _origin("origin_location", LOCATIONS),
    "origin_group": _origin("origin_group", GROUPS),
    "countries": _countries,
    "distance_max_km": _number("distance_max_km", t.DISTANCE_MAX_KM),
    "transit": _transit,
    **{name: _number(name, t.COST_MAX_MICROS) for name in _COSTS},
}
_PROFILE_READERS: Final[Mapping[str, Reader]] = {
    "display_name": _display_name,
    **{name: _weight(name) for name in WEIGHTS},
    "splits_max": _splits,
    "age_max": _age_max_s,
}
LANE_FIELDS: Final = {name: name for name in _LANE_READERS}
PROFILE_FIELDS: Final = {name: "age_max_s" if name == "age_max" else name for name in _PROFILE_READERS}
"""Field of the contract -> the core's name for it."""
