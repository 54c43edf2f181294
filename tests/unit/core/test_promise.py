from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.promise import dated_steps, least_projection, least_projections

NOW = 100
dates = st.integers(NOW - 3, NOW + 12)
steps = st.lists(st.tuples(dates, st.integers(1, 9)), max_size=6)
asked = st.tuples(st.integers(NOW - 2, NOW + 9), st.integers(NOW + 5, NOW + 14))
"""A promise date and a horizon, which may come before it."""


def day_by_day(supply: list[tuple[int, int]], waiting: list[tuple[int, int]], by: int, horizon: int) -> int:
    """The least projection worked out slowly: what every single day from the date to the horizon has left."""
    left = []
    for day in range(max(by, NOW), max(by, NOW, horizon) + 1):
        expected = sum(units for at, units in supply if NOW <= at <= day)
        left.append(expected - sum(units for at, units in waiting if at <= day))
    return min(left)


@given(supply=steps, waiting=steps, asked=asked)
def test_a_promise_is_the_least_left_over_on_any_day(
    supply: list[tuple[int, int]], waiting: list[tuple[int, int]], asked: tuple[int, int]
) -> None:
    """Whatever comes and waits, overdue or on the same day, no day from the date to the horizon has less."""
    by, horizon = asked
    expected = day_by_day(supply, waiting, by, horizon)
    assert least_projection(supply, waiting, by, NOW, horizon) == expected


@given(
    cells=st.dictionaries(st.integers(0, 9), st.tuples(steps, steps), max_size=5),
    asked=asked,
)
def test_many_at_once_agree_with_one_at_a_time(
    cells: dict[int, tuple[list[tuple[int, int]], list[tuple[int, int]]]], asked: tuple[int, int]
) -> None:
    """Each group with entries gets the least projection of its own."""
    by, horizon = asked
    rows = [(group, *step) for group in sorted(cells) for step in dated_steps(*cells[group])]
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    groups, least = least_projections(columns[0], columns[1], columns[2:], by, NOW, horizon)
    told = {group: parts for group, parts in cells.items() if any(parts)}
    assert groups.tolist() == sorted(told)
    assert least.tolist() == [least_projection(*told[group], by, NOW, horizon) for group in sorted(told)]


def test_what_is_promised_for_later_is_not_promised_for_earlier() -> None:
    """Ten units come on day 5 and all of them are promised for day 9: day 5 has none of them left."""
    supply, waiting = [(NOW + 5, 10)], [(NOW + 9, 10)]
    assert least_projection(supply, waiting, NOW + 5, NOW, NOW + 30) == 0
    assert least_projection(supply, waiting, NOW + 5, NOW, NOW + 8) == 10


def test_both_ends_of_a_span_belong_to_it() -> None:
    """Supply of the date itself counts, that of the day after does not; supply expected now is not overdue."""
    assert least_projection([(NOW + 5, 3)], [], NOW + 5, NOW, NOW + 30) == 3
    assert least_projection([(NOW + 5, 3)], [], NOW + 4, NOW, NOW + 30) == 0
    assert least_projection([(NOW, 3)], [], NOW, NOW, NOW + 30) == 3
    assert least_projection([(NOW - 1, 3)], [], NOW, NOW, NOW + 30) == 0


def test_steps_of_one_date_are_told_once() -> None:
    """Incoming and waiting units of a date are added up, dates ascend."""
    assert dated_steps([(7, 1), (5, 2), (7, 3)], [(6, 4), (5, 1)]) == [(5, 2, 1), (6, 0, 4), (7, 4, 0)]
