"""The oracle's own record of a reservation over several locations, kept from what its home has on disk."""

from __future__ import annotations

from collections import Counter
from typing import Any

from allocator.core.codec import KIND
from allocator.core.commands import Commit, Extend, Fulfil
from allocator.core.events import Expired
from allocator.core.protocol import types as t
from allocator.core.results import State
from tests.simulation.verdict import Violation

Statement = tuple[str, tuple[tuple[Any, ...], ...]]
"""Phase of a part, and its units by SKU and fate."""


class Part:
    """Units at one location, as the home decided about them.

    Attributes:
        ordered: SKU -> units that callers told the home to have left.
        moved: SKU -> units that left by movements of the location.
    """

    def __init__(self, spec: t.PartSpec) -> None:
        self.hold = spec.hold
        self.location = spec.location
        self.lines = dict(spec.lines)
        self.done: dict[int, Counter[str]] = {fate: Counter() for fate in t.Fate}
        self.ordered: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()

    def add(self, sku: str, fate: int, units: int) -> None:
        """Units are not open any more."""
        self.done[fate][sku] += units

    def open(self, sku: str) -> int:
        """Units still reserved."""
        return self.lines.get(sku, 0) - sum(units[sku] for units in self.done.values())

    def is_open(self) -> bool:
        """Whether it has any."""
        return any(self.open(sku) for sku in self.lines)

    def rows(self) -> tuple[tuple[Any, ...], ...]:
        """Units by SKU and fate, SKUs with any."""
        rows = ((sku, *(self.done[fate][sku] for fate in t.Fate)) for sku in sorted(self.lines))
        return tuple(row for row in rows if any(row[1:]))


class Case:
    """A header, told apart from the core's: state, parts, and everything that a part may ever have been told."""

    def __init__(self, command: t.Open, at_ns: int) -> None:
        self.reservation = command.reservation
        self.state: int = State.HELD
        self.expires_ns = at_ns + command.ttl_ns
        self.pick_until_ns = command.pick_until_ns
        self.parts = {spec.hold: Part(spec) for spec in command.parts}
        self.said: dict[str, set[Statement]] = {}
        self.note()

    def note(self) -> None:
        """Keep what the home would say now."""
        for part in self.parts.values():
            self.said.setdefault(part.hold, set()).add(self.statement(part))

    def statement(self, part: Part) -> Statement:
        """What the home would tell a part now."""
        live = self.state in (State.HELD, State.COMMITTED) and part.is_open()
        return (State(self.state).name if live else "ENDED", part.rows())

    def decide(self, event: t.Decided) -> None:
        """Commit, extend, release or fulfil."""
        self._must_be_live(event)
        if event.kind == KIND[Commit]:
            self.state = State.COMMITTED
        elif event.kind == KIND[Extend]:
            self.expires_ns = event.at_ns + event.command[2]
        fate = t.Fate.FULFILLED if event.kind == KIND[Fulfil] else t.Fate.RELEASED
        if event.kind == KIND[Fulfil] and self.state != State.COMMITTED:
            raise Violation(5, f"{self.reservation!r} was fulfilled before it was committed: {event}")
        self._finish(((*line[:3], fate) for line in event.lines), event)

    def amend(self, event: t.Amended) -> None:
        """Parts come in, units move out."""
        self._must_be_live(event)
        for spec in event.command.parts:
            self.parts[spec.hold] = Part(spec)
        self._finish(event.command.moves, event)

    def expire(self, event: Expired) -> None:
        """All that is open goes back."""
        if self.state != State.HELD:
            raise Violation(5, f"{self.reservation!r} expired as {State(self.state).name}")
        self._give_back(State.EXPIRED, event)

    def miss(self, event: t.PickupMissed) -> None:
        """A pickup window ended: all that is open goes back."""
        if self.state != State.COMMITTED or not 0 < self.pick_until_ns <= event.at_ns:
            raise Violation(6, f"{self.reservation!r} was not due for {event}")
        self._give_back(State.RELEASED, event)

    def told(self, event: t.Told) -> None:
        """Units left a part by movements: that is so, whatever was thought of them."""
        part = self.parts[event.hold]
        for row in event.rows:
            how_it_ended = dict(zip(t.Fate, row[1:5], strict=True))
            if sum(how_it_ended.values()) == part.lines[row.sku]:
                for fate, units in how_it_ended.items():
                    part.done[fate][row.sku] = units
            else:
                part.add(row.sku, t.Fate.FULFILLED, row.moved - part.moved[row.sku])
                for fate in (t.Fate.RELEASED, t.Fate.LOST, t.Fate.DAMAGED, t.Fate.FULFILLED):
                    part.done[fate][row.sku] -= max(0, min(-part.open(row.sku), part.done[fate][row.sku]))
            part.moved[row.sku] = row.moved
        self._finish((), event)

    def _must_be_live(self, event: Any) -> None:  # noqa: ANN401  # any event
        if self.state not in (State.HELD, State.COMMITTED):
            raise Violation(5, f"{self.reservation!r} had ended as {State(self.state).name} before {event}")

    def _give_back(self, end: State, event: Any) -> None:  # noqa: ANN401
        moves = [
            (part.hold, sku, part.open(sku), t.Fate.RELEASED)
            for part in self.parts.values()
            for sku in part.lines
            if part.open(sku)
        ]
        self._finish(moves, event, end)

    def _finish(self, moves: Any, event: Any, end: State = State.RELEASED) -> None:  # noqa: ANN401
        for hold, sku, units, fate in moves:
            part = self.parts[hold]
            if not 0 < units <= part.open(sku):
                raise Violation(5, f"{self.reservation!r}: {units} of {sku} of {part.open(sku)} open: {event}")
            part.add(sku, fate, units)
            if fate == t.Fate.FULFILLED:
                part.ordered[sku] += units
        if not any(part.is_open() for part in self.parts.values()):
            fulfilled = any(part.done[t.Fate.FULFILLED].total() for part in self.parts.values())
            self.state = State.FULFILLED if fulfilled else end
        self.note()
