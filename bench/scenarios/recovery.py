"""How long a big location is away after a crash: its ledger rebuilt from a real journal's snapshot and tail."""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final, NamedTuple, TypeVar

import psutil

from allocator.core import codec
from allocator.core.commands import Command, Movement, MovementType, Reserve
from allocator.core.ids import home_key
from allocator.core.ledger import StockLedger
from allocator.core.limits import TTL_MAX_NS, LedgerLimits
from allocator.journal.port import Entry
from allocator.journal.store import JournalSettings, JournalStore
from allocator.logs import configure_logs
from allocator.runtime.folding import beside
from allocator.runtime.garbage import collect_once
from allocator.runtime.host import LedgerHost
from allocator.runtime.hosted import LOCATION_PREFIX, Hosted, Status
from bench import crash
from bench.errors import BenchError
from bench.fresh import in_fresh_process, resident_bytes
from bench.registry import Bench, Figure, Figures, scenario

LOCATION: Final = "bench"
UNIT: Final = "actor-0000"
CALL_BEFORE: Final = 5_000
"""Commands in one call, and so in one journal entry, before the snapshot."""
CALL_TAIL: Final = 20
"""The same after it: about what an actor finds waiting under load."""
ROUNDS_MIN: Final = 2
PACE_S: Final = 0.002
LOOK_EVERY: Final = 50
"""Receipts between two looks at the memory of the process that makes a snapshot."""
MIB: Final = 2**20
SEED: Final = 7

T = TypeVar("T")


class Size(NamedTuple):
    """How big the location is.

    Attributes:
        skus: all of them stocked.
        reservations: held, with one to three lines each.
        tail: how many of those came after the snapshot.
    """

    skus: int = 1_000_000
    reservations: int = 100_000
    tail: int = 20_000


class Recovered(NamedTuple):
    """One recovery, in a fresh process.

    Attributes:
        seconds: until the ledger served.
        resident_mib: what the process had grown by then.
        skus, live, status: of the ledger.
    """

    seconds: float
    resident_mib: float
    skus: int
    live: int
    status: str


@scenario(
    "recovery",
    Figure("recovery_s", "until the ledger serves again, best of the rounds", at_most=10),
    Figure("recovery_s_median", "the same, median of the rounds"),
    Figure("rounds", "recoveries, each in a fresh process"),
    Figure("open_s", "of it: reading snapshot and tail out of the journal, checked"),
    Figure("restore_s", "of it: the ledger from the snapshot"),
    Figure("replay_s", "of it: the tail on top"),
    Figure("check_s", "of it: recomputing every counter from the reservations"),
    Figure("snapshot_mib", "size of the snapshot"),
    Figure("tail_mib", "size of the tail"),
    Figure("tail_entries", "entries of the tail"),
    Figure("resident_mib", "memory of the recovering process, beyond an idle one's"),
    Figure("snapshot_s", "such a snapshot made and written beside 500 receipts/s"),
    Figure("snapshot_stall_ms", "the longest that one of those receipts took to be durable meanwhile"),
    Figure("snapshot_process_mib", "memory of the process that makes it, at most"),
    Figure("back_s", "longest time without an answer when an actor is killed under 500 reserves/s"),
    Figure("crash_lost", "units acknowledged before and after that the ledger does not hold", exactly=0),
    Figure("crash_errors", "calls of that load that ended in an error"),
)
def measure(bench: Bench) -> Figures:
    """A location of 1,000,000 SKUs and 100,000 reservations, recovered from its journal."""
    return run(bench, Size()) | crash.measure(bench)


def run(bench: Bench, size: Size) -> Figures:
    """Measure at a given size.

    The journal is written by a `LedgerHost` as an actor's is: receipts for every SKU, reservations, a snapshot, then
    the other reservations in entries of 20. A recovery is what an actor does after a crash from the moment it has
    its interpreter: open the SQLite file, take an epoch, read and check everything, rebuild, check the invariants. The
    starting of a process by Ray is not in it. Rounds go on for the time given, at least 2. The files are in the page
    cache, as they are after the crash of a process; after a power cut add the time to read them.
    """
    url = str(bench.folder / "journal")
    bench.tell(f"writing a journal of {size.skus:,} SKUs and {size.reservations:,} reservations")
    written = in_fresh_process(_write, url, size)
    rounds: list[Recovered] = []
    while len(rounds) < ROUNDS_MIN or sum(done.seconds for done in rounds) < bench.seconds:
        rounds.append(in_fresh_process(_recover, url))
        _check(rounds[-1], size)
        bench.tell(f"recovery {len(rounds)}: {rounds[-1].seconds:.2f} s")
    bench.tell("its parts")
    times = [done.seconds for done in rounds]
    return {
        "recovery_s": min(times),
        "recovery_s_median": statistics.median(times),
        "rounds": len(times),
        "resident_mib": min(done.resident_mib for done in rounds),
        **written,
        **in_fresh_process(_parts, url),
    }


def _write(url: str, size: Size) -> Figures:
    """Live through it all; returns what the snapshot took."""
    configure_logs("error")
    collect_once()
    with JournalStore(url) as store:
        store.assign({UNIT: [LOCATION_PREFIX + LOCATION]})
        with store.writer(UNIT) as journal:
            item = Hosted(LOCATION, LedgerLimits())
            item.recover(journal)
            host = LedgerHost(journal, [item], time.time_ns, _die, 1, beside(JournalSettings(url)))
            _execute(host, _receipts(size), CALL_BEFORE)
            reserves = _reserves(size)
            _execute(host, itertools.islice(reserves, size.reservations - size.tail), CALL_BEFORE)
            taken = _snapshot(host)
            _execute(host, reserves, CALL_TAIL)
    return taken


def _snapshot(host: LedgerHost) -> Figures:
    """Have a snapshot made as an actor does, while receipts go on."""
    stall_s, most_bytes, numbers, looks = 0.0, 0, itertools.count(), itertools.count()
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(_timed, host.snapshot_due)
        while not made.done():
            receipt = Movement("bench", f"meanwhile-{next(numbers)}", 0, _sku(0), MovementType.RECEIPT.value, 1)
            stall_s = max(stall_s, _timed(partial(_execute, host, [receipt], 1))[0])
            time.sleep(PACE_S)
            if next(looks) % LOOK_EVERY == 0:
                most_bytes = max([most_bytes, *_children_bytes()])
        snapshot_s, _ = made.result()
    if not host.hosted[LOCATION].snapshot_bytes:
        raise BenchError("no snapshot was made; the log says why")
    return {
        "snapshot_s": snapshot_s,
        "snapshot_stall_ms": stall_s * 1e3,
        "snapshot_process_mib": most_bytes / MIB,
    }


def _children_bytes() -> Iterator[int]:
    """Resident memory of the processes that this one started."""
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            yield child.memory_info().rss


def _execute(host: LedgerHost, commands: Iterable[Command], per_call: int) -> None:
    """Send commands as gateways do, `per_call` in one call."""
    calls = ((LOCATION, codec.tagged(command), "", "") for command in commands)
    while batch := list(itertools.islice(calls, per_call)):
        host.execute(codec.pack(({}, batch)))


def _receipts(size: Size) -> Iterator[Movement]:
    for i in range(size.skus):
        yield Movement("bench", f"receipt-{i}", 0, _sku(i), MovementType.RECEIPT.value, 1_000)


def _reserves(size: Size) -> Iterator[Reserve]:
    lots, home = random.Random(SEED), home_key(LOCATION)
    for i in range(size.reservations):
        request_id = f"{i:036d}"  # as long as a UUID
        lines = tuple((_sku(sku), 1) for sku in lots.sample(range(size.skus), lots.randint(1, 3)))
        yield Reserve(request_id, f"{home}-{request_id}", lines, TTL_MAX_NS, order=f"order-{i}")


def _recover(url: str) -> Recovered:
    """Do as an actor does, in a process that has done nothing else."""
    configure_logs("error")
    collect_once()
    before = resident_bytes()
    item = Hosted(LOCATION, LedgerLimits())
    seconds, _ = _timed(lambda: item.recover(JournalStore(url).writer(UNIT)))
    ledger = item.machine
    assert isinstance(ledger, StockLedger)
    grown_mib = (resident_bytes() - before) / MIB
    return Recovered(seconds, grown_mib, len(ledger.stock), ledger.reservations.live_count, str(item.status))


def _parts(url: str) -> Figures:
    """A recovery again, step by step."""
    collect_once()
    with JournalStore(url).writer(UNIT) as journal:
        open_s, opened = _timed(lambda: journal.open(LOCATION_PREFIX + LOCATION))
    snapshot = opened.snapshot
    assert snapshot is not None
    restore_s, ledger = _timed(lambda: StockLedger.restore(snapshot.payload))
    replay_s, _ = _timed(lambda: _replay(ledger, opened.tail))
    check_s, _ = _timed(ledger.check_invariants)
    return {
        "open_s": open_s,
        "restore_s": restore_s,
        "replay_s": replay_s,
        "check_s": check_s,
        "snapshot_mib": len(snapshot.payload) / MIB,
        "tail_mib": sum(len(entry.payload) for entry in opened.tail) / MIB,
        "tail_entries": len(opened.tail),
    }


def _replay(ledger: StockLedger, tail: Iterable[Entry]) -> None:
    for entry in tail:
        ledger.replay(entry.version, [record[0] for record in codec.unpack_batch(entry.payload)])


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    started_s = time.perf_counter()
    done = work()
    return time.perf_counter() - started_s, done


def _check(done: Recovered, size: Size) -> None:
    """See that all of it came back."""
    if done[2:] != (size.skus, size.reservations, Status.SERVING):
        raise BenchError(f"recovered {done}, expected {size.skus} SKUs and {size.reservations} live reservations")


def _die(reason: str) -> None:
    raise BenchError(f"the journal failed: {reason}")


def _sku(i: int) -> str:
    return f"SKU-{i:08d}"
