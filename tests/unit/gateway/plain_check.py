"""CheckAvailability the plain way: messages filled field by field. What the fast way makes is compared with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allocator.core.commands import merge_lines
from allocator.gateway.promises import Promise
from allocator.gateway.scope import Scope
from allocator.runtime.read_model import AvailabilityModel
from allocator.v1 import availability_pb2 as a


def check(
    model: AvailabilityModel,
    scope: Scope,
    asked: Sequence[tuple[str, int]],
    channel: str,
    promise: Promise | None = None,
) -> a.CheckAvailabilityResponse:
    """The answer to a cart of known SKUs, all but the state."""
    response = a.CheckAvailabilityResponse()
    lines = merge_lines(tuple(asked))
    rows = np.array([model.rows[sku] for sku, _ in lines])
    if promise is None:
        cells = model.available(rows, scope.columns, channel).tolist()
    else:
        cells = model.promised(rows, scope.columns, channel, *promise).tolist()
    for (sku, requested), units in zip(lines, cells, strict=True):
        line = response.lines.add(sku=sku, requested=requested, sufficient=sum(units) >= requested, total=sum(units))
        for name, available in zip(scope.names, units, strict=True):
            if available:
                line.quantities.add(location=name, available=available)
    response.sufficient = all(line.sufficient for line in response.lines)
    return response
