"""The change feed: what each journaled batch changed for readers, kept for those who are a little behind.

A change is msgpack bytes that only grow opaque on the way: actors make them, gateways read them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from allocator.core import codec
from allocator.core.ledger import StockLedger
from allocator.core.limits import DAY_NS
from allocator.core.network.ledger import NetworkLedger
from allocator.core.promise import dated_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allocator.core.commands import Capacity as Plan

    Capacity = tuple[bool, Plan | None, tuple[tuple[int, int], ...]]
    """Whether this is all of it, the plan if so, and `(window start, booked)`."""

CHANGES_MAX: Final = 2_048
"""Batches a feed keeps per ledger; a reader further behind gets everything anew."""
WAITING_DATES_MAX: Final = 512
"""Promise dates of one SKU that readers are told one by one; more than that are told by the day."""


class Change(NamedTuple):
    """What one batch changed. `whole` marks a full picture, valid whatever the reader knew before."""

    version: int
    whole: bool
    data: bytes


class Machine(Protocol):
    """What a host needs of a ledger: the stock and the network ledger both are one."""

    version: int

    def decide(self, command: Any, now_ns: int) -> tuple[Any, Sequence[Any]]: ...  # noqa: ANN401, D102

    def enact(self, command: Any, result: Any, events: Sequence[Any]) -> Any: ...  # noqa: ANN401, D102

    def tick(self, now_ns: int) -> list[Any]: ...  # noqa: D102

    def settle(self, now_ns: int) -> list[Any]: ...  # noqa: D102

    def next_expiry_ns(self) -> int | None: ...  # noqa: D102

    def close_batch(self) -> int: ...  # noqa: D102

    def replay(self, version: int, events: Sequence[Any]) -> None: ...  # noqa: D102

    def snapshot(self) -> bytes: ...  # noqa: D102


class Recorder:
    """Turns what happens to one ledger into changes; starts from the state it is given."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._told = 0
        if isinstance(machine, StockLedger):
            machine.drain_changes()
            machine.capacity.drain_changes()
            self._told = len(machine.stock)

    def changed(self) -> Change:
        """What changed since the last call, as of now."""
        machine = self._machine
        if not isinstance(machine, StockLedger):
            return self.whole()
        indexes = np.array(machine.drain_changes(), dtype=np.int64)
        start, self._told = self._told, len(machine.stock)
        capacity = _capacity(machine, *machine.capacity.drain_changes())
        return Change(machine.version, False, _stock(machine, indexes, start, capacity))  # noqa: FBT003  # a row

    def whole(self) -> Change:
        """Everything, as of now."""
        machine = self._machine
        if isinstance(machine, StockLedger):
            data = _stock(machine, np.arange(len(machine.stock)), 0, _capacity(machine, True, ()))  # noqa: FBT003
        else:
            assert isinstance(machine, NetworkLedger)
            data = codec.pack(machine.state())
        return Change(machine.version, True, data)  # noqa: FBT003  # a row


class FeedRing:
    """The durable changes of one ledger that readers may still ask for, without gaps."""

    __slots__ = ("changes", "version")

    def __init__(self, version: int) -> None:
        self.version = version
        self.changes: deque[Change] = deque(maxlen=CHANGES_MAX)

    def publish(self, change: Change) -> None:
        """Add a change that is durable now; a whole picture makes those before it superfluous."""
        if change.whole:
            self.changes.clear()
        self.changes.append(change)
        self.version = change.version

    def since(self, version: int) -> list[Change] | None:
        """The changes after `version`, in order; None when some of them are gone."""
        if version >= self.version:
            return []
        if self.changes and self.changes[-1].whole:
            return [self.changes[-1]]
        missing = self.version - version
        if missing > len(self.changes):
            return None
        return [self.changes[i] for i in range(-missing, 0)]


def _stock(
    ledger: StockLedger, indexes: np.ndarray[Any, np.dtype[np.int64]], start: int, capacity: Capacity | None
) -> bytes:
    """What readers know of the SKUs at `indexes`, SKU names from `start` on, and the change of the capacity.

    Of each SKU: units free before quotas; where there are any, unused quotas and dated steps of supply and waiting.
    """
    free = ledger.stock.free_of(indexes)
    quotas, supply = ledger.quotas, ledger.supply
    limited = [(i, quotas.unused(i)) for i in indexes.tolist() if i in quotas.by_sku] if quotas.by_sku else []
    dated = _dated(ledger, indexes.tolist()) if supply.by_sku or ledger.waiting.by_sku else []
    skus = ledger.stock.skus[start:]
    return codec.pack((indexes.astype("<i4").tobytes(), free.tobytes(), limited, start, skus, dated, capacity))


def _dated(ledger: StockLedger, indexes: list[int]) -> list[tuple[int, list[tuple[int, int, int]]]]:
    """The dated steps of those of the SKUs at `indexes` that have, or had, some."""
    supply, waiting = ledger.supply, ledger.waiting
    found = []
    for i in indexes:
        if i in supply.by_sku or i in waiting.by_sku:
            steps = waiting.steps(i)
            if len(steps) > WAITING_DATES_MAX:  # a little earlier than it is: less is promised, never more
                steps = [(at_ns - at_ns % DAY_NS, units) for at_ns, units in steps]
            found.append((i, dated_steps(supply.steps(i), steps)))
    return found


def _capacity(ledger: StockLedger, whole: bool, windows: Iterable[int]) -> Capacity | None:  # noqa: FBT001  # as drained
    """All of the capacity, or what is booked in `windows`; None when nothing changed."""
    book = ledger.capacity
    if whole:
        return True, book.plan, tuple(book.used.items())
    changed = tuple((window, book.used.get(window, 0)) for window in windows)
    return (False, None, changed) if changed else None
