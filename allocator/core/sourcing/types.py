"""What sourcing is asked and what it answers."""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from allocator.core.network.types import Mode, Profile
from allocator.core.sourcing.profiles import DEFAULT

SPLITS_MAX: Final = 10
"""Parcels of one plan, at most."""
PLANS_MAX: Final = 10
"""Plans of one answer, at most."""
LINES_MAX: Final = 200
"""Lines of one order that is sourced."""
UNIT_WEIGHT_MAX_G: Final = 10_000_000
"""Weight of one unit, grams."""
CAPACITY_UNLIMITED: Final = 2**62
"""Capacity of a location without a limit."""
NEVER: Final = 2**31
"""Dispatch or delivery day of a location that dispatches on no day to come."""


class Filter(IntEnum):
    """Why a location cannot serve an order, in the order in which it is asked."""

    GROUP = 1
    OPEN = 2
    CHANNEL = 3
    MODE = 4
    SERVICE_LEVEL = 5
    PROMISE = 6
    CAPACITY = 7
    FRESHNESS = 8
    STOCK = 9


class Term(IntEnum):
    """Part of a score; `scoring` has the formulas."""

    COST = 0
    LATENESS = 1
    PARCELS = 2
    STOCK_COVER = 3
    CAPACITY = 4
    PRIORITY = 5


class Outcome(IntEnum):
    """What became of a location."""

    CHOSEN = 1
    FILTERED = 2
    OUTSCORED = 3


class SourcingOrder(NamedTuple):
    """An order to find the best places for.

    Attributes:
        lines: (SKU, quantity, weight of one unit in grams); each SKU once.
        now_ns: when the order comes in, ns since 1970 UTC.
        service_level: of the lanes that may be used; "" only for `Mode.PICKUP`.
        mode: how it reaches the customer.
        channel: sales channel; "" any location's.
        group: location group that may serve it; "" all locations.
        only: the locations that may serve it; () all.
        excluded: locations that may not.
        destination: (latitude, longitude) in degrees. Without it, only lanes that do not ask for a distance reach it.
        country: destination country; "" is reached by lanes to any country only.
        pickup_location: where the customer picks up; "" any location that hands over.
        promise_by_ns: delivered on that moment's day, where the location is, or before; 0: no date asked for.
        splits_max: parcels (locations) of one plan; 0: the profile's. A pickup is always in one place.
        backorder: ship what there is; the rest is the plan's shortfall.
    """

    lines: tuple[tuple[str, int, int], ...]
    now_ns: int
    service_level: str = ""
    mode: int = Mode.SHIP
    channel: str = ""
    group: str = ""
    only: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    destination: tuple[float, float] | None = None
    country: str = ""
    pickup_location: str = ""
    promise_by_ns: int = 0
    profile: Profile = DEFAULT
    splits_max: int = 0
    backorder: bool = False


class StockPicture(NamedTuple):
    """What the read model knows; columns in the order of `NetworkTable.locations`.

    Attributes:
        available: int64 (lines, locations), units that can be promised on the order's channel (by its date, if any),
            never below 0.
        capacity_left: int64 (locations,), units or orders the pick window still takes; CAPACITY_UNLIMITED: no limit.
        capacity_limit: int64 (locations,), limit of that window; CAPACITY_UNLIMITED: none.
        capacity_by_order: bool (locations,), the window counts orders, not units.
        age_s: float64 (locations,), age of what is known of the location.
    """

    available: NDArray[np.int64]
    capacity_left: NDArray[np.int64]
    capacity_limit: NDArray[np.int64]
    capacity_by_order: NDArray[np.bool_]
    age_s: NDArray[np.float64]


class Assignment(NamedTuple):
    """Units of one line from one location."""

    sku: str
    location: str
    quantity: int


class TermValue(NamedTuple):
    """One term of the score of what a location does for an order."""

    term: Term
    raw: float
    weight: float

    @property
    def weighted(self) -> float:
        """What the term adds to the score."""
        return self.raw * self.weight


class Parcel(NamedTuple):
    """What one location does in a plan.

    Attributes:
        lane: it goes by; "" for a pickup.
        distance_km: great circle to the destination; NaN without one of the two positions.
        dispatch_day: local day of dispatch (pickup: when it is ready), days since 1970-01-01.
        delivery_day: day of delivery (pickup: when it is ready), days since 1970-01-01.
        cost_micros: in millionths of the network's currency.
        score: what it adds to the score of the plan; lower is better.
        raw: value of every term, in the order of `Term`.
        weights: of the terms.
    """

    location: str
    units: int
    lane: str
    distance_km: float
    dispatch_day: int
    delivery_day: int
    cost_micros: int
    score: float
    raw: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def terms(self) -> tuple[TermValue, ...]:
        """Every term of the score, in the order of `Term`."""
        return tuple(TermValue(*value) for value in zip(Term, self.raw, self.weights, strict=True))


class Plan(NamedTuple):
    """Who ships what. Lower scores are better.

    Attributes:
        assignments: in the order of the lines, then of the parcels.
        parcels: one for each location, in the order of priority and name.
        shortfall: (SKU, units) that nobody has; empty unless the order takes backorders or this is a partial plan.
        score: sum of the parcels' scores.
    """

    assignments: tuple[Assignment, ...]
    parcels: tuple[Parcel, ...]
    shortfall: tuple[tuple[str, int], ...]
    cost_micros: int
    score: float

    @property
    def locations(self) -> tuple[str, ...]:
        """The locations it uses."""
        return tuple(parcel.location for parcel in self.parcels)

    @property
    def dispatch_day(self) -> int:
        """Day of the last dispatch, days since 1970-01-01."""
        return max(parcel.dispatch_day for parcel in self.parcels)

    @property
    def delivery_day(self) -> int:
        """Day of the last delivery, days since 1970-01-01."""
        return max(parcel.delivery_day for parcel in self.parcels)


class Sourcing(NamedTuple):
    """Answer to a `SourcingOrder`.

    Attributes:
        plans: best first, no one's locations all in a later one's. Empty when the order cannot be served.
        emptied_by: the first filter that no location passed; None when some location passed all of them.
        partial: without plans, the plan that serves most of the order, cheapest first.
        eligible: int64, indexes of the locations that passed all filters, by priority and name.
    """

    plans: tuple[Plan, ...]
    emptied_by: Filter | None
    partial: Plan | None
    eligible: NDArray[np.int64]


class Verdict(NamedTuple):
    """Why a location is in the best plan or not.

    Attributes:
        filter: the first one it did not pass; None otherwise.
        detail: in words.
        units: of the order in the best plan (CHOSEN), or that it could serve alone (OUTSCORED).
        terms: of those units, every term; () when filtered.
        score: of those units, lower is better; NaN when filtered.
        lane, distance_km, dispatch_day, delivery_day: as in `Parcel`; "", NaN and NEVER when not known.
    """

    location: str
    outcome: Outcome
    filter: Filter | None
    detail: str
    units: int
    terms: tuple[TermValue, ...]
    score: float
    lane: str
    distance_km: float
    dispatch_day: int
    delivery_day: int


class Explanation(NamedTuple):
    """Answer to `explain`: the answer of `source`, and a verdict on every location, in the order of the table."""

    sourcing: Sourcing
    verdicts: tuple[Verdict, ...]
