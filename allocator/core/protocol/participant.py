"""The participant's side: parts do what their home decided, and ask when they have not heard of it for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from allocator.core.moving import shift_disposition
from allocator.core.protocol import types as t
from allocator.core.protocol.answers import Heard
from allocator.core.results import State
from allocator.core.transitions import commit_units, give_back, ship

if TYPE_CHECKING:
    from allocator.core.commands import Lines
    from allocator.core.ledger import Decision, StockLedger
    from allocator.core.reservation import Reservation

DAMAGED = "damaged"
"""Disposition of units that a location declined because they are damaged."""


class _Changes(NamedTuple):
    """New units by fate, SKU by SKU."""

    fulfilled: Lines = ()
    released: Lines = ()
    lost: Lines = ()
    damaged: Lines = ()
    missed: tuple[tuple[str, int, int], ...] = ()


def decide_follow(ledger: StockLedger, command: t.Follow, now_ns: int) -> Decision:
    """Follow the home, unless something newer was followed already.

    Of what is not known as a part there is nothing to do, and that is journaled as well: a process whose time is over
    may not know it, and must not answer that it has followed.
    """
    book = ledger.reservations
    part = book.by_id.get(command.hold)
    told = command.hold in book.telling and _knows(command, book.telling[command.hold][1])
    followed = t.Followed(now_ns, command)
    if part is None or not part.home:
        return Heard(), (followed,) if told or t.DROPPED < command.seq < t.VOID else ()
    if part.live and command.seq > part.seq:
        return Heard(), (followed._replace(**_changes(part, command)._asdict()),)
    told = told or (command.hold in book.filling and _has_filled(command, part))
    later = part.live and command.seq == part.seq and part.expires_ns != asks_at(command)
    return Heard(), (followed,) if told or later else ()


def apply_followed(ledger: StockLedger, event: t.Followed) -> None:
    """Do what the home decided."""
    command, book = event.command, ledger.reservations
    part = book.by_id.get(command.hold)
    if part is not None and part.home and part.live:
        _do(ledger, part, event)
    if command.hold in book.telling:
        if part is not None:
            book.tell(part)
        if _knows(command, book.telling[command.hold][1]):
            del book.telling[command.hold]
    if command.hold in book.filling and _has_filled(command, part):
        del book.filling[command.hold]


def _do(ledger: StockLedger, part: Reservation, event: t.Followed) -> None:
    at_ns, command, fulfilled, released, lost, damaged, missed = event
    part.seq = max(part.seq, command.seq)
    if command.full:
        ledger.capacity.fill(part.pick_at_ns)
    if command.state == State.COMMITTED and part.state == State.HELD:
        commit_units(ledger, part, at_ns)
    if fulfilled:
        ship(ledger, part, fulfilled, at_ns)
    _take_off(ledger, part, lost, damaged, at_ns)
    for sku, units_lost, units_damaged in missed:
        part.note_lost(sku, units_lost, 0)
        part.note_lost(sku, units_damaged, 1)
        part.note_filled(sku, units_lost + units_damaged)  # for the home they were in stock
        ledger.reservations.filling[part.id] = None
    part.expires_ns = asks_at(command)
    part.updated_ns = at_ns
    end = State(max(State.RELEASED, command.state))
    give_back(ledger, part, _added(released, lost, damaged), at_ns, end, _added(lost, damaged))
    if part.live:
        ledger.reservations.await_asking(part)


def asks_at(command: t.Follow) -> int:
    """When a part that followed this asks again, ns; 0 for never."""
    return command.expires_ns + t.ASK_GRACE_NS if command.state == State.HELD else 0


def _changes(part: Reservation, command: t.Follow) -> _Changes:
    """What the part has to do to get where its home is, as far as units are open: what movements took has left."""
    open_units = dict(part.open_lines())
    rows: list[tuple[str, list[int]]] = []
    missed: list[tuple[str, int, int]] = []
    for home in command.done:
        here = part.so_far(home.sku)
        decided = (
            (home.fulfilled - home.moved) - (here.fulfilled - here.moved),
            home.released - here.released,
            home.lost - here.lost,
            home.damaged - here.damaged,
        )
        units = []
        for wanted in decided:
            some = max(0, min(wanted, open_units.get(home.sku, 0)))
            open_units[home.sku] = open_units.get(home.sku, 0) - some
            units.append(some)
        declined = _missed(part, home.sku, units)
        missed += [(home.sku, *declined)] if any(declined) else []
        rows.append((home.sku, units))
    if command.state > State.COMMITTED:
        rows += [(sku, [0, left, 0, 0]) for sku, left in open_units.items() if left]
    fulfilled, released, lost, damaged = (_summed((sku, units[fate]) for sku, units in rows) for fate in t.Fate)
    return _Changes(fulfilled, released, lost, damaged, tuple(missed))


def _missed(part: Reservation, sku: str, units: list[int]) -> tuple[int, int]:
    """Of `units` by fate, those declined as lost or damaged that only wait; they are released instead."""
    in_stock = max(0, part.stock_of(sku) - units[t.Fate.FULFILLED])
    lost = max(0, units[t.Fate.LOST] - in_stock)
    damaged = max(0, units[t.Fate.DAMAGED] - max(0, in_stock - units[t.Fate.LOST]))
    units[t.Fate.LOST] -= lost
    units[t.Fate.DAMAGED] -= damaged
    units[t.Fate.RELEASED] += lost + damaged
    return lost, damaged


def _take_off(ledger: StockLedger, part: Reservation, lost: Lines, damaged: Lines, at_ns: int) -> None:
    """Correct the stock by what the location said of it: lost units are not there, damaged ones not for sale."""
    for sku, units in lost:
        i = ledger.stock.index[sku]
        ledger.stock.on_hand[i] -= units
        ledger.movements.add_delta(sku, at_ns, -units, ledger.version + 1, at_ns)
        part.note_lost(sku, units, 0)
    for sku, units in damaged:
        shift_disposition(ledger, sku, DAMAGED, units)
        part.note_lost(sku, units, 1)


def _knows(command: t.Follow, rows: tuple[t.Done, ...]) -> bool:
    """Whether the home knows all that movements took and left; one that knows nothing of the part never will."""
    return command.seq == t.VOID or set(rows) <= set(command.done)


def _has_filled(command: t.Follow, part: Reservation | None) -> bool:
    """Whether the home knows which units do not wait any longer, or need not."""
    if part is None or command.seq == t.VOID:
        return True
    known = dict(command.filled)
    return all(known.get(sku, 0) >= units for sku, units in (part.filled or {}).items())


def _summed(pairs: object) -> Lines:
    totals: dict[str, int] = {}
    for sku, units in pairs:  # type: ignore[attr-defined]  # (SKU, units) pairs
        if units:
            totals[sku] = totals.get(sku, 0) + units
    return tuple(totals.items())


def _added(*lines: Lines) -> Lines:
    return _summed(pair for some in lines for pair in some)
