from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given

from allocator.core.sourcing import Filter, Outcome, Plan, explain, source
from allocator.core.sourcing.filters import filters, passing, reach_of
from allocator.core.sourcing.planning import score
from tests.unit.core.sourcing.reference import Reference
from tests.unit.core.sourcing.worlds import World, worlds


def units_of(world: World, plan: Plan) -> dict[str, list[int]]:
    """Units of each line that each location gives."""
    skus = [sku for sku, _, _ in world.order.lines]
    given_by: dict[str, list[int]] = {location: [0] * len(skus) for location in plan.locations}
    for sku, location, quantity in plan.assignments:
        given_by[location][skus.index(sku)] += quantity
    return given_by


@given(worlds())
def test_filters_equal_the_plain_ones(world: World) -> None:
    """Each location fails at the same first filter as in the plain reference."""
    expected = Reference(world)
    verdicts = explain(world.table, world.order, world.stock).verdicts
    assert [verdict.location for verdict in verdicts] == [place.location for place in world.places]
    assert [verdict.filter for verdict in verdicts] == expected.failed
    eligible = sorted(expected.eligible, key=lambda i: (world.places[i].priority, world.places[i].location))
    assert source(world.table, world.order, world.stock).eligible.tolist() == eligible


@given(worlds())
def test_the_filter_that_emptied_the_list_is_named(world: World) -> None:
    """It is the latest one that any location came to."""
    failed = Reference(world).failed
    emptied_by = source(world.table, world.order, world.stock).emptied_by
    assert emptied_by == (None if None in failed else max(failed, key=lambda one: one or Filter.GROUP))


@given(worlds())
def test_the_scorer_equals_a_plain_loop_term_by_term(world: World) -> None:
    """Every term of every location that may serve the order, for what it could give of each line."""
    reach = reach_of(world.table, world.order)
    columns = passing(world.table, filters(world.table, world.order, world.stock, reach))
    expected = Reference(world)
    if not len(columns):
        return
    scored = score(world.table, world.order, world.stock, reach, columns)
    need = [quantity for _, quantity, _ in world.order.lines]
    for place, column in enumerate(columns.tolist()):
        units = np.minimum(world.stock.available[:, column], need).tolist()
        assert scored.terms.raw(place, units) == pytest.approx(expected.terms(column, units), abs=1e-6)
        total = scored.choice.fixed[place] + scored.choice.unit[:, place] @ np.array(units)
        assert total == pytest.approx(expected.score(column, units), abs=1e-6)


@given(worlds(locations_max=4, lines_max=2))
def test_the_first_plan_is_the_best_there_is(world: World) -> None:
    """No way to serve the whole order from at most as many locations scores lower, capacities and all."""
    scores = list(Reference(world).whole_plans())
    answer = source(world.table, world.order, world.stock)
    whole = [plan for plan in answer.plans if not plan.shortfall]
    assert bool(whole) == bool(scores)
    if whole:
        assert whole[0].score == pytest.approx(min(scores), abs=1e-5)


@given(worlds())
def test_plans_add_up(world: World) -> None:
    """A plan gives what is there and no more, says what is missing, and its parts add up to its cost and score."""
    expected, answer = Reference(world), source(world.table, world.order, world.stock)
    places = {place.location: i for i, place in enumerate(world.places)}
    for plan in (*answer.plans, *([answer.partial] if answer.partial else [])):
        given_by, missing = units_of(world, plan), dict(plan.shortfall)
        for line, (sku, quantity, _) in enumerate(world.order.lines):
            assert sum(units[line] for units in given_by.values()) + missing.get(sku, 0) == quantity
        for parcel in plan.parcels:
            i, units = places[parcel.location], given_by[parcel.location]
            assert i in expected.eligible
            assert 0 < sum(units) == parcel.units
            assert all(count <= world.stock.available[line][i] for line, count in enumerate(units))
            assert world.stock.capacity_by_order[i] or sum(units) <= world.stock.capacity_left[i]
            assert [value.raw for value in parcel.terms] == pytest.approx(expected.terms(i, units), abs=1e-6)
            assert parcel.score == pytest.approx(sum(value.weighted for value in parcel.terms))
            assert parcel.cost_micros == pytest.approx(expected.cost(i, units), abs=1.5)
            assert (parcel.dispatch_day, parcel.delivery_day) == (expected.dispatch_day(i), expected.delivery_day(i))
        assert plan.cost_micros == sum(parcel.cost_micros for parcel in plan.parcels)
        assert plan.score == pytest.approx(sum(parcel.score for parcel in plan.parcels))
        assert plan.delivery_day == max(parcel.delivery_day for parcel in plan.parcels)
        assert len(plan.parcels) <= max(world.order.splits_max, world.order.profile.splits_max)


@given(worlds())
def test_plans_are_ranked_and_apart(world: World) -> None:
    """A later plan misses as much or more, scores no better, and has not all locations of an earlier one."""
    plans = source(world.table, world.order, world.stock).plans
    ranks = [(sum(units for _, units in plan.shortfall), plan.score) for plan in plans]
    assert all(
        one[0] < other[0] or (one[0] == other[0] and one[1] <= other[1] + 2e-6) for one, other in pairwise(ranks)
    )
    for i, plan in enumerate(plans):
        assert not any(set(plan.locations) >= set(earlier.locations) for earlier in plans[:i])


@given(worlds())
def test_the_order_of_locations_does_not_matter(world: World) -> None:
    """The same network told backwards gives the same plans, ties and all."""
    stock = world.stock
    backwards = world._replace(
        places=world.places[::-1],
        stock=stock._replace(
            available=stock.available[:, ::-1].copy(),
            **{name: getattr(stock, name)[::-1].copy() for name in stock._fields[1:]},
        ),
    )
    one = source(world.table, world.order, world.stock)
    other = source(backwards.table, backwards.order, backwards.stock)
    assert [plan.assignments for plan in one.plans] == [plan.assignments for plan in other.plans]


@given(worlds())
def test_explaining_agrees_with_sourcing(world: World) -> None:
    """The best plan's locations are CHOSEN, and every other one is FILTERED or OUTSCORED with a reason in words."""
    explanation = explain(world.table, world.order, world.stock)
    answer = source(world.table, world.order, world.stock)
    best = answer.plans[0] if answer.plans else answer.partial
    assert [plan.assignments for plan in explanation.sourcing.plans] == [plan.assignments for plan in answer.plans]
    chosen = {one.location for one in explanation.verdicts if one.outcome == Outcome.CHOSEN}
    assert chosen == (set(best.locations) if best else set())
    assert all((one.filter is None) == (one.outcome != Outcome.FILTERED) for one in explanation.verdicts)
    assert all(one.detail and bool(one.terms) == (one.filter is None) for one in explanation.verdicts)
