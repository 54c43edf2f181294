"""The home's side: its journal entry is the decision, and it owes each participant the news until that has followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core import codec
from allocator.core.checks import check_lines, check_ttl, invalid
from allocator.core.commands import Commit, Extend, Fulfil, Release, merge_lines
from allocator.core.events import Expired, Refused
from allocator.core.limits import TTL_DEFAULT_NS
from allocator.core.protocol import types as t
from allocator.core.protocol.answers import AmendResult, Heard, OpenResult, OpenStatus
from allocator.core.protocol.headers import Header, Part
from allocator.core.repeats import amend_result, decided_result, open_result, opened_before
from allocator.core.reservation import RELEASED
from allocator.core.results import (
    Reason,
    Rejected,
    State,
    TransitionResult,
    TransitionStatus,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.commands import PlacedLines, Transition
    from allocator.core.events import Event
    from allocator.core.ledger import Decision, StockLedger
    from allocator.core.reservation import Reservation
    from allocator.core.results import ReservationView

_ENDED = {
    State.EXPIRED: TransitionStatus.EXPIRED,
    State.RELEASED: TransitionStatus.RELEASED,
    State.FULFILLED: TransitionStatus.FULFILLED,
}


def decide_open(ledger: StockLedger, command: t.Open, now_ns: int) -> Decision:
    """Make a header over parts that are held already, or remember that the reservation was refused."""
    known = ledger.headers.by_id.get(command.reservation)
    if known is not None:
        return opened_before(known.command, known.created_ns, command), ()
    if command.reservation in ledger.reservations.by_id:
        detail = f"request_id {command.request_id!r} was used before: {command.reservation!r} is at this location alone"
        return Rejected(Reason.REQUEST_ID_REUSED, "lines", detail), ()
    problem = _open_problem(ledger, command)
    if problem is not None:
        return problem, ()
    if any(part.hold in ledger.headers.voided for part in command.parts):
        return OpenResult(OpenStatus.VOID, command.reservation), ()
    event = t.Opened(now_ns, command)
    return open_result(event), (event,)


def apply_opened(ledger: StockLedger, event: t.Opened) -> None:
    """Make the header."""
    if event.command.parts:
        ledger.reservations.serial += 1
        ledger.headers.add(Header(event.command, ledger.reservations.serial, event.at_ns))


def decide_transition(header: Header, command: Transition, now_ns: int) -> Decision:
    """Decide a commit, extend, release or fulfil of a header."""
    problem = _transition_problem(command)
    if problem is not None:
        return problem, ()
    outcome = ended(header, now_ns) or _take(header, command)
    kind = codec.KIND[type(command)]
    if isinstance(outcome, TransitionStatus):
        refusal = TransitionResult(outcome, ())
        refused: Event = Refused(now_ns, command, kind, refusal)
        return refusal, (refused,)
    event = t.Decided(now_ns, command, kind, outcome)
    return decided_result(event), (event,)


def apply_decided(ledger: StockLedger, event: t.Decided) -> None:
    """Make a decision so."""
    at_ns, command, kind, lines = event
    book = ledger.headers
    header = book.by_id[command[1]]
    header.updated_ns = at_ns
    if kind == codec.KIND[Commit]:
        _commit(ledger, header)
    elif kind == codec.KIND[Extend]:
        header.expires_ns = at_ns + command[2]
        book.await_deadline(header)
    else:
        fate = t.Fate.FULFILLED if kind == codec.KIND[Fulfil] else t.Fate.RELEASED
        _finish(ledger, header, ((*line[:3], fate) for line in lines))
        _close_if_done(ledger, header, at_ns, State.RELEASED)


def decide_amend(ledger: StockLedger, command: t.Amend, now_ns: int) -> Decision:
    """Move units out of parts and take in parts that are held already."""
    header = ledger.headers.by_id.get(command.reservation)
    plain = ledger.reservations.by_id.get(command.reservation)
    if header is None and (plain is None or plain.home):
        detail = f"reservation {command.reservation!r} is not known here; it may have ended long ago"
        return Rejected(Reason.RESERVATION_UNKNOWN, "name", detail), ()
    if any(part.hold in ledger.headers.voided for part in command.parts):
        return Rejected(Reason.VOID, "parts", "a part was given up meanwhile; hold anew"), ()
    header = header or as_header(ledger, plain)  # type: ignore[arg-type]  # one of them is known
    if len(header.parts) + len(command.parts) > t.PARTS_MAX:
        return Rejected(
            Reason.TABLE_FULL, "parts", f"{t.PARTS_MAX} parts of a reservation are the most there may be"
        ), ()
    status = ended(header, now_ns) or _amend_refusal(header, command)
    if status is not None:
        refusal = AmendResult(status)
        refused: Event = Refused(now_ns, command, codec.KIND[t.Amend], refusal)
        return refusal, (refused,)
    event = t.Amended(now_ns, command)
    return amend_result(event), (event,)


def apply_amended(ledger: StockLedger, event: t.Amended) -> None:
    """Move units out of parts, take new parts in."""
    at_ns, command = event
    if not command.moves and not command.parts and not command.full:
        return
    book = ledger.headers
    header = book.by_id.get(command.reservation) or _convert(ledger, command.reservation)
    header.updated_ns = at_ns
    for hold in command.full:
        header.parts[hold].full = True
        book.changed(header, header.parts[hold])
    for spec in command.parts:
        part = header.parts[spec.hold] = Part(spec)
        if header.state == State.COMMITTED:
            book.changed(header, part)
    _finish(ledger, header, command.moves)
    _close_if_done(ledger, header, at_ns, State.RELEASED)


def decide_confirm(ledger: StockLedger, command: t.Confirm, now_ns: int) -> Decision:
    """Note that a part has followed."""
    part = _part(ledger, command)
    if part is None or not part.confirmed < command.seq <= part.seq:
        return Heard(), ()
    return Heard(), (t.Confirmed(now_ns, *command),)


def apply_confirmed(ledger: StockLedger, event: t.Confirmed) -> None:
    """Note that a part has followed."""
    part = ledger.headers.by_id[event.reservation].parts[event.hold]
    ledger.headers.confirm(part, event.seq)
    ledger.headers.forget(event.at_ns)


def decide_ask(ledger: StockLedger, command: t.Ask, now_ns: int) -> Decision:
    """Answer a participant; a part that no header names is given up for good."""
    part = _part(ledger, command)
    if part is None:
        known = command.hold in ledger.headers.voided
        return Heard(), () if known else (t.Voided(now_ns, command.hold),)
    rows = tuple(row for row in command.told if part.is_news(row))
    filled = tuple((sku, units) for sku, units in command.filled if units > part.filled.get(sku, 0))
    told = t.Told(now_ns, command.reservation, command.hold, rows, filled)
    return Heard(), (told,) if rows or filled else ()


def answer_ask(ledger: StockLedger, command: t.Ask) -> Heard:
    """What the asking part is to follow, as of now."""
    part = _part(ledger, command)
    if part is None:
        return Heard(t.Follow(command.hold, t.VOID, State.RELEASED))
    return Heard(ledger.headers.by_id[command.reservation].follow(part))


def apply_voided(ledger: StockLedger, event: t.Voided) -> None:
    """Never open a header over this part."""
    ledger.headers.voided[event.hold] = event.at_ns
    ledger.headers.forget(event.at_ns)


def apply_told(ledger: StockLedger, event: t.Told) -> None:
    """Take over what became of units at a participant that movements took, and which do not wait any longer."""
    header = ledger.headers.by_id[event.reservation]
    part = header.parts[event.hold]
    header.updated_ns = event.at_ns
    part.filled.update(event.filled)
    if not event.rows:
        return
    for row in event.rows:
        part.tell(row)
    ledger.headers.changed(header, part)
    _close_if_done(ledger, header, event.at_ns, State.RELEASED)


def end_due(ledger: StockLedger, now_ns: int) -> Event | None:
    """The event that ends the header whose deadline passed first; None when none has by `now_ns`."""
    header = ledger.headers.due(now_ns)
    if header is None:
        return None
    if header.state == State.HELD:
        return Expired(now_ns, header.id, ())
    return t.PickupMissed(now_ns, header.id, header.command.order, header.open_lines())


def apply_ended(ledger: StockLedger, event: Expired | t.PickupMissed) -> None:
    """Give all that is open back."""
    header = ledger.headers.by_id[event.reservation]
    end = State.EXPIRED if isinstance(event, Expired) else State.RELEASED
    _finish(ledger, header, ((*line[:3], t.Fate.RELEASED) for line in header.open_lines()))
    _close_if_done(ledger, header, event.at_ns, end)


def ended(header: Header, now_ns: int) -> TransitionStatus | None:
    """The refusal of whatever is asked of a header that has ended."""
    if header.state == State.HELD and now_ns >= header.expires_ns:
        return TransitionStatus.EXPIRED
    return _ENDED.get(State(header.state))


def view(ledger: StockLedger, reservation: str) -> ReservationView | None:
    """The header as callers see it; None when it is not known."""
    header = ledger.headers.by_id.get(reservation)
    return header.view() if header is not None else None


def as_header(ledger: StockLedger, reservation: Reservation) -> Header:
    """A reservation of this location alone seen as a header with one part; changes nothing."""
    done = reservation.done or {}  # the units released so far went first, so they waited once, too
    waits = (reservation.waiting or {}).items()
    waiting = tuple((sku, units + done.get(sku, (0, 0))[RELEASED]) for sku, units in waits)
    spec = t.PartSpec(reservation.id, ledger.location, reservation.lines, waiting)
    command = t.Open("", reservation.id, (spec,), TTL_DEFAULT_NS, reservation.channel, reservation.order)
    header = Header(command, reservation.serial, reservation.created_ns)
    header.state, header.updated_ns = reservation.state, reservation.updated_ns
    header.expires_ns = reservation.expires_ns
    for sku, (fulfilled, released) in done.items():
        header.parts[reservation.id].done[sku] = [fulfilled, released, 0, 0]
    return header


def _convert(ledger: StockLedger, reservation: str) -> Header:
    """Make a reservation of this location alone the first part of a header."""
    plain = ledger.reservations.by_id[reservation]
    header = as_header(ledger, plain)
    ledger.headers.add(header)
    ledger.reservations.follow_home(plain, ledger.location)
    return header


def _commit(ledger: StockLedger, header: Header) -> None:
    if header.state == State.COMMITTED:
        return
    header.state, header.expires_ns = State.COMMITTED, 0
    for part in header.parts.values():
        if part.open_lines():
            ledger.headers.changed(header, part)
    ledger.headers.await_deadline(header)


def _finish(ledger: StockLedger, header: Header, moves: Iterable[tuple[str, str, int, int]]) -> None:
    """Count units as not open any more: (hold, SKU, units, fate)."""
    changed: dict[str, None] = {}
    for hold, sku, units, fate in moves:
        header.parts[hold].finish(sku, units, fate)
        changed[hold] = None
    for hold in changed:
        ledger.headers.changed(header, header.parts[hold])


def _close_if_done(ledger: StockLedger, header: Header, at_ns: int, end: State) -> None:
    if header.live and not header.open_lines():
        ledger.headers.close(header, State.FULFILLED if header.fulfilled_units() else end, at_ns)
    ledger.headers.forget(at_ns)


def _open_problem(ledger: StockLedger, command: t.Open) -> Rejected | None:
    if not command.parts:
        return None
    problem = check_ttl(command.ttl_ns)
    if problem is not None:
        return problem
    if len(command.parts) > t.PARTS_MAX:
        return invalid("lines", f"{len(command.parts)} locations; {t.PARTS_MAX} are the most there may be")
    live, most = ledger.headers.live_count + ledger.reservations.live_count, ledger.limits.reservations_max
    if live >= most:
        return Rejected(Reason.TABLE_FULL, "reservations", f"{most} reservations are live here, the most there may be")
    return None


def _transition_problem(command: Transition) -> Rejected | None:
    if isinstance(command, Extend):
        return check_ttl(command.ttl_ns)
    if isinstance(command, (Release, Fulfil)):
        lines = tuple((sku, units) for sku, units, _ in command.placed) or command.lines
        return check_lines(lines) if lines else None
    return None


def _take(header: Header, command: Transition) -> t.Taken | TransitionStatus:
    """Which units a transition is about, or why not."""
    if isinstance(command, Commit):
        return ()
    if isinstance(command, Extend):
        return TransitionStatus.COMMITTED if header.state == State.COMMITTED else ()
    if isinstance(command, Fulfil) and header.state == State.HELD:
        return TransitionStatus.NOT_COMMITTED
    wanted = command.placed or tuple((sku, units, "") for sku, units in merge_lines(command.lines))
    able = header.stock_lines() if isinstance(command, Fulfil) else header.open_lines()
    if not able:
        return TransitionStatus.LINES_EXCEED_OPEN
    return _spread(header, able, wanted) if wanted else able


def _spread(header: Header, able: t.Taken, wanted: PlacedLines) -> t.Taken | TransitionStatus:
    """Take `wanted` units of those `able` from the parts in their order, at the location that a line names."""
    left = {(hold, sku): units for hold, sku, units, _ in able}
    taken: dict[tuple[str, str], int] = {}
    for sku, units, location in wanted:
        missing = units
        for part in header.parts.values():
            key = (part.hold, sku)
            if location in ("", part.location) and left.get(key, 0) and missing:
                some = min(missing, left[key])
                left[key] -= some
                missing -= some
                taken[key] = taken.get(key, 0) + some
        if missing:
            return TransitionStatus.LINES_EXCEED_OPEN
    return tuple((hold, sku, units, header.parts[hold].location) for (hold, sku), units in taken.items())


def _amend_refusal(header: Header, command: t.Amend) -> TransitionStatus | None:
    left = {(hold, sku): units for hold, sku, units, _ in header.open_lines()}
    for hold, sku, units, _ in command.moves:
        left[hold, sku] = left.get((hold, sku), 0) - units
    known = all(hold in header.parts for hold in command.full)
    return TransitionStatus.LINES_EXCEED_OPEN if not known or min(left.values(), default=0) < 0 else None


def _part(ledger: StockLedger, message: t.Confirm | t.Ask) -> Part | None:
    header = ledger.headers.by_id.get(message.reservation)
    return header.parts.get(message.hold) if header is not None else None
