"""What an audit says of a location."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """What an audit says of a location.

    Attributes:
        location: which.
        version: of the ledger that was checked.
        skus: how many it stocks.
        reservations: how many are live.
        checked: against what; empty when it could not be checked.
        drift: counters that disagree with what they count; never right.
        shortages: SKUs with more promised than is there; a movement can do that.
    """

    location: str
    version: int
    skus: int
    reservations: int
    checked: str
    drift: tuple[str, ...] = ()
    shortages: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it was checked and nothing disagrees."""
        return bool(self.checked) and not self.drift
