"""When a location dispatches an order: its local days, opening days, cut-off time and handling days."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, NamedTuple

from allocator.core.network.types import Location
from allocator.core.sourcing.types import NEVER

HORIZON_DAYS: Final = 400
"""A location that works on too few of the next days dispatches never."""
NS_PER_DAY: Final = 86_400_000_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_DAY_MAX: Final = date.max.toordinal() - _EPOCH_DAY - HORIZON_DAYS
_DAY_END: Final = 24 * 60


class Dispatch(NamedTuple):
    """An answer that holds from the moment it was asked for until `until_ns`.

    Attributes:
        day: local day of dispatch, days since 1970-01-01; `NEVER` without one within `HORIZON_DAYS`.
        until_ns: the next cut-off or midnight, ns since 1970 UTC.
    """

    day: int
    until_ns: int


class Calendar(NamedTuple):
    """Days on which locations work, and how an order gets into one; many locations share one.

    Attributes:
        zone: of the local days.
        weekdays: ISO weekdays with opening hours; () every day.
        opened, closed: days since 1970-01-01 that are open or closed by exception.
        cut_off_minute: orders from this minute of the local day on count as the next day's; 1440: the end of the day.
        handling_days: open days between order and dispatch.
    """

    zone: str
    weekdays: tuple[int, ...]
    opened: frozenset[int]
    closed: frozenset[int]
    cut_off_minute: int
    handling_days: int

    @classmethod
    def of(cls, location: Location, service_level: str) -> Calendar:
        """The calendar of `location` for orders of a service level."""
        cut_offs = dict(location.cut_offs)
        days = [(day_of(date.fromisoformat(row[0])), row[1]) for row in location.exceptions]
        return cls(
            location.time_zone,
            tuple(sorted({weekday for weekday, _, _ in location.hours})),
            frozenset(day for day, closed in days if not closed),
            frozenset(day for day, closed in days if closed),
            cut_offs.get(service_level, cut_offs.get("", _DAY_END)),
            location.handling_days,
        )

    def works_on(self, day: int) -> bool:
        """Whether the location is open on a local day; an exception wins over the week."""
        if day in self.closed:
            return False
        return day in self.opened or not self.weekdays or (day + 3) % 7 + 1 in self.weekdays

    def dispatch(self, now_ns: int, zone: tzinfo) -> Dispatch:
        """When an order of `now_ns` is dispatched: the first day it counts for that is open, and the handling days.

        A cut-off that local time skips or repeats (daylight saving) is at the first moment that a clock not yet changed
        shows it.
        """
        today = local_day(now_ns, zone)
        cut_off_ns, midnight_ns = (moment_ns(today, minute, zone) for minute in (self.cut_off_minute, _DAY_END))
        before = now_ns < cut_off_ns
        return Dispatch(
            self._day(today if before else today + 1), min(cut_off_ns, midnight_ns) if before else midnight_ns
        )

    def _day(self, first: int) -> int:
        left = self.handling_days
        for day in range(first, first + HORIZON_DAYS):
            if self.works_on(day):
                if left == 0:
                    return day
                left -= 1
        return NEVER


def day_of(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH_DAY


def local_day(at_ns: int, zone: tzinfo) -> int:
    """The local day of a moment, days since 1970-01-01; the last that can be told for one beyond the year 9998."""
    if at_ns // NS_PER_DAY >= _DAY_MAX:
        return _DAY_MAX
    return day_of((_EPOCH + timedelta(microseconds=at_ns // 1_000)).astimezone(zone).date())


def moment_ns(day: int, minute: int, zone: tzinfo) -> int:
    """The moment at which a local day has come to a minute (1440: its end), ns since 1970 UTC."""
    local_date = date.fromordinal(day + _EPOCH_DAY + minute // _DAY_END)
    minute %= _DAY_END
    local = datetime.combine(local_date, time(minute // 60, minute % 60), tzinfo=zone)
    return (local - _EPOCH) // timedelta(microseconds=1) * 1_000
