"""`LocationActor`: a Ray actor around one `LedgerHost`, with its threads for recovery, expiry and snapshots."""

from __future__ import annotations

import gc
import os
import threading
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from allocator.core import codec
from allocator.core.errors import AllocatorError
from allocator.core.results import Reason, Rejected
from allocator.core.stock import Shared
from allocator.journal.errors import JournalUnavailable
from allocator.journal.store import JournalSettings
from allocator.logs import configure_logs
from allocator.runtime.courier import Courier
from allocator.runtime.folding import beside
from allocator.runtime.garbage import collect_once
from allocator.runtime.host import LedgerHost
from allocator.runtime.hosted import NETWORK, Hosted, Status
from allocator.runtime.line import CHANGES, EXECUTE, LineEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from allocator.core.limits import LedgerLimits
    from allocator.journal.port import Journal
    from allocator.runtime.courier import Reach

RETRY_MIN_S: Final = 0.1
RETRY_MAX_S: Final = 2.0
FATAL_EXIT: Final = 70
SNAPSHOT_LOOK_S: Final = 1.0
ERRAND_LOOK_S: Final = 0.25
ADOPT_WAIT_S: Final = 5.0
"""How long `adopt` waits for the ledger to serve before it says no."""
POLL_PACE_S: Final = 0.02
"""Least time a poll collects changes: bounds polls per second and reader, adds this to how late others' writes show."""

log = structlog.get_logger("allocator.actor")


class ActorConfig(NamedTuple):
    """What an actor is made from; an empty `log_level` leaves the logs of its process as they are."""

    unit: str
    names: tuple[str, ...]
    journal: JournalSettings
    limits: LedgerLimits
    snapshot_bytes: int
    log_level: str
    log_format: str
    log_target: str = ""


class LocationActor:
    """The process that owns some locations' ledgers. Its methods take and give msgpack bytes.

    Args:
        config: what it is made from.
        reach: the way to other actors, see `Courier`; without it decisions reach participants by gateways only.
    """

    def __init__(self, config: ActorConfig, reach: Reach | None = None) -> None:
        if config.log_level:
            configure_logs(config.log_level, config.log_format, config.log_target, process=config.unit)
        self._config = config
        self._reach = reach
        self._incarnation = uuid.uuid4().hex
        self._stopping = threading.Event()
        self._ready = threading.Event()
        self._host: LedgerHost | None = None
        self._unopened = (Status.RECOVERING, "the journal is not open yet")
        collect_once()
        self._line = LineEnd({EXECUTE: self.execute, CHANGES: self.changes})
        self._thread(self._live)

    def execute(self, data: bytes) -> bytes:
        """Run a batch of commands, see `LedgerHost.execute`."""
        host = self._host
        return host.execute(data) if host is not None else self._refused(data)

    def changes(self, data: bytes) -> bytes:
        """Wait for news: `(incarnation, sequence, {name: version or None}, wait_s)` as msgpack.

        Returns:
            `(incarnation, sequence, {name: (status, version, [change])})` as msgpack: those of the named ledgers with
            something new, or all of them when the caller spoke to an earlier incarnation. The sequence is -1 before
            the journal is open. A named location that is not here yet was made while the service ran: it is adopted.
        """
        incarnation, sequence, known, wait_s = codec.unpack(data)
        host = self._host
        if host is None:
            self._ready.wait(wait_s)
            return codec.pack((self._incarnation, -1, {name: (str(self._unopened[0]), 0, []) for name in known}))
        same = incarnation == self._incarnation
        if same:
            with host.published:
                host.published.wait_for(
                    lambda: host.sequence > sequence or self._stopping.is_set() or _lacks_one(host, known), wait_s
                )
            self._stopping.wait(POLL_PACE_S)
        sequence = host.sequence
        news = {}
        for name, version in known.items():
            told = self._news(host, self._adopted(host, name), version, same=same)
            if told is not None:
                news[name] = told
        return codec.pack((self._incarnation, sequence, news))

    def line(self) -> str:
        """Where the line to this process begins; "" when there is none. See `runtime.line`."""
        return self._line.name

    def adopt(self, name: str) -> bool:
        """Host one more location, made while the service runs; true once it serves, false if that takes long."""
        host = self._host
        if host is None:
            return False
        item = self._adopted(host, name)
        with host.published:
            host.published.wait_for(lambda: item.status is not Status.RECOVERING, ADOPT_WAIT_S)
        return item.status is Status.SERVING

    def status(self) -> dict[str, Any]:
        """Process id and the status of each ledger, for boot, health and tests."""
        hosted = self._host.hosted if self._host is not None else {}
        ledgers = {name: (str(item.status), item.detail) for name, item in list(hosted.items())}
        waiting = {name: self._unopened for name in self._config.names if name not in ledgers}
        return {"pid": os.getpid(), "unit": self._config.unit, "ledgers": ledgers | waiting}

    def stop(self) -> None:
        """Snapshot what has a tail, so that the next start is quick, and stop the threads."""
        self._stopping.set()
        self._line.close()
        if self._host is not None:
            self._host.announce()
            self._host.snapshot_all()

    def _live(self) -> None:
        """Open the journal, recover, then expire and snapshot until stopped."""
        journal = self._open()
        if journal is None:
            return
        host = LedgerHost(
            journal,
            [Hosted(name, self._config.limits) for name in self._config.names],
            _steady_clock(),
            self._die,
            self._config.snapshot_bytes,
            beside(self._config.journal),
        )
        self._host = host
        self._ready.set()
        self._thread(self._keep_time, host)
        self._thread(self._keep_snapshots, host)
        if self._reach is not None and NETWORK not in self._config.names:
            self._thread(self._keep_word, Courier(self._config.unit, host, self._reach))
        self._recover_all(host)
        gc.collect()
        gc.freeze()

    def _thread(self, work: Callable[..., None], *arguments: object) -> None:
        """Run `work` beside the calls; the actor does not outlive a bug in it."""

        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                log.exception("thread ended", unit=self._config.unit, thread=work.__name__)
                self._die(f"{work.__name__}: {type(error).__name__}: {error}")
                raise

        threading.Thread(target=run, name=work.__name__, daemon=True).start()

    def _keep_time(self, host: LedgerHost) -> None:
        """Expire what is due, in ledgers that serve, also while others recover."""
        wait_s = 0.0
        while not self._stopping.wait(wait_s):
            wait_s = host.tick()

    def _keep_word(self, courier: Courier) -> None:
        """Carry what the ledgers have to say to others until they have heard it."""
        while not self._stopping.wait(ERRAND_LOOK_S):
            courier.run()

    def _recover_all(self, host: LedgerHost) -> None:
        """Bring every ledger up; one whose journal is out of reach goes to the end of the line."""
        waiting = deque(host.hosted[name] for name in self._config.names)
        shared = Shared() if len(waiting) > 1 else None  # it goes when all are up
        for wait_s in _backoff():
            for _ in range(len(waiting)):
                item = waiting.popleft()
                if not self._try_recover(host, item, shared):
                    waiting.append(item)
            if not waiting or self._stopping.wait(wait_s):
                return

    def _open(self) -> Journal | None:
        """The journal, waited for as long as it takes."""
        for wait_s in _backoff():
            try:
                return self._config.journal.store().writer(self._config.unit)
            except JournalUnavailable as error:
                self._unopened = (Status.RECOVERING, str(error))
                log.warning("journal unavailable", unit=self._config.unit, error=str(error), retry_s=wait_s)
            except AllocatorError as error:
                self._unopened = (Status.DAMAGED, str(error))
                log.error("journal cannot be opened", unit=self._config.unit, error=str(error))  # noqa: TRY400
            if self._stopping.wait(wait_s):
                return None
        return None

    def _adopted(self, host: LedgerHost, name: str) -> Hosted:
        """The ledger `name`, which begins to recover when nobody asked for it before."""
        item = host.hosted.get(name)
        if item is None:
            new = Hosted(name, self._config.limits)
            item = host.add(new)
            if item is new:
                self._thread(self._recover, host, item)
        return item

    def _recover(self, host: LedgerHost, item: Hosted) -> None:
        """Bring one ledger up, however long its journal is out of reach."""
        for wait_s in _backoff():
            if self._try_recover(host, item) or self._stopping.wait(wait_s):
                return

    def _try_recover(self, host: LedgerHost, item: Hosted, shared: Shared | None = None) -> bool:
        """Bring one ledger up or stop it for good; false when its journal is out of reach."""
        try:
            item.recover(host.journal, shared)
            host.settle(item)
        except JournalUnavailable as error:
            item.detail = str(error)
            log.warning("journal unavailable", shard=item.shard, error=str(error))
            return False
        except AllocatorError as error:
            item.stop(error)
        host.announce()
        return True

    def _keep_snapshots(self, host: LedgerHost) -> None:
        while not self._stopping.wait(SNAPSHOT_LOOK_S):
            host.snapshot_due()

    def _die(self, reason: str) -> None:
        """End this process at once: what it has in memory is not what the journal has. Ray starts it anew."""
        try:
            log.critical("journal failed, actor ends itself", unit=self._config.unit, error=reason)
        finally:
            os._exit(FATAL_EXIT)

    def _news(
        self, host: LedgerHost, item: Hosted, version: int | None, *, same: bool
    ) -> tuple[str, int, list[Any]] | None:
        if item.status is not Status.SERVING:
            return str(item.status), 0, []
        with host.published:
            changes = item.ring.since(version) if version is not None else None
            head = item.ring.version
        if changes is None:
            change = host.whole(item)
            return str(item.status), change.version, [change]
        if not changes and same and version == head:
            return None
        return str(item.status), head, changes

    def _refused(self, data: bytes) -> bytes:
        """The answer to every command while the journal is not even open."""
        _, calls = codec.unpack(data)
        status, detail = self._unopened
        reason = Reason.JOURNAL_DAMAGED if status is Status.DAMAGED else Reason.RECOVERING
        return codec.pack(({}, [codec.tagged(Rejected(reason, "location", detail))] * len(calls)))


def _lacks_one(host: LedgerHost, known: Mapping[str, int | None]) -> bool:
    """Whether a reader knows nothing yet of a ledger that could tell it, because it was made a moment ago."""
    unknown = (host.hosted.get(name) for name, version in known.items() if version is None)
    return any(item is None or item.status is Status.SERVING for item in unknown)


def _steady_clock() -> Callable[[], int]:
    """Wall-clock time, ns, without the steps the wall clock may take while we run: a step would shorten holds."""
    # Where the system has it, one that goes on while the machine sleeps.
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    began_ns = time.time_ns() - time.clock_gettime_ns(clock)
    return lambda: began_ns + time.clock_gettime_ns(clock)


def _backoff() -> Iterator[float]:
    wait_s = RETRY_MIN_S
    while True:
        yield wait_s
        wait_s = min(2 * wait_s, RETRY_MAX_S)
