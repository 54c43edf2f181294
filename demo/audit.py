"""The audit: what the book says must be there, against what the service and the ERP say is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from allocator.client import Reservation, ReservationState, Stock
from demo.book import Book, Hold, Key, Position, oversold
from demo.erp import ErpTables

Figures = Mapping[Key, Mapping[str, int]]
"""Numbers by what they are about (location and SKU, or reservation and SKU@location) and by name."""


class Difference(NamedTuple):
    """One number that is not what it should be; `key` as in `Figures`."""

    where: str
    key: Key
    name: str
    expected: int
    found: int

    def __str__(self) -> str:
        return f"{self.where}: {self.name} of {self.key[1]} at {self.key[0]} is {self.found}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison.

    Attributes:
        where: what was looked at.
        numbers: how many were compared.
        differences: those that are not as they should be.
    """

    where: str
    numbers: int
    differences: tuple[Difference, ...]

    @property
    def drift(self) -> int:
        """Sum of absolute differences, units."""
        return sum(abs(one.found - one.expected) for one in self.differences)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found.

    Attributes:
        listed: stock from ListStock, of all locations.
        got: stock from GetStock, of every SKU in the book.
        reservations: those that the service says are held or committed, listed by their homes.
        parts: of such, as each location lists what it holds units for.
        erp: its tables.
    """

    listed: Iterable[Stock]
    got: Iterable[Stock]
    reservations: Iterable[Reservation]
    parts: Iterable[Reservation]
    erp: ErpTables


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome.

    Attributes:
        oversold: units acknowledged beyond what was there.
        checks: what was compared.
    """

    oversold: int
    checks: tuple[Check, ...] = field(default=())

    @property
    def drift(self) -> int:
        """Sum of absolute differences over all checks, units."""
        return sum(check.drift for check in self.checks)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.oversold and not self.drift


def audit(book: Book, found: Found, now_s: float) -> Verdict:
    """Compare everything with the book as of `now_s`, seconds since 1970 UTC."""
    positions = book.positions(now_s)
    stock, holds = _figures(positions, Position._fields), promised(book.live(now_s))
    return Verdict(
        oversold(positions),
        (
            compare("ListStock", stock, {_key(row): _stock(row) for row in found.listed}),
            compare("GetStock", stock, {_key(row): _stock(row) for row in found.got}),
            compare("ListReservations", holds, reserved(found.reservations)),
            compare("held at locations", holds, reserved(found.parts)),
            compare("ERP positions", _figures(positions, found.erp.columns), found.erp.positions),
            compare("ERP postings", _figures(positions, ("on_hand", "unsellable")), found.erp.postings),
        ),
    )


def compare(where: str, expected: Figures, found: Figures) -> Check:
    """Compare numbers; what is not there at all is 0."""
    differences = []
    numbers = 0
    for key in sorted(expected.keys() | found.keys()):
        left, right = expected.get(key, {}), found.get(key, {})
        names = left.keys() | right.keys()
        numbers += len(names)
        differences += [
            Difference(where, key, name, left.get(name, 0), right.get(name, 0))
            for name in sorted(names)
            if left.get(name, 0) != right.get(name, 0)
        ]
    return Check(where, numbers, tuple(differences))


def _figures(positions: Mapping[Key, Position], names: Iterable[str]) -> Figures:
    return {key: {name: getattr(position, name) for name in names} for key, position in positions.items()}


def _key(row: Stock) -> Key:
    return row.location, row.sku


def _stock(row: Stock) -> dict[str, int]:
    return Position(
        row.on_hand,
        sum(row.unsellable.values()),
        row.held,
        row.committed,
        row.safety_stock,
        sum(quota.quota for quota in row.quotas),
        row.available,
    )._asdict()


def promised(live: Mapping[str, Hold]) -> Figures:
    """What reservations hold, as the book has it."""
    return {
        (name, f"{sku}@{location}"): {"committed" if hold.committed else "held": units}
        for name, hold in live.items()
        for (location, sku), units in hold.open.items()
        if units
    }


def reserved(reservations: Iterable[Reservation]) -> Figures:
    """What reservations hold, as the service lists them."""
    names = {ReservationState.HELD: "held", ReservationState.COMMITTED: "committed"}
    figures: dict[Key, dict[str, int]] = defaultdict(dict)
    for reservation in reservations:
        state = names.get(reservation.state, "ended")
        for line in reservation.lines:
            if line.open:
                figures[reservation.name, f"{line.sku}@{line.location}"][state] = line.open
    return figures
