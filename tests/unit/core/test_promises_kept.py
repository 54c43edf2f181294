"""Promises against a day-by-day reference: nothing is promised twice, whatever comes late, short or in pieces."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from allocator.core.commands import Commit, Fulfil, MovementType, Release, Reserve
from allocator.core.events import Event, SupplyShort
from allocator.core.ledger import StockLedger
from allocator.core.promise import least_projection
from allocator.core.results import ReserveStatus
from tests.unit.core.helpers import HOUR, NOW, S, movement, receipt, stock
from tests.unit.core.reference_promise import LAST_DAY, Paper

DAY = 24 * HOUR
HOLD_NS = HOUR
SUPPLIES = ("po-1", "po-2", "tr-1")
quantities = st.integers(1, 6)
days = st.integers(1, 9)


class Promises(RuleBasedStateMachine):
    """One location and one SKU beside the reference, with a journal to replay."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = StockLedger("here")
        self.paper = Paper()
        self.journal: list[list[Event]] = []
        self.numbers = itertools.count(1)
        self.told = 0
        self.quiet = False  # days passed, and no stock moved since

    @property
    def now_ns(self) -> int:
        """Noon of the day that it is."""
        return NOW + self.paper.today * DAY

    def do(self, command: Any) -> Any:  # noqa: ANN401  # any command, any result
        """Execute a command as a batch of its own."""
        result, events = self.ledger.execute(command, self.now_ns)
        self.note(events)
        return result

    def move(self, told: Any) -> None:  # noqa: ANN401  # as above
        """Execute a movement."""
        self.quiet = False
        self.do(told)

    def note(self, events: list[Event]) -> None:
        """Journal a batch."""
        self.told = next((e.missing for e in reversed(events) if isinstance(e, SupplyShort)), self.told)
        if events:
            self.ledger.close_batch()
            self.journal.append(events)

    @initialize(units=st.integers(0, 5))
    def begin(self, units: int) -> None:
        """Some units are there."""
        self.find(units or 1)

    @rule(supply=st.sampled_from(SUPPLIES), quantity=st.integers(0, 9), ahead=st.integers(-1, 9))
    def announce(self, supply: str, quantity: int, ahead: int) -> None:
        """Units are expected, or others than before, or on another day."""
        day = self.paper.today + ahead
        told = movement(MovementType.SUPPLY, "fig", quantity, supply=supply, expect_ns=NOW + day * DAY)
        self.move(told)
        self.paper.announce(supply, quantity, day)

    @rule(supply=st.sampled_from(SUPPLIES), quantity=quantities, final=st.booleans())
    def receive(self, supply: str, quantity: int, *, final: bool) -> None:
        """Units came, perhaps all that will."""
        self.move(receipt("fig", quantity, supply=supply, final=final))
        self.paper.receive(supply, quantity, final=final)

    @rule(units=st.integers(1, 4))
    def find(self, units: int) -> None:
        """Units turned up."""
        self.move(movement(MovementType.ADJUSTMENT, "fig", units))
        self.paper.change(units)

    @rule(units=st.integers(1, 4))
    def lose(self, units: int) -> None:
        """Units got lost, perhaps promised ones."""
        self.move(movement(MovementType.ADJUSTMENT, "fig", -units))
        self.paper.change(-units)

    @rule(quantity=quantities, ahead=st.none() | days, commits=st.booleans())
    def reserve(self, quantity: int, ahead: int | None, *, commits: bool) -> None:
        """Hold units for a day, or from stock; the reference must agree whether there are enough."""
        name = f"r{next(self.numbers)}"
        day = None if ahead is None else self.paper.today + ahead
        by_ns = 0 if day is None else NOW + day * DAY
        command = Reserve(f"q-{name}", name, (("fig", quantity),), HOLD_NS, promise_by_ns=by_ns)
        granted = self.do(command).status == ReserveStatus.HELD
        assert granted == self.paper.reserve(name, quantity, day)
        if granted and commits:
            self.do(Commit(f"c-{name}", name))
            self.paper.orders[name].held = False

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        """Give some units back."""
        name = data.draw(st.sampled_from(self.live()))
        order = self.paper.orders[name]
        units = data.draw(st.integers(1, order.stock + order.waiting))
        self.do(Release(f"x{next(self.numbers)}", name, (("fig", units),)))
        self.paper.release(name, units)

    @precondition(lambda self: self.shippable())
    @rule(data=st.data())
    def ship(self, data: st.DataObject) -> None:
        """All of an order that is in stock leaves."""
        name = data.draw(st.sampled_from(self.shippable()))
        self.do(Fulfil(f"f{next(self.numbers)}", name))
        self.paper.ship(name)

    @precondition(lambda self: self.paper.today < LAST_DAY - 20)
    @rule(passed=st.integers(1, 4))
    def sleep(self, passed: int) -> None:
        """Days pass: holds expire, and supply that did not come is overdue."""
        self.paper.sleep(passed)
        self.note(self.ledger.tick(self.now_ns))
        self.quiet = True

    @invariant()
    def agrees(self) -> None:
        """Every reservation has in stock and waiting what the reference says; so do the totals and all promises."""
        if not len(self.ledger.stock):
            return
        for name, order in self.paper.orders.items():
            found = self.ledger.reservations.by_id.get(name)
            if found is None:  # it ended more than a day ago
                assert order.stock + order.waiting == 0
                continue
            assert (found.stock_of("fig"), found.waiting_of("fig")) == (order.stock, order.waiting), name
        view = stock(self.ledger, "fig")
        assert view.on_hand == self.paper.on_hand
        assert view.incoming == sum(row.open for row in self.paper.supplies.values())
        supply, waiting = self.ledger.supply.steps(0), self.ledger.waiting.steps(0)
        for day in range(self.paper.today, self.paper.today + 10):
            least = least_projection(supply, waiting, NOW + day * DAY, self.now_ns, NOW + LAST_DAY * DAY)
            assert self.ledger.stock.free(0) + least == self.paper.promised(day)

    @invariant()
    def is_sound(self) -> None:
        """Counters agree with the reservations."""
        self.ledger.check_invariants()

    @invariant()
    def broken_promises_are_told(self) -> None:
        """What was told to be missing is at least what is; it is 0 as soon as nothing is.

        That a late promise is kept after all by what was expected for a later day is told when stock moves next.
        """
        missing = self.paper.missing()
        assert self.told >= missing
        assert missing or self.quiet or not self.told

    def live(self) -> list[str]:
        """Orders with open units."""
        return [name for name, order in self.paper.orders.items() if order.stock + order.waiting]

    def shippable(self) -> list[str]:
        """Committed orders with units in stock that are really there."""
        orders = self.paper.orders.items()
        return [name for name, order in orders if not order.held and 0 < order.stock <= self.paper.on_hand]

    def teardown(self) -> None:
        """A replay of the journal, and a restored snapshot, are the same as the ledger that lived through it."""
        replayed = StockLedger("here")
        for version, events in enumerate(self.journal, 1):
            replayed.replay(version, events)
        assert replayed.snapshot() == self.ledger.snapshot()
        restored = StockLedger.restore(self.ledger.snapshot())
        assert restored.snapshot() == self.ledger.snapshot()
        later_ns = self.now_ns + 40 * DAY
        assert without_cause(restored.tick(later_ns)) == without_cause(self.ledger.tick(later_ns))


def without_cause(events: list[Event]) -> list[Event]:
    """Events without the supplies that they name: a restored ledger finds those late again that were late before."""
    return [event._replace(supply="") if isinstance(event, SupplyShort) else event for event in events]


TestPromises = Promises.TestCase

plans = st.lists(st.tuples(quantities, st.integers(1, 6)), min_size=1, max_size=4)
"""Quantity and day of supplies."""
wishes = st.lists(st.tuples(quantities, st.integers(0, 9)), max_size=12)
"""Quantity and promise day of reserves."""


@given(plans, wishes, st.data())
def test_promises_are_kept_when_supply_comes_as_announced(
    supplies: list[tuple[int, int]], asked: list[tuple[int, int]], data: st.DataObject
) -> None:
    """In pieces, and up to the last moment: every unit promised is in stock by its date, and nothing is short."""
    ledger = StockLedger("here")
    told: list[Event] = []

    def do(command: Any, now_ns: int) -> Any:  # noqa: ANN401  # any command, any result
        result, events = ledger.execute(command, now_ns)
        told.extend(events)
        return result

    for n, (quantity, day) in enumerate(supplies):
        do(movement(MovementType.SUPPLY, "fig", quantity, supply=f"po-{n}", expect_ns=NOW + day * DAY), NOW)
    for n, (quantity, day) in enumerate(asked):
        command = Reserve(f"q{n}", f"r{n}", (("fig", quantity),), HOLD_NS, promise_by_ns=NOW + day * DAY)
        if do(command, NOW).status == ReserveStatus.HELD:
            do(Commit(f"c{n}", f"r{n}"), NOW)
    for day in range(10):
        coming = [(n, quantity) for n, (quantity, on_day) in enumerate(supplies) if on_day == day]
        first = {n: data.draw(st.integers(0, quantity)) for n, quantity in coming}
        for pieces, early_ns in ((first, HOUR), ({n: quantity - first[n] for n, quantity in coming}, 0)):
            for n, piece in pieces.items():
                if piece:
                    do(receipt("fig", piece, supply=f"po-{n}"), NOW + day * DAY - early_ns)
        due = [r for r in ledger.reservations.by_id.values() if r.promise_by_ns <= NOW + day * DAY]
        assert not any(reservation.waiting for reservation in due)
    assert ledger.tick(NOW + 20 * DAY + S) == []
    assert not any(isinstance(event, SupplyShort) for event in told)
    assert not any(reservation.waiting for reservation in ledger.reservations.by_id.values())
