"""What stands in a network file, row by row, and what it is in the core's terms."""

from __future__ import annotations

import functools
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from allocator.core.commands import Capacity, Measure
from allocator.core.ids import ID_PATTERN
from allocator.core.limits import NS_PER_S, QUANTITY_MAX
from allocator.core.network import types as t

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SPANS_MAX: Final = 10
"""Opening spans of one day of the week."""
EXCEPTIONS_MAX: Final = 1_000
"""Opening exceptions of one location."""
ANY_LEVEL: Final = "*"
"""Key of the cut-off time of all service levels that have none of their own."""
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d|24:00"
_MICROS: Final = 1_000_000
Day = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Id = Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
OptionalId = Annotated[str, Field(pattern=f"^({ID_PATTERN})?$")]
Clock = Annotated[str, Field(pattern=f"^({_CLOCK})$")]
Country = Annotated[str, Field(pattern="^[A-Z]{2}$")]
Cost = Annotated[Decimal, Field(ge=0, le=t.COST_MAX_MICROS // _MICROS, decimal_places=6)]
Weight = Annotated[float, Field(ge=0, le=t.WEIGHT_MAX)]
_zones = functools.cache(available_timezones)


def _zone(name: str) -> str:
    if name and name not in _zones():
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/London")
    return name


def _date(text: str) -> str:
    return date.fromisoformat(text).isoformat()


def _once(items: list[str]) -> list[str]:
    for n, item in enumerate(items):
        if item in items[:n]:
            raise ValueError(f"{item!r} is there twice")
    return items


def _lists(value: Any) -> Any:  # noqa: ANN401  # YAML is any value
    if not isinstance(value, dict):
        return value
    return {day: [spans] if isinstance(spans, dict) else spans for day, spans in value.items()}


def _for_all_levels(value: Any) -> Any:  # noqa: ANN401  # as above
    return {ANY_LEVEL: value} if isinstance(value, str) else value


def _for_all_distances(value: Any) -> Any:  # noqa: ANN401  # as above
    return [{"days": value}] if isinstance(value, int) else value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Hours(_Model):
    """A span of opening hours."""

    opens: Clock
    closes: Clock

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if _minutes(self.opens) >= _minutes(self.closes):
            raise ValueError(f"closes at {self.closes}, not after {self.opens}")
        return self


def _apart(spans: list[Hours]) -> list[Hours]:
    ordered = sorted(spans, key=lambda span: _minutes(span.opens))
    for before, after in pairwise(ordered):
        if _minutes(after.opens) < _minutes(before.closes):
            raise ValueError(f"{after.opens} to {after.closes} overlaps {before.opens} to {before.closes}")
    return spans


Spans = Annotated[list[Hours], Field(max_length=SPANS_MAX), AfterValidator(_apart)]


class ExceptionRow(_Model):
    """Another opening span on a date, or none at all."""

    date: Annotated[str, AfterValidator(_date)]
    closed: bool = False
    opens: Clock = "00:00"
    closes: Clock = "24:00"
    name: str = Field("", max_length=128)

    @model_validator(mode="after")
    def _closed_or_open(self) -> Self:
        if self.closed and self.model_fields_set & {"opens", "closes"}:
            raise ValueError("closed all day has no hours")
        if _minutes(self.opens) >= _minutes(self.closes):
            raise ValueError(f"closes at {self.closes}, not after {self.opens}")
        return self

    def core(self) -> tuple[str, bool, int, int, str]:
        """In the core's terms."""
        opens, closes = (0, 0) if self.closed else (_minutes(self.opens), _minutes(self.closes))
        return self.date, self.closed, opens, closes, self.name


class CapacityRow(_Model):
    """What a location can pick per time window."""

    measure: Literal["units", "orders"]
    window_s: int = Field(ge=60, le=7 * 86_400)
    limit: int = Field(ge=0, le=QUANTITY_MAX)

    def core(self) -> Capacity:
        """In the core's terms."""
        return Capacity(Measure[self.measure.upper()], self.window_s * NS_PER_S, self.limit)


def _dates(rows: list[ExceptionRow]) -> list[ExceptionRow]:
    closed = {row.date for row in rows if row.closed}
    for n, row in enumerate(rows):
        if row.date in closed and any(row.date == other.date for other in rows[:n]):
            raise ValueError(f"{row.date} is closed all day, and there twice")
    return rows


class LocationRow(_Model):
    """A location."""

    id: Id
    name: str = Field("", max_length=128)
    kind: Literal["distribution_centre", "store", "dark_store", "third_party_logistics", "drop_ship_vendor"]
    state: Literal["open", "closed"] = "open"
    country: str = Field("", pattern="^([A-Z]{2})?$")
    city: str = Field("", max_length=128)
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    time_zone: Annotated[str, AfterValidator(_zone)] = ""
    hours: Annotated[dict[Day, Spans], BeforeValidator(_lists)] = {}
    exceptions: Annotated[list[ExceptionRow], Field(max_length=EXCEPTIONS_MAX), AfterValidator(_dates)] = []
    priority: int = Field(0, ge=0, le=1_000_000)
    labels: dict[str, str] = Field(default_factory=dict, max_length=64)
    actor_group: OptionalId = ""
    capacity: CapacityRow | None = None
    channels: Annotated[list[Id], Field(max_length=t.CHANNELS_MAX), AfterValidator(_once)] = []
    modes: Annotated[list[Literal["ship", "pickup", "ship_from_store"]], AfterValidator(_once)] = []
    cut_offs: Annotated[
        dict[Annotated[str, Field(pattern=rf"^(\*|{ID_PATTERN})$")], Clock],
        Field(max_length=t.CUT_OFFS_MAX),
        BeforeValidator(_for_all_levels),
    ] = {}
    handling_days: int = Field(0, ge=0, le=t.HANDLING_DAYS_MAX)

    def core(self) -> t.Location:
        """In the core's terms."""
        at_place = self.latitude is not None and self.longitude is not None
        hours = tuple(
            (DAYS.index(day) + 1, _minutes(span.opens), _minutes(span.closes))
            for day, spans in self.hours.items()
            for span in spans
        )
        cut_offs = tuple(("" if level == ANY_LEVEL else level, _minutes(at)) for level, at in self.cut_offs.items())
        return t.Location(
            location=self.id,
            display_name=self.name,
            kind=int(t.Kind[self.kind.upper()]),
            open=self.state == "open",
            country_code=self.country,
            city=self.city,
            position=(self.latitude, self.longitude) if at_place else None,  # type: ignore[arg-type]  # both are set
            time_zone=self.time_zone,
            hours=hours,
            exceptions=tuple(sorted(row.core() for row in self.exceptions)),
            priority=self.priority,
            labels=tuple(sorted(self.labels.items())),
            actor_group=self.actor_group,
            channels=tuple(self.channels),
            modes=tuple(int(t.Mode[mode.upper()]) for mode in self.modes),
            cut_offs=cut_offs,
            handling_days=self.handling_days,
        )


class GroupRow(_Model):
    """A location group."""

    id: Id
    name: str = Field("", max_length=128)
    locations: list[Id]

    def core(self) -> t.Group:
        """In the core's terms."""
        return t.Group(self.id, self.name, tuple(dict.fromkeys(self.locations)))


class BandRow(_Model):
    """Days under way up to a distance; without one, for any."""

    distance_max_km: int = Field(0, ge=0, le=t.DISTANCE_MAX_KM)
    days: int = Field(ge=0, le=t.TRANSIT_DAYS_MAX)


class LaneRow(_Model):
    """A lane; costs are decimals of the network's currency."""

    id: Id
    name: str = Field("", max_length=128)
    service_level: Id
    origin_location: OptionalId = ""
    origin_group: OptionalId = ""
    countries: Annotated[list[Country], Field(max_length=t.COUNTRIES_MAX), AfterValidator(_once)] = []
    distance_max_km: int = Field(0, ge=0, le=t.DISTANCE_MAX_KM)
    transit: Annotated[list[BandRow], Field(max_length=t.TRANSIT_BANDS_MAX), BeforeValidator(_for_all_distances)] = []
    parcel: Cost = Decimal(0)
    unit: Cost = Decimal(0)
    kg: Cost = Decimal(0)
    km: Cost = Decimal(0)
    kg_km: Cost = Decimal(0)

    def core(self) -> t.Lane:
        """In the core's terms."""
        return t.Lane(
            lane=self.id,
            service_level=self.service_level,
            display_name=self.name,
            origin_location=self.origin_location,
            origin_group=self.origin_group,
            countries=tuple(self.countries),
            distance_max_km=self.distance_max_km,
            transit=tuple((band.distance_max_km, band.days) for band in self.transit),
            parcel_micros=int(self.parcel * _MICROS),
            unit_micros=int(self.unit * _MICROS),
            kg_micros=int(self.kg * _MICROS),
            km_micros=int(self.km * _MICROS),
            kg_km_micros=int(self.kg_km * _MICROS),
        )


class ProfileRow(_Model):
    """A sourcing profile; a weight that is not there is 0."""

    id: Id
    name: str = Field("", max_length=128)
    cost: Weight = 0.0
    lateness: Weight = 0.0
    parcels: Weight = 0.0
    stock_cover: Weight = 0.0
    capacity: Weight = 0.0
    priority: Weight = 0.0
    splits_max: int = Field(3, ge=1, le=t.SPLITS_MAX)
    age_max_s: float = Field(0.0, ge=0, le=t.AGE_MAX_S)

    def core(self) -> t.Profile:
        """In the core's terms."""
        values = self.model_dump(exclude={"id", "name"})
        return t.Profile(profile=self.id, display_name=self.name, **values)


class NetworkRows(_Model):
    """The whole file."""

    locations: list[LocationRow] = Field(min_length=1, max_length=t.LOCATIONS_MAX)
    groups: list[GroupRow] = Field([], max_length=t.GROUPS_MAX)
    lanes: list[LaneRow] = Field([], max_length=t.LANES_MAX)
    profiles: list[ProfileRow] = Field([], max_length=t.PROFILES_MAX)


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)
