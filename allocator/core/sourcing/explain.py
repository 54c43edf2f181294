"""Why each location is in the best plan, or is not."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final, NamedTuple

from allocator.core.network.types import Mode
from allocator.core.sourcing.calendars import HORIZON_DAYS
from allocator.core.sourcing.fill import fill
from allocator.core.sourcing.filters import Asked, Reach, filters, passing, reach_of
from allocator.core.sourcing.planning import Scored, answer, distance_km_of, parcel_of, score
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import (
    NEVER,
    Explanation,
    Filter,
    Outcome,
    Parcel,
    Plan,
    SourcingOrder,
    StockPicture,
    Verdict,
)

_EPOCH: Final = date(1970, 1, 1)


class _View(NamedTuple):
    table: NetworkTable
    order: SourcingOrder
    stock: StockPicture
    reach: Reach
    asked: Asked


def explain(table: NetworkTable, order: SourcingOrder, stock: StockPicture, plans_max: int = 3) -> Explanation:
    """Source a sound order, and tell what became of every location.

    A location that was not chosen tells the terms of what it could do alone.
    """
    reach = reach_of(table, order)
    view = _View(table, order, stock, reach, filters(table, order, stock, reach))
    columns = passing(table, view.asked)
    scored = score(table, order, stock, reach, columns) if len(columns) else None
    sourcing = answer(table, view.asked, order, scored, plans_max)
    best = sourcing.plans[0] if sourcing.plans else sourcing.partial
    places = {int(column): place for place, column in enumerate(columns)}
    chosen = {parcel.location: parcel for parcel in best.parcels} if best else {}
    verdicts = [_filtered(view, column) for column in range(len(table.locations)) if column not in places]
    if scored is not None and best is not None:
        verdicts += [_passed(scored, place, best, chosen) for place in places.values()]
    return Explanation(sourcing, tuple(sorted(verdicts, key=lambda verdict: table.index[verdict.location])))


def _passed(scored: Scored, place: int, best: Plan, chosen: dict[str, Parcel]) -> Verdict:
    location = scored.table.locations[int(scored.columns[place])]
    if location in chosen:
        return _verdict(chosen[location], Outcome.CHOSEN, f"gives {chosen[location].units} units")
    filled = fill(scored.choice, [place])
    given = [sum(row) for row in filled.given]
    parcel = parcel_of(scored, place, given)
    missing = sum(filled.missing)
    detail = f"alone it would score {parcel.score:.6g}, the plan scores {best.score:.6g}"
    if missing:
        detail = f"alone it would miss {missing} of {missing + parcel.units} units, and score {parcel.score:.6g}"
    return _verdict(parcel, Outcome.OUTSCORED, detail)


def _verdict(parcel: Parcel, outcome: Outcome, detail: str) -> Verdict:
    return Verdict(
        parcel.location,
        outcome,
        None,
        detail,
        parcel.units,
        parcel.terms,
        parcel.score,
        parcel.lane,
        parcel.distance_km,
        parcel.dispatch_day,
        parcel.delivery_day,
    )


def _filtered(view: _View, column: int) -> Verdict:
    reach, table = view.reach, view.table
    failed = next(name for name, mask in zip(Filter, view.asked, strict=True) if mask is not None and not mask[column])
    lane, dispatch_day = int(reach.leg.lane[column]), int(reach.dispatch_day[column])
    delivers = dispatch_day < NEVER and (lane >= 0 or view.order.mode == Mode.PICKUP)
    return Verdict(
        table.locations[column],
        Outcome.FILTERED,
        failed,
        _DETAILS[failed](view, column),
        0,
        (),
        math.nan,
        table.lanes[lane].lane if lane >= 0 else "",
        distance_km_of(reach, column),
        dispatch_day,
        int(reach.delivery_day[column]) if delivers else NEVER,
    )


def _group(view: _View, column: int) -> str:
    order, location = view.order, view.table.locations[column]
    if location in order.excluded:
        return "it is excluded"
    if order.only and location not in order.only:
        return "it is not one of the locations asked for"
    return f"it is not in group {order.group!r}"


def _open(view: _View, column: int) -> str:
    never = f"it has no open day to dispatch on within {HORIZON_DAYS} days"
    return never if view.table.open[column] else "it is closed"


def _mode(view: _View, column: int) -> str:
    order = view.order
    if view.table.serving_mode(order.mode)[column]:
        return f"the pickup is at {order.pickup_location!r}"
    return f"it does not serve mode {Mode(order.mode).name}"


def _service_level(view: _View, column: int) -> str:
    distance_km = distance_km_of(view.reach, column)
    away = "at an unknown distance" if math.isnan(distance_km) else f"{distance_km:,.0f} km away"
    return f"no lane of service level {view.order.service_level!r} reaches the destination, {away}"


def _promise(view: _View, column: int) -> str:
    promise_day = view.reach.promise_day
    assert promise_day is not None
    return f"it delivers on {_iso(view.reach.delivery_day[column])}, asked for is {_iso(promise_day[column])}"


def _freshness(view: _View, column: int) -> str:
    return (
        f"its data are {view.stock.age_s[column]:,.0f} s old, at most {view.order.profile.age_max_s:,.0f} s are allowed"
    )


def _iso(day: int) -> str:
    return (_EPOCH + timedelta(days=int(day))).isoformat()


_DETAILS: Final[dict[Filter, Callable[[_View, int], str]]] = {
    Filter.GROUP: _group,
    Filter.OPEN: _open,
    Filter.CHANNEL: lambda view, _: f"it does not serve channel {view.order.channel!r}",
    Filter.MODE: _mode,
    Filter.SERVICE_LEVEL: _service_level,
    Filter.PROMISE: _promise,
    Filter.CAPACITY: lambda _view, _: "nothing is left of its picking capacity",
    Filter.FRESHNESS: _freshness,
    Filter.STOCK: lambda _view, _: "it has none of what is ordered",
}
