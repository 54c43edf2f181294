"""Calls of SourcingService."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from google.type.latlng_pb2 import LatLng  # type: ignore[import-untyped]  # it has no py.typed

from allocator.client import wire
from allocator.client.call import Call
from allocator.client.enums import FulfilmentMode, SourcingFilter, SourcingOutcome, SourcingTermKind
from allocator.client.types.sourcing import (
    Assignment,
    ExplainResult,
    Parcel,
    Shortfall,
    SourceResult,
    SourcingOrder,
    SourcingPlan,
    SourcingTerm,
    SourcingVerdict,
)
from allocator.v1 import common_pb2
from allocator.v1 import sourcing_pb2 as pb
from allocator.v1.sourcing_pb2_grpc import SourcingServiceStub

_MODE = wire.EnumMap(FulfilmentMode, common_pb2.FulfilmentMode)
_FILTER = wire.EnumMap(SourcingFilter, pb.SourcingFilter)
_TERM = wire.EnumMap(SourcingTermKind, pb.SourcingTermKind)
_OUTCOME = wire.EnumMap(SourcingOutcome, pb.SourcingOutcome)


def source(
    order: SourcingOrder, *, plans_max: int = 3, min_versions: Mapping[str, int] | None = None
) -> Call[SourceResult]:
    """Rank plans for an order; holds nothing.

    Args:
        order: what is wanted, and where.
        plans_max: most plans to return, 1 to 10.
        min_versions: read at least these versions, by location.

    Raises:
        NotFound: a SKU, location, group, service level or profile is unknown.
        Unavailable: the versions were not reached in time.
    """
    request = pb.SourceRequest(
        order=order_message(order), plans_max=plans_max, min_versions=wire.version_list(min_versions)
    )
    return Call(SourcingServiceStub, "Source", request, _source_result)


def explain_sourcing(order: SourcingOrder, *, min_versions: Mapping[str, int] | None = None) -> Call[ExplainResult]:
    """Tell of every location why it is in the best plan, was filtered out or outscored.

    Args:
        order: what is wanted, and where.
        min_versions: read at least these versions, by location.

    Raises:
        NotFound: a SKU, location, group, service level or profile is unknown.
        Unavailable: the versions were not reached in time.
    """
    request = pb.ExplainSourcingRequest(order=order_message(order), min_versions=wire.version_list(min_versions))
    return Call(SourcingServiceStub, "ExplainSourcing", request, _explain_result)


def order_message(order: SourcingOrder) -> pb.SourcingOrder:
    """An order as the contract has it."""
    place, weights = order.destination, order.weights
    return pb.SourcingOrder(
        lines=[
            pb.OrderLine(sku=sku, quantity=units, unit_weight_grams=order.unit_weights_grams.get(sku, 0))
            for sku, units in wire.pairs(order.lines)
        ],
        mode=_MODE.number(order.mode),
        service_level=order.service_level,
        destination=LatLng(latitude=place.latitude, longitude=place.longitude) if place else None,
        country_code=order.country_code,
        pickup_location=wire.location_name(order.pickup_location),
        promise_by=wire.timestamp("promise_by", order.promise_by),
        channel=order.channel,
        location_group=wire.group_name(order.group),
        locations=map(wire.location_name, order.locations),
        excluded_locations=map(wire.location_name, order.excluded),
        sourcing_profile=wire.profile_name(order.profile),
        weights=pb.SourcingWeights(**asdict(weights)) if weights else None,
        splits_max=order.splits_max,
        allow_shortfall=order.allow_shortfall,
    )


def plan_in(message: Any, field: str) -> SourcingPlan | None:  # noqa: ANN401  # whatever answer has a plan in it
    """The plan in a field of an answer, if there is one."""
    return parse_plan(getattr(message, field)) if message.HasField(field) else None


def parse_plan(message: pb.SourcingPlan) -> SourcingPlan:
    """A plan as the contract has it."""
    return SourcingPlan(
        assignments=assignments_of(message.assignments),
        parcels=tuple(map(_parcel, message.parcels)),
        shortfalls=shortfalls_of(message.shortfalls),
        cost_micros=message.cost_micros,
        delivery_date=_day(message, "delivery_date"),
        score=message.score,
    )


def parse_filter(number: int) -> SourcingFilter:
    """A filter as the contract has it."""
    return _FILTER.parse(number)


def assignments_of(messages: Iterable[pb.Assignment]) -> tuple[Assignment, ...]:
    """Which units come from where."""
    return tuple(Assignment(part.sku, wire.plain_id(part.location), part.quantity) for part in messages)


def shortfalls_of(messages: Iterable[pb.Shortfall]) -> tuple[Shortfall, ...]:
    """What nobody has."""
    return tuple(Shortfall(part.sku, part.quantity) for part in messages)


def _source_result(message: pb.SourceResponse) -> SourceResult:
    return SourceResult(
        plans=tuple(map(parse_plan, message.plans)),
        emptied_by=_FILTER.parse(message.emptied_by),
        partial=plan_in(message, "partial"),
    )


def _explain_result(message: pb.ExplainSourcingResponse) -> ExplainResult:
    return ExplainResult(
        plans=tuple(map(parse_plan, message.plans)),
        emptied_by=_FILTER.parse(message.emptied_by),
        partial=plan_in(message, "partial"),
        verdicts=tuple(map(_verdict, message.verdicts)),
    )


def _parcel(message: pb.Parcel) -> Parcel:
    return Parcel(
        location=wire.plain_id(message.location),
        units=message.units,
        lane=wire.plain_id(message.lane),
        distance_km=message.distance_km if message.HasField("distance_km") else None,
        dispatch_date=_day(message, "dispatch_date"),
        delivery_date=_day(message, "delivery_date"),
        cost_micros=message.cost_micros,
        terms=_terms(message.terms),
        score=message.score,
    )


def _verdict(message: pb.SourcingVerdict) -> SourcingVerdict:
    return SourcingVerdict(
        location=wire.plain_id(message.location),
        outcome=_OUTCOME.parse(message.outcome),
        filter=_FILTER.parse(message.filter),
        detail=message.detail,
        units=message.units,
        terms=_terms(message.terms),
        score=message.score if message.HasField("score") else None,
        lane=wire.plain_id(message.lane),
        distance_km=message.distance_km if message.HasField("distance_km") else None,
        delivery_date=_day(message, "delivery_date"),
    )


def _terms(messages: Iterable[pb.SourcingTerm]) -> tuple[SourcingTerm, ...]:
    return tuple(SourcingTerm(_TERM.parse(term.kind), term.raw, term.weight, term.weighted) for term in messages)


def _day(message: Any, field: str) -> date | None:  # noqa: ANN401  # one of three messages with days
    day = getattr(message, field)
    return date(day.year, day.month, day.day) if message.HasField(field) else None
