"""The audit through the service: counters against reservations, both of one version."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from allocator.cli.findings import Finding
from allocator.client import ReservationState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.client import Client, Reservation, Stock

BUSY = "it kept changing; try when it is quieter, with more --tries, or read its journal with --data"


class Picture(NamedTuple):
    """A location as the service shows it.

    Attributes:
        location: which.
        stocks: all of it.
        held, committed: the live reservations that it holds units for, with their lines of this location.
    """

    location: str
    stocks: list[Stock]
    held: list[Reservation]
    committed: list[Reservation]

    @property
    def versions(self) -> set[int]:
        """The versions its parts are of; more than one when it changed meanwhile."""
        return {part.version for parts in (self.stocks, self.held, self.committed) for part in parts}


def audit_location(client: Client, location: str, tries: int) -> Finding:
    """Read a location until all of it is of one version, and compare; gives up after `tries`."""
    picture = _read(client, location)
    for _ in range(tries - 1):
        if len(picture.versions) <= 1:
            break
        picture = _read(client, location)
    if len(picture.versions) <= 1:
        return compare(picture)
    live = len(picture.held) + len(picture.committed)
    return Finding(location, max(picture.versions), len(picture.stocks), live, checked="", drift=(BUSY,))


def compare(picture: Picture) -> Finding:
    """Compare counters with reservations."""
    held, committed = _open_units(picture.held), _open_units(picture.committed)
    drift, shortages = [], []
    for stock in picture.stocks:
        for name, counted, expected in (
            ("held", stock.held, held.pop(stock.sku, 0)),
            ("committed", stock.committed, committed.pop(stock.sku, 0)),
        ):
            if counted != expected:
                drift.append(f"{stock.sku}: {name} is {counted}, its reservations add up to {expected}")
        missing = stock.held + stock.committed - stock.on_hand + sum(stock.unsellable.values())
        if missing > 0:
            shortages.append(f"{stock.sku}: {missing} promised and not there")
    drift += [
        f"{sku}: {units} units reserved of a SKU that is not stocked" for sku, units in (held + committed).items()
    ]
    return Finding(
        picture.location,
        max(picture.versions, default=0),
        len(picture.stocks),
        len(picture.held) + len(picture.committed),
        checked="reservations",
        drift=tuple(drift),
        shortages=tuple(shortages),
    )


def _read(client: Client, location: str) -> Picture:
    return Picture(
        location,
        list(client.list_stock(location)),
        list(client.reservations(location=location, state=ReservationState.HELD, held_here=True)),
        list(client.reservations(location=location, state=ReservationState.COMMITTED, held_here=True)),
    )


def _open_units(reservations: Iterable[Reservation]) -> Counter[str]:
    units: Counter[str] = Counter()
    for reservation in reservations:
        for line in reservation.lines:
            units[line.sku] += line.open - line.waiting
    return +units
