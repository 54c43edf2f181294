"""The core alone on one core: how fast it reserves, and what a SKU costs in memory."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from allocator.core.commands import Movement, MovementType, Reserve
from allocator.core.ids import home_key
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S, TTL_MAX_NS, LedgerLimits
from allocator.core.results import ReserveResult, ReserveStatus
from allocator.runtime.garbage import collect_once
from bench.errors import BenchError
from bench.fresh import give_back_free_memory, in_fresh_process, resident_bytes
from bench.registry import Bench, Figure, Figures, scenario

LOCATION: Final = "bench"
START_NS: Final = 1_750_000_000 * NS_PER_S
PLENTY: Final = 1_000_000_000
ROUNDS_MIN: Final = 3
BATCH: Final = 1_000
SEED: Final = 7


class Size(NamedTuple):
    """How much of everything.

    Attributes:
        skus: over which the reserves are spread evenly.
        reserves: in one round, and twice that before the first, so that the request table is full.
        memory_skus: SKUs that the memory is measured over.
        remembered: bound of the movement tables, which are full before memory is measured.
    """

    skus: int = 10_000
    reserves: int = 100_000
    memory_skus: int = 1_000_000
    remembered: int = 50_000


@scenario(
    "ledger",
    Figure("reserves_per_s", "single-line reserves through decide + apply on one core, best round", at_least=100_000),
    Figure("reserves_per_s_median", "the same, median of the rounds"),
    Figure("reserves_per_s_empty", "the same on a ledger with nothing to forget yet, best round"),
    Figure("rounds", "rounds of 100,000 reserves"),
    Figure("bytes_per_sku", "resident memory for each SKU besides its name, stocked by receipts", at_most=150),
    Figure("bytes_per_sku_counted", "the same when each SKU was counted, too"),
)
def measure(bench: Bench) -> Figures:
    """Core alone on one core: reserves per second, and memory for each stocked SKU."""
    return run(bench, Size())


def run(bench: Bench, size: Size) -> Figures:
    """Measure at a given size.

    Speed: commands come decoded, as in an actor, and the garbage collector is set as in an actor. A round starts from
    the same ledger: its request table full, so that each reserve makes it forget the oldest one, and all those
    reservations still held. Rounds go on for the time given, at least 3; neighbours on the machine only ever make a
    round slower, so the best one is the figure and the median is beside it.

    Memory: resident set size of a process of its own before and after stocking, divided by the SKUs. The names exist
    before, so they do not count; the bounded tables of movements (which do not grow with the SKUs) are full before and
    after. Free memory is given back to the system before and not after, so what the allocators waste counts.
    """
    bench.tell(f"stocking {size.skus:,} SKUs, filling the request table")
    snapshot = _full(size).snapshot()
    collect_once()
    speeds: list[float] = []
    while len(speeds) < ROUNDS_MIN or sum(size.reserves / speed for speed in speeds) < bench.seconds:
        speeds.append(_round(StockLedger.restore(snapshot), size, len(speeds)))
        bench.tell(f"round {len(speeds)}: {speeds[-1]:,.0f} reserves/s")
    bench.tell("the same on an empty ledger")
    empty = max(_round(_stocked(size), size, number) for number in range(ROUNDS_MIN))
    memory = {}
    for name, counted in (("bytes_per_sku", False), ("bytes_per_sku_counted", True)):
        bench.tell(f"{name} over {size.memory_skus:,} SKUs")
        memory[name] = in_fresh_process(_bytes_per_sku, size.memory_skus, size.remembered, counted)
    return {
        "reserves_per_s": max(speeds),
        "reserves_per_s_median": statistics.median(speeds),
        "reserves_per_s_empty": empty,
        "rounds": len(speeds),
        **memory,
    }


def _stocked(size: Size) -> StockLedger:
    """A ledger that has plenty of every SKU and remembers twice as many requests as a round has."""
    ledger = StockLedger(LOCATION, LedgerLimits(requests_max=2 * size.reserves))
    for i in range(size.skus):
        _record(ledger, f"receipt-{i}", _sku(i), MovementType.RECEIPT, PLENTY)
    return ledger


def _full(size: Size) -> StockLedger:
    ledger = _stocked(size)
    for command in _reserves(size, "before", 2 * size.reserves):
        ledger.execute(command, START_NS)
    return ledger


def _round(ledger: StockLedger, size: Size, number: int) -> float:
    """Reserves per second of one round."""
    commands = list(_reserves(size, f"round-{number}", size.reserves))
    execute, results = ledger.execute, []
    gc.collect()
    gc.freeze()
    started_s = time.perf_counter()
    for now_ns, command in enumerate(commands, START_NS):
        results.append(execute(command, now_ns)[0])
    seconds = time.perf_counter() - started_s
    gc.unfreeze()
    if any(type(result) is not ReserveResult or result.status != ReserveStatus.HELD for result in results):
        raise BenchError("a reserve was refused though there is plenty of everything")
    ledger.check_invariants()
    return len(commands) / seconds


def _reserves(size: Size, tag: str, count: int) -> Iterator[Reserve]:
    """Single-line reserves of one unit each; ids are as long as the service's own."""
    lots, home = random.Random(f"{SEED} {tag}"), home_key(LOCATION)
    for i in range(count):
        request_id = f"{tag}-{i:0{35 - len(tag)}d}"  # as long as a UUID
        yield Reserve(request_id, f"{home}-{request_id}", ((_sku(lots.randrange(size.skus)), 1),), TTL_MAX_NS)


def _bytes_per_sku(skus: int, remembered: int, counted: bool) -> float:  # noqa: FBT001  # sent to another process
    collect_once()
    limits = LedgerLimits(movements_max=remembered, movement_ids_max=remembered)
    ledger = StockLedger(LOCATION, limits)
    names = [_sku(i) for i in range(remembered + skus)]
    _stock(ledger, names[:remembered], counted=counted)
    give_back_free_memory()
    before = resident_bytes()
    _stock(ledger, names[remembered:], counted=counted)
    return (resident_bytes() - before) / skus


def _stock(ledger: StockLedger, names: list[str], *, counted: bool) -> None:
    """Receive some of every SKU, in batches as they come from outside, and count it if asked."""
    for i, name in enumerate(names):
        _record(ledger, f"receipt-{name}", name, MovementType.RECEIPT, 100)
        if counted:
            _record(ledger, f"count-{name}", name, MovementType.COUNT, 100, START_NS + i)
        if i % BATCH == 0:
            ledger.close_batch()
            ledger.drain_changes()
    ledger.close_batch()
    ledger.drain_changes()


def _record(
    ledger: StockLedger, movement_id: str, sku: str, kind: MovementType, quantity: int, now_ns: int = START_NS
) -> None:
    ledger.execute(Movement("bench", movement_id, 0, sku, int(kind), quantity), now_ns)


def _sku(i: int) -> str:
    return f"SKU-{i:08d}"
