"""Short words for the tests of the host: a clock, one host on a real journal, and calls to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from allocator.core import codec
from allocator.core import commands as c
from allocator.core.commands import GetStock, Movement, MovementType, Reserve
from allocator.core.ids import reservation_id
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S, LedgerLimits
from allocator.core.network.types import NetworkCommand
from allocator.core.results import StockView
from allocator.journal import Journal, JournalSettings
from allocator.runtime.folding import fold
from allocator.runtime.host import LedgerHost
from allocator.runtime.hosted import Hosted
from tests.unit.runtime.journals import PATIENCE_S

if TYPE_CHECKING:
    from allocator.runtime.folding import Fold

Command = c.Command | NetworkCommand

NOW_NS = 1_000_000 * NS_PER_S
TTL_NS = 60 * NS_PER_S
UNIT = "actor-0000"
NO_SNAPSHOTS = 2**60


class Executes(Protocol):
    """A host or an actor."""

    def execute(self, data: bytes) -> bytes:
        """Run a batch of commands."""


class Clock:
    """A clock that stands still until moved, and counts how often it was read."""

    def __init__(self) -> None:
        self.now_ns = NOW_NS
        self._read = threading.Semaphore(0)

    def __call__(self) -> int:
        """Tell the time."""
        self._read.release()
        return self.now_ns

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.now_ns += int(seconds * NS_PER_S)

    def wait_for_reads(self, times: int) -> None:
        """Wait until it was read so often since the last call of this."""
        for _ in range(times):
            assert self._read.acquire(timeout=PATIENCE_S)

    def forget_reads(self) -> None:
        """Count reads from here."""
        while self._read.acquire(blocking=False):
            pass


class Deaths(list[str]):
    """Stands for the end of the process: remembers the reasons it was called with."""

    def __call__(self, reason: str) -> None:
        """Die of this."""
        self.append(reason)


def writer(folder: Path, unit: str = UNIT) -> Journal:
    """Open the journal under `folder` for one unit."""
    return settings_of(folder).store().writer(unit)


def no_fold(shard: str, version: int) -> bytes:
    """For hosts that make no snapshots under load."""
    raise AssertionError(f"nobody expected a snapshot of {shard} at {version}")


def fold_here(folder: Path) -> Fold:
    """Fold the journal under `folder` in this process."""

    def folded(shard: str, version: int) -> bytes:
        with settings_of(folder).store().reader() as reader:
            return fold(reader, shard, version)

    return folded


def settings_of(folder: Path) -> JournalSettings:
    """The address of the journal under `folder`."""
    return JournalSettings(str(folder / "journal"))


def host_of(
    journal: Journal,
    *names: str,
    clock: Callable[[], int] | None = None,
    die: Callable[[str], None] | None = None,
    snapshot_bytes: int = NO_SNAPSHOTS,
    limits: LedgerLimits | None = None,
    fold: Fold | None = None,
) -> LedgerHost:
    """Make a host of these locations, recovered; one that makes snapshots under load needs a `fold`."""
    hosted = [Hosted(name, limits or LedgerLimits()) for name in names]
    for item in hosted:
        item.recover(journal)
    host = LedgerHost(
        journal, hosted, clock or Clock(), Deaths() if die is None else die, snapshot_bytes, fold or no_fold
    )
    for item in hosted:
        host.settle(item)
    return host


def run(
    target: Executes, *calls: tuple[str, Command], known: Mapping[str, int] | None = None
) -> tuple[dict[str, tuple[int, Any]], list[Any]]:
    """Execute one batch of (name, command); returns progress and results."""
    wire = [(name, codec.tagged(command), "", "") for name, command in calls]
    progress, results = codec.unpack(target.execute(codec.pack((dict(known or {}), wire))))
    return progress, [codec.untagged(array) for array in results]


def do(target: Executes, name: str, command: Command) -> Any:  # noqa: ANN401  # any result
    """Execute one command; its result."""
    return run(target, (name, command))[1][0]


def receipt(movement_id: str, sku: str, quantity: int) -> Movement:
    """Goods came in."""
    return Movement("erp", movement_id, 0, sku, MovementType.RECEIPT, quantity)


def hold(request_id: str, sku: str, quantity: int, *, at: str = "dc", ttl_ns: int = TTL_NS) -> Reserve:
    """Ask to hold units."""
    return Reserve(request_id, reservation_id(at, request_id), ((sku, quantity),), ttl_ns)


def stock_of(target: Executes, sku: str, *, at: str = "dc") -> StockView:
    """Every component of one SKU."""
    row: StockView = do(target, at, GetStock((sku,))).rows[0]
    return row


def bytes_of(host: LedgerHost, name: str) -> bytes:
    """The state of one ledger, as its snapshot would be."""
    return host.hosted[name].machine.snapshot()


def ledger_of(host: LedgerHost, name: str) -> StockLedger:
    """One ledger of a host."""
    machine = host.hosted[name].machine
    assert isinstance(machine, StockLedger)
    return machine
