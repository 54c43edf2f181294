from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from allocator.core.sourcing.types import (
    NEVER,
    Assignment,
    Explanation,
    Filter,
    Outcome,
    Parcel,
    Plan,
    Sourcing,
    Term,
    Verdict,
)
from allocator.gateway import translate_sourcing as t
from allocator.gateway.errors import ApiError
from allocator.gateway.faults import Faults
from allocator.v1 import sourcing_pb2 as pb

RAW = (5.0, 1.0, 1.0, 0.25, 0.0, 3.0)
WEIGHTS = (1.0, 0.5, 0.5, 1.0, 0.5, 0.01)
DAY = (date(2026, 2, 28) - date(1970, 1, 1)).days
PARCEL = Parcel("leeds", 3, "van", 12.5, DAY, DAY + 1, 5_000_000, 6.28, RAW, WEIGHTS)
PLAN = Plan((Assignment("apple", "leeds", 3),), (PARCEL,), (("apple", 2),), 5_000_000, 6.28)


def test_a_plan_is_told_in_full() -> None:
    """Names have their collections, days are dates, and each term says what it adds."""
    message = pb.SourcingPlan()
    t.fill_plan(message, PLAN)
    (assignment,), (parcel,), (shortfall,) = message.assignments, message.parcels, message.shortfalls
    assert (assignment.sku, assignment.location, assignment.quantity) == ("apple", "locations/leeds", 3)
    assert (parcel.location, parcel.lane, parcel.units, parcel.distance_km) == ("locations/leeds", "lanes/van", 3, 12.5)
    assert (parcel.cost_micros, parcel.score, message.cost_micros, message.score) == (5_000_000, 6.28, 5_000_000, 6.28)
    assert (shortfall.sku, shortfall.quantity) == ("apple", 2)
    for day in (parcel.delivery_date, message.delivery_date):
        assert (day.year, day.month, day.day) == (2026, 3, 1)
    assert [pb.SourcingTermKind.Name(term.kind) for term in parcel.terms] == [
        f"SOURCING_TERM_KIND_{term.name}" for term in Term
    ]
    assert [(term.raw, term.weight, term.weighted) for term in parcel.terms] == [
        (raw, weight, raw * weight) for raw, weight in zip(RAW, WEIGHTS, strict=True)
    ]


def test_what_is_not_known_is_absent() -> None:
    """No distance without two positions, no lane for a pickup, no day that never comes or of nothing."""
    message = pb.SourcingPlan()
    t.fill_plan(message, PLAN._replace(parcels=(PARCEL._replace(lane="", distance_km=math.nan, delivery_day=NEVER),)))
    parcel = message.parcels[0]
    assert (parcel.lane, parcel.HasField("distance_km"), parcel.HasField("delivery_date")) == ("", False, False)
    nothing = pb.SourcingPlan()
    t.fill_plan(nothing, Plan((), (), (("apple", 1),), 0, 0.0))
    assert not nothing.HasField("delivery_date")


def test_without_plans_it_is_told_why() -> None:
    """The filter that emptied the list, or what could be served."""
    nobody = np.zeros(0, dtype=np.int64)
    emptied, partly, whole = pb.SourceResponse(), pb.SourceResponse(), pb.SourceResponse()
    t.fill_sourcing(emptied, Sourcing((), Filter.PROMISE, None, nobody))
    t.fill_sourcing(partly, Sourcing((), None, PLAN, nobody))
    t.fill_sourcing(whole, Sourcing((PLAN, PLAN), None, None, nobody))
    assert (emptied.emptied_by, emptied.HasField("partial")) == (pb.SOURCING_FILTER_PROMISE, False)
    assert (partly.emptied_by, partly.partial.cost_micros) == (pb.SOURCING_FILTER_UNSPECIFIED, 5_000_000)
    assert (len(whole.plans), whole.HasField("partial")) == (2, False)


def test_a_verdict_tells_what_became_of_a_location() -> None:
    """One that was filtered out has no score, no terms, and no day that never comes."""
    nothing = Sourcing((), None, PLAN, np.zeros(0, dtype=np.int64))
    outscored = Verdict("leeds", Outcome.OUTSCORED, None, "too dear", 3, PARCEL.terms, 6.28, "van", 12.5, DAY, DAY + 1)
    filtered = Verdict(
        "york", Outcome.FILTERED, Filter.OPEN, "it is closed", 0, (), math.nan, "", math.nan, NEVER, NEVER
    )
    message = pb.ExplainSourcingResponse()
    t.fill_explanation(message, Explanation(nothing, (outscored, filtered)))
    one, other = message.verdicts
    assert message.partial.cost_micros == 5_000_000
    assert (one.location, one.outcome, one.detail) == ("locations/leeds", pb.SOURCING_OUTCOME_OUTSCORED, "too dear")
    assert (one.units, one.score, one.lane, one.distance_km, len(one.terms)) == (3, 6.28, "lanes/van", 12.5, 6)
    assert (one.delivery_date.year, one.delivery_date.month, one.delivery_date.day) == (2026, 3, 1)
    assert (other.outcome, other.filter) == (pb.SOURCING_OUTCOME_FILTERED, pb.SOURCING_FILTER_OPEN)
    absent = [other.HasField(field) for field in ("score", "distance_km", "delivery_date")]
    assert (absent, other.lane, len(other.terms)) == ([False] * 3, "", 0)


def test_words_of_the_core_are_those_of_the_contract() -> None:
    """Filters and outcomes have the same numbers, with 0 for none."""
    assert {found.name: found.value for found in Filter} == {
        name.removeprefix("SOURCING_FILTER_"): number for name, number in pb.SourcingFilter.items() if number
    }
    assert {outcome.name: outcome.value for outcome in Outcome} == {
        name.removeprefix("SOURCING_OUTCOME_"): number for name, number in pb.SourcingOutcome.items() if number
    }


@pytest.mark.parametrize(("asked", "meant"), [(0, 3), (1, 1), (10, 10)])
def test_plans_are_three_unless_said(asked: int, meant: int) -> None:
    """Up to ten."""
    assert t.to_plans_max(pb.SourceRequest(plans_max=asked), Faults()) == meant


@pytest.mark.parametrize("asked", [-1, 11])
def test_a_number_of_plans_that_is_out_of_range_is_a_fault(asked: int) -> None:
    """It names the field."""
    faults = Faults()
    t.to_plans_max(pb.SourceRequest(plans_max=asked), faults)
    with pytest.raises(ApiError, match="plans_max"):
        faults.check()
