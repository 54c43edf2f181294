"""Orders whose places are to be found, and the plans that serve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from allocator.client.enums import FulfilmentMode, SourcingFilter, SourcingOutcome, SourcingTermKind
from allocator.client.types.lines import Lines
from allocator.client.types.network import Position


@dataclass(frozen=True, slots=True)
class SourcingWeights:
    """Weights of the terms of a score, each 0 or more and not all of them 0; meaning as in `SourcingProfile`."""

    cost: float = 0.0
    lateness: float = 0.0
    parcels: float = 0.0
    stock_cover: float = 0.0
    capacity: float = 0.0
    priority: float = 0.0


@dataclass(frozen=True, slots=True)
class SourcingOrder:
    """An order to find the best places for; limits are those of `SourcingOrder` in the contract.

    Attributes:
        lines: quantities by SKU, or pairs of them; pairs of the same SKU are summed.
        service_level: of the lanes that may be used; may be empty for a pickup only.
        destination: where it goes; None: lanes that depend on the distance do not serve it.
        country_code: destination country; "": only lanes to any country serve it.
        mode: how it reaches the customer.
        pickup_location: where the customer picks up; "": any location that hands over.
        promise_by: to be delivered, or ready, on this moment's day or before; None: no date asked for.
        channel: sales channel, whose own quotas are open to it.
        group: only members of this location group.
        locations: only these; none: all.
        excluded: none of these.
        profile: weights and limits; "": the profile named `default`, or the built-in one.
        weights: instead of those of the profile.
        splits_max: most locations to split it over, 1 to 10; 0: as the profile says.
        allow_shortfall: serve what there is when some of it is nowhere.
        unit_weights_grams: weight of one unit by SKU; 0 for those not named.
    """

    lines: Lines
    service_level: str = ""
    destination: Position | None = None
    country_code: str = ""
    mode: FulfilmentMode = FulfilmentMode.SHIP
    pickup_location: str = ""
    promise_by: datetime | None = None
    channel: str = ""
    group: str = ""
    locations: Sequence[str] = ()
    excluded: Sequence[str] = ()
    profile: str = ""
    weights: SourcingWeights | None = None
    splits_max: int = 0
    allow_shortfall: bool = False
    unit_weights_grams: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Units of one line from one location."""

    sku: str
    location: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Units of a line that nobody has, or nobody took over."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class SourcingTerm:
    """One term of a score: weighted = raw * weight; docs/sourcing.md has the formulas and units."""

    kind: SourcingTermKind
    raw: float
    weight: float
    weighted: float


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one location does in a plan.

    Attributes:
        location: which.
        units: in it, of all lines.
        lane: it goes by; "" for a pickup.
        distance_km: great circle; None when a position is not known.
        dispatch_date: local day of dispatch; of a pickup, when it is ready.
        delivery_date: day of delivery; of a pickup, when it is ready.
        cost_micros: of transport, in millionths of the network's currency.
        terms: every term of its score.
        score: what it adds to the plan's; lower is better.
    """

    location: str
    units: int
    lane: str
    distance_km: float | None
    dispatch_date: date | None
    delivery_date: date | None
    cost_micros: int
    terms: tuple[SourcingTerm, ...]
    score: float


@dataclass(frozen=True, slots=True)
class SourcingPlan:
    """Who serves what.

    Attributes:
        assignments: which units come from where.
        parcels: one for each location.
        shortfalls: what nobody has.
        cost_micros: of transport, in millionths of the network's currency.
        delivery_date: of the last parcel; None when nothing is assigned.
        score: sum of those of the parcels; lower is better.
    """

    assignments: tuple[Assignment, ...]
    parcels: tuple[Parcel, ...]
    shortfalls: tuple[Shortfall, ...]
    cost_micros: int
    delivery_date: date | None
    score: float


@dataclass(frozen=True, slots=True)
class SourceResult:
    """Ranked plans; nothing is held.

    Attributes:
        plans: best first; later ones use other locations.
        emptied_by: when no location can serve any of it: the filter that the last one did not pass.
        partial: without plans: what could be served, if anything.
    """

    plans: tuple[SourcingPlan, ...]
    emptied_by: SourcingFilter
    partial: SourcingPlan | None

    @property
    def ok(self) -> bool:
        """Whether the order can be served."""
        return bool(self.plans)


@dataclass(frozen=True, slots=True)
class SourcingVerdict:
    """What sourcing thought of one location.

    Attributes:
        location: which.
        outcome: what became of it.
        filter: the first one it did not pass; UNSPECIFIED if it passed all.
        detail: why, in words.
        units: of the order it has in the best plan, or could serve by itself.
        terms: of the score of those units; empty when filtered out.
        score: of those units; None when filtered out.
        lane: it would use; may be empty.
        distance_km: great circle; None when a position is not known.
        delivery_date: None when not known.
    """

    location: str
    outcome: SourcingOutcome
    filter: SourcingFilter
    detail: str
    units: int
    terms: tuple[SourcingTerm, ...]
    score: float | None
    lane: str
    distance_km: float | None
    delivery_date: date | None


@dataclass(frozen=True, slots=True)
class ExplainResult:
    """As `SourceResult`, with a verdict on every location of the network, in the order of priority and name."""

    plans: tuple[SourcingPlan, ...]
    emptied_by: SourcingFilter
    partial: SourcingPlan | None
    verdicts: tuple[SourcingVerdict, ...]

    @property
    def ok(self) -> bool:
        """Whether the order can be served."""
        return bool(self.plans)
