"""A slow, plain model of one location, to compare `StockLedger` with.

Nothing is counted along the way: every number is summed again from the list of stock changes and the list of
reservations whenever it is asked for. It shares the value types with the core and no code. It knows well-formed
commands only; what is malformed is the business of test_bad_input.py.
"""

from __future__ import annotations

from typing import Any

from allocator.core.commands import (
    Commit,
    Configure,
    Extend,
    Fulfil,
    Lines,
    Measure,
    Movement,
    Policy,
    PolicyLine,
    Query,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
    SetSupply,
    Transition,
    Write,
)
from allocator.core.results import (
    Done,
    HeldLine,
    LedgerSummary,
    Reason,
    Rejected,
    ReservationPage,
    ReserveResult,
    ReserveStatus,
    Result,
    State,
    StockPage,
    TransitionResult,
    TransitionStatus,
)
from tests.unit.core import reference_moving, reference_reading
from tests.unit.core.reference_books import Books
from tests.unit.core.reference_state import Answer, Line, Reservation, trim

ENDED = {
    State.EXPIRED: TransitionStatus.EXPIRED,
    State.RELEASED: TransitionStatus.RELEASED,
    State.FULFILLED: TransitionStatus.FULFILLED,
}


class ReferenceLedger(Books):
    """One location, the slow way."""

    # --- doors

    def execute(self, command: Write | Movement, now_ns: int) -> Result:
        """Expire what is due, then do the command."""
        now = max(now_ns, self.clock_ns)
        self.shortages = []
        self.tick(now)
        if isinstance(command, Movement):
            return reference_moving.movement(self, command, now)
        earlier = [answer for answer in self.answers if answer.command.request_id == command.request_id]
        if earlier:
            return self._repeat(earlier[0], command)
        result = self._first_time(command, now)
        nothing_done = isinstance(result, Rejected) or getattr(result, "repeated", False)
        if not nothing_done and not getattr(command, "validate_only", False):
            self.clock_ns = now
            self.answers.append(Answer(now, command, result))
            trim(self.answers, self.limits.requests_max, self.limits.requests_age_ns, now)
        return result

    def tick(self, now_ns: int) -> None:
        """Expire the holds that are due."""
        now = max(now_ns, self.clock_ns)
        due = [r for r in self.reservations if r.state == State.HELD and r.expires_ns <= now]
        for reservation in sorted(due, key=lambda r: (r.expires_ns, r.command.reservation)):
            for line in reservation.lines:
                line.released += line.open
            self.close_if_done(reservation, now, State.EXPIRED)
            self.clock_ns = now

    def close_batch(self) -> int:
        """End a batch."""
        self.version += 1
        return self.version

    def query(self, query: Query) -> StockPage | ReservationPage | LedgerSummary | Rejected:
        """Answer a question."""
        return reference_reading.answer(self, query)

    # --- request ids

    def _repeat(self, earlier: Answer, command: Write) -> Result:
        if type(command) is not type(earlier.command):
            return Rejected(Reason.REQUEST_ID_REUSED, "method", "")
        for name in command._fields:
            if getattr(command, name) != getattr(earlier.command, name):
                return Rejected(Reason.REQUEST_ID_REUSED, name, "")
        result: Any = earlier.result
        if isinstance(result, TransitionResult) and result.view is not None:
            found = self.find(result.view.reservation)
            result = result._replace(view=found.view() if found else None)
        repeated: Result = result._replace(repeated=True)
        return repeated

    def _first_time(self, command: Write, now: int) -> Result:
        if isinstance(command, Reserve):
            return self._reserve(command, now)
        if isinstance(command, SetCount):
            return reference_moving.set_count(self, command, now)
        if isinstance(command, SetStockPolicy):
            return self._set_policy(command)
        if isinstance(command, Configure):
            return self._configure(command)
        assert not isinstance(command, SetSupply)  # which has a reference of its own
        return self._transition(command, now)

    # --- reserving

    def _reserve(self, command: Reserve, now: int) -> Result:
        found = self.find(command.reservation)
        if found:
            return self._reserve_again(found, command)
        if sum(r.live for r in self.reservations) >= self.limits.reservations_max:
            return Rejected(Reason.TABLE_FULL, "reservations", "")
        for position, (sku, _) in enumerate(command.lines):
            if sku not in self.skus:
                return Rejected(Reason.SKU_UNKNOWN, f"lines[{position}].sku", "")
        if not self.accepting:
            return self._refusal(command, ReserveStatus.LOCATION_CLOSED, now)
        lines = tuple(self._grant(command, sku, quantity) for sku, quantity in command.lines)
        short = [line for line in lines if line.held < line.requested]
        units = sum(line.held for line in lines)
        if not units or (short and command.policy == Policy.ALL_OR_NOTHING):
            return self._refusal(command, ReserveStatus.INSUFFICIENT_STOCK, now)
        return self._no_capacity(command, units, now) or self._hold(command, lines, now)

    def _hold(self, command: Reserve, lines: tuple[HeldLine, ...], now: int) -> ReserveResult:
        self._forget_past_windows(now)
        expires_ns = now + command.ttl_ns
        self.reservations.append(
            Reservation(
                at_ns=now,
                command=command,
                serial=len(self.reservations) + 1,
                expires_ns=expires_ns,
                lines=[Line(line.sku, line.held) for line in lines if line.held],
                booked=self.capacity is not None,
                updated_ns=now,
            )
        )
        whole = all(line.held == line.requested for line in lines)
        status = ReserveStatus.HELD if whole else ReserveStatus.PARTIALLY_HELD
        return ReserveResult(status, command.reservation, now, expires_ns, lines)

    def _grant(self, command: Reserve, sku: str, quantity: int) -> HeldLine:
        available = self.available(sku, command.channel)
        if available >= quantity:
            return HeldLine(sku, quantity, quantity, 0)
        return HeldLine(sku, quantity, available, available)

    def _refusal(self, command: Reserve, status: ReserveStatus, now: int, left: int = 0) -> ReserveResult:
        lines = tuple(
            HeldLine(sku, quantity, 0, self.available(sku, command.channel)) for sku, quantity in command.lines
        )
        return ReserveResult(status, "", now, 0, lines, left)

    def _reserve_again(self, found: Reservation, command: Reserve) -> Result:
        """A reservation remembers less than a request: its channel, its order, and its lines if all were held."""
        for name in ("channel", "order"):
            if getattr(command, name) != getattr(found.command, name):
                return Rejected(Reason.REQUEST_ID_REUSED, name, "")
        held, wanted = {line.sku: line.quantity for line in found.lines}, dict(command.lines)
        fits = all(wanted.get(sku, 0) >= quantity for sku, quantity in held.items())
        if not fits or (command.policy == Policy.ALL_OR_NOTHING and held != wanted):
            return Rejected(Reason.REQUEST_ID_REUSED, "lines", "")
        lines = tuple(
            HeldLine(sku, quantity, held.get(sku, 0), 0 if held.get(sku) == quantity else held.get(sku, 0))
            for sku, quantity in command.lines
        )
        status = ReserveStatus.HELD if held == wanted else ReserveStatus.PARTIALLY_HELD
        expires_ns = found.expires_ns or found.at_ns + command.ttl_ns
        return ReserveResult(status, command.reservation, found.at_ns, expires_ns, lines, repeated=True)

    # --- capacity

    def _no_capacity(self, command: Reserve, units: int, now: int) -> Result | None:
        if self.capacity is None:
            return None
        at_ns = command.pick_at_ns or now
        window, coming = self.window(at_ns), {w for w in self.windows() if w >= self.window(now)}
        if window not in self.windows() and len(coming) >= self.limits.windows_max:
            return Rejected(Reason.TABLE_FULL, "pick_time", "")
        limit = dict(self.capacity.overrides).get(window * self.capacity.window_ns, self.capacity.limit)
        left = limit - self.capacity_used(window)
        if left >= (units if self.capacity.measure == Measure.UNITS else 1):
            return None
        return self._refusal(command, ReserveStatus.NO_CAPACITY, now, max(0, left))

    def _forget_past_windows(self, now: int) -> None:
        """With no room for one more window, what can no longer be picked is not remembered."""
        if self.capacity is None or len(self.windows()) < self.limits.windows_max:
            return
        for reservation in self.reservations:
            if self.window(reservation.pick_at_ns) < self.window(now):
                reservation.booked = False

    # --- what becomes of a reservation

    def _transition(self, command: Transition, now: int) -> Result:
        found = self.find(command.reservation)
        if found is None:
            return Rejected(Reason.RESERVATION_UNKNOWN, "name", "")
        status, lines = self._move_on(command, found, now)
        return TransitionResult(status, lines, found.view())

    def _move_on(self, command: Transition, found: Reservation, now: int) -> tuple[TransitionStatus, Lines]:
        if not found.live:
            return ENDED[found.state], ()
        if isinstance(command, Commit):
            if found.state == State.HELD:
                found.state, found.expires_ns, found.updated_ns = State.COMMITTED, 0, now
            return TransitionStatus.DONE, ()
        if isinstance(command, Extend):
            if found.state == State.COMMITTED:
                return TransitionStatus.COMMITTED, ()
            found.expires_ns, found.updated_ns = now + command.ttl_ns, now
            return TransitionStatus.DONE, ()
        return self._take_lines(command, found, now)

    def _take_lines(self, command: Release | Fulfil, found: Reservation, now: int) -> tuple[TransitionStatus, Lines]:
        if isinstance(command, Fulfil) and found.state == State.HELD:
            return TransitionStatus.NOT_COMMITTED, ()
        wanted = dict(command.lines) or {line.sku: line.open for line in found.lines if line.open}
        if any(found.open(sku) < quantity for sku, quantity in wanted.items()):
            return TransitionStatus.LINES_EXCEED_OPEN, ()
        moved = tuple((line.sku, wanted[line.sku]) for line in found.lines if line.sku in wanted)
        for sku, quantity in moved:
            if isinstance(command, Release):
                found.line(sku).released += quantity
            else:
                self.fulfil(found, sku, quantity)
                self.change_on_hand(sku, -quantity, now, now)
        self.close_if_done(found, now)
        return TransitionStatus.DONE, moved

    # --- settings

    def _set_policy(self, command: SetStockPolicy) -> Result:
        new = {line.sku for line in command.lines} - set(self.skus)
        for position, line in enumerate(command.lines):
            if line.sku in new and not command.allow_missing:
                return Rejected(Reason.SKU_UNKNOWN, f"lines[{position}].sku", "")
        if len(self.skus) + len(new) > self.limits.skus_max:
            return Rejected(Reason.TABLE_FULL, "lines", "")
        for line in command.lines:
            self._set_policy_line(line)
        return Done(shortages=tuple(self.shortages))

    def _set_policy_line(self, line: PolicyLine) -> None:
        self.register(line.sku)
        before = self.sellable(line.sku)
        if line.safety_stock is not None:
            self.safety_stock[line.sku] = line.safety_stock
        if line.quotas is not None:
            self.quotas[line.sku] = {channel: quota for channel, quota in line.quotas if quota}
        for move in line.moves:
            self.move_disposition(line.sku, *move)
        self.note_shortage(line.sku, before)

    def _configure(self, command: Configure) -> Result:
        if command.accepting is not None:
            self.accepting = command.accepting
        if command.clear_capacity:
            self.capacity = None
        if command.capacity is not None:
            self.capacity = command.capacity
            for reservation in self.reservations:
                reservation.booked = not reservation.forgotten
        return Done()
