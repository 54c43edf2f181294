"""Rows of the network as a network file has them; what is empty is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.client import (
        Lane,
        Location,
        LocationGroup,
        OpeningException,
        OpeningHours,
        SourcingProfile,
    )

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def location_entry(location: Location) -> dict[str, Any]:
    """A location."""
    entry = {
        "id": location.id,
        "name": location.display_name,
        "kind": location.kind.lower(),
        "state": location.state.lower(),
        "country": location.country_code,
        "city": location.city,
        "latitude": location.position.latitude if location.position else None,
        "longitude": location.position.longitude if location.position else None,
        "time_zone": location.time_zone,
        "hours": _hours_entries(location.opening_hours),
        "exceptions": list(map(_exception_entry, location.opening_exceptions)),
        "priority": location.priority,
        "labels": dict(location.labels),
        "actor_group": location.actor_group,
        "channels": list(location.channels),
        "modes": [mode.lower() for mode in location.modes],
        "cut_offs": {level or "*": _clock(minute) for level, minute in location.cut_offs.items()},
        "handling_days": location.handling_days,
    }
    return _filled(entry)


def _hours_entries(spans: Iterable[OpeningHours]) -> dict[str, list[dict[str, str]]]:
    entries: dict[str, list[dict[str, str]]] = {}
    for span in spans:
        hours = {"opens": _clock(span.open_minute), "closes": _clock(span.close_minute)}
        entries.setdefault(DAYS[span.day - 1], []).append(hours)
    return entries


def _exception_entry(exception: OpeningException) -> dict[str, Any]:
    hours = {"opens": _clock(exception.open_minute), "closes": _clock(exception.close_minute)}
    when = {"date": exception.date.isoformat(), "name": exception.display_name}
    return _filled(when) | ({"closed": True} if exception.closed else hours)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def group_entry(group: LocationGroup) -> dict[str, Any]:
    """A group."""
    return _filled({"id": group.id, "name": group.display_name}) | {"locations": list(group.locations)}


def lane_entry(lane: Lane) -> dict[str, Any]:
    """A lane; costs are decimals of the network's currency."""
    entry = {
        "id": lane.id,
        "name": lane.display_name,
        "service_level": lane.service_level,
        "origin_location": lane.origin_location,
        "origin_group": lane.origin_group,
        "countries": list(lane.countries),
        "distance_max_km": lane.distance_max_km,
        "transit": [_filled({"distance_max_km": band.distance_max_km}) | {"days": band.days} for band in lane.transit],
        "parcel": decimal(lane.parcel_micros),
        "unit": decimal(lane.unit_micros),
        "kg": decimal(lane.kg_micros),
        "km": decimal(lane.km_micros),
        "kg_km": decimal(lane.kg_km_micros),
    }
    return _filled(entry)


def profile_entry(profile: SourcingProfile) -> dict[str, Any]:
    """A sourcing profile."""
    entry = {
        "id": profile.id,
        "name": profile.display_name,
        "cost": profile.cost,
        "lateness": profile.lateness,
        "parcels": profile.parcels,
        "stock_cover": profile.stock_cover,
        "capacity": profile.capacity,
        "priority": profile.priority,
        "splits_max": profile.splits_max,
        "age_max_s": profile.age_max.total_seconds() if profile.age_max else 0,
    }
    return _filled(entry)


def decimal(micros: int) -> str:
    """An amount of money without an exponent and without what floats do to decimals."""
    return f"{micros // 10**6}.{micros % 10**6:06}".rstrip("0").rstrip(".") if micros else ""


def _filled(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value not in ("", None, {}, [], 0)}
