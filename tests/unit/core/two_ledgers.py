"""A ledger and its reference living the same life: what is done to both, what must be equal, what always holds."""

from __future__ import annotations

from typing import ClassVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from allocator.core.codec import pack_events, unpack_events
from allocator.core.commands import (
    GetReservation,
    GetStock,
    Lines,
    ListReservations,
    ListStock,
    Movement,
    MovementType,
    Summarise,
    Write,
)
from allocator.core.events import Event, ShortageFound
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.protocol.answers import Outcome
from allocator.core.results import LedgerSummary, MovementResult, Rejected, Result, State, StockPage
from tests.unit.core.helpers import EVERYTHING, NOW, S
from tests.unit.core.reference import ReferenceLedger


def essence(answer: Result | Outcome | LedgerSummary) -> tuple[type, Result | Outcome | LedgerSummary]:
    """Everything of an answer but what only a human reads, and the order of what has none."""
    if isinstance(answer, Rejected | MovementResult):
        answer = answer._replace(detail="")
    if isinstance(answer, StockPage):
        rows = tuple(
            row._replace(unsellable=tuple(sorted(row.unsellable)), quotas=tuple(sorted(row.quotas)))
            for row in answer.rows
        )
        answer = answer._replace(rows=rows)
    return type(answer), answer


class TwoLedgers(RuleBasedStateMachine):
    """One location, lived through twice."""

    limits: ClassVar[LedgerLimits] = EVERYTHING

    def __init__(self) -> None:
        super().__init__()
        self.live = StockLedger("here", self.limits)
        self.reference = ReferenceLedger(self.limits)
        self.now_ns = NOW
        self.batch: list[Event] = []
        self.journal: list[bytes] = []
        self.writes: list[Write] = []
        self.movements: list[Movement] = []
        self.reservations: list[str] = ["r-unknown"]
        self.over: dict[str, int] = {}

    # --- what is done

    def do(self, command: Write | Movement) -> None:
        """Let both do it and compare everything they say."""
        result, events = self.live.execute(command, self.now_ns)
        self.batch += events
        assert essence(result) == essence(self.reference.execute(command, self.now_ns))
        found = [event for event in events if isinstance(event, ShortageFound)]
        assert [event[1:] for event in found] == [tuple(shortage) for shortage in self.reference.shortages]
        self._check_promises({event.sku: event.missing for event in found})

    def write(self, command: Write) -> None:
        """Do a command under a new request id, and keep it for later repeats."""
        self.writes.append(command)
        self.do(command)

    def tell(self, sku: str, kind: MovementType, quantity: int, ago_s: int | None, **others: str | int) -> None:
        """Tell a movement, and keep it for later repeats."""
        told = Movement("erp", f"m{len(self.movements)}", 0, sku, kind, quantity)
        told = told._replace(occurred_ns=self.moment(ago_s), **others)  # type: ignore[arg-type]  # str and int fields
        self.movements.append(told)
        self.do(told)

    def end_batch(self) -> None:
        """Journal what happened."""
        if self.batch:
            self.journal.append(pack_events(self.batch))
            self.batch.clear()
            assert self.live.close_batch() == self.reference.close_batch() == len(self.journal)

    def new_id(self) -> str:
        """Give a request id not used so far."""
        return f"q{len(self.writes)}"

    def some_reservation(self, number: int) -> str:
        """Choose a live reservation, or any asked for lately, or one never made."""
        live = [r.command.reservation for r in self.reference.reservations if r.live]
        if live and number % 5:
            return live[-1 - number % len(live)]
        return self.reservations[-1 - number % min(8, len(self.reservations))]

    def lines_of(self, reservation: str, amounts: list[int]) -> Lines:
        """Choose lines of a reservation, often more than is open."""
        found = self.reference.find(reservation)
        lines = found.lines if found else []
        return tuple((line.sku, amount) for line, amount in zip(lines, amounts, strict=False) if amount)

    def moment(self, ago_s: int | None) -> int:
        """So long ago; 0 is the command's way of saying now."""
        return 0 if ago_s is None else self.now_ns - ago_s * S

    def _check_promises(self, told: dict[str, int]) -> None:
        """Nothing but what a shortage told makes more promised than there is."""
        page = self.live.query(ListStock(0, 100))
        assert isinstance(page, StockPage)
        for row in page.rows:
            promised = row.held + row.committed
            over = promised and promised - row.on_hand + sum(units for _, units in row.unsellable)
            assert over <= max(0, self.over.get(row.sku, 0)) or told.get(row.sku) == over
            self.over[row.sku] = over

    # --- what always holds

    @invariant()
    def all_stock_agrees(self) -> None:
        """Every component of every SKU."""
        for page in (ListStock(0, 100), ListStock(1, 2), Summarise(), GetStock(tuple(self.reference.skus))):
            assert essence(self.live.query(page)) == essence(self.reference.query(page))

    @invariant()
    def all_reservations_agree(self) -> None:
        """Every reservation that can be looked up, and no other."""
        for page in (ListReservations(0, 1000), ListReservations(2, 3), ListReservations(0, 2, State.HELD, "o1")):
            assert essence(self.live.query(page)) == essence(self.reference.query(page))
        for reservation in self.reservations[-8:]:
            expected = self.reference.query(GetReservation(reservation))
            assert essence(self.live.query(GetReservation(reservation))) == essence(expected)

    @invariant()
    def counters_agree_with_reservations(self) -> None:
        """What the ledger counts along the way is what adds up."""
        self.live.check_invariants()
        held = [r.expires_ns for r in self.reference.reservations if r.state == State.HELD]
        assert self.live.next_expiry_ns() == min(held, default=None)

    def teardown(self) -> None:
        """Replay the journal into a fresh ledger: the same bytes."""
        self.end_batch()
        replayed = StockLedger("here", self.limits)
        for version, entry in enumerate(self.journal, start=1):
            replayed.replay(version, unpack_events(entry))
        assert replayed.snapshot() == self.live.snapshot()
