"""Short words for the tests of the protocol: locations that speak to each other at once, unless a message is lost."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias

from allocator.core.codec import pack_events, unpack_events
from allocator.core.commands import Commit, Extend, Fulfil, GetReservation, GetStock, Lines, Policy, Release
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.protocol.answers import OpenResult
from allocator.core.protocol.coordinator import Concluded, Holds, Terms, Wanted, carry, settle
from allocator.core.protocol.errands import Errands, carried
from allocator.core.protocol.headers import Header
from allocator.core.protocol.types import Amend, Open
from allocator.core.reservation import Reservation
from allocator.core.results import ReservationPage, ReservationView, StockPage, StockView, TransitionResult
from tests.unit.core.helpers import EVERYTHING, HOUR, NOW, TTL, S, receipt

HOME, THERE = "leeds", "york"
NAME = "home-q1"
TERMS = Terms(NAME, HOME, TTL, "web", "o1")
LATER = NOW + S
Spoken: TypeAlias = Any
"""A command, message or answer: each test knows which."""
Given: TypeAlias = Any
"""Some field of an Open."""
Lost = Callable[[str, Spoken], bool]
"""Whether a message to a location is lost."""
BOTH: tuple[Wanted, ...] = (Wanted(HOME, (("apple", 2),)), Wanted(THERE, (("apple", 1), ("fig", 2))))


class Locations:
    """Ledgers by location, with journals, and the one clock they share."""

    def __init__(self, limits: LedgerLimits = EVERYTHING, **stock: dict[str, int]) -> None:
        self.now_ns = NOW
        self.lost: Lost = lambda _location, _message: False
        self.ledgers = {name: StockLedger(name, limits) for name in stock}
        self.journals: dict[str, list[bytes]] = {name: [] for name in stock}
        self.errands = {name: Errands() for name in stock}
        self.said: list[tuple[str, Any]] = []
        for name, skus in stock.items():
            for sku, quantity in skus.items():
                self.say(name, receipt(sku, quantity, occurred_ns=NOW - 24 * HOUR))
        self.said.clear()

    def say(self, location: str, message: Spoken) -> Spoken:
        """Have a ledger execute a command or message; None when it was lost."""
        self.said.append((location, message))
        if self.lost(location, message):
            return None
        ledger = self.ledgers[location]
        result, events = ledger.execute(message, self.now_ns)
        self.keep(location, events)
        return result

    def keep(self, location: str, events: Sequence[Any]) -> None:
        """Journal what happened at a location."""
        if events:
            self.journals[location].append(pack_events(events))
            self.ledgers[location].close_batch()

    def converse(self, conversation: Generator[Any, Any, Any]) -> Spoken:
        """Have a conversation to its end."""
        answers = None
        while True:
            try:
                calls = conversation.send(answers)
            except StopIteration as end:
                return end.value
            answers = [self.say(location, command) for location, command in calls]

    def decide(self, command: Spoken) -> TransitionResult:
        """Have the home decide, and carry what it owes."""
        result: TransitionResult = self.say(HOME, command)
        self.spread(result)
        return result

    def spread(self, result: Spoken) -> None:
        """Carry what a decision owes, and confirm it."""
        for confirm in self.converse(carry(result.owed)):
            self.say(HOME, confirm)

    def run_errands(self, location: str) -> int:
        """Carry what a location has to say now; how much that was."""
        due = self.errands[location].due(self.ledgers[location], self.now_ns)
        for errand in due:
            answer = self.say(errand.location, errand.message)
            for command in carried(errand, answer):
                self.say(location, command)
        return len(due)

    def wait(self, seconds: float) -> None:
        """Let time pass everywhere: what is due ends."""
        self.now_ns += round(seconds * S)
        for location, ledger in self.ledgers.items():
            self.keep(location, ledger.tick(self.now_ns))

    def stock(self, location: str, sku: str) -> StockView:
        """Every component of a SKU at a location."""
        page = self.ledgers[location].query(GetStock((sku,)))
        assert isinstance(page, StockPage)
        return page.rows[0]

    def part(self, location: str, number: int | None = None) -> Reservation:
        """The (only, or last) part at a location."""
        parts = [r for r in self.ledgers[location].reservations.by_id.values() if r.home]
        return parts[-1 if number is None else number]

    def header(self, name: str = NAME) -> Header:
        """The header at the home."""
        return self.ledgers[HOME].headers.by_id[name]

    def restart(self, location: str) -> None:
        """Recover a location from a snapshot; its errands are forgotten."""
        self.ledgers[location] = StockLedger.restore(self.ledgers[location].snapshot())
        self.errands[location] = Errands()

    def check(self) -> None:
        """Counters add up, and a replay and a snapshot give the same bytes."""
        for location, ledger in self.ledgers.items():
            ledger.check_invariants()
            replayed = StockLedger(location, ledger.limits)
            for version, entry in enumerate(self.journals[location], start=1):
                replayed.replay(version, unpack_events(entry))
            assert replayed.snapshot() == ledger.snapshot()
            assert StockLedger.restore(ledger.snapshot()).snapshot() == ledger.snapshot()


def two(limits: LedgerLimits = EVERYTHING) -> Locations:
    """A home and another location, with stock."""
    return Locations(limits, leeds={"apple": 5, "fig": 1}, york={"apple": 5, "fig": 5})


def reserve(
    at: Locations, *plans: Sequence[Wanted], terms: Terms = TERMS, attempt: str = "t", **given: Given
) -> Concluded:
    """Hold by the first plan that can be held, and open it."""

    def conclude(holds: Holds | None) -> Open:
        parts = holds.parts if holds else ()
        return Open("q1", terms.reservation, parts, terms.ttl_ns, "web", "o1", **given)

    chosen = plans or (BOTH,)
    plan = lambda refused: chosen[len(refused)] if len(refused) < len(chosen) else ()  # noqa: E731  # one line says it
    concluded: Concluded = at.converse(settle(terms, plan, conclude, attempt))
    return concluded


def opened(**given: Given) -> Locations:
    """Two locations that hold both parts of a reservation."""
    at = two()
    result = reserve(at, **given).result
    assert isinstance(result, OpenResult)
    assert len(result.parts) == len(BOTH)
    return at


def committed(**given: Given) -> Locations:
    """The same, committed, and both parts have followed."""
    at = opened(**given)
    at.decide(Commit("c1", NAME))
    return at


def amend(at: Locations, command: Amend, *wanted: Wanted, attempt: str = "a") -> Concluded:
    """Take units out of parts, and hold others in their place."""
    concluded: Concluded = at.converse(
        settle(
            TERMS._replace(reservation=command.reservation),
            lambda refused: () if refused else wanted,
            lambda holds: command._replace(parts=holds.parts) if holds else command,
            attempt,
        )
    )
    return concluded


def view(at: Locations, name: str = NAME) -> ReservationView:
    """The reservation as callers see it."""
    page = at.ledgers[HOME].query(GetReservation(name))
    assert isinstance(page, ReservationPage)
    return page.rows[0]


def commit(request_id: str = "c1") -> Commit:
    """Commit it."""
    return Commit(request_id, NAME)


def extend(request_id: str, ttl_ns: int) -> Extend:
    """Extend it."""
    return Extend(request_id, NAME, ttl_ns)


def release(request_id: str, *placed: tuple[str, int, str]) -> Release:
    """Release units where they say, or all of them."""
    return Release(request_id, NAME, placed=placed)


def fulfil(request_id: str, *placed: tuple[str, int, str]) -> Fulfil:
    """Fulfil units where they say, or all of them."""
    return Fulfil(request_id, NAME, placed=placed)


def partly(*wanted: tuple[str, Lines]) -> tuple[Terms, list[Wanted]]:
    """Terms that take what there is, and what is wanted."""
    return TERMS._replace(policy=Policy.PARTIAL), [Wanted(*want) for want in wanted]
