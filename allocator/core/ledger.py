"""`StockLedger`: the deterministic state machine of one location.

Live traffic and recovery go through the same `apply`: the same snapshot and the same events give the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocator.core import (
    codec,
    counting,
    invariants,
    moving,
    queries,
    reserving,
    settings,
    settling,
    snapshot,
    supplying,
    transitions,
)
from allocator.core import commands as c
from allocator.core import events as e
from allocator.core.capacity import CapacityBook
from allocator.core.limits import LedgerLimits
from allocator.core.movements import MovementLog
from allocator.core.protocol import answers as a
from allocator.core.protocol import home, participant
from allocator.core.protocol import types as t
from allocator.core.protocol.headers import HeaderBook
from allocator.core.quotas import QuotaBook
from allocator.core.repeats import answer_again
from allocator.core.requests import RequestTable
from allocator.core.reservations import ReservationBook
from allocator.core.results import TransitionResult
from allocator.core.stock import StockColumns
from allocator.core.supply import SupplyBook
from allocator.core.waiting import WaitingBook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from allocator.core.results import LedgerSummary, Rejected, ReservationPage, Result, StockPage, SupplyPage

    Answer = StockPage | ReservationPage | LedgerSummary | SupplyPage | Rejected
    Executable = c.Write | c.Movement | t.Open | t.Amend | t.Message
    Decision = tuple[Result | a.Outcome, tuple[e.Event, ...]]
    Decider = Callable[["StockLedger", Any, int], Decision]
    Applier = Callable[["StockLedger", Any], None]
    Answerer = Callable[["StockLedger", Any], "Answer"]

_DECIDERS: dict[type, Decider] = {
    c.Reserve: reserving.decide,
    c.Commit: transitions.decide_commit,
    c.Extend: transitions.decide_extend,
    c.Release: transitions.decide_release,
    c.Fulfil: transitions.decide_fulfil,
    c.SetCount: counting.decide,
    c.SetStockPolicy: settings.decide_policy,
    c.Configure: settings.decide_configure,
    t.Open: home.decide_open,
    t.Amend: home.decide_amend,
    c.SetSupply: supplying.decide,
}

_TOLD: dict[type, Decider] = {
    c.Movement: moving.decide,
    t.Follow: participant.decide_follow,
    t.Confirm: home.decide_confirm,
    t.Ask: home.decide_ask,
}
"""Commands without a request id: they know by themselves whether they came before."""

_APPLIERS: dict[type, Applier] = {
    e.Reserved: reserving.apply,
    e.Refused: lambda ledger, event: None,  # noqa: ARG005  # it only enters the request table
    e.Committed: transitions.apply_committed,
    e.Extended: transitions.apply_extended,
    e.Released: transitions.apply_released,
    e.Fulfilled: transitions.apply_fulfilled,
    e.Expired: transitions.apply_expired,
    e.Moved: moving.apply,
    e.Counted: counting.apply,
    e.PolicySet: settings.apply_policy,
    e.Configured: settings.apply_configured,
    e.ShortageFound: lambda ledger, event: None,  # noqa: ARG005  # told to the outside, changes nothing
    e.Limited: lambda ledger, event: ledger.limit(event.limits),
    t.Opened: home.apply_opened,
    t.Amended: home.apply_amended,
    t.Decided: home.apply_decided,
    t.PickupMissed: home.apply_ended,
    t.Confirmed: home.apply_confirmed,
    t.Told: home.apply_told,
    t.Voided: home.apply_voided,
    t.Followed: participant.apply_followed,
    e.SupplySet: supplying.apply,
    e.Filled: settling.apply_filled,
    e.SupplyShort: settling.apply_short,
}

_UNREMEMBERED = frozenset(
    (
        e.Expired,
        e.Moved,
        e.ShortageFound,
        e.Limited,
        e.Filled,
        e.SupplyShort,
        t.PickupMissed,
        t.Confirmed,
        t.Told,
        t.Voided,
        t.Followed,
    )
)


def _complete_transition(ledger: StockLedger, command: Any, result: TransitionResult) -> TransitionResult:  # noqa: ANN401
    """The answer with the reservation as it is now, and what its participants are to be told."""
    header = ledger.headers.by_id.get(command.reservation)
    if header is not None:
        return result._replace(view=header.view(), owed=ledger.headers.owed_by(header))
    reservation = ledger.reservations.by_id.get(command.reservation)
    return result._replace(view=reservation.view() if reservation is not None else None)


def _complete_amend(ledger: StockLedger, command: t.Amend, result: a.AmendResult) -> a.AmendResult:
    header = ledger.headers.by_id.get(command.reservation)
    if header is None:
        reservation = ledger.reservations.by_id.get(command.reservation)
        return result._replace(view=reservation.view() if reservation is not None else None)
    return result._replace(view=header.view(), owed=ledger.headers.owed_by(header))


def _complete_heard(ledger: StockLedger, command: Any, result: a.Heard) -> a.Heard:  # noqa: ANN401  # any message
    return home.answer_ask(ledger, command) if type(command) is t.Ask else result


_COMPLETERS: dict[type, Callable[[StockLedger, Any, Any], Any]] = {
    TransitionResult: _complete_transition,
    a.AmendResult: _complete_amend,
    a.Heard: _complete_heard,
}
"""What an answer says of the state after the command."""

_QUERIES: dict[type, Answerer] = {
    c.GetStock: queries.get_stock,
    c.ListStock: queries.list_stock,
    c.GetReservation: queries.get_reservation,
    c.ListReservations: queries.list_reservations,
    c.Summarise: queries.summarise,
    c.ListSupply: queries.list_supply,
}


class StockLedger:
    """Stock, reservations, quotas, capacity and idempotency of one location; one writer, no I/O, no clock.

    Attributes:
        location: id of the location.
        limits: bounds of its tables.
        version: sequence number of the last closed batch.
        clock_ns: greatest time applied; decisions never see an earlier one, whatever the caller's clock does.
        accepting: whether new reserves are taken.
        changed: indexes of the SKUs whose stock changed since `drain_changes`.
    """

    def __init__(self, location: str, limits: LedgerLimits | None = None) -> None:
        self.location = location
        self.limits = limits or LedgerLimits()
        self.version = 0
        self.clock_ns = 0
        self.accepting = True
        self.stock = StockColumns()
        self.quotas = QuotaBook()
        self.dispositions: dict[str, dict[str, int]] = {}
        self.capacity = CapacityBook(self.limits.windows_max)
        self.reservations = ReservationBook(self.limits)
        self.headers = HeaderBook(self.limits)
        self.requests = RequestTable(self.limits)
        self.movements = MovementLog(self.limits)
        self.supply = SupplyBook(self.limits.supplies_max)
        self.waiting = WaitingBook()
        self.changed: set[int] = set()

    def decide(self, command: Executable, now_ns: int) -> Decision:
        """Answer `command` as of `now_ns` and tell which events would make it so; changes nothing."""
        if now_ns < self.clock_ns:  # noqa: PLR1730  # a call of max() costs three times as much, each time
            now_ns = self.clock_ns
        told = _TOLD.get(type(command))
        if told is not None:
            return told(self, command, now_ns)
        first = self.requests.by_id.get(command[0])
        if first is not None:
            return answer_again(command, first), ()  # type: ignore[arg-type]  # messages went before
        return _DECIDERS[type(command)](self, command, now_ns)

    def apply(self, event: e.Event) -> None:
        """Make `event` so."""
        cls = type(event)
        _APPLIERS[cls](self, event)
        if event[0] > self.clock_ns:  # noqa: PLR1730  # as in decide
            self.clock_ns = event[0]
        if cls not in _UNREMEMBERED:
            self.requests.remember(event.command[0], event)  # type: ignore[union-attr]  # a Remembered one

    def tick(self, now_ns: int) -> list[e.Event]:
        """Expire the holds that ran out by `now_ns`, in order of expiry, settle what follows, and return the events."""
        events: list[e.Event] = []
        queue, headers, due = self.reservations.queue, self.headers.queue, self.supply.due.entries
        if (
            (not queue or queue[0][0] > now_ns)
            and (not headers or headers[0][0] > now_ns)
            and (not due or due[0][0] >= now_ns)
        ):
            return events
        now_ns = max(now_ns, self.clock_ns)
        while (ending := home.end_due(self, now_ns)) is not None:
            self.apply(ending)
            events.append(ending)
        while (reservation := self.reservations.due(now_ns)) is not None:
            event = e.Expired(now_ns, reservation.id, reservation.open_lines())
            self.apply(event)
            events.append(event)
        for i, supply in self.supply.pop_overdue(now_ns):
            self.waiting.stir(i, supply)
        return events + self.settle(now_ns)

    def execute(self, command: Executable, now_ns: int) -> tuple[Result | a.Outcome, list[e.Event]]:
        """Expire what is due, decide `command` and apply its events; returns its result and all events."""
        events = self.tick(now_ns)
        result, decided = self.decide(command, now_ns)
        events.extend(decided)
        result = self.enact(command, result, decided)
        following = self.settle(now_ns)
        return settling.with_news(result, following) if following else result, events + following

    def enact(self, command: Executable, result: Result | a.Outcome, events: Sequence[e.Event]) -> Result | a.Outcome:
        """Apply what was decided and complete the answer with the reservation as it is then."""
        for event in events:
            self.apply(event)
        complete = _COMPLETERS.get(type(result))
        return complete(self, command, result) if complete is not None else result

    def settle(self, now_ns: int) -> list[e.Event]:
        """Apply and return what follows from the events applied since the last call; see `core.settling`."""
        return settling.settle(self, now_ns) if self.waiting.stirred else []

    def close_batch(self) -> int:
        """End a batch of applied events: the version grows by one and is returned."""
        self.version += 1
        return self.version

    def replay(self, version: int, events: Sequence[e.Event]) -> None:
        """Apply one journaled batch."""
        for event in events:
            self.apply(event)
        if self.close_batch() != version:
            raise invariants.version_gap(self, version)

    def query(self, query: c.Query) -> Answer:
        """Answer a question; changes nothing."""
        return _QUERIES[type(query)](self, query)

    def next_expiry_ns(self) -> int | None:
        """When the next hold or pickup window ends or an expected supply is overdue, ns; None when nothing is."""
        ends = (self.reservations.next_expiry_ns(), self.headers.next_deadline_ns(), self._next_late_ns())
        return min((end for end in ends if end is not None), default=None)

    def _next_late_ns(self) -> int | None:
        due = self.supply.due.entries
        return due[0][0] + 1 if due and self.waiting.by_sku else None

    def limit(self, limits: LedgerLimits) -> None:
        """Bound the tables anew; what is too much now is forgotten when the next one comes."""
        self.limits = limits
        self.capacity.windows_max = limits.windows_max
        self.reservations.limits = limits
        self.headers.limits = limits
        self.requests.limit(limits)
        self.movements.limit(limits)
        self.supply.supplies_max = limits.supplies_max

    def touch(self, i: int) -> None:
        """Note that the stock of SKU `i` changed."""
        self.changed.add(i)
        if self.waiting.by_sku:
            self.waiting.stir(i)

    def drain_changes(self) -> list[int]:
        """Indexes of the SKUs touched since the last call, ascending."""
        changed, self.changed = self.changed, set()
        return sorted(changed)

    def check_invariants(self) -> None:
        """Recompute every counter from the reservations; `BrokenInvariantError` tells what disagrees."""
        invariants.check(self)

    def snapshot(self) -> bytes:
        """The whole state as bytes; the same state gives the same bytes."""
        return codec.pack(snapshot.dump(self))

    @classmethod
    def restore(cls, data: bytes) -> StockLedger:
        """The ledger that `snapshot` wrote."""
        return snapshot.load(cls, codec.unpack(data))
