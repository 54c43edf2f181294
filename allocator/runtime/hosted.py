"""One ledger as its actor hosts it: the ledger, its journal position, its feed, and how it comes back to life."""

from __future__ import annotations

import contextlib
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import structlog

from allocator.core import codec
from allocator.core.errors import AllocatorError, BrokenInvariantError
from allocator.core.ledger import StockLedger
from allocator.core.network.ledger import NetworkLedger
from allocator.core.protocol.errands import Errands
from allocator.core.results import Reason, Rejected
from allocator.runtime.feed import FeedRing, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allocator.core.limits import LedgerLimits
    from allocator.core.stock import Shared
    from allocator.journal.port import Entry, Journal, Snapshot
    from allocator.runtime.feed import Machine

NETWORK: Final = "network"
"""Name and shard of the network's ledger."""
LOCATION_PREFIX: Final = "location/"
"""Shards of stock ledgers are this plus the location's id."""

log = structlog.get_logger("allocator.host")


def name_of(shard: str) -> str:
    """The name of the ledger whose log is `shard`."""
    return shard.removeprefix(LOCATION_PREFIX)


class Status(StrEnum):
    """Whether a ledger answers."""

    RECOVERING = "recovering"
    SERVING = "serving"
    DAMAGED = "damaged"


class Hosted:
    """A ledger and what its host knows of it.

    Attributes:
        name: location id, or `NETWORK`.
        shard: its log in the journal.
        status, detail: whether it answers, and why not.
        epoch: our right to append.
        limits: what the settings say of its tables.
        lead_ns: how far the ledger's time is ahead of our clock: 0, unless a clock was wrong once.
        tail_bytes, snapshot_bytes: size of the journal since the last snapshot, and of that snapshot.
        errands: when what it has to say to other ledgers is due again.
        failed_bytes: what `tail_bytes` was when a snapshot last failed; 0 when it did not.
    """

    def __init__(self, name: str, limits: LedgerLimits) -> None:
        self.name = name
        self.shard = name if name == NETWORK else LOCATION_PREFIX + name
        self.limits = limits
        self.status = Status.RECOVERING
        self.detail = ""
        self.epoch = 0
        self.lead_ns = 0
        self.tail_bytes = 0
        self.snapshot_bytes = 0
        self.failed_bytes = 0
        self.errands = Errands()
        self.machine: Machine = self._fresh()
        self.recorder = Recorder(self.machine)
        self.ring = FeedRing(0)

    def recover(self, journal: Journal, shared: Shared | None = None) -> None:
        """Open the journal under a new epoch and rebuild the ledger from snapshot and tail.

        Args:
            journal: the unit it is in.
            shared: what it may have in common with other ledgers of this process.

        Raises:
            JournalUnavailable: try again later.
            JournalDamaged, FormatUnknown, BrokenInvariantError: it needs a person.
        """
        opened = journal.open(self.shard)
        machine = self.rebuilt(opened.snapshot, opened.tail)
        if isinstance(machine, StockLedger):
            with self._explained(f"version {machine.version} cannot be checked"):
                machine.check_invariants()
            if shared is not None:
                machine.stock.share(shared)
        self.machine, self.epoch = machine, opened.epoch
        self.errands = Errands()
        self.tail_bytes = sum(len(entry.payload) for entry in opened.tail)
        self.snapshot_bytes = len(opened.snapshot.payload) if opened.snapshot else 0
        self.recorder = Recorder(machine)
        self.ring = FeedRing(machine.version)
        self.status, self.detail = Status.SERVING, ""
        log.info("recovered", shard=self.shard, version=machine.version, epoch=self.epoch, tail=len(opened.tail))

    def stop(self, error: AllocatorError) -> None:
        """Give up on a damaged journal until a person has looked; other ledgers of the host go on."""
        self.status, self.detail = Status.DAMAGED, str(error)
        log.error("location stopped", shard=self.shard, error=str(error))

    def _fresh(self) -> Machine:
        return NetworkLedger() if self.name == NETWORK else StockLedger(self.name)

    def rebuilt(self, snapshot: Snapshot | None, tail: Iterable[Entry]) -> Machine:
        """What a snapshot and the entries after it make of a fresh ledger; ours stays as it is.

        Raises:
            BrokenInvariantError: they are sound and cannot be understood.
        """
        machine = self._fresh()
        if snapshot is not None:
            with self._explained(f"snapshot {snapshot.version} cannot be restored"):
                machine = type(machine).restore(snapshot.payload)  # type: ignore[attr-defined]  # both can
        for entry in tail:
            with self._explained(f"entry {entry.version} cannot be replayed"):
                machine.replay(entry.version, [record[0] for record in codec.unpack_batch(entry.payload)])
        return machine

    @contextlib.contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Say which stored bytes were sound but could not be understood: those of a newer build, or a bug."""
        try:
            yield
        except AllocatorError:
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            message = f"shard {self.shard!r}: {what} by this build ({cause}). To see more: allocator journal verify"
            raise BrokenInvariantError(message) from error


def not_serving(name: str, item: Hosted | None) -> Rejected:
    """Why the ledger `name`, or the one that is to be it, does not answer."""
    if item is None:  # gateways ask where the network placed it, so it is on its way here
        return Rejected(Reason.RECOVERING, "location", f"location {name!r} is not up at its actor yet")
    if item.status is Status.DAMAGED:
        return Rejected(Reason.JOURNAL_DAMAGED, "location", item.detail)
    return Rejected(
        Reason.RECOVERING, "location", f"location {name!r} is recovering{item.detail and ': ' + item.detail}"
    )
