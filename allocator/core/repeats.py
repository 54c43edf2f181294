"""Answers to repeated request ids: the first result again, or an error naming the field that differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocator.core import events as e
from allocator.core.commands import Policy, Reserve, merge_lines
from allocator.core.protocol import answers as a
from allocator.core.protocol import types as t
from allocator.core.results import (
    Done,
    HeldLine,
    Reason,
    Rejected,
    ReserveResult,
    ReserveStatus,
    TransitionResult,
    TransitionStatus,
)

if TYPE_CHECKING:
    from allocator.core.commands import Write
    from allocator.core.reservation import Reservation
    from allocator.core.results import Result

_NOT_ASKED = frozenset(("elsewhere",))
"""Fields that the gateway fills in from what it knows at the time: they do not make a call another one."""


def answer_again(command: Write | t.Open | t.Amend, first: e.Remembered) -> Result | a.Outcome:
    """The answer to a `command` whose request id `first` has answered before."""
    return differing_field(command, first.command) or first_result(first)


def differing_field(command: Any, first: Any) -> Rejected | None:  # noqa: ANN401  # any writing commands
    """An error naming the first field in which `command` differs from the `first` one with its request id."""
    if type(first) is not type(command):
        return _reused(command, "method", _method(first), _method(command))
    if first == command:
        return None
    if isinstance(command, (t.Open, t.Amend)):  # their parts are new with each attempt
        return _differing_call(command, first)
    pairs = zip(first, command, command._fields, strict=True)
    differing = (pair for pair in pairs if pair[0] != pair[1] and pair[2] not in _NOT_ASKED)
    before, now, name = next(differing, (None, None, ""))
    return _reused(command, name, before, now) if name else None


def _method(command: Any) -> str:  # noqa: ANN401  # any writing command
    """What callers call it."""
    return dict(command.asked)["method"] if isinstance(command, (t.Open, t.Amend)) else type(command).__name__


def _differing_call(command: t.Open | t.Amend, first: t.Open | t.Amend) -> Rejected | None:
    """The first field in which the call behind `command` differs from the one behind `first`."""
    if command.reservation != first.reservation:
        return _reused(command, "name", first.reservation, command.reservation)
    before, now = dict(first.asked), dict(command.asked)
    for name in {**before, **now}:
        if before.get(name) != now.get(name):
            return _reused(command, name, before.get(name), now.get(name))
    return None


def first_result(event: e.Remembered) -> Result | a.Outcome:
    """The result that `event` stands for, marked as repeated."""
    if isinstance(event, e.Reserved):
        return reserve_result(event, repeated=True)
    if isinstance(event, (e.Refused, e.Counted)):
        return event.result._replace(repeated=True)  # type: ignore[attr-defined, no-any-return]  # a result tuple
    if isinstance(event, e.PolicySet):
        return Done(True, event.shortages)  # noqa: FBT003  # a row
    if isinstance(event, (e.Configured, e.SupplySet)):
        return Done(repeated=True)
    if isinstance(event, t.Opened):
        return open_result(event, repeated=True)
    if isinstance(event, t.Amended):
        return amend_result(event, repeated=True)
    if isinstance(event, t.Decided):
        return decided_result(event, repeated=True)
    lines = event.lines if isinstance(event, (e.Released, e.Fulfilled)) else ()
    return TransitionResult(TransitionStatus.DONE, lines, repeated=True)


def reserve_result(event: e.Reserved, *, repeated: bool = False) -> ReserveResult:
    """The answer that goes with a granted reserve."""
    command = event.command
    asked = merge_lines(command.lines)
    held, waiting = dict(event.granted or asked), dict(event.waiting)
    lines = tuple(_held_line(sku, quantity, held.get(sku, 0), waiting.get(sku, 0)) for sku, quantity in asked)
    status = ReserveStatus.PARTIALLY_HELD if event.granted else ReserveStatus.HELD
    expires_ns = event.at_ns + command.ttl_ns
    return ReserveResult(status, command.reservation, event.at_ns, expires_ns, lines, repeated=repeated)


def open_result(event: t.Opened, *, repeated: bool = False) -> a.OpenResult:
    """The answer that goes with an opened (or refused) header."""
    at_ns, command = event
    if not command.parts:
        return a.OpenResult(a.OpenStatus.REFUSED, command.reservation, answer=command.answer, repeated=repeated)
    expires_ns = at_ns + command.ttl_ns
    status = a.OpenStatus.OPENED
    return a.OpenResult(
        status,
        command.reservation,
        at_ns,
        expires_ns,
        command.parts,
        command.answer,
        repeated,
        command.pick_until_ns,
    )


def opened_before(first: t.Open, at_ns: int, command: t.Open) -> a.OpenResult | Rejected:
    """The answer to an Open whose request id is forgotten but whose header is still known."""
    return _differing_call(command, first) or open_result(t.Opened(at_ns, first), repeated=True)


def amend_result(event: t.Amended, *, repeated: bool = False) -> a.AmendResult:
    """The answer that goes with an amendment."""
    command = event.command
    return a.AmendResult(TransitionStatus.DONE, command.parts, command.answer, repeated=repeated)


def decided_result(event: t.Decided, *, repeated: bool = False) -> TransitionResult:
    """The answer that goes with a decision over several locations."""
    placed = tuple((sku, units, location) for _, sku, units, location in event.lines)
    return TransitionResult(TransitionStatus.DONE, (), repeated=repeated, placed=placed)


def reserved_before(reservation: Reservation, command: Reserve) -> ReserveResult | Rejected:
    """The answer to a reserve whose request id is forgotten but whose reservation is still known."""
    asked = merge_lines(command.lines)
    known: tuple[tuple[str, object, object], ...] = (
        ("channel", reservation.channel, command.channel),
        ("order", reservation.order, command.order),
        ("promise_by", reservation.promise_by_ns, command.promise_by_ns),
    )
    for name, before, now in known:
        if before != now:
            return _reused(command, name, before, now)
    held, wanted = dict(reservation.lines), dict(asked)
    fits = all(wanted.get(sku, 0) >= units for sku, units in held.items())
    if not fits or (command.policy == Policy.ALL_OR_NOTHING and held != wanted):
        return _reused(command, "lines", reservation.lines, asked)
    status = ReserveStatus.HELD if held == wanted else ReserveStatus.PARTIALLY_HELD
    lines = tuple(_held_line(sku, quantity, held.get(sku, 0), reservation.waiting_of(sku)) for sku, quantity in asked)
    expires_ns = reservation.expires_ns or reservation.created_ns + command.ttl_ns
    return ReserveResult(status, reservation.id, reservation.created_ns, expires_ns, lines, repeated=True)


def _held_line(sku: str, asked: int, held: int, waiting: int) -> HeldLine:
    return HeldLine(sku, asked, held, 0 if held == asked else held, waiting)


def _reused(command: Any, field: str, before: object, now: object) -> Rejected:  # noqa: ANN401  # any writing command
    change = f"{field} was {_short(before)}, now {_short(now)}"
    detail = f"request_id {command.request_id!r} was used before with other content: {change}"
    return Rejected(Reason.REQUEST_ID_REUSED, field, detail)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004  # a readable length
