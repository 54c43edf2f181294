"""What is asked of the service for an order. MADE UP: what the units weigh, as the order data does not tell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from random import Random
from typing import Final

from allocator.client import Position, SourcingOrder
from demo.plan import PlannedOrder

LINES_MAX: Final = 200
"""Lines of one order that is sourced, as the contract says; larger ones are sent as several."""
WEIGHT_MEDIAN_G: Final = 250
WEIGHT_SPREAD: Final = 0.6
"""Standard deviation of the logarithm of a unit's weight."""
WEIGHT_BOUNDS_G: Final = (20, 3_000)


def consignments(order: PlannedOrder) -> list[dict[str, int]]:
    """Units by SKU, in as few pieces as can be sourced one at a time."""
    lines = list(order.lines.items())
    return [dict(lines[begin : begin + LINES_MAX]) for begin in range(0, len(lines), LINES_MAX)]


def ask(order: PlannedOrder, lines: Mapping[str, int]) -> SourcingOrder:
    """Some lines of an order, as it is asked: from wherever it is best, and what is short does not hold up the rest."""
    return SourcingOrder(
        lines=lines,
        service_level=order.service_level,
        destination=Position(order.place.latitude, order.place.longitude),
        country_code=order.place.country,
        channel=order.channel,
        allow_shortfall=True,
        unit_weights_grams={sku: unit_weight_g(sku) for sku in lines},
    )


@cache
def unit_weight_g(sku: str) -> int:
    """Weight of one unit, grams: the same in every play."""
    weight = Random(f"weight/{sku}").lognormvariate(math.log(WEIGHT_MEDIAN_G), WEIGHT_SPREAD)
    least, most = WEIGHT_BOUNDS_G
    return round(min(max(weight, least), most))
