"""Incoming supply of one location: units that are expected and not here yet, by supply and SKU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from allocator.core.commands import SupplyKind
from allocator.core.limits import SUPPLIES_TOLD_MAX
from allocator.core.results import SupplyView
from allocator.core.waiting import DueQueue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from allocator.core.commands import SupplyLine

    Key = tuple[str, str]
    """`(supply, sku)`."""


class Supply(NamedTuple):
    """What is expected of one SKU under one supply.

    Attributes:
        supply: id of the supply: a purchase order, a transfer.
        sku: which SKU; a purchase order has one of these for each of its SKUs.
        kind: a `SupplyKind`.
        quantity: units of all of it.
        received: units that came, possibly more than `quantity`.
        expect_ns: when the rest is expected, ns.
        told_ns: when the newest announcement or end of it occurred; an older announcement is late news.
        closed: the rest will not come.
        serial: position in the order supplies were first told.
    """

    supply: str
    sku: str
    kind: int
    quantity: int
    received: int
    expect_ns: int
    told_ns: int
    closed: bool
    serial: int

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.supply, self.sku

    @property
    def open(self) -> int:
        """Units still to come."""
        return 0 if self.closed else max(0, self.quantity - self.received)

    def view(self) -> SupplyView:
        """The supply as callers see it."""
        return SupplyView(
            self.supply, self.sku, self.kind, self.quantity, self.received, self.open, self.expect_ns, self.serial
        )


class SupplyBook:
    """Supplies by key in the order they were first told; those still open also by SKU.

    A receipt may be told before its announcement, and an announcement after its end. So ended ones, and those known
    from receipts only, stay as long as there is room: that no unit is expected again which is here already.

    Attributes:
        by_key: every supply known.
        by_sku: SKU index -> key -> open supply; an emptied entry stays, so that readers are told it is empty.
        ended: keys of those with nothing open, in the order they ended.
        serial: serial of the newest one.
        due: open ones by the date they are expected.
        supplies_max: most there may be.
    """

    __slots__ = ("by_key", "by_sku", "due", "ended", "serial", "supplies_max")

    def __init__(self, supplies_max: int) -> None:
        self.supplies_max = supplies_max
        self.by_key: dict[Key, Supply] = {}
        self.by_sku: dict[int, dict[Key, Supply]] = {}
        self.ended: dict[Key, None] = {}
        self.due = DueQueue()
        self.serial = 0

    def room(self) -> int:
        """How many more may be open."""
        return self.supplies_max - len(self.by_key) + len(self.ended)

    def announce(self, i: int, line: SupplyLine, occurred_ns: int) -> None:
        """Take an announcement of SKU index `i` over: units received so far stay."""
        known = self._known(line.supply, line.sku)
        kind = line.kind or known.kind or SupplyKind.PURCHASE_ORDER
        told = known._replace(kind=int(kind), quantity=line.quantity, expect_ns=line.expect_ns, told_ns=occurred_ns)
        self._put(i, told._replace(closed=not line.quantity))
        self._await(i, line)

    def receive(self, i: int, line: SupplyLine, occurred_ns: int, *, final: bool) -> None:
        """Note that the units of `line` came; `final` ends the supply, whatever is missing."""
        known = self._known(line.supply, line.sku)
        told_ns = max(known.told_ns, occurred_ns) if final else known.told_ns
        came = known._replace(received=known.received + line.quantity, told_ns=told_ns)
        self._put(i, came._replace(closed=known.closed or final))

    def is_older(self, supply: str, sku: str, occurred_ns: int) -> bool:
        """Whether something newer than an announcement of `occurred_ns` is known."""
        known = self.by_key.get((supply, sku))
        return known is not None and occurred_ns < known.told_ns

    def steps(self, i: int) -> list[tuple[int, int]]:
        """Units of SKU index `i` still to come, by the date they are expected: ascending `(expect_ns, units)`."""
        dates: dict[int, int] = {}
        for supply in self.by_sku.get(i, {}).values():
            dates[supply.expect_ns] = dates.get(supply.expect_ns, 0) + supply.open
        return sorted(dates.items())

    def told_of(self, i: int) -> tuple[int, tuple[SupplyView, ...]]:
        """Units of SKU index `i` still to come, and the soonest `SUPPLIES_TOLD_MAX` of their supplies."""
        supplies = sorted(self.by_sku.get(i, {}).values(), key=lambda supply: (supply.expect_ns, supply.serial))
        return sum(s.open for s in supplies), tuple(s.view() for s in supplies[:SUPPLIES_TOLD_MAX])

    def pop_overdue(self, now_ns: int) -> list[tuple[int, str]]:
        """SKU index and supply of those still open that were expected before `now_ns`, the longest overdue first."""
        found = []
        for expect_ns, i, supply in self.due.pop_overdue(now_ns):
            holders = self.by_sku.get(i)
            if holders:
                _, sku = next(iter(holders))
                known = holders.get((supply, sku))
                if known is not None and known.expect_ns == expect_ns:  # else it came, or is expected at another time
                    found.append((i, supply))
        return found

    def as_state(self) -> tuple[Any, ...]:
        """The state as plain values, for the snapshot."""
        return list(self.by_key.values()), list(self.ended), self.serial

    def load(self, state: tuple[Any, ...], index: Mapping[str, int]) -> None:
        """Take over what `as_state` gave; `index` is the place of each SKU."""
        rows, ended, self.serial = state
        for row in rows:
            supply = Supply(*row)
            self.by_key[supply.key] = supply
            if supply.open:
                self.by_sku.setdefault(index[supply.sku], {})[supply.key] = supply
                self.due.push(supply.expect_ns, index[supply.sku], supply.supply)
        self.ended = dict.fromkeys(tuple(key) for key in ended)

    def _known(self, supply: str, sku: str) -> Supply:
        return self.by_key.get((supply, sku)) or Supply(supply, sku, 0, 0, 0, 0, 0, False, 0)  # noqa: FBT003  # a row

    def _put(self, i: int, supply: Supply) -> None:
        key = supply.key
        if not supply.serial:
            if self.room() <= 0 and not supply.open:  # nothing to expect, and no room to remember that
                return
            self._make_room()
            self.serial += 1
            supply = supply._replace(serial=self.serial, kind=supply.kind or int(SupplyKind.PURCHASE_ORDER))
        self.by_key[key] = supply
        holders = self.by_sku.setdefault(i, {})
        if supply.open:
            holders[key] = supply
            self.ended.pop(key, None)
        else:
            holders.pop(key, None)
            self.ended.setdefault(key, None)

    def _await(self, i: int, line: SupplyLine) -> None:
        """Queue the date of an announcement; of a queue that is stale for the most part, only what is open is kept."""
        if line.quantity:
            self.due.push(line.expect_ns, i, line.supply)
        if len(self.due.entries) > 2 * (len(self.by_key) - len(self.ended)) + 64:
            self.due = DueQueue()
            for index, holders in self.by_sku.items():
                for supply in holders.values():
                    self.due.push(supply.expect_ns, index, supply.supply)

    def _make_room(self) -> None:
        while len(self.by_key) >= self.supplies_max and self.ended:
            key = next(iter(self.ended))
            del self.ended[key]
            del self.by_key[key]
