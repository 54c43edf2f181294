"""The PostgreSQL peer: one statement, and so one round trip, for each request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import asyncpg

from bench.peers.store import Hold, Outcome, Places, Receipt, ReusedError, Store
from bench.peers.sweeping import Sweeper

CONNECTIONS: Final = 16
"""Of those tried, see docs/benchmarks.md, one of the best."""
ANALYSE_FROM: Final = 1_000
"""Receipts in one call after which the planner's statistics are renewed, as after any load."""
ATTEMPTS: Final = 5

RESERVE_LINE: Final = "SELECT reserve_line($1, $2, $3, $4, $5, $6)"
HELD: Final = -1
RESERVE: Final = "SELECT * FROM reserve($1, $2, $3, $4, $5, $6)"
CHECK: Final = """
SELECT sku, location, on_hand - reserved FROM stock
WHERE sku = ANY($1) AND on_hand > reserved
"""
CHECK_AT: Final = f"{CHECK} AND location = ANY($2)"
STOCK: Final = """
SELECT coalesce(on_hand, 0), coalesce(reserved, 0)
FROM unnest($2::text[]) WITH ORDINALITY AS wanted(sku, n) LEFT JOIN stock ON stock.sku = wanted.sku AND location = $1
ORDER BY n
"""
RECEIVE: Final = """
WITH told AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    AS t(source, movement_id, location, sku, units)
), new AS (
  INSERT INTO movement (source, movement_id) SELECT DISTINCT source, movement_id FROM told
  ON CONFLICT DO NOTHING RETURNING source, movement_id
), cells AS (
  SELECT sku, location, sum(units)::bigint AS units
  FROM (SELECT DISTINCT ON (source, movement_id) * FROM told JOIN new USING (source, movement_id)) AS once
  GROUP BY sku, location ORDER BY sku, location
), stocked AS (
  INSERT INTO stock (sku, location, on_hand) SELECT sku, location, units FROM cells
  ON CONFLICT (sku, location) DO UPDATE SET on_hand = stock.on_hand + excluded.on_hand
)
SELECT source, movement_id FROM new
"""
EXPIRE: Final = """
WITH ended AS (
  UPDATE reservation SET state = 'expired' WHERE request_id IN (
    SELECT request_id FROM reservation WHERE state = 'held' AND expires_ms <= $1
    ORDER BY expires_ms LIMIT $2 FOR UPDATE SKIP LOCKED
  ) RETURNING skus, locations, units
), freed AS (
  SELECT f.sku, f.location, sum(f.units) AS units
  FROM ended, unnest(ended.skus, ended.locations, ended.units) AS f(sku, location, units) GROUP BY 1, 2
), given AS (
  UPDATE stock SET reserved = reserved - freed.units FROM freed
  WHERE stock.sku = freed.sku AND stock.location = freed.location
)
SELECT count(*) FROM ended
"""


class _Connection(asyncpg.Connection):  # type: ignore[misc]  # it has no annotations
    """A connection that is not reset between two uses: a reset is a round trip, and nothing here leaves a trace."""

    def get_reset_query(self) -> str:
        return ""


class PostgresStore(Store):
    """Stock in PostgreSQL.

    Args:
        url: of the database.
        schema: with our tables.
        connections: of the pool.
    """

    def __init__(self, url: str, schema: str, connections: int = CONNECTIONS) -> None:
        self._url = url
        self._schema = schema
        self._connections = connections
        self._pool: Any = None
        self._sweeper = Sweeper(self._end)

    async def open(self) -> None:
        """Open all connections."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=self._connections,
            max_size=self._connections,
            max_inactive_connection_lifetime=0,
            connection_class=_Connection,
            server_settings={
                "search_path": self._schema,
                "synchronous_commit": "on",
                "jit": "off",  # it takes longer than any of these statements
                "plan_cache_mode": "force_generic_plan",  # one plan is right for all
            },
        )
        self._sweeper.start()

    async def close(self) -> None:
        """Close all connections."""
        await self._sweeper.stop()
        await self._pool.close()

    async def check(self, skus: Sequence[str], locations: Sequence[str]) -> Iterable[Places]:
        """One SELECT."""
        if locations:
            rows = await self._pool.fetch(CHECK_AT, skus, list(locations))
        else:
            rows = await self._pool.fetch(CHECK, skus)
        places: dict[str, list[tuple[str, int]]] = {sku: [] for sku in skus}
        for sku, location, available in rows:
            places[sku].append((location, available))
        for found in places.values():
            found.sort()
        return places.values()

    async def reserve(self, hold: Hold) -> Outcome:
        """One call of a function; again when it met another that it cannot be in the way of twice."""
        if len(hold.lines) == 1:
            (line,) = hold.lines
            (left,) = await self._call(RESERVE_LINE, hold.request_id, *line, hold.now_ms, hold.expires_ms)
            if left == HELD:
                return Outcome(held=True, created_ms=hold.now_ms, expires_ms=hold.expires_ms)
            if left is not None:
                return Outcome(held=False, available=[left])
        return await self._reserve_lines(hold)

    async def receive(self, receipts: Sequence[Receipt]) -> Sequence[tuple[bool, int]]:
        """One statement for all of them; a second one reads what is on hand after it."""
        columns = [list(column) for column in zip(*receipts, strict=True)]
        new = {tuple(row) for row in await self._call(RECEIVE, *columns, many=True)}
        if len(receipts) >= ANALYSE_FROM:
            await self._pool.execute("ANALYZE stock")
        rows = await self._pool.fetch(
            "SELECT sku, location, on_hand FROM stock WHERE sku = ANY($1) AND location = ANY($2)",
            list(set(columns[3])),
            list(set(columns[2])),
        )
        on_hand = {(sku, location): units for sku, location, units in rows}
        answers = []
        for receipt in receipts:
            key = receipt.source, receipt.movement_id
            answers.append((key in new, on_hand[receipt.sku, receipt.location]))
            new.discard(key)  # told twice in one call
        return answers

    async def stock(self, location: str, skus: Sequence[str]) -> Sequence[tuple[int, int]]:
        """One SELECT."""
        rows = await self._pool.fetch(STOCK, location, list(skus))
        return [(on_hand, held) for on_hand, held in rows]

    async def _reserve_lines(self, hold: Hold) -> Outcome:
        order = sorted(range(len(hold.lines)), key=hold.lines.__getitem__)
        columns = [list(column) for column in zip(*(hold.lines[n] for n in order), strict=True)]
        row = await self._call(RESERVE, hold.request_id, *columns, hold.now_ms, hold.expires_ms)
        outcome, available, same, created_ms, expires_ms = row
        if outcome == "held":
            return Outcome(held=True, created_ms=hold.now_ms, expires_ms=hold.expires_ms)
        if outcome == "short":
            by_line = dict(zip(order, available, strict=True))
            return Outcome(held=False, available=[by_line[n] for n in range(len(order))])
        if not same:
            raise ReusedError(f"request id {hold.request_id} was used with other lines")
        return Outcome(held=True, created_ms=created_ms, expires_ms=expires_ms, repeated=True)

    async def _call(self, statement: str, *args: Any, many: bool = False) -> Any:  # noqa: ANN401  # rows
        """Run a statement, again when it met another: then it was undone, and what it met is there."""
        run = self._pool.fetch if many else self._pool.fetchrow
        for _ in range(ATTEMPTS - 1):
            try:
                return await run(statement, *args)
            except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
                continue
        return await run(statement, *args)

    async def _end(self, now_ms: int, at_once: int) -> int:
        ended: int = (await self._call(EXPIRE, now_ms, at_once))[0]
        return ended
