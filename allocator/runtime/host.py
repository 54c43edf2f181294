"""`LedgerHost`: the ledgers of one actor behind one group commit. No Ray here: threads call in, bytes go out.

Calls execute one after another under the state lock; whoever is done first with executing commits for all that
executed meanwhile, so while one fsync runs the next group executes. Nothing is answered or published before the
journal has it. When the journal fails the host dies: memory is ahead of the disk then, and only recovery can tell.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from allocator.core import codec
from allocator.core import commands as c
from allocator.core.errors import AllocatorError
from allocator.core.events import Limited
from allocator.core.ledger import StockLedger
from allocator.core.limits import CLOCK_SKEW_MAX_NS, NS_PER_S
from allocator.core.results import Reason, Rejected
from allocator.core.settling import with_news
from allocator.journal.port import Entry, Snapshot, Write
from allocator.runtime.alerts import alert
from allocator.runtime.batch import BATCH_BYTES_MAX, Batch
from allocator.runtime.errors import HostFailedError
from allocator.runtime.hosted import Hosted, Status, not_serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from allocator.core.protocol.errands import Errand
    from allocator.journal.port import Journal
    from allocator.runtime.feed import Change
    from allocator.runtime.folding import Fold

QUERIES: Final = frozenset((c.GetStock, c.ListStock, c.GetReservation, c.ListReservations, c.Summarise, c.ListSupply))
TICK_MAX_S: Final = 1.0
"""No hold is shorter than `TTL_MIN_NS` = 1 s, so looking once a second never comes late to one made meanwhile."""

log = structlog.get_logger("allocator.host")


class LedgerHost:
    """Executes batches of commands on its ledgers, durably.

    Args:
        journal: the unit that all ledgers of this host are in.
        hosted: the ledgers by shard, not recovered yet.
        clock_ns: wall clock, ns since 1970 UTC.
        die: ends the process; called when the journal fails.
        snapshot_bytes: least size of a tail that makes a snapshot worth while.
        fold: makes the snapshots while calls come in, of what the journal holds.
    """

    def __init__(  # two collaborators, two that stand for the system, one bound
        self,
        journal: Journal,
        hosted: Iterable[Hosted],
        clock_ns: Callable[[], int],
        die: Callable[[str], None],
        snapshot_bytes: int,
        fold: Fold,
    ) -> None:
        self.journal = journal
        self.hosted: dict[str, Hosted] = {item.name: item for item in hosted}
        self._clock_ns = clock_ns
        self._die = die
        self._snapshot_bytes = snapshot_bytes
        self._fold = fold
        self._state = threading.Lock()
        self._commit = threading.Lock()
        self._pending: list[tuple[Hosted, Write, Change]] = []
        self._ticket = 0
        self._durable = 0
        self._failure = ""
        self._packed = codec.packer()
        self.published = threading.Condition()
        self.sequence = 0

    def execute(self, data: bytes) -> bytes:
        """Run a batch: `(versions known, [(name, command, correlation_id, traceparent)])` as msgpack.

        Returns:
            `({name: (version, changes since the known version or None)}, [result])` as msgpack, once all of it is
            durable.
        """
        known, calls = codec.unpack(data)
        with self._changing():
            results, names = self._run(calls)
            ticket = self._ticket
        self._make_durable(ticket)
        return codec.pack(({name: self._progress(name, known.get(name)) for name in names}, results))

    def tick(self) -> float:
        """Expire what is due; returns how many seconds may pass before the next call."""
        with self._changing():
            now_ns = self._clock_ns()
            batches = [Batch(item, self._packed) for item in self._serving()]
            for batch in batches:
                ended = batch.item.machine.tick(now_ns + batch.item.lead_ns)
                alert(batch.item.name, ended, "")
                batch.add(ended)
            self._close(batches)
            ticket = self._ticket
            ends = [(item.machine.next_expiry_ns(), item.lead_ns) for item in self._serving()]
            next_ns = [end_ns - lead_ns for end_ns, lead_ns in ends if end_ns is not None]
        self._make_durable(ticket)
        wait_s = (min(next_ns) - self._clock_ns()) / 1e9 if next_ns else TICK_MAX_S
        return min(max(wait_s, 0.001), TICK_MAX_S)

    def whole(self, item: Hosted) -> Change:
        """A full picture of one ledger, durable before it is returned."""
        with self._state:
            change = item.recorder.whole()
            ticket = self._ticket
        self._make_durable(ticket)
        return change

    def add(self, item: Hosted) -> Hosted:
        """Host one more ledger, to be recovered by the caller; returns the one that is hosted under its name now."""
        with self._state:
            return self.hosted.setdefault(item.name, item)

    def settle(self, item: Hosted) -> None:
        """Take a recovered stock ledger over into our time and under our limits.

        Its time never goes back: one that was led ahead by a wrong clock goes on from there, at our pace, so that its
        holds last as long as they should. Other limits than it lived under so far are a journaled event.
        """
        machine = item.machine
        if item.status is not Status.SERVING or not isinstance(machine, StockLedger):
            return
        with self._changing():
            item.lead_ns = max(0, machine.clock_ns - self._clock_ns())
            if machine.limits != item.limits:
                event = Limited(self._clock_ns() + item.lead_ns, item.limits)
                machine.apply(event)
                batch = Batch(item, self._packed)
                batch.add([event])
                self._close([batch])
            ticket = self._ticket
        if item.lead_ns > CLOCK_SKEW_MAX_NS:
            log.error("the clock was ahead once", shard=item.shard, ahead_s=item.lead_ns / NS_PER_S)
        self._make_durable(ticket)

    def errands(self) -> list[tuple[Hosted, Errand]]:
        """What the ledgers have to say to others now, all of it durable."""
        found: list[tuple[Hosted, Errand]] = []
        with self._state:
            now_ns = self._clock_ns()
            for item in self._serving():
                if isinstance(item.machine, StockLedger):
                    due = item.errands.due(item.machine, now_ns + item.lead_ns)
                    found.extend((item, errand) for errand in due)
            ticket = self._ticket
        if found:
            self._make_durable(ticket)
        return found

    def announce(self) -> None:
        """Wake readers because a ledger's status changed."""
        with self.published:
            self.sequence += 1
            self.published.notify_all()

    def snapshot_due(self) -> None:
        """Snapshot the ledgers whose tail has grown long, and cut what nobody needs any more; calls go on."""
        for item in self._serving():
            if item.tail_bytes > max(self._snapshot_bytes, item.snapshot_bytes, 2 * item.failed_bytes):
                # Once that failed the calls wait rather than the log grow for ever.
                self._try_snapshot(item, self._dumped if item.failed_bytes else self._folded)

    def snapshot_all(self) -> None:
        """Snapshot every ledger that has a tail, so that the next start is quick; calls wait meanwhile."""
        for item in self._serving():
            if item.tail_bytes:
                self._try_snapshot(item, self._dumped)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Hold the ledgers; an error means that one may be half changed, which only recovery can mend."""
        with self._state:
            if self._failure:
                raise HostFailedError(self._failure)
            try:
                yield
            except BaseException as error:
                self._fail(error)
                raise

    def _try_snapshot(self, item: Hosted, make: Callable[[Hosted], _Picture]) -> None:
        """One that fails loses nothing, as the log has everything: it is tried again when the tail has doubled."""
        tail_bytes = item.tail_bytes
        try:
            self._save(item, make(item))
            item.failed_bytes = 0
        except AllocatorError as error:
            item.failed_bytes = tail_bytes
            log.warning("snapshot failed", shard=item.shard, error=str(error))

    def _folded(self, item: Hosted) -> _Picture:
        """The ledger as the journal tells it: nobody waits for that, however large it is."""
        with self._state:
            version, tail_bytes, ticket = item.machine.version, item.tail_bytes, self._ticket
        self._make_durable(ticket)
        return _Picture(version, tail_bytes, self._fold(item.shard, version))

    def _dumped(self, item: Hosted) -> _Picture:
        """The ledger as it is in memory: sooner done, and everybody waits for it."""
        with self._state:
            picture = _Picture(item.machine.version, item.tail_bytes, item.machine.snapshot())
            ticket = self._ticket
        self._make_durable(ticket)
        return picture

    def _save(self, item: Hosted, picture: _Picture) -> None:
        version, tail_bytes, data = picture
        self.journal.save_snapshot(item.shard, item.epoch, Snapshot(version, data))
        with self._state:
            item.snapshot_bytes = len(data)
            item.tail_bytes = max(0, item.tail_bytes - tail_bytes)  # at a stop another one may have come first
        dropped = self.journal.cut(item.shard)
        log.info("snapshot", shard=item.shard, version=version, bytes=len(data), entries_cut=dropped)

    def _run(self, calls: Iterable[tuple[str, Any, str, str]]) -> tuple[list[Any], dict[str, None]]:
        """Execute `calls` and queue what they journal; returns results on the wire and the ledgers concerned."""
        now_ns = self._clock_ns()
        results: list[Any] = []
        names = dict.fromkeys(call[0] for call in calls)
        batches = {name: Batch(item, self._packed) for name in names if (item := self._answering(name)) is not None}
        for batch in batches.values():
            ended = batch.item.machine.tick(now_ns + batch.item.lead_ns)
            alert(batch.item.name, ended, "")
            batch.add(ended)
        for name, array, correlation_id, traceparent in calls:
            if name not in batches:
                results.append(codec.tagged(not_serving(name, self.hosted.get(name))))
                continue
            batch = batches[name]
            result, events = self._answer(batch.item, array, now_ns + batch.item.lead_ns, correlation_id)
            results.append(codec.tagged(result))
            if events:
                alert(name, events, correlation_id)
                batch.add(events, correlation_id, traceparent)
                if batch.bytes > BATCH_BYTES_MAX:
                    self._close([batch])
        self._close(batches.values())
        return results, names

    def _answer(
        self, item: Hosted, array: Sequence[Any], now_ns: int, correlation_id: str
    ) -> tuple[Any, Sequence[Any]]:
        machine = item.machine
        try:
            command = codec.untagged(array)
            if type(command) in QUERIES:
                return machine.query(command), ()  # type: ignore[attr-defined]  # only stock ledgers are asked
            result, events = machine.decide(command, now_ns)
        except Exception as error:  # deciding changes nothing, so one bad command need not take the others along
            tag = array[0] if array else None
            log.exception("command failed", shard=item.shard, tag=tag, correlation_id=correlation_id)
            return Rejected(Reason.INTERNAL, "", f"{type(error).__name__} while deciding; nothing was changed"), ()
        result = machine.enact(command, result, events)
        following = machine.settle(now_ns)
        return (with_news(result, following), (*events, *following)) if following else (result, events)

    def _close(self, batches: Iterable[Batch]) -> None:
        """End each batch that has events: queue its journal entry and its change."""
        for batch in batches:
            if not batch.packed:
                continue
            item = batch.item
            version = item.machine.close_batch()
            payload = codec.join_records(batch.packed)
            item.tail_bytes += len(payload)
            write = Write(item.shard, item.epoch, Entry(version, payload))
            self._pending.append((item, write, item.recorder.changed()))
            self._ticket += 1
            batch.clear()

    def _make_durable(self, ticket: int) -> None:
        """Return when everything executed up to `ticket` is in the journal and published."""
        if self._durable >= ticket:
            return
        with self._commit:
            if self._durable >= ticket:
                return
            with self._state:
                group, self._pending = self._pending, []
                upto = self._ticket
            if self._failure:
                raise HostFailedError(self._failure)
            try:
                self.journal.append([write for _, write, _ in group])
            except BaseException as error:
                self._fail(error)
                raise
            self._publish(group)
            self._durable = upto

    def _fail(self, error: BaseException) -> None:
        self._failure = f"{type(error).__name__}: {error}"
        self._die(self._failure)

    def _publish(self, group: list[tuple[Hosted, Write, Change]]) -> None:
        with self.published:
            for item, _, change in group:
                item.ring.publish(change)
            self.sequence += 1
            self.published.notify_all()

    def _progress(self, name: str, known: int | None) -> tuple[int, list[Change] | None]:
        """The durable version of a ledger, and what a reader at version `known` does not know yet."""
        item = self.hosted.get(name)
        if item is None or item.status is not Status.SERVING:
            return 0, []
        with self.published:
            changes = item.ring.since(known) if known is not None else None
            return item.ring.version, changes

    def _answering(self, name: str) -> Hosted | None:
        item = self.hosted.get(name)
        return item if item is not None and item.status is Status.SERVING else None

    def _serving(self) -> list[Hosted]:
        # A copy first: another thread may be adding one.
        return [item for item in list(self.hosted.values()) if item.status is Status.SERVING]


class _Picture(NamedTuple):
    """A snapshot to be: the version it shows, how much of the tail it takes the place of, and its bytes."""

    version: int
    tail_bytes: int
    data: bytes
