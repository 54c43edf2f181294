"""The Ray peer: our own ledgers and journals, one actor per location, and one actor call for each request.

The actors are `LocationActor`s. They run calls in threads, and calls that run at the same time share a commit of the
journal, which is what a user of Ray gets from `max_concurrency`. What is missing is the batching on the way to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from allocator.config import Settings, load_settings
from allocator.core import codec
from allocator.core.commands import GetStock, Movement, MovementType, Reserve
from allocator.core.commands import Release as ReleaseHold
from allocator.core.ids import reservation_id
from allocator.core.results import MovementStatus, Reason, Rejected, ReserveStatus
from allocator.journal.store import JournalSettings
from allocator.runtime import cluster
from allocator.runtime.actor import ActorConfig, LocationActor
from allocator.runtime.hosted import LOCATION_PREFIX
from bench.errors import BenchError
from bench.peers.store import Hold, Outcome, Places, Receipt, ReusedError, Store

THREADS: Final = 32
"""Calls that one actor runs at the same time, and that may share a commit: twice what the service allows itself."""
PREFIX: Final = "locations/"
START_S: Final = 60.0
NS_PER_MS: Final = 1_000_000


class RayStore(Store):
    """Stock in the ledgers of actors, made when their location is first heard of.

    Args:
        folder: for the journals.
        address: of the Ray cluster; joined unless this process has started it.
        threads: calls that one actor runs at the same time.
    """

    def __init__(self, folder: Path, address: str, threads: int = THREADS) -> None:
        self._settings = load_settings(None, {"data_dir": folder, "log": {"level": "error"}})
        self._address = address
        self._threads = threads
        self._actors: dict[str, Any] = {}
        self._starting = asyncio.Lock()

    async def open(self) -> None:
        """Join the cluster, and start the actors of the locations that have a journal."""
        import ray  # noqa: PLC0415  # reads the environment when imported

        if not ray.is_initialized():
            cluster.join_ray(self._address)
        await self._start([PREFIX + shard.removeprefix(LOCATION_PREFIX) for shard in self._shards()])

    async def close(self) -> None:
        """Nothing: the actors end with their cluster."""

    async def check(self, skus: Sequence[str], locations: Sequence[str]) -> Iterable[Places]:
        """One call to each location that is asked about."""
        names = [name for name in sorted(set(locations) or self._actors) if name in self._actors]
        columns = await asyncio.gather(*(self._available(name, skus) for name in names))
        return [
            [(name, column[n]) for name, column in zip(names, columns, strict=True) if column[n]]
            for n in range(len(skus))
        ]

    async def reserve(self, hold: Hold) -> Outcome:
        """One call for each location; what was held is given back when a later one says no."""
        parts: dict[str, list[tuple[str, int]]] = {}
        for sku, location, units in hold.lines:
            parts.setdefault(location, []).append((sku, units))
        held: list[str] = []
        available: dict[tuple[str, str], int] = {}
        last: Any = None
        for location, lines in sorted(parts.items()):
            last = await self._hold(location, tuple(lines), hold)
            if last is None or last.status != ReserveStatus.HELD:
                break
            held.append(location)
        else:
            created_ms, expires_ms = last.created_ns // NS_PER_MS, last.expires_ns // NS_PER_MS
            return Outcome(held=True, created_ms=created_ms, expires_ms=expires_ms, repeated=last.repeated)
        for name in held:
            await self._give_back(name, hold)
        if last is not None:
            available = {(line.sku, location): line.available for line in last.lines}
        return Outcome(held=False, available=[available.get((sku, name), units) for sku, name, units in hold.lines])

    async def receive(self, receipts: Sequence[Receipt]) -> Sequence[tuple[bool, int]]:
        """One call for each location, as it is one message."""
        await self._start(sorted({receipt.location for receipt in receipts} - self._actors.keys()))
        results: list[tuple[bool, int]] = [(False, 0)] * len(receipts)
        places: dict[str, list[int]] = {}
        for n, receipt in enumerate(receipts):
            places.setdefault(receipt.location, []).append(n)
        for location, numbers in places.items():
            commands = [
                Movement(receipt.source, receipt.movement_id, 0, receipt.sku, MovementType.RECEIPT, receipt.units)
                for receipt in map(receipts.__getitem__, numbers)
            ]
            for n, result in zip(numbers, await self._ask(location, commands), strict=True):
                results[n] = result.status == MovementStatus.APPLIED, result.on_hand
        return results

    async def stock(self, location: str, skus: Sequence[str]) -> Sequence[tuple[int, int]]:
        """One call."""
        (page,) = await self._ask(location, [GetStock(tuple(skus))])
        if isinstance(page, Rejected):
            raise BenchError(page.detail)
        return [(row.on_hand, row.held) for row in page.rows]

    def _shards(self) -> list[str]:
        """Those that an earlier one left in the folder."""
        if not (self._settings.data_dir / "journal").exists():
            return []
        with JournalSettings(self._settings.journal_url).store() as store, store.reader() as reader:
            return list(reader.shards())

    async def _available(self, location: str, skus: Sequence[str]) -> list[int]:
        (page,) = await self._ask(location, [GetStock(tuple(skus))])
        if not isinstance(page, Rejected):
            return [row.available for row in page.rows]
        pages = await self._ask(location, [GetStock((sku,)) for sku in skus])  # one of them was never stocked here
        return [0 if isinstance(page, Rejected) else page.rows[0].available for page in pages]

    async def _hold(self, location: str, lines: tuple[tuple[str, int], ...], hold: Hold) -> Any:  # noqa: ANN401
        """What the ledger says; None when there is none, so that there is no stock."""
        if location not in self._actors:
            return None
        name = reservation_id(location, hold.request_id)
        ttl_ns = (hold.expires_ms - hold.now_ms) * NS_PER_MS
        command = Reserve(hold.request_id, name, lines, ttl_ns, elsewhere=True)
        (result,) = await self._ask(location, [command])
        if not isinstance(result, Rejected):
            return result
        if result.reason == Reason.REQUEST_ID_REUSED:
            raise ReusedError(f"request id {hold.request_id} was used with other lines")
        raise BenchError(result.detail)

    async def _give_back(self, location: str, hold: Hold) -> None:
        release = ReleaseHold(f"{hold.request_id}-back", reservation_id(location, hold.request_id))
        await self._ask(location, [release])

    async def _ask(self, location: str, commands: Sequence[Any]) -> list[Any]:
        """One actor call."""
        name = location.removeprefix(PREFIX)
        calls = [(name, codec.tagged(command), "", "") for command in commands]
        answer = await self._actors[location].execute.remote(codec.pack(({}, calls)))
        return [codec.untagged(result) for result in codec.unpack(answer)[1]]

    async def _start(self, locations: Sequence[str]) -> None:
        async with self._starting:
            new = [location for location in locations if location not in self._actors]
            if new:
                self._actors |= await asyncio.to_thread(start_actors, self._settings, new, self._threads)


def start_actors(settings: Settings, locations: Sequence[str], threads: int) -> dict[str, Any]:
    """Start an actor for each location and wait until they serve."""
    import ray  # noqa: PLC0415  # as above

    remote = ray.remote(num_cpus=0, max_concurrency=threads, concurrency_groups={"feed": 1, "control": 2})(
        LocationActor
    )
    handles = {}
    for location in locations:
        name = location.removeprefix(PREFIX)
        config = ActorConfig(
            unit=name,
            names=(name,),
            journal=JournalSettings(settings.journal_url, settings.journal.schema_name),
            limits=settings.limits.ledger_limits(),
            snapshot_bytes=int(settings.journal.snapshot_mb * 2**20),
            log_level=settings.log.level,
            log_format=settings.log.format,
        )
        handles[location] = remote.options(name=name, namespace=cluster.NAMESPACE).remote(config)
    cluster.wait_serving(handles, START_S)
    return handles
