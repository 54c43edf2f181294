from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import Measure
from allocator.core.sourcing.types import CAPACITY_UNLIMITED
from allocator.runtime.capacity_model import CapacityModel

HOUR_NS = 3600 * 10**9
COLUMNS = 4
plans = st.none() | st.tuples(
    st.sampled_from([measure.value for measure in Measure]),
    st.sampled_from([HOUR_NS, 2 * HOUR_NS]),
    st.integers(0, 5),
    st.lists(st.tuples(st.integers(0, 5).map(lambda hour: hour * HOUR_NS), st.integers(0, 5)), max_size=2).map(tuple),
)
booked = st.lists(st.tuples(st.integers(0, 5).map(lambda hour: hour * HOUR_NS), st.integers(0, 6)), max_size=2)
columns = st.integers(0, COLUMNS - 1)
steps = st.lists(
    st.tuples(st.just("take"), columns, st.tuples(st.booleans(), plans, booked))
    | st.tuples(st.just("forget"), columns, st.none())
    | st.tuples(st.just("ask"), st.integers(0, 6 * HOUR_NS), st.lists(columns, max_size=6)),
    max_size=20,
)


class Plain:
    """The same, worked out anew for each question."""

    def __init__(self) -> None:
        self.plans: dict[int, tuple[int, int, int, tuple[tuple[int, int], ...]]] = {}
        self.used: dict[int, dict[int, int]] = {}

    def at(self, column: int, at_ns: int) -> tuple[int, int, bool]:
        """What is left, the limit, and whether orders are counted."""
        if column not in self.plans:
            return CAPACITY_UNLIMITED, CAPACITY_UNLIMITED, False
        measure, window_ns, limit, overrides = self.plans[column]
        window = at_ns // window_ns * window_ns
        limit = dict(overrides).get(window, limit)
        return max(0, limit - self.used[column].get(window, 0)), limit, measure == Measure.ORDERS


@given(steps)
def test_any_story_ends_as_plain_arithmetic_says(story: list[tuple[str, int, Any]]) -> None:
    """Whatever was asked before: windows that are kept are looked at again once they are over or changed."""
    model, plain = CapacityModel(), Plain()
    for what, number, more in story:
        if what == "take":
            whole, plan, used = more
            model.take(number, more)
            if whole:
                plain.plans.pop(number, None)
                plain.used[number] = {}
            if whole and plan is not None:
                plain.plans[number] = plan
            plain.used.setdefault(number, {}).update(used)
        elif what == "forget":
            model.forget(number)
            plain.plans.pop(number, None)
        else:
            asked = np.array(more, dtype=np.int64)
            left, limit, by_order = model.at(asked, number)
            told = list(zip(left.tolist(), limit.tolist(), by_order.tolist(), strict=True))
            assert told == [plain.at(column, number) for column in asked.tolist()]


def test_an_answer_is_the_callers_own() -> None:
    """Whoever changes it changes no later answer."""
    model = CapacityModel()
    model.take(0, (True, (Measure.UNITS.value, HOUR_NS, 7), ()))
    for column in (0, 1):
        model.at(np.array([column]), 0)[0][:] = 0
    assert model.at(np.array([0, 1]), 0)[0].tolist() == [7, CAPACITY_UNLIMITED]
