"""The ledger's state as plain values and back. Everything derived (indexes, expiry queue) is rebuilt."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from allocator.core import codec
from allocator.core.commands import Capacity
from allocator.core.errors import BrokenInvariantError
from allocator.core.limits import LedgerLimits
from allocator.core.movements import SequenceWindow
from allocator.core.protocol.headers import Header
from allocator.core.protocol.types import Done
from allocator.core.reservation import Reservation
from allocator.core.stock import COLUMNS, StockColumns

if TYPE_CHECKING:
    from allocator.core.ledger import StockLedger

FORMAT: Final = 1
"""Format of the snapshot; a build reads its own and says so otherwise."""


def dump(ledger: StockLedger) -> dict[str, Any]:
    """The state as values msgpack knows."""
    return {
        "format": FORMAT,
        "location": ledger.location,
        "limits": ledger.limits,
        "version": ledger.version,
        "clock_ns": ledger.clock_ns,
        "accepting": ledger.accepting,
        "skus": ledger.stock.skus,
        "columns": [getattr(ledger.stock, name).tobytes() for name in (*COLUMNS, "counted_ns")],
        "quotas": ledger.quotas.by_sku,
        "dispositions": ledger.dispositions,
        "capacity": (ledger.capacity.plan, list(ledger.capacity.used.items())),
        "reservations": [reservation.as_row() for reservation in ledger.reservations.by_id.values()],
        "closed": list(ledger.reservations.closed),
        "serial": ledger.reservations.serial,
        "telling": list(ledger.reservations.telling.items()),
        "filling": list(ledger.reservations.filling),
        "headers": [header.as_row() for header in ledger.headers.by_id.values()],
        "headers_closed": list(ledger.headers.closed),
        "owing": list(ledger.headers.owing),
        "voided": list(ledger.headers.voided.items()),
        "requests": [codec.tagged(event) for event in ledger.requests.by_id.values()],
        "movements": _dump_movements(ledger),
        "supplies": ledger.supply.as_state(),
        "missing": list(ledger.waiting.missing.items()),
    }


def load(cls: type[StockLedger], state: dict[str, Any]) -> StockLedger:
    """The ledger that `dump` described."""
    if state.get("format") != FORMAT:
        message = f"snapshot format {state.get('format')!r} is not known; this build reads format {FORMAT}"
        raise BrokenInvariantError(message)
    ledger = cls(state["location"], LedgerLimits(*state["limits"]))
    ledger.version = state["version"]
    ledger.clock_ns = state["clock_ns"]
    ledger.accepting = state["accepting"]
    ledger.stock = StockColumns(state["skus"])
    for name, data in zip((*COLUMNS, "counted_ns"), state["columns"], strict=True):
        ledger.stock.load(name, data)
    ledger.quotas.by_sku = {i: {k: list(q) for k, q in entry.items()} for i, entry in state["quotas"].items()}
    ledger.dispositions = state["dispositions"]
    _load_reservations(ledger, state)
    _load_headers(ledger, state)
    _load_capacity(ledger, *state["capacity"])
    for array in state["requests"]:
        event = codec.untagged(array)
        ledger.requests.by_id[event.command[0]] = event
        ledger.requests.order.append((event.at_ns, event.command[0]))
    _load_movements(ledger, state["movements"])
    ledger.supply.load(state.get("supplies", ((), (), 0)), ledger.stock.index)
    ledger.waiting.missing = dict(state.get("missing", ()))
    return ledger


def _load_reservations(ledger: StockLedger, state: dict[str, Any]) -> None:
    book = ledger.reservations
    for row in state["reservations"]:
        reservation = Reservation(*row)
        if reservation.done is not None:
            reservation.done = {sku: list(pair) for sku, pair in reservation.done.items()}
        if reservation.lost is not None:
            reservation.lost = {sku: list(pair) for sku, pair in reservation.lost.items()}
        book.add(reservation)
        waiting, reservation.waiting = reservation.waiting, None
        for sku, units in (waiting or {}).items():
            ledger.waiting.add(ledger.stock.index[sku], sku, reservation, units)
    book.closed = deque(state["closed"])
    book.serial = state["serial"]
    book.filling = dict.fromkeys(state.get("filling", ()))
    telling = state.get("telling", ())
    book.telling = {hold: (home, tuple(Done(*row) for row in rows)) for hold, (home, rows) in telling}


def _load_headers(ledger: StockLedger, state: dict[str, Any]) -> None:
    """What snapshots of a build before there were headers do not have is empty."""
    book = ledger.headers
    for row in state.get("headers", ()):
        book.add(Header.from_row(codec.open_command(row[0]), row))
    book.closed = deque(state.get("headers_closed", ()))
    order = {hold: place for place, hold in enumerate(state.get("owing", ()))}
    book.owing = dict(sorted(book.owing.items(), key=lambda item: order[item[0]]))
    book.voided = dict(state.get("voided", ()))


def _load_capacity(ledger: StockLedger, plan: tuple[Any, ...] | None, used: list[tuple[int, int]]) -> None:
    if plan is not None:
        ledger.capacity.plan = Capacity(*plan)
        ledger.capacity.limits = dict(ledger.capacity.plan.overrides)
        ledger.capacity.used = dict(used)


def _dump_movements(ledger: StockLedger) -> dict[str, Any]:
    log = ledger.movements
    return {
        "ids": list(log.id_order),
        "sequences": [(source, window.floor, sorted(window.seen)) for source, window in log.sequences.items()],
        "recent": log.recent,
        "recent_order": list(log.recent_order),
        "floor": (log.floor_ns, log.floor_version),
    }


def _load_movements(ledger: StockLedger, state: dict[str, Any]) -> None:
    log = ledger.movements
    log.id_order = deque(state["ids"])
    log.ids = {key for _, key in log.id_order}
    log.sequences = {source: SequenceWindow(floor, seen) for source, floor, seen in state["sequences"]}
    log.recent = {sku: list(deltas) for sku, deltas in state["recent"].items()}
    log.recent_order = deque(state["recent_order"])
    log.floor_ns, log.floor_version = state["floor"]
