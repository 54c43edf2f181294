"""The oracle's own books of one location, kept from what its disk has; written apart from the core.

They know the vocabulary of events, and nothing of how a ledger decides. What a ledger says of itself is compared with
them, and each event is judged when it comes: units are granted only from what is available, given back only when they
are open, and counted once.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from allocator.core import commands as c
from allocator.core import events as e
from allocator.core.protocol import types as t
from allocator.core.results import State
from tests.simulation.cases import Case
from tests.simulation.shelves import ENDED, Hold, Shelf
from tests.simulation.verdict import Violation

_SIGN = {
    c.MovementType.RECEIPT: 1,
    c.MovementType.RETURN: 1,
    c.MovementType.SALE: -1,
    c.MovementType.SHIPMENT: -1,
}


class Books:
    """What one location must look like.

    Attributes:
        cases: reservations over several locations whose home is here.
        facts: request id -> the event that answered it.
        voided: parts that were given up because no case named them.
        followed: part -> the newest word of its home that it has followed.
        healthy_since_ns: when the location's process came up, by its clock.
    """

    def __init__(self, location: str) -> None:
        self.location = location
        self.shelves: dict[str, Shelf] = {}
        self.holds: dict[str, Hold] = {}
        self.cases: dict[str, Case] = {}
        self.voided: set[str] = set()
        self.followed: dict[str, int] = {}
        self.facts: dict[str, Any] = {}
        self.movements: set[tuple[str, str]] = set()
        self.clock_ns = 0
        self.healthy_since_ns = 0
        self._shortages: set[str] = set()

    def shelf(self, sku: str) -> Shelf:
        """The books of one SKU."""
        found = self.shelves.get(sku)
        if found is None:
            found = self.shelves[sku] = Shelf()
        return found

    def reserved(self, sku: str, state: int | None = None) -> int:
        """Units of `sku` that live holds have in stock (those in `state`, if given)."""
        live = (hold for hold in self.holds.values() if hold.state < ENDED)
        return sum(hold.in_stock(sku) for hold in live if state in (None, hold.state))

    def free(self, sku: str) -> int:
        """Units that may be promised; negative after a shortage."""
        shelf = self.shelf(sku)
        return shelf.on_hand - shelf.unsellable - shelf.safety_stock - self.reserved(sku)

    def take(self, event: Any, batch: list[Any]) -> dict[str, int]:  # noqa: ANN401  # any event
        """Judge one event of a durable batch, enter it, and return by how much `free` changed, by SKU."""
        self._shortages = {other.sku for other in batch if isinstance(other, e.ShortageFound)}
        if event.at_ns < self.clock_ns:
            raise Violation(10, f"{self.location}: time went back in {event}")
        self.clock_ns = event.at_ns
        self._once(event)
        before = {sku: self.free(sku) for sku in self.shelves}
        enter = _ENTER.get(type(event))
        if enter is not None:
            enter(self, event)
        return {sku: change for sku in self.shelves if (change := self.free(sku) - before.get(sku, 0))}

    def _once(self, event: Any) -> None:  # noqa: ANN401
        """The same request id never acts twice."""
        if isinstance(event, e.Remembered):
            request_id = event.command[0]
            if request_id in self.facts:
                raise Violation(4, f"{self.location}: {request_id!r} acted twice: {self.facts[request_id]} and {event}")
            self.facts[request_id] = event

    def _hold(self, name: str, event: Any) -> Hold:  # noqa: ANN401
        hold = self.holds.get(name)
        if hold is None or hold.state >= ENDED:
            raise Violation(5, f"{self.location}: {name!r} is not live for {event}")
        return hold

    def reserve(self, event: e.Reserved) -> None:
        """Units are held, and no more than there are."""
        lines = event.granted or c.merge_lines(event.command.lines)
        waiting = dict(event.waiting)
        for sku, units in lines:
            if not 0 <= units - waiting.get(sku, 0) <= max(0, self.free(sku)):
                raise Violation(1, f"{self.location}: {units} of {sku} granted of {self.free(sku)}: {event}")
        if event.command.reservation in self.holds or event.command.reservation in self.cases:
            raise Violation(4, f"{self.location}: {event.command.reservation!r} was made twice")
        hold = self.holds[event.command.reservation] = Hold(event.command, lines, event.at_ns)
        hold.waiting.update(waiting)

    def commit(self, event: e.Committed) -> None:
        """A hold does not expire any more."""
        self._hold(event.command.reservation, event).state = State.COMMITTED

    def extend(self, event: e.Extended) -> None:
        """A hold expires later, or sooner."""
        self._hold(event.command.reservation, event).expires_ns = event.at_ns + event.command.ttl_ns

    def release(self, event: e.Released) -> None:
        """Units go back."""
        hold = self._hold(event.command.reservation, event)
        self._give_back(hold, event.lines, "released", event)
        hold.close_if_done(State.RELEASED)

    def expire(self, event: e.Expired) -> None:
        """A hold, or a case, ends: not before its time, and not long after."""
        case = self.cases.get(event.reservation)
        expires_ns = case.expires_ns if case is not None else self._hold(event.reservation, event).expires_ns
        if event.at_ns < expires_ns:
            raise Violation(6, f"{self.location}: {event.reservation!r} was cut short by {expires_ns - event.at_ns} ns")
        late_ns = event.at_ns - max(expires_ns, self.healthy_since_ns)
        if late_ns > LATE_MAX_NS:
            raise Violation(6, f"{self.location}: {event.reservation!r} outlived its expiry by {late_ns} ns")
        if case is not None:
            case.expire(event)
            return
        hold = self.holds[event.reservation]
        if hold.home or hold.state != State.HELD:
            raise Violation(6, f"{self.location}: {event.reservation!r} must not expire by itself")
        self._give_back(hold, event.lines, "released", event)
        hold.close_if_done(State.EXPIRED)

    def fulfil(self, event: e.Fulfilled) -> None:
        """Units leave."""
        hold = self._hold(event.command.reservation, event)
        if hold.state != State.COMMITTED:
            raise Violation(5, f"{self.location}: {event.command.reservation!r} was fulfilled before it was committed")
        self._leave(hold, event.lines, event)
        hold.close_if_done(State.RELEASED)

    def move(self, event: e.Moved) -> None:
        """A physical fact, once."""
        told = event.movement
        if (told.source, told.movement_id) in self.movements:
            raise Violation(4, f"{self.location}: movement {told.movement_id!r} counted twice")
        self.movements.add((told.source, told.movement_id))
        shelf = self.shelf(told.sku)
        before = self._missing(told.sku)
        if told.disposition:
            shelf.dispositions[told.disposition] += told.quantity
        expected = _SIGN.get(c.MovementType(told.type), 0) * told.quantity
        if event.delta != expected:
            raise Violation(2, f"{self.location}: {told} changed on_hand by {event.delta}, not {expected}")
        if event.delta:
            shelf.change(event.delta, event.at_ns)
        if event.fulfilled:
            self._serve(event)
        self._short(told.sku, before, event)

    def _serve(self, event: e.Moved) -> None:
        """Units of a movement fulfil a reservation, or a part of one."""
        told = event.movement
        for name, hold in self.holds.items():
            named = name == told.reservation or t.reservation_of(name) == told.reservation
            if named and hold.state < ENDED and hold.open(told.sku) >= event.fulfilled:
                hold.leave(told.sku, event.fulfilled)
                hold.moved[told.sku] += event.fulfilled
                hold.close_if_done(State.RELEASED)
                return
        raise Violation(2, f"{self.location}: nothing is open for {event}")

    def count(self, event: e.Counted) -> None:
        """What was counted, and what happened since on top."""
        as_of_ns = min(event.command.as_of_ns, event.at_ns)
        for line in event.result.lines:
            shelf = self.shelf(line.sku)
            before = self._missing(line.sku)
            expected = line.counted + sum(units for at_ns, units in shelf.deltas if at_ns > as_of_ns)
            if (line.before, line.after) != (shelf.on_hand, expected):
                raise Violation(2, f"{self.location}: {event}, but {shelf.on_hand} -> {expected}")
            if line.after != line.before:
                shelf.change(line.after - line.before, as_of_ns)
            self._short(line.sku, before, event)

    def fill(self, event: e.Filled) -> None:
        """Units that waited are in stock: no more than are free, and only for who waits."""
        for name, units in event.parts:
            hold = self._hold(name, event)
            if not 0 < units <= min(self.free(event.sku), hold.waiting[event.sku]):
                raise Violation(1, f"{self.location}: {self.free(event.sku)} of {event.sku} are free for {event}")
            hold.waiting[event.sku] -= units

    def protect(self, event: e.PolicySet) -> None:
        """Safety stock."""
        for line in event.command.lines:
            if line.safety_stock is not None:
                self.shelf(line.sku).safety_stock = line.safety_stock

    def follow(self, event: t.Followed) -> None:
        """A part does what its home decided; what that may be, the oracle checks with the home's case."""
        command = event.command
        self.followed[command.hold] = max(command.seq, self.followed.get(command.hold, command.seq))
        hold = self.holds.get(command.hold)
        if hold is None or hold.state >= ENDED:
            return
        if command.state == State.COMMITTED:
            hold.state = State.COMMITTED
        self._leave(hold, event.fulfilled, event)
        declined = Counter(dict(event.lost)) + Counter(dict(event.damaged))
        if any(units > hold.in_stock(sku) for sku, units in declined.items()):
            raise Violation(1, f"{self.location}: more is declined than was there, by {event}")
        for fate in hold.back:
            self._give_back(hold, getattr(event, fate), fate, event)
        for sku, lost, damaged in event.missed:  # they only waited: nothing to correct, and declined all the same
            hold.back["released"][sku] -= lost + damaged
            hold.back["lost"][sku] += lost
            hold.back["damaged"][sku] += damaged
        for sku, units in event.lost:
            self.shelf(sku).change(-units, event.at_ns)
        for sku, units in event.damaged:
            self.shelf(sku).dispositions["damaged"] += units
        hold.close_if_done(max(State.RELEASED, command.state))

    def open(self, event: t.Opened) -> None:
        """A case begins, over parts that nobody gave up."""
        if event.command.parts:
            self._not_given_up(event.command.parts, event)
            self.cases[event.command.reservation] = Case(event.command, event.at_ns)

    def amend(self, event: t.Amended) -> None:
        """A case changes; a plain reservation becomes one."""
        command = event.command
        if not (command.moves or command.parts or command.full):
            return
        self._not_given_up(command.parts, event)
        case = self.cases.get(command.reservation)
        if case is None:
            case = self.cases[command.reservation] = self._as_case(command.reservation, event)
        case.amend(event)

    def decide(self, event: t.Decided) -> None:
        """A home decided."""
        self.cases[event.command[1]].decide(event)

    def miss(self, event: t.PickupMissed) -> None:
        """A pickup window ended."""
        self.cases[event.reservation].miss(event)

    def tell(self, event: t.Told) -> None:
        """A part told what left."""
        self.cases[event.reservation].told(event)

    def void(self, event: t.Voided) -> None:
        """A part is given up that no case names, or none that is remembered: one that ended long ago."""
        case = self.cases.get(t.reservation_of(event.hold))
        if case is not None and event.hold in case.parts and case.state < ENDED:
            raise Violation(5, f"{self.location}: {event.hold!r} has a case and is void")
        self.voided.add(event.hold)

    def _not_given_up(self, parts: tuple[t.PartSpec, ...], event: Any) -> None:  # noqa: ANN401
        for part in parts:
            if part.hold in self.voided:
                raise Violation(5, f"{self.location}: {part.hold!r} is void, and named by {event}")

    def _as_case(self, reservation: str, event: t.Amended) -> Case:
        hold = self._hold(reservation, event)
        spec = t.PartSpec(reservation, self.location, tuple(hold.lines.items()))
        case = Case(t.Open("", reservation, (spec,), 0), event.at_ns)
        case.state, case.expires_ns = hold.state, hold.expires_ns
        for sku in hold.lines:
            case.parts[reservation].add(sku, t.Fate.FULFILLED, hold.fulfilled[sku])
            case.parts[reservation].add(sku, t.Fate.RELEASED, hold.back["released"][sku])
        hold.home, hold.moved = self.location, Counter()
        case.note()
        return case

    def _give_back(self, hold: Hold, lines: c.Lines, fate: str, event: Any) -> None:  # noqa: ANN401
        for sku, units in lines:
            if not 0 < units <= hold.open(sku):
                raise Violation(2, f"{self.location}: {units} of {sku} given back of {hold.open(sku)} open: {event}")
            hold.give_back(sku, units, fate)

    def _leave(self, hold: Hold, lines: c.Lines, event: Any) -> None:  # noqa: ANN401
        for sku, units in lines:
            if not 0 < units <= hold.open(sku):
                raise Violation(2, f"{self.location}: {units} of {sku} left of {hold.open(sku)} open: {event}")
            hold.leave(sku, units)
            self.shelf(sku).change(-units, event.at_ns)

    def _missing(self, sku: str) -> int:
        shelf = self.shelf(sku)
        return self.reserved(sku) - shelf.on_hand + shelf.unsellable

    def _short(self, sku: str, before: int, event: Any) -> None:  # noqa: ANN401
        """Only a physical fact can leave less than is promised, and then it says so."""
        missing = self._missing(sku)
        if missing > max(0, before) and self.reserved(sku) and sku not in self._shortages:
            raise Violation(1, f"{self.location}: {missing} of {sku} are missing, and nobody was told: {event}")


LATE_MAX_NS = 1_500_000_000
"""How late a hold may end at a location that is up: the ledger looks at least once a second."""

_ENTER: dict[type, Any] = {
    e.Reserved: Books.reserve,
    e.Committed: Books.commit,
    e.Extended: Books.extend,
    e.Released: Books.release,
    e.Released: Books.release,
    e.Expired: Books.expire,
    e.Fulfilled: Books.fulfil,
    e.Moved: Books.move,
    e.Counted: Books.count,
    e.PolicySet: Books.protect,
    e.Filled: Books.fill,
    t.Followed: Books.follow,
    t.Opened: Books.open,
    t.Amended: Books.amend,
    t.Decided: Books.decide,
    t.PickupMissed: Books.miss,
    t.Told: Books.tell,
    t.Voided: Books.void,
}
