"""Plans of sourcing, from the core to the contract."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Final, Protocol

from allocator.core.sourcing.types import NEVER, PLANS_MAX
from allocator.gateway.names import lane_name, location_name
from allocator.v1 import sourcing_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.sourcing.types import Explanation, Filter, Parcel, Plan, Sourcing, TermValue, Verdict
    from allocator.gateway.faults import Faults

PLANS_DEFAULT: Final = 3
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class Day(Protocol):
    """A `google.type.Date`, which has no type stubs."""

    year: int
    month: int
    day: int


def to_plans_max(request: pb.SourceRequest, faults: Faults) -> int:
    """How many plans are wanted."""
    return faults.units("plans_max", request.plans_max, 0, PLANS_MAX) or PLANS_DEFAULT


def fill_sourcing(response: pb.SourceResponse | pb.ExplainSourcingResponse, sourcing: Sourcing) -> None:
    """Write ranked plans, or why there are none."""
    for plan in sourcing.plans:
        fill_plan(response.plans.add(), plan)
    response.emptied_by = to_filter(sourcing.emptied_by)
    if sourcing.partial is not None:
        fill_plan(response.partial, sourcing.partial)


def fill_explanation(response: pb.ExplainSourcingResponse, explanation: Explanation) -> None:
    """Write ranked plans and the verdicts."""
    fill_sourcing(response, explanation.sourcing)
    for verdict in explanation.verdicts:
        _fill_verdict(response.verdicts.add(), verdict)


def fill_plan(message: pb.SourcingPlan, plan: Plan) -> None:
    """Write who serves what."""
    for assignment in plan.assignments:
        message.assignments.add(
            sku=assignment.sku, location=location_name(assignment.location), quantity=assignment.quantity
        )
    for parcel in plan.parcels:
        _fill_parcel(message.parcels.add(), parcel)
    for sku, quantity in plan.shortfall:
        message.shortfalls.add(sku=sku, quantity=quantity)
    message.cost_micros = plan.cost_micros
    message.score = plan.score
    if plan.parcels:
        set_day(message.delivery_date, plan.delivery_day)


def to_filter(found: Filter | None) -> pb.SourcingFilter.ValueType:
    """The contract's value; UNSPECIFIED for None."""
    return pb.SourcingFilter.ValueType(found or 0)


def set_day(message: Day, day: int) -> None:
    """Write a day, counted from 1970-01-01; one that never comes is left out."""
    if day < NEVER:
        found = date.fromordinal(day + _EPOCH_DAY)
        message.year, message.month, message.day = found.year, found.month, found.day


def _fill_parcel(message: pb.Parcel, parcel: Parcel) -> None:
    message.location = location_name(parcel.location)
    message.units = parcel.units
    message.lane = lane_name(parcel.lane) if parcel.lane else ""
    if not math.isnan(parcel.distance_km):
        message.distance_km = parcel.distance_km
    set_day(message.dispatch_date, parcel.dispatch_day)
    set_day(message.delivery_date, parcel.delivery_day)
    message.cost_micros = parcel.cost_micros
    message.score = parcel.score
    _fill_terms(message, parcel.terms)


def _fill_verdict(message: pb.SourcingVerdict, verdict: Verdict) -> None:
    message.location = location_name(verdict.location)
    message.outcome = pb.SourcingOutcome.ValueType(verdict.outcome)
    message.filter = to_filter(verdict.filter)
    message.detail = verdict.detail
    message.units = verdict.units
    message.lane = lane_name(verdict.lane) if verdict.lane else ""
    if not math.isnan(verdict.score):
        message.score = verdict.score
    if not math.isnan(verdict.distance_km):
        message.distance_km = verdict.distance_km
    set_day(message.delivery_date, verdict.delivery_day)
    _fill_terms(message, verdict.terms)


def _fill_terms(message: pb.Parcel | pb.SourcingVerdict, terms: Iterable[TermValue]) -> None:
    for term in terms:
        kind = pb.SourcingTermKind.ValueType(term.term + 1)  # 0 is "unspecified" in the contract
        message.terms.add(kind=kind, raw=term.raw, weight=term.weight, weighted=term.weighted)
