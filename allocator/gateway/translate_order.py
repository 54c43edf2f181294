"""Orders that are to be sourced, from the contract to the core."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from allocator.core.ids import is_id
from allocator.core.limits import QUANTITY_MAX
from allocator.core.network.checks import WEIGHTS
from allocator.core.network.types import WEIGHT_MAX, Mode
from allocator.core.sourcing.types import LINES_MAX, SPLITS_MAX, UNIT_WEIGHT_MAX_G, SourcingOrder
from allocator.gateway.errors import too_many
from allocator.gateway.limits import LOCATIONS_PER_CALL_MAX
from allocator.gateway.names import GROUPS
from allocator.gateway.promises import promise_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.core.network.types import Profile
    from allocator.gateway.faults import Faults
    from allocator.v1 import sourcing_pb2 as pb

LATITUDE_MAX: Final = 90.0
LONGITUDE_MAX: Final = 180.0
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_MODES: Final = frozenset((0, *(mode.value for mode in Mode)))


def to_order(
    message: pb.SourcingOrder, faults: Faults, now_ns: int, horizon_ns: int, prefix: str = "order"
) -> SourcingOrder:
    """The order in `message`, with the built-in profile; whether the names in it exist is not looked at.

    Args:
        message: of the contract.
        faults: collects what is wrong.
        now_ns: now, ns since 1970 UTC.
        horizon_ns: how far ahead units are promised.
        prefix: where the order stands in the request.

    Raises:
        ApiError: BATCH_TOO_LARGE.
    """
    mode = faults.choice(f"{prefix}.mode", message.mode, _MODES) or Mode.SHIP
    pickup = mode == Mode.PICKUP
    return SourcingOrder(
        _lines(message.lines, f"{prefix}.lines", faults),
        now_ns,
        _service_level(message, f"{prefix}.service_level", faults, needed=not pickup),
        mode,
        faults.optional_id(f"{prefix}.channel", message.channel),
        faults.name(f"{prefix}.location_group", message.location_group, GROUPS) if message.location_group else "",
        _locations(message.locations, f"{prefix}.locations", faults),
        _locations(message.excluded_locations, f"{prefix}.excluded_locations", faults),
        _destination(message, f"{prefix}.destination", faults),
        _country(message.country_code, f"{prefix}.country_code", faults),
        _pickup_location(message.pickup_location, f"{prefix}.pickup_location", faults, pickup=pickup),
        _promise_by_ns(message, f"{prefix}.promise_by", faults, now_ns, horizon_ns),
        splits_max=faults.units(f"{prefix}.splits_max", message.splits_max, 0, SPLITS_MAX),
        backorder=message.allow_shortfall,
    )


def weighed(profile: Profile, message: pb.SourcingOrder, faults: Faults, prefix: str = "order") -> Profile:
    """`profile` with the weights of the order, if it has any of its own."""
    if not message.HasField("weights"):
        return profile
    field, weights = f"{prefix}.weights", message.weights
    values: dict[str, Any] = {name: _weight(getattr(weights, name), f"{field}.{name}", faults) for name in WEIGHTS}
    if not any(values.values()):
        faults.add(field, f"all weights are 0; at least one of {', '.join(WEIGHTS)} must be above 0")
    return profile._replace(**values)


def _lines(lines: Sequence[pb.OrderLine], field: str, faults: Faults) -> tuple[tuple[str, int, int], ...]:
    """(SKU, units, grams) with lines of the same SKU summed, at the greatest weight."""
    if len(lines) > LINES_MAX:
        raise too_many(field, len(lines), LINES_MAX)
    rows = tuple([(line.sku, line.quantity, line.unit_weight_grams) for line in lines])
    if rows and all(map(_sound, rows)) and len({sku for sku, _, _ in rows}) == len(rows):
        return rows
    return _merged(rows, field, faults)


def _sound(row: tuple[str, int, int]) -> bool:
    sku, units, grams = row
    return 0 < units <= QUANTITY_MAX and 0 <= grams <= UNIT_WEIGHT_MAX_G and is_id(sku)


def _merged(rows: Sequence[tuple[str, int, int]], field: str, faults: Faults) -> tuple[tuple[str, int, int], ...]:
    """Lines that are wrong, or of the same SKU."""
    if not rows:
        faults.add(field, f"none; 1 to {LINES_MAX} are needed")
    merged: dict[str, tuple[int, int]] = {}
    for n, (sku, units, grams) in enumerate(rows):
        faults.id(f"{field}[{n}].sku", sku)
        faults.units(f"{field}[{n}].quantity", units, 1, QUANTITY_MAX)
        faults.units(f"{field}[{n}].unit_weight_grams", grams, 0, UNIT_WEIGHT_MAX_G)
        before, heaviest = merged.get(sku, (0, 0))
        total = before + units
        merged[sku] = total, max(heaviest, grams)
        if 0 < before <= QUANTITY_MAX < total:
            why = f"the lines of this SKU sum to {total}; at most {QUANTITY_MAX} are allowed"
            faults.add(f"{field}[{n}].quantity", why)
    return tuple([(sku, units, grams) for sku, (units, grams) in merged.items()])


def _service_level(message: pb.SourcingOrder, field: str, faults: Faults, *, needed: bool) -> str:
    if needed and not message.service_level:
        faults.add(field, "it must be set, unless mode is PICKUP")
    return faults.optional_id(field, message.service_level)


def _locations(names: Sequence[str], field: str, faults: Faults) -> tuple[str, ...]:
    if len(names) > LOCATIONS_PER_CALL_MAX:
        raise too_many(field, len(names), LOCATIONS_PER_CALL_MAX)
    return tuple(faults.name(f"{field}[{n}]", name) for n, name in enumerate(names))


def _destination(message: pb.SourcingOrder, field: str, faults: Faults) -> tuple[float, float] | None:
    if not message.HasField("destination"):
        return None
    place = message.destination
    degrees = ("latitude", place.latitude, LATITUDE_MAX), ("longitude", place.longitude, LONGITUDE_MAX)
    for name, value, most in degrees:
        if not -most <= value <= most:  # NaN is not, either
            faults.add(f"{field}.{name}", f"{value:g}; {-most:g} to {most:g} degrees are allowed")
    return place.latitude, place.longitude


def _country(country: str, field: str, faults: Faults) -> str:
    if country and not _COUNTRY.fullmatch(country):
        faults.add(field, "it must be two capital letters (ISO 3166-1 alpha-2), such as GB")
    return country


def _pickup_location(name: str, field: str, faults: Faults, *, pickup: bool) -> str:
    if not name:
        return ""
    if not pickup:
        faults.add(field, "it is for mode PICKUP only")
    return faults.name(field, name)


def _promise_by_ns(message: pb.SourcingOrder, field: str, faults: Faults, now_ns: int, horizon_ns: int) -> int:
    if not message.HasField("promise_by"):
        return 0
    return promise_in(message.promise_by, now_ns, horizon_ns, field, faults).by_ns


def _weight(weight: float, field: str, faults: Faults) -> float:
    if not 0 <= weight <= WEIGHT_MAX:  # NaN is not, either
        faults.add(field, f"{weight:g}; 0 to {WEIGHT_MAX:,.0f} is allowed")
    return weight
