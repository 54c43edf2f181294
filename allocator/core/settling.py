"""Settling: once something happened, waiting units become stock where there is some, and broken promises are told.

First come, first served, by the serial of the reservation; but an earlier reservation does not take what a later one
with an earlier date needs, as long as its own date can still be kept from what is expected.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from allocator.core.events import Filled, SupplyShort
from allocator.core.limits import AT_RISK_MAX, LINES_MAX
from allocator.core.protocol.types import reservation_of
from allocator.core.results import Done, MovementResult, Shortage, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from allocator.core.events import Event
    from allocator.core.ledger import StockLedger

R = TypeVar("R")
_HELD = State.HELD.value


def settle(ledger: StockLedger, now_ns: int) -> list[Event]:
    """Fill what can be filled and tell what is short of the SKUs that were stirred; the events are applied already."""
    stirred = ledger.waiting.stirred
    if not stirred:
        return []
    now_ns = max(now_ns, ledger.clock_ns)
    events: list[Event] = []
    named_max = max(1, min(AT_RISK_MAX, LINES_MAX // len(stirred)))
    for i, supply in sorted(stirred.items()):
        for event in _settled(ledger, i, supply, now_ns, named_max):
            ledger.apply(event)
            events.append(event)
    stirred.clear()
    return events


def with_news(result: R, events: Iterable[Event]) -> R:
    """The answer to a movement or a setting with the broken promises among the `events` that followed from it."""
    shorts = tuple(
        Shortage(event.sku, event.missing, event.reservations, event.at_risk)
        for event in events
        if type(event) is SupplyShort and event.missing
    )
    if not shorts:
        return result
    if isinstance(result, MovementResult):
        return result._replace(supply_shortage=shorts[0])
    return result._replace(supply_shortages=shorts) if isinstance(result, Done) else result


def apply_filled(ledger: StockLedger, event: Filled) -> None:
    """Hold stock instead of what is expected."""
    at_ns, sku, parts = event
    i = ledger.stock.index[sku]
    for key, units in parts:
        reservation = ledger.reservations.by_id[key]
        column = ledger.stock.held if reservation.state == _HELD else ledger.stock.committed
        column[i] += units
        ledger.quotas.reserve(i, reservation.channel, units)
        ledger.waiting.add(i, sku, reservation, -units)
        reservation.updated_ns = at_ns
        if reservation.home:
            reservation.note_filled(sku, units)
            ledger.reservations.filling[key] = None
    ledger.touch(i)


def apply_short(ledger: StockLedger, event: SupplyShort) -> None:
    """Remember what was told, so that it is told once."""
    i = ledger.stock.index[event.sku]
    if event.missing:
        ledger.waiting.missing[i] = event.missing
    else:
        ledger.waiting.missing.pop(i, None)


def _settled(ledger: StockLedger, i: int, supply: str, now_ns: int, named_max: int) -> Iterator[Event]:
    sku = ledger.stock.skus[i]
    parts = _Pool(ledger, i, now_ns).fill() if ledger.stock.free(i) > 0 else []
    for start in range(0, len(parts), LINES_MAX):
        yield Filled(now_ns, sku, tuple(parts[start : start + LINES_MAX]))
    short = _shortfall(ledger, i, supply, now_ns, named_max)
    told = ledger.waiting.missing.get(i, 0)
    if short.missing > told or (told and not short.missing):
        yield short


class _Pool:
    """Free stock of one SKU while it is given out.

    `balance` is, at each promise date, what is expected by then less what waits until then: int64, shape (dates,).
    """

    def __init__(self, ledger: StockLedger, i: int, now_ns: int) -> None:
        self.holders = ledger.waiting.by_sku[i]
        self.sku = ledger.stock.skus[i]
        self.free = ledger.stock.free(i)
        self.unused = ledger.quotas.unused(i)
        self.now_ns = now_ns
        self.dates, self.balance = balances(ledger, i, now_ns)

    def fill(self) -> list[tuple[str, int]]:
        """Give out what there is: (reservation, units)."""
        given: dict[str, int] = {}
        for spare_others in (True, False):
            for key, reservation in self.holders.items():
                if self.free <= 0:
                    break
                place = bisect_left(self.dates, max(reservation.promise_by_ns, self.now_ns))
                room = self._room(reservation.channel, place if spare_others else 0)
                units = min(reservation.waiting_of(self.sku) - given.get(key, 0), room)
                if units > 0:
                    self._give(reservation.channel, place, units)
                    given[key] = given.get(key, 0) + units
        return list(given.items())

    def _room(self, channel: str, earlier: int) -> int:
        """Units that a channel may take without harm to the first `earlier` dates."""
        room = self.free - sum(units for name, units in self.unused.items() if name != channel)
        if not earlier:
            return room
        return min(room, self.free + int(self.balance[:earlier].min()))

    def _give(self, channel: str, place: int, units: int) -> None:
        self.free -= units
        self.balance[place:] += units
        if channel in self.unused:
            self.unused[channel] = max(0, self.unused[channel] - units)


def balances(ledger: StockLedger, i: int, now_ns: int) -> tuple[list[int], NDArray[np.int64]]:
    """Promise dates of SKU index `i`, one that passed being now, and what is expected less what waits by each.

    Returns:
        The dates, ascending, and int64, shape (dates,).
    """
    waiting: dict[int, int] = {}
    for at_ns, units in ledger.waiting.dates.get(i, {}).items():
        waiting[max(at_ns, now_ns)] = waiting.get(max(at_ns, now_ns), 0) + units
    dates = sorted(waiting)
    expected = [step for step in ledger.supply.steps(i) if step[0] >= now_ns]
    sums = np.cumsum([0, *(units for _, units in expected)], dtype=np.int64)
    places = np.searchsorted(np.array([at_ns for at_ns, _ in expected], dtype=np.int64), dates, side="right")
    return dates, sums[places] - np.cumsum([waiting[at_ns] for at_ns in dates], dtype=np.int64)


def _shortfall(ledger: StockLedger, i: int, supply: str, now_ns: int, named_max: int) -> SupplyShort:
    """Units of SKU index `i` that are missing on the worst date, and the newest reservations promised until then."""
    sku = ledger.stock.skus[i]
    dates, balance = balances(ledger, i, now_ns)
    balance += min(0, ledger.stock.free(i))
    worst = int(balance.argmin()) if dates else 0
    missing = -int(balance[worst]) if dates else 0
    if missing <= 0:
        return SupplyShort(now_ns, sku, supply, 0, (), 0)
    holders = ledger.waiting.by_sku[i].values()
    hurt = [holder for holder in holders if max(holder.promise_by_ns, now_ns) <= dates[worst]]
    named: list[str] = []
    covered = 0
    for holder in reversed(hurt):
        if covered >= missing or len(named) == named_max:
            break
        named.append(reservation_of(holder.id))
        covered += holder.waiting_of(sku)
    return SupplyShort(now_ns, sku, supply, missing, tuple(named), len(hurt))
