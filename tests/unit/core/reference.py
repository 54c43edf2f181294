"""A slow, plain model of one location, to compare `StockLedger` with.

Nothing is counted along the way: every number is summed again from the list of stock changes and the list of
reservations whenever it is asked for. It shares the value types with the core and no code. It knows well-formed
commands only; what is malformed is the business of test_bad_input.py.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from allocator.core.commands import (
    Capacity,
    Commit,
    Configure,
    Extend,
    Fulfil,
    GetReservation,
    GetStock,
    Lines,
    ListReservations,
    ListStock,
    Measure,
    Movement,
    MovementType,
    Policy,
    PolicyLine,
    Query,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
    Summarise,
    Transition,
    Write,
)
from allocator.core.limits import AT_RISK_MAX, LedgerLimits
from allocator.core.results import (
    CountLine,
    CountResult,
    CountStatus,
    Done,
    HeldLine,
    LedgerSummary,
    MovementResult,
    MovementStatus,
    Quota,
    Reason,
    Rejected,
    ReservationPage,
    ReserveResult,
    ReserveStatus,
    Result,
    Shortage,
    State,
    StockPage,
    StockView,
    TransitionResult,
    TransitionStatus,
)
from tests.unit.core.reference_state import (
    Answer,
    Change,
    Closed,
    Line,
    Reservation,
    SeenMovement,
    trim,
)

SEQUENCES_REMEMBERED = 4096
INCOMING = (MovementType.RECEIPT, MovementType.RETURN, MovementType.TRANSFER_IN, MovementType.ADJUSTMENT)
SOLD = (MovementType.SALE, MovementType.SHIPMENT)
ENDED = {
    State.EXPIRED: TransitionStatus.EXPIRED,
    State.RELEASED: TransitionStatus.RELEASED,
    State.FULFILLED: TransitionStatus.FULFILLED,
}


class ReferenceLedger:
    """One location, the slow way. `shortages` are those of the last command."""

    def __init__(self, limits: LedgerLimits) -> None:
        self.limits = limits
        self.clock_ns = 0
        self.version = 0
        self.skus: list[str] = []
        self.safety_stock: dict[str, int] = {}
        self.quotas: dict[str, dict[str, int]] = {}
        self.watermarks: dict[str, int] = {}
        self.changes: list[Change] = []
        self.recent: list[Change] = []
        self.floor_ns = 0
        self.floor_version = 0
        self.dispositions: list[tuple[str, str, int]] = []
        self.reservations: list[Reservation] = []
        self.closed: list[Closed] = []
        self.answers: list[Answer] = []
        self.movement_ids: list[SeenMovement] = []
        self.sequences: dict[str, set[int]] = {}
        self.accepting = True
        self.capacity: Capacity | None = None
        self.shortages: list[Shortage] = []

    # --- doors

    def execute(self, command: Write | Movement, now_ns: int) -> Result:
        """Expire what is due, then do the command."""
        now = max(now_ns, self.clock_ns)
        self.shortages = []
        self.tick(now)
        if isinstance(command, Movement):
            return self._movement(command, now)
        earlier = [answer for answer in self.answers if answer.command.request_id == command.request_id]
        if earlier:
            return self._repeat(earlier[0], command)
        result = self._first_time(command, now)
        nothing_done = isinstance(result, Rejected) or getattr(result, "repeated", False)
        if not nothing_done and not getattr(command, "validate_only", False):
            self._remember(command, result, now)
        return result

    def tick(self, now_ns: int) -> None:
        """Expire the holds that are due."""
        now = max(now_ns, self.clock_ns)
        due = [r for r in self.reservations if r.state == State.HELD and r.expires_ns <= now]
        for reservation in sorted(due, key=lambda r: (r.expires_ns, r.command.reservation)):
            for line in reservation.lines:
                line.released += line.open
            self._close_if_done(reservation, now, State.EXPIRED)

    def close_batch(self) -> int:
        """End a batch."""
        self.version += 1
        return self.version

    # --- numbers, summed anew each time

    def on_hand(self, sku: str) -> int:
        """Physical units."""
        return sum(change.delta for change in self.changes if change.sku == sku)

    def by_disposition(self, sku: str) -> dict[str, int]:
        """Unsellable units of a SKU; those below zero wait for what they were taken from."""
        raw: dict[str, int] = {}
        for of_sku, disposition, units in self.dispositions:
            if of_sku == sku:
                raw[disposition] = raw.get(disposition, 0) + units
        return {disposition: units for disposition, units in sorted(raw.items()) if units > 0}

    def sellable(self, sku: str) -> int:
        """on_hand less unsellable."""
        return self.on_hand(sku) - sum(self.by_disposition(sku).values())

    def reserved(self, sku: str, state: State) -> int:
        """Units held, or committed."""
        return sum(r.open(sku) for r in self.reservations if r.state == state)

    def promised(self, sku: str) -> int:
        """Units held and committed."""
        return self.reserved(sku, State.HELD) + self.reserved(sku, State.COMMITTED)

    def reserved_for(self, sku: str, channel: str) -> int:
        """Open units that one channel's reservations have."""
        return sum(r.open(sku) for r in self.reservations if r.live and r.command.channel == channel)

    def available(self, sku: str, channel: str) -> int:
        """What one channel may be promised, floored at 0."""
        others = sum(
            max(0, quota - self.reserved_for(sku, other))
            for other, quota in self.quotas[sku].items()
            if other != channel
        )
        return max(0, self.sellable(sku) - self.promised(sku) - self.safety_stock[sku] - others)

    def capacity_used(self, at_ns: int) -> int:
        """Units or orders booked in the window of a time."""
        capacity = self.capacity
        if capacity is None:
            return 0
        booked = [r.kept for r in self._booked() if r.pick_at_ns // capacity.window_ns == at_ns // capacity.window_ns]
        return sum(booked) if capacity.measure == Measure.UNITS else len(booked)

    def _booked(self) -> list[Reservation]:
        return [r for r in self.reservations if r.booked and r.kept > 0]

    def _windows_full(self, command: Reserve, now: int) -> bool:
        if self.capacity is None:
            return False
        window_ns = self.capacity.window_ns
        windows = {r.pick_at_ns // window_ns for r in self._booked()}
        if (command.pick_at_ns or now) // window_ns in windows:
            return False
        return len({w for w in windows if w >= now // window_ns}) >= self.limits.windows_max

    def _forget_past_windows(self, now: int) -> None:
        """With no room for one more window, what can no longer be picked is not remembered."""
        if self.capacity is None:
            return
        window_ns = self.capacity.window_ns
        if len({r.pick_at_ns // window_ns for r in self._booked()}) >= self.limits.windows_max:
            for reservation in self.reservations:
                if reservation.pick_at_ns // window_ns < now // window_ns:
                    reservation.booked = False

    # --- request ids

    def _remember(self, command: Write, result: Result, now: int) -> None:
        self.clock_ns = now
        self.answers.append(Answer(now, command, result))
        trim(self.answers, self.limits.requests_max, self.limits.requests_age_ns, now)

    def _repeat(self, earlier: Answer, command: Write) -> Result:
        if type(command) is not type(earlier.command):
            return Rejected(Reason.REQUEST_ID_REUSED, "method", "")
        for name in command._fields:
            if getattr(command, name) != getattr(earlier.command, name):
                return Rejected(Reason.REQUEST_ID_REUSED, name, "")
        result: Any = earlier.result
        if isinstance(result, TransitionResult):
            found = self._find(earlier.command.reservation)
            result = result._replace(view=found.view() if found else None)
        repeated: Result = result._replace(repeated=True)
        return repeated

    def _first_time(self, command: Write, now: int) -> Result:
        if isinstance(command, Reserve):
            return self._reserve(command, now)
        if isinstance(command, SetCount):
            return self._set_count(command, now)
        if isinstance(command, SetStockPolicy):
            return self._set_policy(command, now)
        if isinstance(command, Configure):
            return self._configure(command)
        return self._transition(command, now)

    # --- reserving

    def _reserve(self, command: Reserve, now: int) -> Result:
        found = self._find(command.reservation)
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
        if self._windows_full(command, now):
            return Rejected(Reason.TABLE_FULL, "pick_time", "")
        left = self._capacity_left(command, now)
        if left is not None and left < self._asked_of_capacity(units):
            return self._refusal(command, ReserveStatus.NO_CAPACITY, now, max(0, left))
        self._forget_past_windows(now)
        self.reservations.append(
            Reservation(
                at_ns=now,
                command=command,
                serial=len(self.reservations) + 1,
                expires_ns=now + command.ttl_ns,
                lines=[Line(line.sku, line.held) for line in lines if line.held],
                booked=self.capacity is not None,
                updated_ns=now,
            )
        )
        status = ReserveStatus.PARTIALLY_HELD if short else ReserveStatus.HELD
        return ReserveResult(status, command.reservation, now, now + command.ttl_ns, lines)

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
        held = {line.sku: line.quantity for line in found.lines}
        if command.channel != found.command.channel:
            return Rejected(Reason.REQUEST_ID_REUSED, "channel", "")
        if command.order != found.command.order:
            return Rejected(Reason.REQUEST_ID_REUSED, "order", "")
        wanted = dict(command.lines)
        whole = held == wanted
        fits = all(wanted.get(sku, 0) >= quantity for sku, quantity in held.items())
        if not fits or (command.policy == Policy.ALL_OR_NOTHING and not whole):
            return Rejected(Reason.REQUEST_ID_REUSED, "lines", "")
        lines = tuple(
            HeldLine(sku, quantity, held.get(sku, 0), 0 if held.get(sku) == quantity else held.get(sku, 0))
            for sku, quantity in command.lines
        )
        status = ReserveStatus.HELD if whole else ReserveStatus.PARTIALLY_HELD
        expires_ns = found.expires_ns or found.at_ns + command.ttl_ns
        return ReserveResult(status, command.reservation, found.at_ns, expires_ns, lines, repeated=True)

    def _capacity_left(self, command: Reserve, now: int) -> int | None:
        if self.capacity is None:
            return None
        at_ns = command.pick_at_ns or now
        start = at_ns - at_ns % self.capacity.window_ns
        limit = dict(self.capacity.overrides).get(start, self.capacity.limit)
        return limit - self.capacity_used(at_ns)

    def _asked_of_capacity(self, units: int) -> int:
        by_units = self.capacity is not None and self.capacity.measure == Measure.UNITS
        return units if by_units else 1

    # --- what becomes of a reservation

    def _transition(self, command: Transition, now: int) -> Result:
        found = self._find(command.reservation)
        if found is None:
            return Rejected(Reason.RESERVATION_UNKNOWN, "name", "")
        status, lines = self._move_on(command, found, now)
        return TransitionResult(status, lines, found.view())

    def _move_on(self, command: Transition, found: Reservation, now: int) -> tuple[TransitionStatus, Lines]:
        if not found.live:
            return ENDED[found.state], ()
        if isinstance(command, Commit):
            return self._commit(found, now)
        if isinstance(command, Extend):
            return self._extend(found, now, command.ttl_ns)
        if isinstance(command, Fulfil) and found.state == State.HELD:
            return TransitionStatus.NOT_COMMITTED, ()
        wanted = dict(command.lines) or {line.sku: line.open for line in found.lines if line.open}
        if any(found.open(sku) < quantity for sku, quantity in wanted.items()):
            return TransitionStatus.LINES_EXCEED_OPEN, ()
        moved = tuple((line.sku, wanted[line.sku]) for line in found.lines if line.sku in wanted)
        for sku, quantity in moved:
            if isinstance(command, Release):
                self._line(found, sku).released += quantity
            else:
                self._fulfil(found, sku, quantity)
                self._change(Change(now, sku, -quantity, now, self.version + 1))
        found.updated_ns = now
        self._close_if_done(found, now)
        return TransitionStatus.DONE, moved

    def _commit(self, found: Reservation, now: int) -> tuple[TransitionStatus, Lines]:
        if found.state == State.HELD:
            found.state, found.expires_ns, found.updated_ns = State.COMMITTED, 0, now
        return TransitionStatus.DONE, ()

    def _extend(self, found: Reservation, now: int, ttl_ns: int) -> tuple[TransitionStatus, Lines]:
        if found.state == State.COMMITTED:
            return TransitionStatus.COMMITTED, ()
        found.expires_ns, found.updated_ns = now + ttl_ns, now
        return TransitionStatus.DONE, ()

    def _fulfil(self, found: Reservation, sku: str, quantity: int) -> None:
        self._line(found, sku).fulfilled += quantity
        quotas, channel = self.quotas[sku], found.command.channel
        if channel in quotas:
            quotas[channel] -= min(quantity, quotas[channel])

    def _line(self, found: Reservation, sku: str) -> Line:
        return next(line for line in found.lines if line.sku == sku)

    def _close_if_done(self, found: Reservation, now: int, end: State = State.RELEASED) -> None:
        if not any(line.open for line in found.lines):
            fulfilled = any(line.fulfilled for line in found.lines)
            self._close(found, State.FULFILLED if fulfilled else end, now)

    def _close(self, found: Reservation, state: State, now: int) -> None:
        found.state, found.updated_ns = state, now
        self.clock_ns = now
        self.closed.append(Closed(now, found))
        for gone in trim(self.closed, self.limits.closed_max, self.limits.closed_age_ns, now):
            gone.reservation.forgotten = True

    def _find(self, reservation: str) -> Reservation | None:
        known = [r for r in self.reservations if r.command.reservation == reservation and not r.forgotten]
        return known[0] if known else None

    # --- movements and counts

    def _movement(self, movement: Movement, now: int) -> Result:
        sku, occurred_ns = movement.sku, movement.occurred_ns or now
        if sku not in self.skus and len(self.skus) >= self.limits.skus_max:
            return MovementResult(MovementStatus.REJECTED, sku, 0, Reason.TABLE_FULL.name)
        if self._seen(movement):
            return MovementResult(MovementStatus.DUPLICATE, sku, self.on_hand(sku))
        if movement.type == MovementType.COUNT:
            refusal = self._count_refusal(sku, occurred_ns)
            if refusal:
                return MovementResult(MovementStatus.REJECTED, sku, self.on_hand(sku), refusal.name)
        self._register(sku)
        before = self.sellable(sku)
        status = MovementStatus.APPLIED
        if movement.type == MovementType.COUNT:
            self._count(sku, self._after_count(sku, movement.quantity, occurred_ns), occurred_ns, now)
        elif movement.type != MovementType.DISPOSITION_CHANGE:
            if occurred_ns <= self.watermarks.get(sku, 0):
                status = MovementStatus.LATE_APPLIED
            else:
                self._change(Change(now, sku, self._signed(movement), occurred_ns, self.version + 1))
        self._move_dispositions(movement)
        self._fulfil_by(movement, now)
        self._mark_seen(movement, now)
        shortage = self._shortage(sku, before)
        return MovementResult(status, sku, self.on_hand(sku), shortage=shortage)

    def _signed(self, movement: Movement) -> int:
        return movement.quantity if movement.type in INCOMING else -movement.quantity

    def _move_dispositions(self, movement: Movement) -> None:
        if movement.type == MovementType.DISPOSITION_CHANGE:
            self._move(movement.sku, movement.from_disposition, movement.disposition, movement.quantity)
        elif movement.disposition:
            self._move(movement.sku, "", movement.disposition, self._signed(movement))

    def _move(self, sku: str, from_disposition: str, to_disposition: str, quantity: int) -> None:
        for disposition, units in ((from_disposition, -quantity), (to_disposition, quantity)):
            if disposition:
                self.dispositions.append((sku, disposition, units))

    def _fulfil_by(self, movement: Movement, now: int) -> None:
        found = self._find(movement.reservation) if movement.type in SOLD else None
        if found is None or not found.live:
            return
        units = min(found.open(movement.sku), movement.quantity)
        if units:
            self._fulfil(found, movement.sku, units)
            found.updated_ns = now
            self._close_if_done(found, now)

    def _seen(self, movement: Movement) -> bool:
        if movement.sequence == 0:
            return any(
                (seen.source, seen.movement_id) == (movement.source, movement.movement_id) for seen in self.movement_ids
            )
        window = sorted(self.sequences.get(movement.source, ()))[-SEQUENCES_REMEMBERED:]
        too_old = len(window) == SEQUENCES_REMEMBERED and movement.sequence < window[0]
        return too_old or movement.sequence in window

    def _mark_seen(self, movement: Movement, now: int) -> None:
        self.clock_ns = now
        if movement.sequence:
            self.sequences.setdefault(movement.source, set()).add(movement.sequence)
            return
        self.movement_ids.append(SeenMovement(now, movement.source, movement.movement_id))
        trim(self.movement_ids, self.limits.movement_ids_max, self.limits.movements_age_ns, now)

    def _change(self, change: Change) -> None:
        """Change on_hand, and remember it to put it back on top of later counts."""
        if change.delta == 0:
            return
        self.changes.append(change)
        self.recent.append(change)
        for gone in trim(self.recent, self.limits.movements_max, self.limits.movements_age_ns, change.at_ns):
            self.floor_ns = max(self.floor_ns, gone.occurred_ns)
            self.floor_version = max(self.floor_version, gone.version)

    def _count_refusal(self, sku: str, as_of_ns: int) -> CountStatus | None:
        if as_of_ns < self.floor_ns:
            return CountStatus.COUNT_TOO_OLD
        if as_of_ns < self.watermarks.get(sku, 0):
            return CountStatus.COUNT_SUPERSEDED
        return None

    def _after_count(self, sku: str, counted: int, as_of_ns: int) -> int:
        return counted + sum(c.delta for c in self.recent if c.sku == sku and c.occurred_ns > as_of_ns)

    def _count(self, sku: str, after: int, as_of_ns: int, now: int) -> None:
        self._change(Change(now, sku, after - self.on_hand(sku), as_of_ns, self.version + 1))
        self.watermarks[sku] = as_of_ns

    def _set_count(self, command: SetCount, now: int) -> Result:
        for position, (sku, _) in enumerate(command.lines):
            if sku not in self.skus:
                return Rejected(Reason.SKU_UNKNOWN, f"lines[{position}].sku", "")
        refusal = self._set_count_refusal(command)
        if refusal:
            return CountResult(refusal, ())
        lines = tuple(
            CountLine(sku, counted, self.on_hand(sku), self._after_count(sku, counted, command.as_of_ns))
            for sku, counted in command.lines
        )
        if command.validate_only:
            would_be = deepcopy(self)
            would_be._apply_counts(lines, command.as_of_ns, now)
            return CountResult(CountStatus.VALIDATED, lines, tuple(would_be.shortages))
        self._apply_counts(lines, command.as_of_ns, now)
        return CountResult(CountStatus.APPLIED, lines, tuple(self.shortages))

    def _apply_counts(self, lines: tuple[CountLine, ...], as_of_ns: int, now: int) -> None:
        for line in lines:
            before = self.sellable(line.sku)
            self._count(line.sku, line.after, as_of_ns, now)
            self._shortage(line.sku, before)

    def _set_count_refusal(self, command: SetCount) -> CountStatus | None:
        skus = [sku for sku, _ in command.lines]
        newest = max((c.version for c in self.changes if c.sku in skus), default=0)
        if 0 < command.expected_version < max(newest, self.floor_version):
            return CountStatus.VERSION_MISMATCH
        refusals = [self._count_refusal(sku, command.as_of_ns) for sku in skus]
        return min((refusal for refusal in refusals if refusal), default=None)

    def _shortage(self, sku: str, sellable_before: int) -> Shortage | None:
        sellable = self.sellable(sku)
        promised = self.promised(sku)
        missing = promised - sellable
        if sellable >= sellable_before or missing <= 0 or promised == 0:
            return None
        at_risk = [r for r in self.reservations if r.live and r.open(sku)]
        at_risk.sort(key=lambda r: (r.state, -r.serial))
        named: list[str] = []
        covered = 0
        for reservation in at_risk[:AT_RISK_MAX]:
            if covered < missing:
                named.append(reservation.command.reservation)
                covered += reservation.open(sku)
        shortage = Shortage(sku, missing, tuple(named), len(at_risk))
        self.shortages.append(shortage)
        return shortage

    # --- settings

    def _register(self, sku: str) -> None:
        if sku not in self.skus:
            self.skus.append(sku)
            self.safety_stock[sku] = 0
            self.quotas[sku] = {}

    def _set_policy(self, command: SetStockPolicy, now: int) -> Result:
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
        self._register(line.sku)
        before = self.sellable(line.sku)
        if line.safety_stock is not None:
            self.safety_stock[line.sku] = line.safety_stock
        if line.quotas is not None:
            self.quotas[line.sku] = {channel: quota for channel, quota in line.quotas if quota}
        for move in line.moves:
            self._move(line.sku, *move)
        self._shortage(line.sku, before)

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

    # --- reading

    def query(self, query: Query) -> StockPage | ReservationPage | LedgerSummary | Rejected:
        """Answer a question."""
        if isinstance(query, Summarise):
            stocked = [sku for sku in self.skus if self.on_hand(sku)]
            live = [r for r in self.reservations if r.live]
            return LedgerSummary(self.version, len(self.skus), len(stocked), len(live), self.accepting)
        if isinstance(query, GetStock):
            return StockPage(tuple(self._stock(sku) for sku in query.skus), version=self.version)
        if isinstance(query, ListStock):
            end = query.start + query.limit
            rows = tuple(self._stock(sku) for sku in self.skus[query.start : end])
            return StockPage(rows, end if end < len(self.skus) else 0, self.version)
        known = [r for r in self.reservations if not r.forgotten]
        if isinstance(query, GetReservation):
            found = [r.view() for r in known if r.command.reservation == query.reservation]
            unknown = Rejected(Reason.RESERVATION_UNKNOWN, "name", "")
            return ReservationPage(tuple(found), version=self.version) if found else unknown
        return self._page([r for r in known if r.serial > query.after], query)

    def _page(self, after: list[Reservation], query: ListReservations) -> ReservationPage:
        rows = [r.view() for r in after if query.state in (0, r.state) and query.order in ("", r.command.order)]
        more = len(rows) > query.limit
        page = tuple(rows[: query.limit])
        return ReservationPage(page, page[-1].serial if more else 0, self.version)

    def _stock(self, sku: str) -> StockView:
        return StockView(
            sku,
            self.on_hand(sku),
            tuple(self.by_disposition(sku).items()),
            self.reserved(sku, State.HELD),
            self.reserved(sku, State.COMMITTED),
            self.safety_stock[sku],
            tuple(
                Quota(channel, quota, self.reserved_for(sku, channel))
                for channel, quota in sorted(self.quotas[sku].items())
            ),
            self.available(sku, ""),
        )
