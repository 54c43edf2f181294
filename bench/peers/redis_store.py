"""The Redis peer: one script call for each request, the calls of a moment sent together in a pipeline.

Of each SKU one hash with what can be promised by location, which a check reads in one go, and one with what is on
hand. A reservation is a hash that Redis forgets by itself; a sorted set says when holds end, for the sweeper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import redis.asyncio

from bench.peers.coalescing import Coalescing
from bench.peers.store import KEPT_S, Hold, Outcome, Places, Receipt, ReusedError, Store
from bench.peers.sweeping import Sweeper

EXPIRING: Final = "expiring"
LOCATIONS: Final = "locations"
PIPELINES_MAX: Final = 2
"""Of those tried, see docs/benchmarks.md, one of the best."""
RECEIPTS_PER_SCRIPT: Final = 500
"""Nothing else is served while a script runs, and a script of 5,000 receipts takes long."""
HELD: Final = 1
KNOWN: Final = 2


class RedisStore(Store):
    """Stock in Redis.

    Args:
        port: of a server on this machine that has nothing but ours.
        pipelines_max: under way at once.
    """

    def __init__(self, port: int, pipelines_max: int = PIPELINES_MAX) -> None:
        self._client = redis.asyncio.Redis(host="127.0.0.1", port=port)
        self._commands = Coalescing(self._client, pipelines_max)
        self._sweeper = Sweeper(self._end)
        self._scripts: dict[str, str] = {}
        self._locations: list[str] = []

    async def open(self) -> None:
        """Load the scripts and learn which locations there are."""
        for path in Path(__file__).parent.glob("*.lua"):
            self._scripts[path.stem] = await self._client.script_load(path.read_text(encoding="utf-8"))
        await self._learn_locations()
        self._sweeper.start()

    async def close(self) -> None:
        """Close all connections."""
        await self._sweeper.stop()
        await self._client.aclose()

    async def check(self, skus: Sequence[str], locations: Sequence[str]) -> Iterable[Places]:
        """One script reads all cells."""
        places = sorted(set(locations)) if locations else self._locations
        if not places:
            return [()] * len(skus)
        keys = [f"stock:{sku}" for sku in skus]
        cells = await self._commands.call("EVALSHA", self._scripts["check"], len(keys), *keys, *places)
        width = len(places)
        return [
            [
                (place, int(cell))
                for place, cell in zip(places, cells[n : n + width], strict=True)
                if cell and cell != b"0"
            ]
            for n in range(0, len(cells), width)
        ]

    async def reserve(self, hold: Hold) -> Outcome:
        """One script decides and writes."""
        keys = [f"reservation:{hold.request_id}", EXPIRING]
        args: list[Any] = [
            hold.request_id,
            hold.content,
            hold.now_ms,
            hold.expires_ms,
            hold.expires_ms + KEPT_S * 1_000,
        ]
        for sku, location, units in hold.lines:
            keys.append(f"stock:{sku}")
            args += (location, units)
        answer = await self._commands.call("EVALSHA", self._scripts["reserve"], len(keys), *keys, *args)
        if answer[0] == HELD:
            return Outcome(held=True, created_ms=hold.now_ms, expires_ms=hold.expires_ms)
        if answer[0] != KNOWN:
            return Outcome(held=False, available=answer[1:])
        if answer[1].decode() != hold.content:
            raise ReusedError(f"request id {hold.request_id} was used with other lines")
        return Outcome(held=True, created_ms=int(answer[2]), expires_ms=int(answer[3]), repeated=True)

    async def receive(self, receipts: Sequence[Receipt]) -> Sequence[tuple[bool, int]]:
        """A script for some hundreds of them at a time."""
        rows: list[tuple[bool, int]] = []
        for start in range(0, len(receipts), RECEIPTS_PER_SCRIPT):
            part = receipts[start : start + RECEIPTS_PER_SCRIPT]
            args = [field for receipt in part for field in receipt]
            answer = await self._commands.call("EVALSHA", self._scripts["receive"], 1, LOCATIONS, *args)
            rows += [(bool(answer[n]), answer[n + 1]) for n in range(0, len(answer), 2)]
        await self._learn_locations()
        return rows

    async def stock(self, location: str, skus: Sequence[str]) -> Sequence[tuple[int, int]]:
        """What is on hand, and what of it cannot be promised."""
        reads = [
            [self._commands.call("HGET", f"{kind}:{sku}", location) for kind in ("on_hand", "stock")] for sku in skus
        ]
        rows = [(int(await on_hand or 0), int(await available or 0)) for on_hand, available in reads]
        return [(on_hand, on_hand - available) for on_hand, available in rows]

    async def _learn_locations(self) -> None:
        members: list[bytes] = await self._commands.call("SMEMBERS", LOCATIONS)
        self._locations = sorted(name.decode() for name in members)

    async def _end(self, now_ms: int, at_once: int) -> int:
        ended: int = await self._commands.call("EVALSHA", self._scripts["expire"], 1, EXPIRING, now_ms, at_once)
        return ended
