"""What can be promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from allocator.client.types.lines import Lines

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a stream; fields as the arguments of `check`."""

    lines: Lines
    channel: str = ""
    locations: Sequence[str] = ()
    group: str = ""
    promise_by: datetime | None = None
    min_versions: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """One SKU of a checked cart.

    Attributes:
        sku: which.
        requested: units wanted, summed over the lines of the SKU.
        sufficient: whether `total` covers them.
        total: units that can be promised at all locations asked for together.
        quantities: units by location; locations with none are left out.
    """

    sku: str
    requested: int
    sufficient: bool
    total: int
    quantities: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What can be promised of a cart.

    Attributes:
        ok: whether every line is sufficient.
        lines: one for each SKU, in the order of its first line.
        versions: the state the answer is based on, by location.
        ages_s: how long ago the gateway last heard from each location, seconds.
    """

    ok: bool
    lines: tuple[CheckedLine, ...]
    versions: Mapping[str, int]
    ages_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class AvailabilityMatrix:
    """A matrix of SKUs by locations.

    Attributes:
        skus: names of the rows.
        locations: names of the columns.
        cells: units that can be promised, floored at 0: int64, shape (SKUs, locations), read-only.
        unknown_skus: SKUs that no location ever stocked; their rows are zeros.
        versions: the state the cells are based on, by location.
        ages_s: how long ago the gateway last heard from each location, seconds.
    """

    skus: tuple[str, ...]
    locations: tuple[str, ...]
    cells: NDArray[np.int64]
    unknown_skus: tuple[str, ...]
    versions: Mapping[str, int]
    ages_s: Mapping[str, float]

    def of(self, sku: str, location: str) -> int:
        """Units of `sku` at `location`; ValueError when either was not asked for."""
        return int(self.cells[self.skus.index(sku), self.locations.index(location)])


@dataclass(frozen=True, slots=True)
class AvailabilityChange:
    """Units of a SKU that can be promised at a location from now on."""

    sku: str
    location: str
    available: int


@dataclass(frozen=True, slots=True)
class WatchUpdate:
    """A part of a watch.

    Attributes:
        changes: the new values, each (SKU, location) once.
        versions: the state reached, for the locations that moved; empty while more of a full picture follows.
        snapshot: whether this is part of a full picture of the locations in the next non-empty `versions`:
            SKUs that it does not mention have 0 available there.
    """

    changes: tuple[AvailabilityChange, ...]
    versions: Mapping[str, int]
    snapshot: bool
