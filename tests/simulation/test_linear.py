from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.simulation.linear import Op, linearizable


def op(start_ns: int, end_ns: int, change: int, least: int | None = None, seen: int | None = None) -> Op:
    """Make an operation."""
    return Op(start_ns, end_ns, change, least, seen, "")


def in_some_order(ops: list[Op]) -> bool:
    """Try every order: the plain reference."""
    return any(_could_be(order) for order in itertools.permutations(ops))


def _could_be(order: tuple[Op, ...]) -> bool:
    counter = 0
    for n, one in enumerate(order):
        if not one.fits(counter) or any(later.end_ns < one.start_ns for later in order[n + 1 :]):
            return False
        counter += one.change
    return True


OPS = st.builds(
    lambda start, length, change, least, seen: op(start, start + length, change, least, seen),
    st.integers(0, 6),
    st.integers(0, 6),
    st.integers(-3, 3),
    st.none() | st.integers(0, 3),
    st.none() | st.integers(0, 3),
)


@given(st.lists(OPS, max_size=6))
def test_the_search_finds_what_trying_every_order_finds(ops: list[Op]) -> None:
    """The memo and the bounds of the search lose no order and invent none."""
    assert linearizable(ops) == in_some_order(ops)


def test_a_grant_needs_units_that_were_there() -> None:
    """Units received after a grant was answered cannot have been granted."""
    grant = op(0, 1, -2, least=2)
    assert not linearizable([grant, op(2, 3, 5)])
    assert linearizable([grant, op(1, 3, 5)])
