"""From the events of a journal entry to postings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple

from adapters.erp.port import NAMED_MAX, Posting
from allocator.core.codec import Record
from allocator.core.commands import MovementType
from allocator.core.events import Counted, Event, Fulfilled, Moved, PolicySet
from allocator.core.ledger import StockLedger
from allocator.core.moving import disposition_changes
from allocator.core.protocol.participant import DAMAGED
from allocator.core.protocol.types import Followed, reservation_of

FULFILMENT: Final = "fulfilment"
DECLINED: Final = "declined"
"""Units that a location was to pick and did not find."""
OPENING_BALANCE: Final = "opening_balance"
_NAMES: Final = {int(kind): kind.name.lower() for kind in MovementType}
_COUNT: Final = _NAMES[MovementType.COUNT]
_DISPOSITION_CHANGE: Final = _NAMES[MovementType.DISPOSITION_CHANGE]


class _Effect(NamedTuple):
    """What one fact does to the units of one SKU in one disposition."""

    sku: str
    type: str
    reason: str
    disposition: str
    quantity: int
    occurred_ns: int
    document: str = ""
    reservation: str = ""


@dataclass(slots=True)
class _Sum:
    """Effects with the same SKU, type, reason and disposition. The dictionaries are ordered sets."""

    quantity: int = 0
    movements: int = 0
    occurred_ns: int = 0
    documents: dict[str, None] = field(default_factory=dict)
    reservations: dict[str, None] = field(default_factory=dict)
    orders: dict[str, None] = field(default_factory=dict)
    correlation_ids: dict[str, None] = field(default_factory=dict)
    traceparents: dict[str, None] = field(default_factory=dict)

    def posting(self, location: str, version: int, line: int, key: tuple[str, str, str, str]) -> Posting:
        """The posting of this sum."""
        return Posting(
            location,
            version,
            line,
            *key,
            self.quantity,
            self.movements,
            _some(self.documents),
            _some(self.reservations),
            _some(self.orders),
            _some(self.correlation_ids),
            _some(self.traceparents),
            self.occurred_ns,
        )


def postings_of(
    location: str, version: int, records: Iterable[Record], order_of: Callable[[str], str]
) -> list[Posting]:
    """The postings of one journal entry.

    Args:
        location: whose ledger.
        version: of the entry.
        records: its events with the calls behind them.
        order_of: the order of a reservation, "" when it has none or is forgotten.
    """
    sums: dict[tuple[str, str, str, str], _Sum] = {}
    for event, correlation_id, traceparent in records:
        for effect in _effects(event):
            total = sums.setdefault(effect[:4], _Sum(occurred_ns=effect.occurred_ns))
            total.quantity += effect.quantity
            total.movements += 1
            total.occurred_ns = min(total.occurred_ns, effect.occurred_ns)
            for names, name in (
                (total.documents, effect.document),
                (total.reservations, reservation_of(effect.reservation)),
                (total.orders, order_of(effect.reservation) if effect.reservation else ""),
                (total.correlation_ids, correlation_id),
                (total.traceparents, traceparent),
            ):
                if name:
                    names[name] = None
    kept = [(key, total) for key, total in sums.items() if total.quantity]
    return [total.posting(location, version, line, key) for line, (key, total) in enumerate(kept, 1)]


def opening_postings(ledger: StockLedger) -> list[Posting]:
    """What is on hand as of the ledger's version, for an ERP that comes when the first entries are cut already."""
    postings: list[Posting] = []
    for i, sku in enumerate(ledger.stock.skus):
        raw = ledger.dispositions.get(sku, {})
        sellable = ledger.stock.on_hand[i] - sum(raw.values())
        for disposition, quantity in (("", sellable), *raw.items()):
            if quantity:
                total = _Sum(quantity, 1, ledger.clock_ns)
                key = (sku, OPENING_BALANCE, "", disposition)
                postings.append(total.posting(ledger.location, ledger.version, len(postings) + 1, key))
    return postings


def _effects(event: Event) -> Iterator[_Effect]:
    match event:
        case Moved():
            yield from _moved(event)
        case Fulfilled(at_ns, command, lines):
            for sku, quantity in lines:
                yield _Effect(sku, FULFILMENT, "", "", -quantity, at_ns, reservation=command.reservation)
        case Followed():
            yield from _followed(event)
        case Counted(_, command, result):
            for line in result.lines:
                drift = line.after - line.before
                yield _Effect(line.sku, _COUNT, command.reason, "", drift, command.as_of_ns, command.reference)
        case PolicySet(at_ns, command):
            for policy in command.lines:
                for source, target, quantity in policy.moves:
                    yield _Effect(policy.sku, _DISPOSITION_CHANGE, "", source, -quantity, at_ns)
                    yield _Effect(policy.sku, _DISPOSITION_CHANGE, "", target, quantity, at_ns)


def _followed(event: Followed) -> Iterator[_Effect]:
    """What left a part of a reservation over several locations, or was declined by its location."""
    at_ns, command, fulfilled, lost, damaged = event.at_ns, event.command, event.fulfilled, event.lost, event.damaged
    for sku, quantity in fulfilled:
        yield _Effect(sku, FULFILMENT, "", "", -quantity, at_ns, reservation=command.hold)
    for sku, quantity in lost:
        yield _Effect(sku, DECLINED, "not_in_stock", "", -quantity, at_ns, reservation=command.hold)
    for sku, quantity in damaged:
        yield _Effect(sku, _DISPOSITION_CHANGE, DAMAGED, "", -quantity, at_ns, reservation=command.hold)
        yield _Effect(sku, _DISPOSITION_CHANGE, DAMAGED, DAMAGED, quantity, at_ns, reservation=command.hold)


def _moved(event: Moved) -> Iterator[_Effect]:
    """What enters or leaves dispositions, and the rest of on_hand's change, which is sellable."""
    movement = event.movement
    shifts = disposition_changes(movement)
    sellable = event.delta - sum(units for _, units in shifts)
    for disposition, units in (*shifts, ("", sellable)):
        if units:
            yield _Effect(
                movement.sku,
                _NAMES[movement.type],
                movement.reason,
                disposition,
                units,
                movement.occurred_ns or event.at_ns,
                movement.reference,
                movement.reservation,
            )


def _some(names: dict[str, None]) -> tuple[str, ...]:
    return tuple(islice(names, NAMED_MAX))
