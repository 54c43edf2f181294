from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.network.types import Location
from allocator.core.sourcing.calendars import Calendar, local_day, moment_ns
from allocator.core.sourcing.types import NEVER
from tests.unit.core.sourcing.reference import local_ns
from tests.unit.core.sourcing.worlds import table_of

LONDON = "Europe/London"
WEEKDAYS = tuple((weekday, 540, 1080) for weekday in range(1, 6))
FIVE = (("", 17 * 60),)


def day(zone: str, year: int, month: int, number: int) -> int:
    """A local day as days since 1970-01-01."""
    return local_day(local_ns(zone, year, month, number, 12), ZoneInfo(zone))


def dispatch(place: Location, now_ns: int, service_level: str = "") -> int:
    """Day of dispatch, by a table made for it."""
    return int(table_of(place).dispatch_days(service_level, now_ns)[0])


def test_an_order_before_the_cut_off_goes_out_today() -> None:
    """One nanosecond before it counts for today, the cut-off itself for tomorrow."""
    place = Location("leeds", time_zone=LONDON, cut_offs=FIVE)
    cut_off_ns = local_ns(LONDON, 2025, 6, 17, 17)
    assert dispatch(place, cut_off_ns - 1) == day(LONDON, 2025, 6, 17)
    assert dispatch(place, cut_off_ns) == day(LONDON, 2025, 6, 18)


def test_a_cut_off_is_local() -> None:
    """The same moment is before the cut-off in New York and after it in London."""
    now_ns = local_ns(LONDON, 2025, 6, 17, 18)
    places = [Location(zone, time_zone=zone, cut_offs=FIVE) for zone in (LONDON, "America/New_York")]
    days = table_of(*places).dispatch_days("", now_ns).tolist()
    assert days == [day(LONDON, 2025, 6, 18), day(LONDON, 2025, 6, 17)]


def test_a_service_level_has_its_own_cut_off() -> None:
    """Others use the one for all others, or the end of the day."""
    place = Location("leeds", time_zone=LONDON, cut_offs=(("express", 12 * 60),))
    now_ns = local_ns(LONDON, 2025, 6, 17, 13)
    assert dispatch(place, now_ns, "express") == dispatch(place, now_ns, "standard") + 1


def test_closed_days_do_not_count() -> None:
    """From Friday evening to Monday; an exception closes the Monday, another one opens the Saturday."""
    place = Location("leeds", time_zone=LONDON, hours=WEEKDAYS, cut_offs=FIVE)
    friday_ns = local_ns(LONDON, 2025, 6, 20, 18)
    assert dispatch(place, friday_ns) == day(LONDON, 2025, 6, 23)
    closed = place._replace(exceptions=(("2025-06-23", True, 0, 0, "stocktaking"),))
    assert dispatch(closed, friday_ns) == day(LONDON, 2025, 6, 24)
    opened = closed._replace(exceptions=(*closed.exceptions, ("2025-06-21", False, 540, 720, "sale")))
    assert dispatch(opened, friday_ns) == day(LONDON, 2025, 6, 21)


def test_handling_takes_open_days() -> None:
    """Two days of handling from a Thursday end on the Monday."""
    place = Location("leeds", time_zone=LONDON, hours=WEEKDAYS, handling_days=2)
    assert dispatch(place, local_ns(LONDON, 2025, 6, 19, 9)) == day(LONDON, 2025, 6, 23)


def test_a_location_that_is_never_open_never_dispatches() -> None:
    """Every day of the horizon is closed by exception."""
    closed = frozenset(range(20_000, 21_000))
    calendar = Calendar("", (), frozenset(), closed, 1440, 0)
    assert calendar.dispatch(20_100 * 86_400 * 10**9, ZoneInfo("Etc/UTC")).day == NEVER


@pytest.mark.parametrize(
    ("month", "number", "minute"),
    [(3, 30, 90), (10, 26, 90), (3, 30, 17 * 60), (10, 26, 17 * 60)],
    ids=["skipped", "repeated", "spring", "autumn"],
)
def test_a_cut_off_on_a_day_that_changes_the_clock_comes_once(month: int, number: int, minute: int) -> None:
    """Orders before one moment count for the day, all later ones for the next, though 1:30 is skipped or twice."""
    place = Location("leeds", time_zone=LONDON, cut_offs=(("", minute),))
    start_ns = local_ns(LONDON, 2025, month, number, 0)
    days = [dispatch(place, start_ns + quarter * 900 * 10**9) for quarter in range(4 * 23)]
    today = day(LONDON, 2025, month, number)
    changes = days.index(today + 1)
    assert days == [today] * changes + [today + 1] * (len(days) - changes)


@given(
    st.lists(st.integers(0, 400 * 24 * 60), min_size=1, max_size=12),
    st.sampled_from((LONDON, "America/Havana", "Asia/Kathmandu", "Australia/Lord_Howe", "Africa/Cairo")),
    st.integers(0, 1439),
)
def test_what_a_table_remembers_is_what_it_would_work_out(minutes: list[int], zone: str, cut_off: int) -> None:
    """Asked in any order, over midnights and changes of the clock, it answers as one that was never asked."""
    place = Location("leeds", time_zone=zone, hours=WEEKDAYS, cut_offs=(("", cut_off),), handling_days=1)
    table = table_of(place)
    for minute in minutes:
        now_ns = local_ns("Etc/UTC", 2025, 1, 1, 0) + minute * 60 * 10**9
        assert table.dispatch_days("", now_ns)[0] == dispatch(place, now_ns)


@given(st.integers(0, 20 * 365 * 24 * 60), st.sampled_from((LONDON, "America/Havana", "America/Asuncion")))
def test_an_answer_holds_until_it_says(minute: int, zone: str) -> None:
    """Just before `until_ns` the answer is the same, and `until_ns` is ahead."""
    calendar = Calendar(zone, (1, 2, 3, 4, 5), frozenset(), frozenset(), 13 * 60, 0)
    now_ns = minute * 60 * 10**9
    first = calendar.dispatch(now_ns, ZoneInfo(zone))
    assert first.until_ns > now_ns
    assert calendar.dispatch(first.until_ns - 1, ZoneInfo(zone)) == first


def test_the_end_of_a_day_is_the_start_of_the_next() -> None:
    """Also where clocks change at midnight."""
    for zone in ("America/Havana", LONDON):
        for number in range(20_100, 20_500):
            assert moment_ns(number, 1440, ZoneInfo(zone)) == moment_ns(number + 1, 0, ZoneInfo(zone))
