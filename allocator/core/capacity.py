"""Picking capacity of one location per time window, booked and given back together with the stock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.commands import Capacity, Measure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.reservation import Reservation


class CapacityBook:
    """Limits and bookings by window start (ns since 1970 UTC); without a plan nothing is limited or booked.

    `changed` are the windows booked differently since `drain_changes`, `replanned` whether all of it is different.
    """

    __slots__ = ("changed", "limits", "plan", "replanned", "used", "windows_max")

    def __init__(self, windows_max: int) -> None:
        self.changed: set[int] = set()
        self.replanned = False
        self.plan: Capacity | None = None
        self.limits: dict[int, int] = {}
        self.used: dict[int, int] = {}
        self.windows_max = windows_max

    def window(self, at_ns: int) -> int:
        """Start of the window that holds `at_ns`."""
        assert self.plan is not None
        return at_ns - at_ns % self.plan.window_ns

    def left(self, at_ns: int) -> int:
        """What can still be booked in the window of `at_ns`."""
        assert self.plan is not None
        window = self.window(at_ns)
        return self.limits.get(window, self.plan.limit) - self.used.get(window, 0)

    def full(self, at_ns: int, now_ns: int) -> bool:
        """Whether booking in the window of `at_ns` would be one window too many, past ones not counted."""
        if len(self.used) < self.windows_max or self.window(at_ns) in self.used:
            return False
        return len(self._coming(now_ns)) >= self.windows_max

    def forget_past(self, now_ns: int) -> None:
        """Forget the windows that ended by `now_ns` when there is no room for one more."""
        if len(self.used) >= self.windows_max:
            self.used = self._coming(now_ns)
            self.replanned = True

    def cost(self, units: int) -> int:
        """What an order of `units` books."""
        assert self.plan is not None
        return units if self.plan.measure == Measure.UNITS else 1

    def book(self, reservation: Reservation) -> None:
        """Book what `reservation` uses."""
        if self.plan is not None:
            self._add(self.window(reservation.pick_at_ns), self.use_of(reservation))

    def give_back(self, reservation: Reservation, units: int, *, last: bool) -> None:
        """Give back `units` of `reservation`; `last` when it ends with nothing fulfilled."""
        if self.plan is not None:
            amount = units if self.plan.measure == Measure.UNITS else int(last)
            self._add(self.window(reservation.pick_at_ns), -amount)

    def fill(self, at_ns: int) -> None:
        """Take nothing more into the window of `at_ns`: the location said that it cannot."""
        if self.plan is None:
            return
        window = self.window(at_ns)
        self.limits[window] = min(self.used.get(window, 0), self.limits.get(window, self.plan.limit))
        self.plan = self.plan._replace(overrides=tuple(sorted(self.limits.items())))
        self.replanned = True

    def use_of(self, reservation: Reservation) -> int:
        """What `reservation` uses of its window."""
        assert self.plan is not None
        units = reservation.units - reservation.released_units
        return units if self.plan.measure == Measure.UNITS else int(units > 0)

    def replan(self, plan: Capacity | None, reservations: Iterable[Reservation]) -> None:
        """Take a new plan and book the known reservations by it."""
        self.plan = plan
        self.replanned = True
        self.limits = dict(plan.overrides) if plan is not None else {}
        self.used = {}
        for reservation in reservations if plan is not None else ():
            self.book(reservation)

    def drain_changes(self) -> tuple[bool, list[int]]:
        """Whether all of it is different since the last call, and the windows that are, ascending."""
        changes = self.replanned, sorted(self.changed)
        self.replanned, self.changed = False, set()
        return changes

    def _coming(self, now_ns: int) -> dict[int, int]:
        assert self.plan is not None
        window_ns = self.plan.window_ns
        return {start: used for start, used in self.used.items() if start + window_ns > now_ns}

    def _add(self, window: int, amount: int) -> None:
        used = self.used.get(window, 0) + amount
        self.changed.add(window)
        if used > 0:
            self.used[window] = used
        else:
            self.used.pop(window, None)
