from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from allocator.core.sourcing.bounds import bounds_of
from allocator.core.sourcing.extend import extend
from allocator.core.sourcing.fill import Choice, Filled, fill, score_of
from allocator.core.sourcing.search import search
from allocator.core.sourcing.subsets import evaluate

prices = st.sampled_from((0.0, 0.5, 1.0, 1.0, 2.25))

SHORT_ROOMS = Choice(
    np.zeros(3),
    np.array([[0.5, 0.0, 0.0], [0.5, 0.0, 0.5]]),
    np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]),
    np.array([2.0, 1.0]),
    np.array([1.0, 3.0, 1.0]),
)
"""The first two locations have all, but no room for it; the last two serve as much for less."""


@st.composite
def choices(draw: st.DrawFn, locations: int = 5, lines: int = 3, *, roomy: bool = False) -> Choice:
    """Locations to choose from, with many equal ones among them."""
    count, rows = draw(st.integers(1, locations)), draw(st.integers(1, lines))
    need = [draw(st.integers(1, 4)) for _ in range(rows)]
    have = [[min(draw(st.integers(0, 4)), units) for _ in range(count)] for units in need]
    unit = [[draw(prices) for _ in range(count)] for _ in need]
    fixed = [draw(st.sampled_from((0.0, 1.0, 3.0, 4.5))) for _ in range(count)]
    room = None if roomy else np.array([draw(st.sampled_from((1.0, 3.0, np.inf))) for _ in range(count)])
    limited = np.array(have, dtype=np.float64) if room is None else np.minimum(have, room)
    return Choice(np.array(fixed), np.array(unit), limited, np.array(need, dtype=np.float64), room)


def ways(choice: Choice, members: tuple[int, ...]) -> list[tuple[int, float]]:
    """(units missing, score of the units) of every way to give units from the members."""
    lines = range(len(choice.need))
    rooms = [np.inf if choice.room is None else choice.room[i] for i in members]
    cells = [range(int(choice.have[line, i]) + 1) for line in lines for i in members]
    found = []
    for units in product(*cells):
        given_by = np.array(units).reshape(len(lines), len(members))
        if (given_by.sum(axis=1) <= choice.need).all() and (given_by.sum(axis=0) <= rooms).all():
            score = float((given_by * choice.unit[:, members]).sum())
            found.append((int(choice.need.sum()) - int(given_by.sum()), score))
    return found


def units_score(choice: Choice, filled: Filled) -> float:
    """The score without the fixed parts."""
    return score_of(choice, filled) - float(choice.fixed[list(filled.members)].sum())


@given(choices(locations=3, lines=2))
def test_a_filling_is_the_cheapest_of_all_that_miss_least(choice: Choice) -> None:
    """Rooms and all, against every way there is."""
    members = tuple(range(len(choice.fixed)))
    filled = fill(choice, members)
    missing, score = min(ways(choice, members))
    assert sum(filled.missing) == missing
    assert units_score(choice, filled) == pytest.approx(score)
    assert all(any(row[i] for row in filled.given) for i in range(len(filled.members)))


@given(choices(roomy=True))
def test_all_subsets_at_once_equal_one_by_one(choice: Choice) -> None:
    """Units missing and score of each set, with each member opened."""
    rows = evaluate(choice, len(choice.fixed))
    for members, missing, score in zip(rows.members.tolist(), rows.missing, rows.score, strict=True):
        chosen = [i for i in members if i >= 0]
        filled = fill(choice, chosen)
        assert missing == sum(filled.missing)
        assert score == pytest.approx(units_score(choice, filled) + choice.fixed[chosen].sum())


@given(choices(roomy=True), st.integers(1, 3))
def test_one_more_location_equals_filling_anew(choice: Choice, size: int) -> None:
    """Of each set and each location that is not in it."""
    count = len(choice.fixed)
    bases = list(combinations(range(count), min(size, count)))
    extended = extend(choice, bases)
    for row, base in enumerate(bases):
        for column in set(range(count)) - set(base):
            filled = fill(choice, [*base, column])
            assert extended.missing[row, column] == sum(filled.missing)
            expected = units_score(choice, filled) + choice.fixed[[*base, column]].sum()
            assert extended.score[row, column] == pytest.approx(expected)


@given(choices(), st.integers(1, 4))
@example(SHORT_ROOMS, 2)
def test_the_search_finds_the_best_set(choice: Choice, splits_max: int) -> None:
    """No set of so many locations misses less, or as little for a lower score."""
    count = len(choice.fixed)
    sets = [members for size in range(1, splits_max + 1) for members in combinations(range(count), size)]
    fillings = [fill(choice, members) for members in sets]
    best = min((sum(filled.missing), round(score_of(choice, filled) * 1e6)) for filled in fillings)
    found = search(choice, splits_max, 3)
    assert (found[0].missing, found[0].micros) == best
    assert all(len(one.members) <= splits_max for one in found)


@given(choices())
def test_no_set_beats_the_bounds(choice: Choice) -> None:
    """A set that serves as much as all together can costs no less than the bound for its size."""
    count = len(choice.fixed)
    bounds = bounds_of(choice, count)
    for size in range(1, count + 1):
        for members in combinations(range(count), size):
            filled = fill(choice, members)
            assert sum(filled.missing) >= bounds.missing
            if sum(filled.missing) == bounds.missing:
                assert score_of(choice, filled) >= bounds.fixed[len(filled.members)] + bounds.units - 1e-9


@given(st.integers(0, 10_000))
def test_many_locations_are_served_nearly_as_well(seed: int) -> None:
    """Over 80 locations, where the search is not exact, the first set is never much worse than the best pair."""
    numbers = np.random.default_rng(seed)
    need = np.array([2.0, 1.0, 3.0, 1.0])
    have = np.minimum(numbers.integers(0, 4, (4, 80)) * (numbers.random((4, 80)) < 0.15), need[:, None])
    have[:, have.sum(axis=0) == 0] = 1.0
    choice = Choice(numbers.random(80) + 3, numbers.random((4, 80)), have, need, None)
    found = search(choice, 4, 3)[0]
    pairs = extend(choice, np.arange(80)[:, None])
    np.fill_diagonal(pairs.missing, np.inf)
    row, column = pairs.best()
    assert (found.missing, found.score) <= (pairs.missing[row, column], pairs.score[row, column] * 1.1)


@given(st.integers(0, 10_000))
def test_short_rooms_at_many_locations_do_not_leave_units_behind(seed: int) -> None:
    """Of 70 locations that have everything but one rare line and room for 2 units, five serve nine units."""
    numbers = np.random.default_rng(seed)
    need = np.array([4.0, 4.0, 1.0])
    have = np.array([[2.0] * 70, [2.0] * 70, [0.0] * 70])
    have[2, numbers.integers(70)] = 1.0
    choice = Choice(numbers.random(70) + 1, numbers.random((3, 70)), have, need, np.full(70, 2.0))
    found = search(choice, 10, 1)[0]
    assert found.missing == 0
    assert len(found.members) == 5
