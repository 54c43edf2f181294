"""Where stock can be, in which groups, and how much each place can pick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from allocator.client.enums import CapacityMeasure, FulfilmentMode, LocationKind, LocationState


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """A span of opening hours: day 1 (Monday) to 7 (Sunday), minutes after local midnight."""

    day: int
    open_minute: int
    close_minute: int


@dataclass(frozen=True, slots=True)
class OpeningException:
    """A dated exception to the weekly hours: closed all day, or open for one span."""

    date: date
    closed: bool = False
    open_minute: int = 0
    close_minute: int = 0
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """WGS 84 degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Location:
    """A place that holds stock; meaning and limits of each field are those of `Location` in the contract.

    Attributes:
        id: plain, without `locations/`.
        kind: what it is.
        state: whether it takes new reservations.
        display_name: for people.
        country_code: ISO 3166-1 alpha-2.
        city: where.
        position: None when unknown.
        time_zone: IANA name, for the opening hours.
        opening_hours: weekly; empty: always open.
        opening_exceptions: in the order of dates.
        priority: lower is preferred when all else is equal.
        labels: free.
        actor_group: which locations share an actor with it; set at create only.
        channels: those it fulfils orders of; empty: all.
        modes: how it fulfils orders; empty: by its kind.
        cut_offs: minute after local midnight from which orders count as the next day's, by service level; "" for all
            that have none of their own.
        handling_days: open days between order and dispatch.
    """

    id: str
    kind: LocationKind = LocationKind.UNSPECIFIED
    state: LocationState = LocationState.UNSPECIFIED
    display_name: str = ""
    country_code: str = ""
    city: str = ""
    position: Position | None = None
    time_zone: str = ""
    opening_hours: tuple[OpeningHours, ...] = ()
    opening_exceptions: tuple[OpeningException, ...] = ()
    priority: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    actor_group: str = ""
    channels: tuple[str, ...] = ()
    modes: tuple[FulfilmentMode, ...] = ()
    cut_offs: Mapping[str, int] = field(default_factory=dict)
    handling_days: int = 0


@dataclass(frozen=True, slots=True)
class LocationGroup:
    """A named set of locations; plain ids."""

    id: str
    locations: tuple[str, ...] = ()
    display_name: str = ""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a location can pick per time window.

    Attributes:
        measure: what is counted.
        window_s: length of a window, whole seconds; windows begin at its multiples since 1970 UTC.
        limit: units or orders per window.
        overrides: other limits, by when the window begins.
    """

    measure: CapacityMeasure
    window_s: int
    limit: int
    overrides: Mapping[datetime, int] = field(default_factory=dict)
