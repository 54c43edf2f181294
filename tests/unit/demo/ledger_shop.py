"""The shop on ledgers in memory: the same answers as the service, without the service."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from allocator.client import (
    AllocateResult,
    AllocateStatus,
    Assignment,
    ChannelQuota,
    LineQuantity,
    Movement,
    MovementRejection,
    MovementResult,
    MovementStatus,
    Parcel,
    RecordResult,
    Reservation,
    ReservationLine,
    ReservationState,
    Shortfall,
    SourcingFilter,
    SourcingOrder,
    SourcingPlan,
    Stock,
    TransitionResult,
    TransitionStatus,
)
from allocator.core import commands as c
from allocator.core import results as r
from allocator.core import sourcing
from allocator.core.ledger import StockLedger
from allocator.core.limits import NS_PER_S
from allocator.network_file import NetworkFile
from demo.facts import StockFact
from demo.plan import MARKETPLACE
from demo.shop import PlacedLines
from demo.stock import Policy


class LedgerShop:
    """Answers players from one ledger per location; the clock stands still unless it is told otherwise.

    A reservation over several locations is a reservation of the same name at each of them.
    """

    def __init__(self, network: NetworkFile, now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s
        self.ledgers = {one.location: StockLedger(one.location) for one in network.locations}
        self._table = sourcing.NetworkTable(network.locations, network.groups, network.lanes, ZoneInfo)
        self._profile = next(iter(network.profiles), sourcing.DEFAULT)
        self._numbers = itertools.count(1)
        self._parts: dict[str, tuple[str, ...]] = {}

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

    async def allocate(self, order: SourcingOrder, *, ttl_s: float | None, order_reference: str) -> AllocateResult:
        """See `Shop.allocate`."""
        plans = sourcing.source(self._table, self._order(order), self._picture(order), plans_max=1).plans
        if not plans or not plans[0].assignments:
            return _refused(AllocateStatus.NO_ELIGIBLE_LOCATION)
        (plan,), name = plans, f"R-{next(self._numbers)}"
        for location in plan.locations:
            lines = tuple((one.sku, one.quantity) for one in plan.assignments if one.location == location)
            ttl_ns = int((ttl_s or 900) * NS_PER_S)
            command = c.Reserve(self._id(), name, lines, ttl_ns, channel=order.channel, order=order_reference)
            assert self._do(location, command).status == r.ReserveStatus.HELD
        self._parts[name] = plan.locations
        status = AllocateStatus.PARTIALLY_HELD if plan.shortfall else AllocateStatus.HELD
        return AllocateResult(
            status, self.reservation(name), _plan(plan), SourcingFilter.UNSPECIFIED, None, 1, {}, repeated=False
        )

    async def commit(self, name: str) -> TransitionResult:
        """See `Shop.commit`."""
        return self._turn(name, lambda _: c.Commit(self._id(), name))

    async def release(self, name: str, lines: PlacedLines, *, reason: str) -> TransitionResult:
        """See `Shop.release`."""
        return self._turn(name, lambda units: c.Release(self._id(), name, units, reason), lines)

    async def fulfil(self, name: str, lines: PlacedLines) -> TransitionResult:
        """See `Shop.fulfil`."""
        return self._turn(name, lambda units: c.Fulfil(self._id(), name, units), lines)

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
        """Read one, all its parts together."""
        parts = [
            _reservation(location, self._query(location, c.GetReservation(name)).rows[0])
            for location in self._parts[name]
        ]
        return replace(parts[0], lines=tuple(line for part in parts for line in part.lines))

    def parts(self) -> list[Reservation]:
        """What each location holds units for."""
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

    def _turn(self, name: str, command: Callable[[c.Lines], c.Transition], lines: PlacedLines = ()) -> TransitionResult:
        """Do the same at each location, with the lines there; without any lines at all of them."""
        moved: list[LineQuantity] = []
        statuses = set()
        for location in self._parts[name]:
            units = tuple((line.sku, line.quantity) for line in lines if line.location == location)
            if lines and not units:
                continue
            if self._query(location, c.GetReservation(name)).rows[0].state == r.State.FULFILLED:
                continue
            result = self._do(location, command(units))
            statuses.add(TransitionStatus[r.TransitionStatus(result.status).name])
            moved += [LineQuantity(sku, location, quantity) for sku, quantity in result.lines]
        (status,) = statuses
        return TransitionResult(status, self.reservation(name), {}, repeated=False, moved=tuple(moved))

    def _order(self, order: SourcingOrder) -> sourcing.SourcingOrder:
        assert order.destination is not None
        return sourcing.SourcingOrder(
            tuple((sku, units, order.unit_weights_grams[sku]) for sku, units in dict(order.lines).items()),
            int(self.now_s * NS_PER_S),
            order.service_level,
            channel=order.channel,
            destination=(order.destination.latitude, order.destination.longitude),
            country=order.country_code,
            profile=self._profile,
            backorder=order.allow_shortfall,
        )

    def _picture(self, order: SourcingOrder) -> sourcing.StockPicture:
        locations = self._table.locations
        units = [[self._available(one, sku, order.channel) for one in locations] for sku in dict(order.lines)]
        unlimited = np.full(len(locations), sourcing.CAPACITY_UNLIMITED, dtype=np.int64)
        by_order, ages_s = np.zeros(len(locations), dtype=np.bool_), np.zeros(len(locations))
        return sourcing.StockPicture(np.array(units, dtype=np.int64), unlimited, unlimited, by_order, ages_s)

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


def _refused(status: AllocateStatus) -> AllocateResult:
    return AllocateResult(status, None, None, SourcingFilter.STOCK, None, 0, {}, repeated=False)


def _plan(plan: sourcing.Plan) -> SourcingPlan:
    return SourcingPlan(
        assignments=tuple(Assignment(*one) for one in plan.assignments),
        parcels=tuple(map(_parcel, plan.parcels)),
        shortfalls=tuple(Shortfall(*one) for one in plan.shortfall),
        cost_micros=plan.cost_micros,
        delivery_date=None,
        score=plan.score,
    )


def _parcel(one: sourcing.Parcel) -> Parcel:
    dispatched, delivered = (date(1970, 1, 1) + timedelta(day) for day in (one.dispatch_day, one.delivery_day))
    return Parcel(
        one.location, one.units, one.lane, one.distance_km, dispatched, delivered, one.cost_micros, (), one.score
    )


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
