"""What an order and a profile may say; bad input is found here, before anything is worked out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from allocator.core.limits import QUANTITY_MAX
from allocator.core.network.types import Mode, Profile
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import (
    LINES_MAX,
    PLANS_MAX,
    SPLITS_MAX,
    UNIT_WEIGHT_MAX_G,
    Fault,
    Problem,
    SourcingOrder,
)

WEIGHTS: Final = ("cost", "lateness", "parcels", "stock_cover", "capacity", "priority")
"""Fields of a profile that are weights, in the order of `Term`."""
WEIGHT_MAX: Final = 1e6
"""The most that a weight can be."""

_COUNTRY_LENGTH: Final = 2
_LATITUDE_MAX: Final = 90.0
_LONGITUDE_MAX: Final = 180.0


def check_profile(profile: Profile) -> Problem | None:
    """The first thing wrong with a profile, or None."""
    return next(_profile_problems(profile), None)


def check_order(table: NetworkTable, order: SourcingOrder, plans_max: int = 3) -> Problem | None:
    """The first thing wrong with an order, or None. Fields are those of `SourcingOrder`, `lines[i].quantity` and so on.

    Args:
        table: the network in which names are looked up.
        order: to check, with its profile.
        plans_max: plans wanted.
    """
    for problems in (_line_problems(order), _name_problems(table, order), _customer_problems(order)):
        problem = next(problems, None)
        if problem is not None:
            return problem
    if not 1 <= plans_max <= PLANS_MAX:
        return _bad("plans_max", f"it must be 1 to {PLANS_MAX}")
    return check_profile(order.profile)


def _profile_problems(profile: Profile) -> Iterator[Problem]:
    values = [getattr(profile, name) for name in WEIGHTS]
    for name, value in zip(WEIGHTS, values, strict=True):
        if not 0 <= value <= WEIGHT_MAX:  # NaN is neither
            yield _bad(f"profile.{name}", f"a weight must be 0 to {WEIGHT_MAX:,.0f}")
    if not any(values):
        yield _bad("profile", f"one of the weights must be more than 0: {', '.join(WEIGHTS)}")
    if not 1 <= profile.splits_max <= SPLITS_MAX:
        yield _bad("profile.splits_max", f"it must be 1 to {SPLITS_MAX}")
    if not 0 <= profile.age_max_s < math.inf:
        yield _bad("profile.age_max_s", "it must be 0, for any age, or a number of seconds")


def _line_problems(order: SourcingOrder) -> Iterator[Problem]:
    if not 1 <= len(order.lines) <= LINES_MAX:
        yield _bad("lines", f"there must be 1 to {LINES_MAX}")
    seen: set[str] = set()
    for i, (sku, quantity, weight_g) in enumerate(order.lines):
        if sku in seen:
            yield _bad(f"lines[{i}].sku", f"{sku!r} is in an earlier line already")
        seen.add(sku)
        if not 1 <= quantity <= QUANTITY_MAX:
            yield _bad(f"lines[{i}].quantity", f"it must be 1 to {QUANTITY_MAX}")
        if not 0 <= weight_g <= UNIT_WEIGHT_MAX_G:
            yield _bad(f"lines[{i}].unit_weight_g", f"it must be 0 to {UNIT_WEIGHT_MAX_G}")


def _name_problems(table: NetworkTable, order: SourcingOrder) -> Iterator[Problem]:
    if order.mode not in set(Mode):
        yield _bad("mode", f"it must be one of {', '.join(mode.name for mode in Mode)}")
    if order.mode != Mode.PICKUP and order.service_level not in table.service_levels:
        known = ", ".join(sorted(table.service_levels)[:10]) or "there is no lane"
        detail = f"no lane has service level {order.service_level!r}; known: {known}"
        yield Problem(Fault.SERVICE_LEVEL_UNKNOWN, "service_level", detail, order.service_level)
    if order.group and order.group not in table.groups:
        detail = f"location group {order.group!r} is not in the network"
        yield Problem(Fault.GROUP_UNKNOWN, "group", detail, order.group)
    named = [("only", name) for name in order.only] + [("excluded", name) for name in order.excluded]
    for field, name in [*named, ("pickup_location", order.pickup_location)]:
        if name and name not in table.index:
            yield Problem(Fault.LOCATION_UNKNOWN, field, f"location {name!r} is not in the network", name)


def _customer_problems(order: SourcingOrder) -> Iterator[Problem]:
    if order.pickup_location and order.mode != Mode.PICKUP:
        yield _bad("pickup_location", "it is for mode PICKUP only")
    if order.destination is not None:
        latitude, longitude = order.destination
        if not abs(latitude) <= _LATITUDE_MAX:
            yield _bad("destination.latitude", "it must be -90 to 90 degrees")
        if not abs(longitude) <= _LONGITUDE_MAX:
            yield _bad("destination.longitude", "it must be -180 to 180 degrees")
    country = order.country
    if country and not (
        len(country) == _COUNTRY_LENGTH and country.isascii() and country.isalpha() and country.isupper()
    ):
        yield _bad("country", "it must be empty or an ISO 3166-1 code of two capital letters")
    if order.promise_by_ns < 0 or order.now_ns < 0:
        yield _bad("promise_by_ns" if order.now_ns >= 0 else "now_ns", "it must not be before 1970")
    if not 0 <= order.splits_max <= SPLITS_MAX:
        yield _bad("splits_max", f"it must be 1 to {SPLITS_MAX}, or 0 for the profile's")


def _bad(field: str, detail: str) -> Problem:
    return Problem(Fault.OUT_OF_RANGE, field, detail)
