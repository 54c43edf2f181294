"""What becomes of a reservation: commit, extend, release, fulfil, expiry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core import codec
from allocator.core.checks import check_lines, check_ttl
from allocator.core.commands import Commit, Extend, Fulfil, Release, merge_lines
from allocator.core.events import Committed, Expired, Extended, Fulfilled, Refused, Released
from allocator.core.protocol import home
from allocator.core.reservation import FULFILLED, RELEASED, Reservation
from allocator.core.results import Reason, Rejected, State, TransitionResult, TransitionStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.core.commands import Lines, Transition
    from allocator.core.events import Event
    from allocator.core.ledger import Decision, StockLedger

_ENDED = {
    State.EXPIRED: TransitionStatus.EXPIRED,
    State.RELEASED: TransitionStatus.RELEASED,
    State.FULFILLED: TransitionStatus.FULFILLED,
}


def decide_commit(ledger: StockLedger, command: Commit, now_ns: int) -> Decision:
    """HELD becomes COMMITTED; a second commit changes nothing and is fine."""
    return _decide(ledger, command, now_ns, lambda _: Committed(now_ns, command))


def decide_extend(ledger: StockLedger, command: Extend, now_ns: int) -> Decision:
    """A hold gets `ttl_ns` from now; a committed reservation has no end to move."""
    problem = check_ttl(command.ttl_ns)
    if problem is not None:
        return problem, ()

    def extend(reservation: Reservation) -> Extended | TransitionStatus:
        if reservation.state == State.COMMITTED:
            return TransitionStatus.COMMITTED
        return Extended(now_ns, command)

    return _decide(ledger, command, now_ns, extend)


def decide_release(ledger: StockLedger, command: Release, now_ns: int) -> Decision:
    """Held or committed units are given back."""
    return _decide_lines(ledger, command, now_ns, lambda lines: Released(now_ns, command, lines))


def decide_fulfil(ledger: StockLedger, command: Fulfil, now_ns: int) -> Decision:
    """Committed units left the building."""
    return _decide_lines(ledger, command, now_ns, lambda lines: Fulfilled(now_ns, command, lines))


def apply_committed(ledger: StockLedger, event: Committed) -> None:
    """Move the units from held to committed."""
    reservation = ledger.reservations.by_id[event.command.reservation]
    if reservation.state != State.COMMITTED:
        commit_units(ledger, reservation, event.at_ns)


def commit_units(ledger: StockLedger, reservation: Reservation, at_ns: int) -> None:
    """Move the open units of a hold to committed, waiting ones go on waiting; it does not end by itself any more."""
    stock = ledger.stock
    for sku, quantity in reservation.stock_lines():
        i = stock.index[sku]
        stock.held[i] -= quantity
        stock.committed[i] += quantity
        ledger.touch(i)
    reservation.state = State.COMMITTED
    reservation.expires_ns = 0
    reservation.updated_ns = at_ns


def apply_extended(ledger: StockLedger, event: Extended) -> None:
    """Move the end of the hold."""
    reservation = ledger.reservations.by_id[event.command.reservation]
    reservation.expires_ns = event.at_ns + event.command.ttl_ns
    reservation.updated_ns = event.at_ns
    ledger.reservations.await_expiry(reservation)


def apply_released(ledger: StockLedger, event: Released) -> None:
    """Give units back."""
    give_back(ledger, ledger.reservations.by_id[event.command.reservation], event.lines, event.at_ns, State.RELEASED)


def apply_expired(ledger: StockLedger, event: Expired) -> None:
    """Give the units of a hold that ran out back; one over several locations ends at its home."""
    if event.reservation in ledger.headers.by_id:
        home.apply_ended(ledger, event)
        return
    give_back(ledger, ledger.reservations.by_id[event.reservation], event.lines, event.at_ns, State.EXPIRED)


def apply_fulfilled(ledger: StockLedger, event: Fulfilled) -> None:
    """Take units out of the reservation and off the shelf."""
    reservation = ledger.reservations.by_id[event.command.reservation]
    ship(ledger, reservation, event.lines, event.at_ns)
    close_if_done(ledger, reservation, event.at_ns, State.RELEASED)


def ship(ledger: StockLedger, reservation: Reservation, lines: Lines, at_ns: int) -> None:
    """Let `lines` of `reservation` leave: neither reserved nor on hand any more."""
    left = dict(reservation.open_lines())
    for sku, quantity in lines:
        i = ledger.stock.index[sku]
        take_out(ledger, reservation, i, quantity, left[sku])
        ledger.stock.on_hand[i] -= quantity
        ledger.movements.add_delta(sku, at_ns, -quantity, ledger.version + 1, at_ns)


def give_back(
    ledger: StockLedger,
    reservation: Reservation,
    lines: Lines,
    at_ns: int,
    end: State,
    from_stock: Lines = (),
) -> None:
    """Make `lines` of `reservation` available again; it ends as `end` when that was all of it.

    Waiting units go first, but for those of `lines` that were in stock for certain, as `from_stock` says.
    """
    stock = ledger.stock
    column = stock.held if reservation.state == State.HELD else stock.committed
    units = 0
    left = dict(reservation.open_lines())
    for sku, quantity in lines:
        i = stock.index[sku]
        units_in_stock = quantity
        if reservation.waiting:
            given = quantity - min(quantity, dict(from_stock).get(sku, 0))
            units_in_stock -= _stop_waiting(ledger, reservation, i, quantity, given)
        column[i] -= units_in_stock
        ledger.quotas.reserve(i, reservation.channel, -units_in_stock)
        reservation.finish(sku, quantity, RELEASED)
        _let_go(ledger, reservation, i, left[sku] - quantity)
        units += quantity
    unserved = reservation.released_units == reservation.units
    ledger.capacity.give_back(reservation, units, last=unserved)
    close_if_done(ledger, reservation, at_ns, end)


def take_out(ledger: StockLedger, reservation: Reservation, i: int, quantity: int, left: int) -> None:
    """Count units of SKU `i`, of which `left` are open, as fulfilled: neither reserved nor ring-fenced any more.

    Units in stock go first; waiting ones go when more left than that, as it then was what they waited for.
    """
    stock = ledger.stock
    column = stock.held if reservation.state == State.HELD else stock.committed
    in_stock = quantity
    if reservation.waiting:
        in_stock -= _stop_waiting(ledger, reservation, i, quantity, 0)
    column[i] -= in_stock
    ledger.quotas.sell(i, reservation.channel, in_stock)
    reservation.finish(ledger.stock.skus[i], quantity, FULFILLED)
    _let_go(ledger, reservation, i, left - quantity)


def close_if_done(ledger: StockLedger, reservation: Reservation, at_ns: int, end: State) -> None:
    """End `reservation` if nothing is open: FULFILLED if anything was, else as `end`."""
    reservation.updated_ns = at_ns
    if not reservation.open_lines():
        state = State.FULFILLED if reservation.fulfilled_units else end
        ledger.reservations.close(reservation, state, at_ns)


def _stop_waiting(ledger: StockLedger, reservation: Reservation, i: int, quantity: int, given: int) -> int:
    """Let those of `quantity` units of SKU `i` wait no longer that are not in stock; how many they are.

    The `given` ones of them are released, so waiting ones go first. Of what else went although it waited, a part tells
    its home, which cannot know.
    """
    sku = ledger.stock.skus[i]
    least = quantity - reservation.stock_of(sku)
    most = min(reservation.waiting_of(sku), given)
    units = max(least, most)
    if units > 0:
        ledger.waiting.add(i, sku, reservation, -units)
    if units > most and reservation.home:
        reservation.note_filled(sku, units - most)
        ledger.reservations.filling[reservation.id] = None
    return max(0, units)


def _let_go(ledger: StockLedger, reservation: Reservation, i: int, left: int) -> None:
    """Note that SKU `i` changed, and that the reservation holds it no longer when nothing is `left`."""
    ledger.touch(i)
    if not left:
        ledger.reservations.line_closed(reservation, ledger.stock.skus[i])


def _decide(
    ledger: StockLedger,
    command: Transition,
    now_ns: int,
    on_live: Callable[[Reservation], Event | TransitionStatus],
) -> Decision:
    """Refuse by state, or let `on_live` make the event or refuse."""
    header = ledger.headers.by_id.get(command.reservation)
    if header is not None:
        return home.decide_transition(header, command, now_ns)
    reservation = ledger.reservations.by_id.get(command.reservation)
    if reservation is None or reservation.home:
        detail = f"reservation {command.reservation!r} is not known here; it may have ended long ago"
        return Rejected(Reason.RESERVATION_UNKNOWN, "name", detail), ()
    outcome = _ended(reservation, now_ns) or on_live(reservation)
    if isinstance(outcome, TransitionStatus):
        result = TransitionResult(outcome, ())
        event: Event = Refused(now_ns, command, codec.KIND[type(command)], result)
        return result, (event,)
    lines = outcome.lines if isinstance(outcome, (Released, Fulfilled)) else ()
    return TransitionResult(TransitionStatus.DONE, lines), (outcome,)


def _decide_lines(
    ledger: StockLedger, command: Release | Fulfil, now_ns: int, event: Callable[[Lines], Event]
) -> Decision:
    given = tuple((sku, quantity) for sku, quantity, _ in command.placed) or command.lines
    asked = merge_lines(given)
    problem = check_lines(given) if given else None
    if problem is not None:
        return problem, ()

    def take(reservation: Reservation) -> Event | TransitionStatus:
        if any(location not in ("", ledger.location) for _, _, location in command.placed):
            return TransitionStatus.LINES_EXCEED_OPEN
        if type(command) is Fulfil and reservation.state == State.HELD:
            return TransitionStatus.NOT_COMMITTED
        open_units = dict(reservation.open_lines() if type(command) is Release else reservation.stock_lines())
        if not open_units or any(open_units.get(sku, 0) < quantity for sku, quantity in asked):
            return TransitionStatus.LINES_EXCEED_OPEN
        wanted = dict(asked) or open_units
        return event(tuple((sku, wanted[sku]) for sku in open_units if sku in wanted))

    return _decide(ledger, command, now_ns, take)


def _ended(reservation: Reservation, now_ns: int) -> TransitionStatus | None:
    if reservation.state == State.HELD and now_ns >= reservation.expires_ns:
        return TransitionStatus.EXPIRED
    return _ENDED.get(State(reservation.state))
