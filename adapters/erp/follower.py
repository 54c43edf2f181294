"""Takes one location's journal to an ERP: postings in order, positions when they are due."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import structlog

from adapters.erp.port import ErpOptions, ErpTarget, Posting, Refusal
from adapters.erp.positions import READ_MAX, LedgerReplica, load_ledger
from adapters.erp.postings import opening_postings, postings_of
from adapters.errors import CursorAheadError, CursorBehindError, LocationUnreadableError
from allocator.core import codec
from allocator.core.errors import AllocatorError
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S, LedgerLimits
from allocator.journal import Entry, JournalReader, Trimmed

SHARD_PREFIX: Final = "location/"
"""Shards of stock ledgers are this plus the location's id."""

log = structlog.get_logger("adapters.erp")


class LocationState(NamedTuple):
    """How far a location is exported.

    Attributes:
        cursor: the last version whose postings the ERP has.
        head: the last version in the journal, as of the last look.
        positions: the version whose positions the ERP has; 0 when it has none since this process began.
        set_aside: what the ERP would not take, since this process began.
        error: why the location stands still; "" when it does not.
    """

    cursor: int = 0
    head: int = 0
    positions: int = 0
    set_aside: int = 0
    error: str = ""


class Follower:
    """One location on its way to one ERP.

    Args:
        location: its id.
        target: the ERP, open.
        reader: of the journal.
        options: of the ERP.
        limits: of the location's tables.
        clock_ns: now, ns since 1970 UTC.
    """

    def __init__(
        self,
        location: str,
        target: ErpTarget,
        reader: JournalReader,
        *,
        options: ErpOptions,
        limits: LedgerLimits,
        clock_ns: Callable[[], int],
    ) -> None:
        self.location = location
        self.shard = SHARD_PREFIX + location
        self._target, self._reader, self._options = target, reader, options
        self._limits, self._clock_ns = limits, clock_ns
        self._replica: LedgerReplica | None = None
        self._cursor = target.cursor(location)
        self._head = self._set_aside = self._positions = 0
        self._positions_ns = 0

    def state(self, error: str = "") -> LocationState:
        """How far it is."""
        return LocationState(self._cursor, self._head, self._positions, self._set_aside, error)

    def advance(self) -> bool:
        """Post up to `READ_MAX` entries; returns whether there may be more.

        Raises:
            TargetUnavailableError, JournalUnavailable: the same can be tried later.
            CursorAheadError, CursorBehindError, LocationUnreadableError, JournalDamaged, FormatUnknown: the location
                needs a person.
        """
        self._head = self._reader.head(self.shard)
        if self._head < self._cursor:
            raise CursorAheadError(self.location, self._cursor, self._head)
        if self._head == self._cursor:
            return False
        try:
            entries = self._reader.read(self.shard, self._cursor, READ_MAX)
        except Trimmed as error:
            if self._cursor:
                raise CursorBehindError(self.location, self._cursor, error.first_available) from error
            self._open_balance()
            return True
        self._post(entries)
        return self._cursor < self._head

    def put_positions(self, *, at_once: bool = False) -> None:
        """Put what changed, unless that was done less than `positions_s` ago.

        Raises:
            TargetUnavailableError, JournalUnavailable: the same can be tried later.
            LocationUnreadableError, JournalDamaged, FormatUnknown: the location needs a person.
        """
        now_ns = self._clock_ns()
        waited_ns = now_ns - self._positions_ns
        due = at_once or not 0 <= waited_ns < self._options.positions_s * NS_PER_S
        if not (due and self._options.positions and self._positions < self._cursor):
            return
        replica = self._ledger()
        if replica.version != self._cursor:  # a snapshot that the postings have not reached yet
            return
        refused = self._target.put_positions(self.location, self._cursor, replica.positions(), whole=replica.whole)
        replica.mark_put()
        self._positions, self._positions_ns = self._cursor, now_ns
        self._note(refused)

    def _post(self, entries: list[Entry]) -> None:
        postings: list[Posting] = []
        for version, payload in entries:
            with self._explained(f"entry {version}"):
                records = codec.unpack_batch(payload)
                postings += postings_of(self.location, version, records, self._orders(version, records))
        self._take(entries[-1].version, postings)

    def _orders(self, version: int, records: list[codec.Record]) -> Callable[[str], str]:
        """Look orders up in the ledger as it is after the entry."""
        if not self._options.positions:
            return lambda reservation: ""  # noqa: ARG005  # nobody knows
        replica = self._ledger()
        replica.follow(version, [event for event, _, _ in records])
        return replica.order_of

    def _open_balance(self) -> None:
        ledger = self._load(version_min=0)
        log.info("begins with the opening balance", location=self.location, version=ledger.version)
        self._take(ledger.version, opening_postings(ledger))

    def _take(self, version: int, postings: list[Posting]) -> None:
        refused = self._target.post(self.location, version, postings, self._clock_ns())
        self._cursor = version
        self._note(refused)

    def _ledger(self) -> LedgerReplica:
        if self._replica is None:
            self._replica = LedgerReplica(self._load(version_min=self._cursor))
        return self._replica

    def _load(self, *, version_min: int) -> StockLedger:
        with self._explained("the snapshot, or an entry after it,"):
            return load_ledger(self._reader, self.shard, self.location, version_min=version_min, limits=self._limits)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Say which stored bytes were sound but could not be understood: those of a newer build, or a bug."""
        try:
            yield
        except AllocatorError:
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            message = f"location {self.location!r}: {what} cannot be understood by this build ({cause})"
            raise LocationUnreadableError(message) from error

    def _note(self, refused: tuple[Refusal, ...]) -> None:
        self._set_aside += len(refused)
        for key, reason in refused:
            log.error("set aside", location=self.location, posting=key, reason=reason)
