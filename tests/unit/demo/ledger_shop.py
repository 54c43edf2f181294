"""The shop on ledgers in memory: the same answers as the service, without the service."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from allocator.client import (
    ChannelQuota,
    CheckedLine,
    CheckResult,
    LineQuantity,
    LineStatus,
    Movement,
    MovementRejection,
    MovementResult,
    MovementStatus,
    RecordResult,
    Reservation,
    ReservationLine,
    ReservationState,
    ReserveLine,
    ReservePolicy,
    ReserveResult,
    ReserveStatus,
    Stock,
    TransitionResult,
    TransitionStatus,
)
from allocator.core import commands as c
from allocator.core import results as r
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S
from demo.facts import StockFact
from demo.plan import MARKETPLACE
from demo.shop import Lines
from demo.stock import Policy


class LedgerShop:
    """Answers players from one ledger per location; the clock stands still unless it is told otherwise."""

    def __init__(self, locations: Iterable[str], now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s
        self.ledgers = {location: StockLedger(location) for location in locations}
        self._numbers = itertools.count(1)
        self._homes: dict[str, str] = {}

    async def wait_until(self, at_s: float) -> None:
        """Let the time come."""
        self.now_s = max(self.now_s, at_s)

    def stock(self, facts: Iterable[StockFact]) -> None:
        """Record what a file would bring."""
        for fact in facts:
            kind = c.MovementType[fact.kind.upper()]
            movement = c.Movement("files", self._id(), 0, fact.sku, kind, fact.quantity, fact.disposition)
            self._do(fact.location, movement)

    def set_policies(self, policies: Mapping[str, Mapping[str, Policy]]) -> None:
        """Set safety stock and quotas."""
        for location, lines in policies.items():
            rows = tuple(
                c.PolicyLine(sku, policy.safety_stock, ((MARKETPLACE, policy.quota),)) for sku, policy in lines.items()
            )
            self._do(location, c.SetStockPolicy(self._id(), rows, allow_missing=True))

    async def check(self, lines: Lines, *, channel: str, min_versions: Mapping[str, int]) -> CheckResult:
        """See `Shop.check`; there is no older state to read."""
        assert min_versions.keys() <= self.ledgers.keys()
        checked = []
        for sku, quantity in lines.items():
            units = {name: self._available(name, sku, channel) for name in self.ledgers}
            units = {name: number for name, number in units.items() if number}
            total = sum(units.values())
            checked.append(CheckedLine(sku, quantity, total >= quantity, total, units))
        ok = all(line.sufficient for line in checked)
        return CheckResult(ok=ok, lines=tuple(checked), versions={}, ages_s={})

    async def reserve(
        self, lines: Lines, *, at: str, ttl_s: float | None, channel: str, policy: ReservePolicy, order: str
    ) -> ReserveResult:
        """See `Shop.reserve`."""
        name = f"R-{next(self._numbers)}"
        command = c.Reserve(
            request_id=name,
            reservation=name,
            lines=tuple(lines.items()),
            ttl_ns=int((ttl_s or 900) * NS_PER_S),
            channel=channel,
            policy=c.Policy[policy.value],
            order=order,
        )
        result = self._do(at, command)
        status = ReserveStatus[r.ReserveStatus(result.status).name]
        self._homes[name] = at
        return ReserveResult(
            status,
            self.reservation(name) if result.expires_ns else None,
            tuple(
                ReserveLine(line.sku, at, LineStatus.UNSPECIFIED, line.requested, line.held, line.available)
                for line in result.lines
            ),
            {at: self.ledgers[at].version},
            repeated=False,
            capacity_left=0,
        )

    async def commit(self, name: str) -> TransitionResult:
        """See `Shop.commit`."""
        return self._turn(name, c.Commit(self._id(), name))

    async def release(self, name: str, lines: Lines, *, reason: str) -> TransitionResult:
        """See `Shop.release`."""
        return self._turn(name, c.Release(self._id(), name, tuple(lines.items()), reason))

    async def fulfil(self, name: str, lines: Lines) -> TransitionResult:
        """See `Shop.fulfil`."""
        return self._turn(name, c.Fulfil(self._id(), name, tuple(lines.items())))

    async def record(self, movements: Iterable[Movement]) -> RecordResult:
        """See `Shop.record`."""
        results = []
        for one in movements:
            kind = c.MovementType[one.type.value]
            command = c.Movement(one.source, one.movement_id, 0, one.sku, kind, one.quantity)
            result = self._do(one.location, command)
            status = MovementStatus[r.MovementStatus(result.status).name]
            results.append(MovementResult(status, result.on_hand, MovementRejection.UNSPECIFIED, "", None))
        return RecordResult(tuple(results), {})

    def list_stock(self) -> list[Stock]:
        """Everything in every ledger."""
        return [
            _stock(location, row, self.ledgers[location].version)
            for location in self.ledgers
            for row in self._query(location, c.ListStock(0, 100_000)).rows
        ]

    def reservation(self, name: str) -> Reservation:
        """Read one."""
        home = self._homes[name]
        view = self._query(home, c.GetReservation(name)).rows[0]
        return _reservation(home, view)

    def reservations(self) -> list[Reservation]:
        """Those that are held or committed."""
        live = (ReservationState.HELD, ReservationState.COMMITTED)
        return [
            _reservation(location, view)
            for location in self.ledgers
            for view in self._query(location, c.ListReservations(0, 100_000)).rows
            if ReservationState[r.State(view.state).name] in live
        ]

    def tick(self) -> None:
        """Expire what is due."""
        for ledger in self.ledgers.values():
            ledger.tick(int(self.now_s * NS_PER_S))

    def _turn(self, name: str, command: c.Transition) -> TransitionResult:
        home = self._homes[name]
        result = self._do(home, command)
        moved = tuple(LineQuantity(sku, home, units) for sku, units in result.lines)
        status = TransitionStatus[r.TransitionStatus(result.status).name]
        return TransitionResult(status, self.reservation(name), {}, repeated=False, moved=moved)

    def _available(self, location: str, sku: str, channel: str) -> int:
        ledger = self.ledgers[location]
        i = ledger.stock.index.get(sku)
        if i is None:
            return 0
        return max(0, ledger.stock.free(i) - ledger.quotas.unused_by_others(i, channel))

    def _do(self, location: str, command: c.Write | c.Movement) -> Any:  # noqa: ANN401  # each has its own
        ledger = self.ledgers[location]
        result, events = ledger.execute(command, int(self.now_s * NS_PER_S))
        if events:
            ledger.close_batch()
        assert not isinstance(result, r.Rejected), result
        return result

    def _query(self, location: str, query: c.Query) -> Any:  # noqa: ANN401  # each has its own
        return self.ledgers[location].query(query)

    def _id(self) -> str:
        return f"id-{next(self._numbers)}"


def _reservation(home: str, view: r.ReservationView) -> Reservation:
    return Reservation(
        name=view.reservation,
        state=ReservationState[r.State(view.state).name],
        home_location=home,
        lines=tuple(_line(home, line) for line in view.lines),
        channel=view.channel,
        order=view.order,
        created_at=_at(view.created_ns),
        expires_at=_at(view.expires_ns) if view.expires_ns else None,
        updated_at=_at(view.updated_ns),
        version=0,
    )


def _line(home: str, line: r.ReservationLine) -> ReservationLine:
    left = line.quantity - line.fulfilled - line.released
    return ReservationLine(line.sku, home, line.quantity, left, line.fulfilled, line.released)


def _stock(location: str, row: r.StockView, version: int) -> Stock:
    quotas = tuple(ChannelQuota(q.channel, q.quota, q.reserved, max(0, q.quota - q.reserved)) for q in row.quotas)
    return Stock(
        row.sku,
        location,
        row.on_hand,
        dict(row.unsellable),
        row.held,
        row.committed,
        row.safety_stock,
        quotas,
        row.available,
        version,
    )


def _at(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / NS_PER_S, UTC)
