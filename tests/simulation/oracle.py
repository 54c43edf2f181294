"""The oracle: watches everything, knows nothing of how the core decides, and checks the invariants 1 to 11.

It reads what the disks have and what callers and readers are told; the events, messages and results are the only words
it shares with the core. `StockLedger` is asked for its bytes and for what it would tell anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocator.core import commands as c
from allocator.core import events as e
from allocator.core import results as r
from allocator.core.codec import unpack_batch
from allocator.core.ledger import StockLedger
from allocator.core.protocol import answers as a
from allocator.core.protocol import types as t
from tests.simulation.books import Books
from tests.simulation.history import Key, key_of
from tests.simulation.linear import Op, linearizable
from tests.simulation.verdict import Violation

if TYPE_CHECKING:
    from tests.simulation.cases import Part
    from tests.simulation.client import Call
    from tests.simulation.history import History
    from tests.simulation.node import Place
    from tests.simulation.shelves import Hold
    from tests.simulation.world import World


class Oracle:
    """Watches all locations and all callers."""

    def __init__(self, world: World, history: History, locations: list[str]) -> None:
        self._world = world
        self._history = history
        self.books = {location: Books(location) for location in locations}
        self.places: dict[str, Place] = {}
        self._epochs = dict.fromkeys(locations, 0)
        self._versions = dict.fromkeys(locations, 0)
        self._published = dict.fromkeys(locations, 0)
        self._answers: dict[str, Any] = {}
        self._compared: dict[str, tuple[int, int]] = {}
        self._ops: dict[tuple[str, str], list[tuple[Key | None, Op]]] = {}

    # --- what it is told

    def started(self, location: str, ledger: StockLedger, local_ns: int) -> None:
        """A process has recovered: to the bytes that living through all of it would have given."""
        self.books[location].healthy_since_ns = local_ns
        self._published[location] = ledger.version
        storage = self.places[location].storage
        if ledger.version != storage.head:
            raise Violation(3, f"{location}: recovered version {ledger.version} of {storage.head}")
        if self._relive(location).snapshot() != ledger.snapshot():
            raise Violation(10, f"{location}: what was recovered at version {ledger.version} differs from a replay")

    def executed(self, location: str, epoch: int, version: int) -> None:
        """A batch was executed in memory."""
        self._history.executed(location, epoch, version)

    def durable(self, location: str, epoch: int, version: int, payload: bytes) -> None:
        """A batch is on disk: judge its events."""
        if epoch < self._epochs[location]:
            raise Violation(8, f"{location}: epoch {epoch} wrote after epoch {self._epochs[location]}")
        if version != self._versions[location] + 1:
            raise Violation(7, f"{location}: version {version} follows {self._versions[location]}")
        self._epochs[location], self._versions[location] = epoch, version
        events: list[Any] = [event for event, _, _ in unpack_batch(payload)]
        for event in events:
            self._across(location, event)
            changes = self.books[location].take(event, events)
            self._remember(location, event, changes, (location, epoch, version))

    def published(self, location: str, epoch: int, version: int) -> None:
        """Readers were told of a version."""
        if version != self._published[location] + 1 or version > self.places[location].storage.head:
            raise Violation(7, f"{location}: version {version} of epoch {epoch} after {self._published[location]}")
        self._published[location] = version

    def replied(self, location: str, command: Any, result: Any) -> None:  # noqa: ANN401  # any
        """An answer is on its way: what it says must be on disk."""
        books = self.books[location]
        if isinstance(command, c.Movement):
            known = (command.source, command.movement_id) in books.movements
            if result.status != r.MovementStatus.REJECTED and not known:
                raise Violation(7, f"{location}: {result} was answered to {command}, which is not durable")
            return
        if isinstance(command, t.Follow):
            hold = books.holds.get(command.hold)
            if hold is not None and hold.home and hold.state < r.State.FULFILLED:
                self._check_followed(location, command)
        if _is_decision(result):
            fact = books.facts.get(command[0])
            if fact is None:
                raise Violation(7, f"{location}: {result} was answered to {command}, which is not durable")
            _compare_fact(location, fact, result)

    def _check_followed(self, location: str, command: t.Follow) -> None:
        """A part says that it has followed when it has."""
        if self.books[location].followed.get(command.hold, t.OPENED) < command.seq:
            raise Violation(7, f"{location}: {command} was answered, and is not durable")

    def idle(self, location: str, ledger: StockLedger) -> None:
        """All that a ledger did is durable: it must say what the books say, and hold no more than it may."""
        if self._compared.get(location) == (id(ledger), ledger.version):
            return
        self._compared[location] = id(ledger), ledger.version
        self._compare_stock(location, ledger)
        _check_bounds(location, ledger)

    def answered(self, call: Call, result: Any) -> None:  # noqa: ANN401  # any result
        """A caller was answered: as it was answered before."""
        if isinstance(result, r.Rejected):
            return
        essence = _essence(result)
        first = self._answers.setdefault(call.name, essence)
        if first != essence:
            raise Violation(4, f"{call.name} was answered {first} and then {essence}")

    # --- what it checks when everything has come to rest

    def check_rest(self) -> None:
        """Everything is healed, told and expired: locations agree, and nothing is left half done."""
        for location, place in self.places.items():
            assert place.process is not None
            self._compare_stock(location, place.process.ledger)
            place.process.ledger.check_invariants()
            if self._relive(location).snapshot() != place.process.ledger.snapshot():
                raise Violation(10, f"{location}: a replay differs from what was lived through")
        self._check_ends()
        self._check_cases()

    def check_lines(self) -> None:
        """What callers saw of each SKU at each location could have happened in some order."""
        for (location, sku), entries in self._ops.items():
            ops = [self._timed(key, op) for key, op in entries]
            if not linearizable(ops):
                story = "\n  ".join(map(str, ops))
                raise Violation(11, f"{sku} at {location}:\n  {story}")

    def _check_ends(self) -> None:
        for location, books in self.books.items():
            for name, hold in books.holds.items():
                if hold.state == r.State.HELD:
                    raise Violation(6, f"{location}: {name!r} is still held")
                if hold.home and hold.state < r.State.FULFILLED:
                    case = self.books[hold.home].cases.get(t.reservation_of(name))
                    if case is None or name not in case.parts:
                        raise Violation(5, f"{location}: {name!r} is committed, and {hold.home} knows nothing of it")

    def _check_cases(self) -> None:
        for home, books in self.books.items():
            for reservation, case in books.cases.items():
                if case.state == r.State.HELD:
                    raise Violation(6, f"{home}: {reservation!r} is still held")
                view = self._view(home, reservation)
                forgotten = view is None
                for line in view.lines if view is not None and case.state == r.State.COMMITTED else ():
                    self._check_waiting(reservation, line)
                for part in case.parts.values():
                    self._check_part(reservation, case.state, part, forgotten=forgotten)

    def _view(self, home: str, reservation: str) -> r.ReservationView | None:
        """What the home tells of a reservation; None when it has forgotten it."""
        process = self.places[home].process
        assert process is not None
        page = process.ledger.query(c.GetReservation(reservation))
        return page.rows[0] if isinstance(page, r.ReservationPage) else None

    def _check_waiting(self, reservation: str, line: r.ReservationLine) -> None:
        """A home knows which units still wait."""
        hold = self.books[line.location].holds[line.hold]
        if hold.state < r.State.FULFILLED and line.waiting != hold.waiting[line.sku]:
            detail = f"{line.waiting} of {line.sku} at home, {hold.waiting[line.sku]} at {line.location}"
            raise Violation(2, f"{reservation!r}: waiting are {detail}")

    def _check_part(self, reservation: str, state: int, part: Part, *, forgotten: bool) -> None:
        """A part and its home agree on every unit; a home that has forgotten an ended one is not told any more."""
        hold = self.books[part.location].holds.get(part.hold)
        if hold is None:
            raise Violation(5, f"{reservation!r}: {part.location} never held {part.hold!r}")
        if (hold.state < r.State.FULFILLED) != (part.is_open() and state == r.State.COMMITTED):
            names = r.State(hold.state).name, r.State(state).name
            raise Violation(
                5, f"{reservation!r}: {part.hold!r} is {names[0]} at {part.location}, and {names[1]} at home"
            )
        for sku in part.lines:
            here = tuple(units[sku] for units in (hold.fulfilled, *hold.back.values()))
            there = tuple(part.done[fate][sku] for fate in t.Fate)
            if here != there and not forgotten:
                detail = f"{sku} of {part.hold!r}: {here} at {part.location}, {there} at home"
                raise Violation(5, f"(fulfilled, released, lost, damaged) of {detail}")
            left = min(part.lines[sku] - sum(here[1:]), part.ordered[sku] + hold.moved[sku])
            if here[0] < left:
                raise Violation(
                    3, f"{reservation!r}: {left} of {sku} were told to have left {part.hold!r}: {here[0]} did"
                )

    # --- how

    def _relive(self, location: str) -> StockLedger:
        """A ledger that lived through all that is on the disk of a location, from the beginning."""
        place = self.places[location]
        ledger = StockLedger(location, place.settings.limits)
        for entry in place.storage.entries:
            ledger.replay(entry.version, [event for event, _, _ in unpack_batch(entry.payload)])
        return ledger

    def _compare_stock(self, location: str, ledger: StockLedger) -> None:
        books = self.books[location]
        page = ledger.query(c.ListStock(0, 100))
        assert isinstance(page, r.StockPage)
        for row in page.rows:
            shelf = books.shelf(row.sku)
            told = row.on_hand, sum(units for _, units in row.unsellable), row.held, row.committed
            states = (books.reserved(row.sku, state) for state in (r.State.HELD, r.State.COMMITTED))
            expected = shelf.on_hand, shelf.unsellable, *states
            waiting = sum(hold.waiting[row.sku] for hold in books.holds.values() if hold.state < r.State.FULFILLED)
            if row.waiting != waiting:
                raise Violation(2, f"{location}: {row.waiting} of {row.sku} wait, and {waiting} do by the reservations")
            if told != expected:
                raise Violation(
                    2, f"{location}: (on_hand, unsellable, held, committed) of {row.sku}: {told}, {expected}"
                )

    def _across(self, location: str, event: Any) -> None:  # noqa: ANN401  # any event
        """What one location did must fit what the others have on disk."""
        if isinstance(event, t.Followed):
            self._check_follow(location, event.command)
        elif isinstance(event, (t.Opened, t.Amended)):
            for part in event.command.parts:
                self._check_held(part, event)

    def _check_follow(self, location: str, command: t.Follow) -> None:
        """A part follows what its home decided, and nothing else."""
        hold = self.books[location].holds.get(command.hold)
        if hold is None:
            return
        home = self.books[hold.home]
        case = home.cases.get(t.reservation_of(command.hold))
        named = case is not None and command.hold in case.parts
        if command.seq in (t.DROPPED, t.VOID):
            unknown = command.seq == t.VOID and command.hold not in home.voided
            if (named and hold.state < r.State.FULFILLED) or unknown:
                raise Violation(5, f"{location}: {command.hold!r} was given up, and {hold.home} has it")
            return
        rows = tuple(sorted(tuple(row)[:5] for row in command.done if any(row[1:5])))
        live = command.state in (r.State.HELD, r.State.COMMITTED)
        said = (r.State(command.state).name if live else "ENDED", rows)
        if case is None or said not in case.said.get(command.hold, ()):
            raise Violation(5, f"{location}: {command.hold!r} follows {said}, which {hold.home} never decided")

    def _check_held(self, part: t.PartSpec, event: Any) -> None:  # noqa: ANN401
        """A case is made over parts that are held, or left by a shipment that the home will be told of."""
        hold: Hold | None = self.books[part.location].holds.get(part.hold)
        if hold is None or any(hold.open(sku) + hold.moved[sku] < units for sku, units in part.lines):
            raise Violation(5, f"{part.hold!r} is not held at {part.location}: {event}")

    def _remember(self, location: str, event: Any, changes: dict[str, int], batch: tuple[str, int, int]) -> None:  # noqa: ANN401
        """Enter an event into the history of each SKU it touched or told of."""
        least, seen = _told(event)
        command = getattr(event, "command", getattr(event, "movement", None))
        key = key_of(location, command) if command is not None else None
        start_ns = self._history.first_call_ns.get(key) if key is not None else None
        if start_ns is None:
            key, start_ns = None, self._history.executed_ns[batch]
        for sku in {**changes, **least, **seen}:
            op = Op(start_ns, self._world.now_ns, changes.get(sku, 0), least.get(sku), seen.get(sku), event)
            self._ops.setdefault((location, sku), []).append((key, op))

    def _timed(self, key: Key | None, op: Op) -> Op:
        """The operation, over when its first answer came."""
        end_ns = self._history.first_answer_ns.get(key, op.end_ns) if key is not None else op.end_ns
        return op._replace(end_ns=max(end_ns, op.end_ns))


def _told(event: Any) -> tuple[dict[str, int], dict[str, int]]:  # noqa: ANN401  # any event
    """What an answer says of the units available: SKU -> at least, SKU -> exactly (floored at 0)."""
    if isinstance(event, e.Reserved) and event.command.promise_by_ns:
        return {sku: units for sku, units in event.granted if sku not in dict(event.waiting)}, {}
    if isinstance(event, e.Refused) and isinstance(event.command, c.Reserve) and event.command.promise_by_ns:
        return {}, {}
    if isinstance(event, e.Reserved):
        asked = dict(c.merge_lines(event.command.lines))
        granted = dict(event.granted) or asked
        return granted, {sku: granted.get(sku, 0) for sku, units in asked.items() if granted.get(sku, 0) < units}
    if isinstance(event, e.Refused) and isinstance(event.result, r.ReserveResult):
        return {}, {line.sku: line.available for line in event.result.lines}
    return {}, {}


def _is_decision(result: Any) -> bool:  # noqa: ANN401  # any result
    if isinstance(result, a.OpenResult):
        return result.status != a.OpenStatus.VOID
    return isinstance(result, (r.ReserveResult, r.TransitionResult, r.CountResult, r.Done, a.AmendResult))


def _compare_fact(location: str, fact: Any, result: Any) -> None:  # noqa: ANN401
    """An answer says what the event says."""
    granted = isinstance(fact, e.Reserved)
    if isinstance(result, r.ReserveResult) and granted != (result.status <= r.ReserveStatus.PARTIALLY_HELD):
        raise Violation(3, f"{location}: {result} was answered, and {fact} is on disk")
    if isinstance(result, (r.ReserveResult, a.OpenResult)) and result.expires_ns:
        expires_ns = fact.at_ns + fact.command.ttl_ns
        if result.expires_ns != expires_ns:
            raise Violation(6, f"{location}: {result} was answered, and it ends at {expires_ns}")
    done = not isinstance(fact, e.Refused)
    if isinstance(result, r.TransitionResult) and done != (result.status == r.TransitionStatus.DONE):
        raise Violation(3, f"{location}: {result} was answered, and {fact} is on disk")


def _essence(result: Any) -> Any:  # noqa: ANN401
    """An answer without what may differ in a repeat: the view of now, and what is still owed."""
    for name, value in (
        ("repeated", False),
        ("view", None),
        ("owed", ()),
        ("shortage", None),
        ("on_hand", 0),
        ("supply_shortages", ()),
    ):
        if name in result._fields:
            result = result._replace(**{name: value})
    if isinstance(result, r.MovementResult):  # the second time it is a duplicate
        return result.sku
    return type(result).__name__, result


def _check_bounds(location: str, ledger: StockLedger) -> None:
    """Every table is within its named maximum."""
    limits = ledger.limits
    sizes = (
        ("requests", len(ledger.requests.by_id), limits.requests_max),
        ("closed", len(ledger.reservations.closed), limits.closed_max),
        ("live", ledger.reservations.live_count, limits.reservations_max),
        ("ended headers", len(ledger.headers.closed) - len(ledger.headers.owing), limits.closed_max + 8),
        ("voided", len(ledger.headers.voided), t.VOIDED_MAX),
        ("expiry queue", len(ledger.reservations.queue), 2 * limits.reservations_max + 64),
    )
    for name, size, most in sizes:
        if size > most:
            raise Violation(9, f"{location}: {size} {name}, and {most} are the most there may be")
