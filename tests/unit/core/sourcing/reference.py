"""Sourcing once more, location by location and unit by unit, without arrays: slow and plain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from allocator.core.network.types import Kind, Lane, Location, Mode
from allocator.core.sourcing import CAPACITY_UNLIMITED, Filter
from tests.unit.core.sourcing.worlds import World

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Reference:
    """What a world comes to."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.order = world.order
        self.failed = [self._first_failed(i) for i in range(len(world.places))]
        self.eligible = [i for i, failed in enumerate(self.failed) if failed is None]

    def terms(self, i: int, units: list[int]) -> list[float]:
        """The six terms of a location that gives `units` of each line."""
        world, stock = self.world, self.world.stock
        cost = self.cost(i, units)
        limit, left = int(stock.capacity_limit[i]), int(stock.capacity_left[i])
        used = 1 if stock.capacity_by_order[i] else sum(units)
        return [
            cost / 1e6,
            float(max(0, self.delivery_day(i) - self._due_day(i))),
            1.0,
            sum(count / max(1, int(stock.available[line][i])) for line, count in enumerate(units)),
            0.0 if limit == CAPACITY_UNLIMITED else (limit - left + used) / limit,
            float(world.places[i].priority),
        ]

    def score(self, i: int, units: list[int]) -> float:
        """The weighted sum of the terms."""
        profile = self.order.profile
        weights = [
            profile.cost,
            profile.lateness,
            profile.parcels,
            profile.stock_cover,
            profile.capacity,
            profile.priority,
        ]
        return sum(weight * value for weight, value in zip(weights, self.terms(i, units), strict=True))

    def cost(self, i: int, units: list[int]) -> float:
        """Micros of one parcel."""
        if self.order.mode == Mode.PICKUP:
            return 0.0
        lane = self.lane(i)
        assert lane is not None
        return parcel_micros(lane, self.distance_km(i), units, [grams for _, _, grams in self.order.lines])

    def lane(self, i: int) -> Lane | None:
        """The lane used: of those that reach, the ones in time; of those, the cheapest for the whole order."""
        units, grams = [line[1] for line in self.order.lines], [line[2] for line in self.order.lines]
        reaching = [lane for lane in sorted(self.world.lanes) if self._reaches(i, lane)]
        return min(
            reaching,
            key=lambda lane: (
                not self._in_time(i, lane),
                round(parcel_micros(lane, self.distance_km(i), units, grams), 3),
            ),
            default=None,
        )

    def distance_km(self, i: int) -> float | None:
        """Haversine."""
        position, destination = self.world.places[i].position, self.order.destination
        return None if position is None or destination is None else haversine_km(position, destination)

    def dispatch_day(self, i: int) -> int | None:
        """By the calendar, day by day."""
        place, order = self.world.places[i], self.order
        zone = ZoneInfo(place.time_zone or "Etc/UTC")
        local = (EPOCH + timedelta(microseconds=order.now_ns // 1000)).astimezone(zone)
        cut_offs = dict(place.cut_offs)
        minute = cut_offs.get(order.service_level, cut_offs.get("", 24 * 60))
        day = local.date()
        if local.hour * 60 + local.minute >= minute:
            day += timedelta(days=1)
        left = place.handling_days
        for _ in range(400):
            if works(place, day):
                if left == 0:
                    return (day - date(1970, 1, 1)).days
                left -= 1
            day += timedelta(days=1)
        return None

    def delivery_day(self, i: int) -> int:
        """Dispatch and transit."""
        dispatch = self.dispatch_day(i)
        assert dispatch is not None
        if self.order.mode == Mode.PICKUP:
            return dispatch
        lane = self.lane(i)
        days = None if lane is None else transit_days(lane, self.distance_km(i))
        assert days is not None
        return dispatch + days

    def whole_plans(self) -> Iterator[float]:
        """Scores of every set of locations that serves the whole order, filled in every way that could be best."""
        most = 1 if self.order.mode == Mode.PICKUP else self.order.splits_max or self.order.profile.splits_max
        for count in range(1, most + 1):
            for members in combinations(self.eligible, count):
                yield from (
                    sum(self.score(i, units) for i, units in given.items()) for given in self._fillings(members)
                )

    def _fillings(self, members: tuple[int, ...]) -> Iterator[dict[int, list[int]]]:
        """Every way to give every unit."""

        def place(line: int, member: int, left: int, given: dict[int, list[int]]) -> Iterator[dict[int, list[int]]]:
            if member == len(members):
                if left == 0:
                    yield from start(line + 1, given)
                return
            i = members[member]
            for units in range(min(left, int(self.world.stock.available[line][i])) + 1):
                if self._fits(i, sum(given[i]) + units):
                    yield from place(line, member + 1, left - units, given | {i: [*given[i], units]})

        def start(line: int, given: dict[int, list[int]]) -> Iterator[dict[int, list[int]]]:
            if line == len(self.order.lines):
                if all(sum(units) for units in given.values()):
                    yield given
                return
            yield from place(line, 0, self.order.lines[line][1], given)

        yield from start(0, {i: [] for i in members})

    def _fits(self, i: int, units: int) -> bool:
        return bool(self.world.stock.capacity_by_order[i]) or units <= int(self.world.stock.capacity_left[i])

    def _first_failed(self, i: int) -> Filter | None:
        world, order, stock = self.world, self.order, self.world.stock
        place = world.places[i]
        members = next((group.locations for group in world.groups if group.group == order.group), ())
        grouped = (not order.group or place.location in members) and (not order.only or place.location in order.only)
        if not grouped or place.location in order.excluded:
            return Filter.GROUP
        if not place.open or self.dispatch_day(i) is None:
            return Filter.OPEN
        if order.channel and place.channels and order.channel not in place.channels:
            return Filter.CHANNEL
        if order.mode not in modes(place) or order.pickup_location not in {"", place.location}:
            return Filter.MODE
        if order.mode != Mode.PICKUP and self.lane(i) is None:
            return Filter.SERVICE_LEVEL
        if order.promise_by_ns and self.delivery_day(i) > self._promise_day(i):
            return Filter.PROMISE
        if stock.capacity_left[i] < 1:
            return Filter.CAPACITY
        if order.profile.age_max_s and stock.age_s[i] > order.profile.age_max_s:
            return Filter.FRESHNESS
        return None if any(row[i] > 0 for row in stock.available) else Filter.STOCK

    def _reaches(self, i: int, lane: Lane) -> bool:
        if lane.service_level != self.order.service_level:
            return False
        if lane.origin_location and lane.origin_location != self.world.places[i].location:
            return False
        if lane.countries and self.order.country not in lane.countries:
            return False
        return transit_days(lane, self.distance_km(i)) is not None

    def _in_time(self, i: int, lane: Lane) -> bool:
        days, dispatch = transit_days(lane, self.distance_km(i)), self.dispatch_day(i)
        assert days is not None
        return not self.order.promise_by_ns or dispatch is None or dispatch + days <= self._promise_day(i)

    def _promise_day(self, i: int) -> int:
        zone = ZoneInfo(self.world.places[i].time_zone or "Etc/UTC")
        local = (EPOCH + timedelta(microseconds=self.order.promise_by_ns // 1000)).astimezone(zone)
        return (local.date() - date(1970, 1, 1)).days

    def _due_day(self, i: int) -> int:
        if self.order.promise_by_ns:
            return self._promise_day(i)
        return min(self.delivery_day(other) for other in self.eligible)


def parcel_micros(lane: Lane, distance_km: float | None, units: list[int], grams: list[int]) -> float:
    """Cost of one parcel."""
    km = distance_km or 0.0
    kg = sum(count * weight for count, weight in zip(units, grams, strict=True)) / 1000
    per_kg = lane.kg_micros + lane.kg_km_micros * km
    return lane.parcel_micros + lane.km_micros * km + lane.unit_micros * sum(units) + per_kg * kg


def transit_days(lane: Lane, distance_km: float | None) -> int | None:
    """Days by lane and distance; None where the lane does not go."""
    bands = [(end or math.inf, days) for end, days in lane.transit] or [(math.inf, 0)]
    asks = lane.distance_max_km or lane.km_micros or lane.kg_km_micros or any(end for end, _ in lane.transit)
    if distance_km is None:
        return None if asks else bands[0][1]
    if lane.distance_max_km and distance_km > lane.distance_max_km:
        return None
    return next((days for end, days in bands if distance_km <= end), None)


def modes(place: Location) -> tuple[int, ...]:
    """Modes named, or by kind."""
    if place.modes:
        return place.modes
    if place.kind == Kind.STORE:
        return (Mode.SHIP_FROM_STORE, Mode.PICKUP)
    return (Mode.SHIP, Mode.PICKUP) if place.kind == Kind.DARK_STORE else (Mode.SHIP,)


def works(place: Location, day: date) -> bool:
    """Whether a location is open on a day."""
    for when, closed, *_ in place.exceptions:
        if date.fromisoformat(when) == day:
            return not closed
    return not place.hours or day.isoweekday() in {row[0] for row in place.hours}


def haversine_km(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Great-circle distance."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, point)) for point in (one, other))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(half))


def local_ns(zone: str, year: int, month: int, day: int, hour: int, minute: int = 0) -> int:
    """A local time as ns since 1970 UTC."""
    local = datetime.combine(date(year, month, day), time(hour, minute), tzinfo=ZoneInfo(zone))
    return round((local - EPOCH).total_seconds()) * 10**9
