"""Headers of the reservations that a home decides on, what became of their parts, and who has to be told."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from allocator.core.protocol.types import OPENED, VOIDED_MAX, Done, Fate, Follow, Open, PartSpec
from allocator.core.results import ReservationLine, ReservationView, State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocator.core.commands import Lines
    from allocator.core.limits import LedgerLimits


FORGET_MAX: Final = 8
"""Ended headers looked at when one more is to be remembered."""


class Part:
    """Units of a reservation at one participant, as their home knows them.

    Attributes:
        done: SKU -> units by `Fate`.
        moved: SKU -> units of the fulfilled ones that left by movements of the participant.
        filled: SKU -> units that waited at first and are in stock now, as far as the participant told.
        seq: number of the newest state; `confirmed` the newest the participant has followed to.
        full: the location cannot pick any more in the part's capacity window.
    """

    __slots__ = ("confirmed", "done", "filled", "full", "hold", "lines", "location", "moved", "seq", "waiting")

    def __init__(self, spec: PartSpec, seq: int = OPENED, confirmed: int = OPENED) -> None:
        self.hold, self.location, self.lines, self.waiting = spec
        self.seq = seq
        self.confirmed = confirmed
        self.full = False
        self.done: dict[str, list[int]] = {}
        self.moved: dict[str, int] = {}
        self.filled: dict[str, int] = {}

    def open_lines(self) -> Lines:
        """Units still reserved, lines with any."""
        pairs = ((sku, units - sum(self.done.get(sku, ()))) for sku, units in self.lines)
        return tuple((sku, left) for sku, left in pairs if left)

    def waiting_of(self, sku: str) -> int:
        """Those of the open units of `sku` that wait for supply; rather too many, while news are under way."""
        waiting = next((units for name, units in self.waiting if name == sku), 0)
        if not waiting:
            return 0
        done = self.done.get(sku, (0, 0, 0, 0))
        left = waiting - self.filled.get(sku, 0) - done[Fate.RELEASED]  # a release takes waiting units first
        return max(0, min(left, self._granted(sku) - sum(done)))

    def finish(self, sku: str, units: int, fate: int) -> None:
        """Count `units` as not open any more."""
        self.done.setdefault(sku, [0, 0, 0, 0])[fate] += units

    def is_news(self, row: Done) -> bool:
        """Whether `tell` would change anything."""
        known = self.moved.get(row.sku, 0)
        return row.moved > known or (row.moved == known and self._is_over(row) and self._row(row.sku) != row)

    def tell(self, row: Done) -> None:
        """Take over what became of a SKU at its location, where movements took some of it.

        Once nothing is open there, that is how it ended, whatever was decided here meanwhile. Until then the units
        that left count on top of what was decided, and what cannot be any more gives way: the part follows up to
        here, has nothing open then, and tells how it ended.
        """
        if self._is_over(row):
            self.done[row.sku] = [row.fulfilled, row.released, row.lost, row.damaged]
        else:
            done = self.done.setdefault(row.sku, [0, 0, 0, 0])
            done[Fate.FULFILLED] += row.moved - self.moved.get(row.sku, 0)
            for fate in (Fate.RELEASED, Fate.LOST, Fate.DAMAGED, Fate.FULFILLED):
                over = sum(done) - self._granted(row.sku)
                done[fate] -= max(0, min(over, done[fate]))
        self.moved[row.sku] = row.moved

    def rows(self) -> tuple[Done, ...]:
        """What became of the units that are not open any more."""
        return tuple(self._row(sku) for sku in self.done)

    def _row(self, sku: str) -> Done:
        fulfilled, released, lost, damaged = self.done.get(sku, (0, 0, 0, 0))
        return Done(sku, fulfilled, released, lost, damaged, self.moved.get(sku, 0))

    def _is_over(self, row: Done) -> bool:
        return row.fulfilled + row.released + row.lost + row.damaged >= self._granted(row.sku)

    def _granted(self, sku: str) -> int:
        return next((units for name, units in self.lines if name == sku), 0)

    def spec(self) -> PartSpec:
        """The part as it was made."""
        return PartSpec(self.hold, self.location, self.lines, self.waiting)


class Header:
    """A reservation over several locations at its home; it keeps the command that made it, to answer a repeat."""

    __slots__ = (
        "command",
        "created_ns",
        "expires_ns",
        "parts",
        "pick_until_ns",
        "serial",
        "state",
        "updated_ns",
    )

    def __init__(self, command: Open, serial: int, at_ns: int) -> None:
        self.command = command
        self.serial = serial
        self.state: int = State.HELD
        self.created_ns = self.updated_ns = at_ns
        self.expires_ns = at_ns + command.ttl_ns
        self.pick_until_ns = command.pick_until_ns
        self.parts = {spec.hold: Part(spec) for spec in command.parts}

    @property
    def order(self) -> str:
        """The caller's order reference."""
        return self.command.order

    @property
    def id(self) -> str:
        """The reservation's id."""
        return self.command.reservation

    @property
    def live(self) -> bool:
        """Whether it still holds units."""
        return self.state <= State.COMMITTED

    @property
    def deadline_ns(self) -> int:
        """When it ends by itself, ns; 0 when it does not."""
        if self.state == State.HELD:
            return self.expires_ns
        return self.pick_until_ns if self.state == State.COMMITTED else 0

    def open_lines(self) -> tuple[tuple[str, str, int, str], ...]:
        """Units still reserved: (hold, SKU, units, location)."""
        parts = self.parts.values()
        return tuple((part.hold, sku, left, part.location) for part in parts for sku, left in part.open_lines())

    def stock_lines(self) -> tuple[tuple[str, str, int, str], ...]:
        """Those of the units still reserved that are held in stock, as `open_lines`."""
        rows = ((row, self.parts[row[0]].waiting_of(row[1])) for row in self.open_lines())
        return tuple((hold, sku, units - waits, at) for (hold, sku, units, at), waits in rows if units > waits)

    def fulfilled_units(self) -> int:
        """Units that left the building."""
        return sum(done[Fate.FULFILLED] for part in self.parts.values() for done in part.done.values())

    def follow(self, part: Part) -> Follow:
        """What `part` is to be told."""
        state = self.state
        if not part.open_lines():
            ended = any(units[Fate.FULFILLED] for units in part.done.values())
            state = State.FULFILLED if ended else max(State.RELEASED, state)
        expires_ns = self.expires_ns if state == State.HELD else 0
        return Follow(part.hold, part.seq, int(state), expires_ns, part.rows(), part.full, tuple(part.filled.items()))

    def view(self) -> ReservationView:
        """The reservation as callers see it."""
        lines = tuple(line for part in self.parts.values() for line in _lines(part))
        c = self.command
        return ReservationView(
            c.reservation,
            self.serial,
            self.state,
            c.channel,
            c.order,
            self.created_ns,
            self.updated_ns,
            self.expires_ns,
            lines,
            self.pick_until_ns,
        )

    def as_row(self) -> tuple[Any, ...]:
        """The header as plain values, for the snapshot."""
        parts = [
            (part.spec(), part.seq, part.confirmed, part.full, part.done, part.moved, part.filled)
            for part in self.parts.values()
        ]
        times = (self.created_ns, self.updated_ns, self.expires_ns, self.pick_until_ns)
        return (tuple(self.command), self.serial, self.state, times, parts)

    @classmethod
    def from_row(cls, command: Open, row: tuple[Any, ...]) -> Header:
        """The header that `as_row` described; `command` is decoded already."""
        _, serial, state, times, parts = row
        header = cls(command, serial, 0)
        header.state = state
        header.created_ns, header.updated_ns, header.expires_ns, header.pick_until_ns = times
        header.parts = {}
        for spec, seq, confirmed, full, done, moved, filled in parts:
            part = Part(PartSpec(*spec), seq, confirmed)
            part.full, part.done, part.moved = full, {sku: list(units) for sku, units in done.items()}, dict(moved)
            part.filled = dict(filled)
            header.parts[part.hold] = part
        return header


class HeaderBook:
    """Headers by id, live ones also by deadline, and the parts that have not followed yet.

    Attributes:
        owing: hold -> reservation of parts whose newest state is not confirmed, oldest first.
        voided: holds that were given up before a header named them -> when, ns.
    """

    __slots__ = ("by_id", "closed", "limits", "live_count", "owing", "queue", "voided")

    def __init__(self, limits: LedgerLimits) -> None:
        self.limits = limits
        self.by_id: dict[str, Header] = {}
        self.queue: list[tuple[int, str]] = []
        self.closed: deque[tuple[int, str]] = deque()
        self.owing: dict[str, str] = {}
        self.voided: dict[str, int] = {}
        self.live_count = 0

    def add(self, header: Header) -> None:
        """Take in a new or restored header."""
        self.by_id[header.id] = header
        self.live_count += header.live
        self.await_deadline(header)
        for part in header.parts.values():
            if part.confirmed < part.seq:
                self.owing[part.hold] = header.id

    def await_deadline(self, header: Header) -> None:
        """Queue the end that a header comes to by itself; entries it does not come to any more stay until due."""
        if header.deadline_ns:
            heapq.heappush(self.queue, (header.deadline_ns, header.id))
            if len(self.queue) > 2 * self.live_count + 64:
                self.queue = [entry for entry in self.queue if self._is_current(entry)]
                heapq.heapify(self.queue)

    def next_deadline_ns(self) -> int | None:
        """When the next header ends by itself, ns; None when none does."""
        while self.queue and not self._is_current(self.queue[0]):
            heapq.heappop(self.queue)
        return self.queue[0][0] if self.queue else None

    def due(self, now_ns: int) -> Header | None:
        """The header whose deadline passed first, if one has by `now_ns`."""
        next_ns = self.next_deadline_ns()
        return self.by_id[self.queue[0][1]] if next_ns is not None and next_ns <= now_ns else None

    def changed(self, header: Header, part: Part) -> None:
        """Note that `part` has something new to follow."""
        part.seq += 1
        self.owing[part.hold] = header.id

    def confirm(self, part: Part, seq: int) -> None:
        """Note that `part` has followed up to `seq`."""
        part.confirmed = seq
        if seq == part.seq:
            self.owing.pop(part.hold, None)

    def close(self, header: Header, state: int, at_ns: int) -> None:
        """End `header`."""
        header.state = state
        header.updated_ns = at_ns
        self.live_count -= 1
        self.closed.append((at_ns, header.id))

    def forget(self, at_ns: int) -> None:
        """Forget ended headers and voided parts that are too old or too many; never one that somebody may ask for.

        Such a one goes to the end of the queue, so that a location that is away keeps only its own headers here.
        """
        oldest_ns = at_ns - self.limits.closed_age_ns
        for _ in range(FORGET_MAX):
            if not self.closed or (len(self.closed) <= self.limits.closed_max and self.closed[0][0] >= oldest_ns):
                break
            _, key = self.closed.popleft()
            if any(hold in self.owing for hold in self.by_id[key].parts):
                self.closed.append((at_ns, key))
            else:
                del self.by_id[key]
        while self.voided:
            hold = next(iter(self.voided))
            if len(self.voided) <= VOIDED_MAX and self.voided[hold] >= oldest_ns:
                break
            del self.voided[hold]

    def owed(self) -> Iterator[tuple[str, Follow]]:
        """What participants are to be told: (location, message)."""
        for hold, reservation in self.owing.items():
            header = self.by_id[reservation]
            part = header.parts[hold]
            yield part.location, header.follow(part)

    def owed_by(self, header: Header) -> tuple[tuple[str, Follow], ...]:
        """What the participants of one header are to be told."""
        parts = header.parts.values()
        return tuple((part.location, header.follow(part)) for part in parts if part.confirmed < part.seq)

    def _is_current(self, entry: tuple[int, str]) -> bool:
        header = self.by_id.get(entry[1])
        return header is not None and header.live and header.deadline_ns == entry[0]


def _lines(part: Part) -> Iterator[ReservationLine]:
    for sku, units in part.lines:
        done = part.done.get(sku, (0, 0, 0, 0))
        fulfilled, back = done[Fate.FULFILLED], sum(done[Fate.RELEASED :])
        yield ReservationLine(sku, units, fulfilled, back, part.location, part.waiting_of(sku), part.hold)
