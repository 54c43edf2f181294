"""The change feed: what each journaled batch changed for readers, kept for those who are a little behind.

A change is msgpack bytes that only grow opaque on the way: actors make them, gateways read them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import numpy as np

from allocator.core import codec
from allocator.core.ledger import StockLedger
from allocator.core.network.ledger import NetworkLedger

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANGES_MAX: Final = 2_048
"""Batches a feed keeps per ledger; a reader further behind gets everything anew."""


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
            self._told = len(machine.stock)

    def changed(self) -> Change:
        """What changed since the last call, as of now."""
        machine = self._machine
        if not isinstance(machine, StockLedger):
            return self.whole()
        indexes = np.array(machine.drain_changes(), dtype=np.int64)
        start, self._told = self._told, len(machine.stock)
        return Change(machine.version, False, _stock(machine, indexes, start))  # noqa: FBT003  # a row

    def whole(self) -> Change:
        """Everything, as of now."""
        machine = self._machine
        if isinstance(machine, StockLedger):
            data = _stock(machine, np.arange(len(machine.stock)), 0)
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


def _stock(ledger: StockLedger, indexes: np.ndarray[Any, np.dtype[np.int64]], start: int) -> bytes:
    """Units free before quotas of the SKUs at `indexes`, their unused quotas, and SKU names from `start` on."""
    free = ledger.stock.free_of(indexes)
    quotas = ledger.quotas
    limited = [(i, quotas.unused(i)) for i in indexes.tolist() if i in quotas.by_sku] if quotas.by_sku else []
    return codec.pack((indexes.astype("<i4").tobytes(), free.tobytes(), limited, start, ledger.stock.skus[start:]))
