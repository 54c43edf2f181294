"""The audit's own account of every unit: plain dictionaries, from the input and the acknowledgements alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from demo.acks import Ack, Grant, Return, Turn
from demo.facts import StockFact
from demo.plan import MARKETPLACE
from demo.stock import Policy

Key = tuple[str, str]
"""Location and SKU."""


class Position(NamedTuple):
    """Stock of one SKU at a location, units; `quota` is what is left of the marketplace's."""

    on_hand: int = 0
    unsellable: int = 0
    held: int = 0
    committed: int = 0
    safety_stock: int = 0
    quota: int = 0
    available: int = 0


@dataclass(slots=True)
class Hold:
    """A reservation as it was acknowledged; it has ended when nothing is open at any location."""

    channel: str
    open: dict[Key, int]
    expires_s: float
    committed: bool = False


class Book:
    """The account: on_hand = opening + received + returned + adjusted - sold - fulfilled, and nothing else moves it.

    Attributes:
        holds: by reservation, those that ended among them.
        units: by what moved them, over all locations.
    """

    def __init__(self) -> None:
        self.holds: dict[str, Hold] = {}
        self.units: Counter[str] = Counter()
        self._on_hand: Counter[Key] = Counter()
        self._unsellable: Counter[tuple[Key, str]] = Counter()
        self._policies: dict[Key, Policy] = {}
        self._fulfilled_on: Counter[tuple[Key, str]] = Counter()

    def set_policies(self, policies: Mapping[str, Mapping[str, Policy]]) -> None:
        """Book safety stock and quotas, by location and SKU."""
        for location, lines in policies.items():
            self._policies |= {(location, sku): policy for sku, policy in lines.items()}

    def move(self, facts: Iterable[StockFact], what: str = "") -> None:
        """Book what was put into the watched folder; `what` it is in `units`, else the kind of each fact."""
        for fact in facts:
            self._move(what or fact.kind, (fact.location, fact.sku), fact.delta)
            if fact.disposition:
                self._unsellable[(fact.location, fact.sku), fact.disposition] += fact.delta

    def acknowledge(self, ack: Ack) -> None:
        """Book an acknowledgement."""
        if isinstance(ack, Grant) and ack.reservation:
            self.holds[ack.reservation] = _hold(ack)
        elif isinstance(ack, Turn):
            self._turn(ack, self.holds[ack.reservation])
        elif isinstance(ack, Return):
            for sku, units in ack.lines:
                self._move("return", (ack.location, sku), units)

    def positions(self, now_s: float) -> dict[Key, Position]:
        """What must be there now, for everything that was ever stocked.

        Args:
            now_s: seconds since 1970 UTC; a hold whose time is over has ended, whether anybody said so or not.
        """
        held, committed = Counter[Key](), Counter[Key]()
        channel_reserved = Counter[tuple[Key, str]]()
        for hold in self.live(now_s).values():
            for key, units in hold.open.items():
                (committed if hold.committed else held)[key] += units
                channel_reserved[key, hold.channel] += units
        unsellable = Counter[Key]()
        for (key, _), units in self._unsellable.items():
            unsellable[key] += max(0, units)
        return {
            key: self._position(key, unsellable[key], held[key], committed[key], channel_reserved[key, MARKETPLACE])
            for key in self._on_hand.keys() | self._policies.keys() | held.keys() | committed.keys()
        }

    def live(self, now_s: float) -> dict[str, Hold]:
        """Reservations that have not ended, by name."""
        return {
            name: hold
            for name, hold in self.holds.items()
            if (hold.committed or hold.expires_s > now_s) and any(hold.open.values())
        }

    def _move(self, what: str, key: Key, units: int) -> None:
        self._on_hand[key] += units
        self.units[what] += units

    def _turn(self, ack: Turn, hold: Hold) -> None:
        if ack.turn == "commit":
            hold.committed = True
        elif ack.turn == "expire":
            hold.open.clear()
        for sku, location, units in ack.lines:
            key = location, sku
            hold.open[key] -= units
            if ack.turn == "fulfil":
                self._move("fulfilled", key, -units)
                self._fulfilled_on[key, hold.channel] += units

    def _position(self, key: Key, unsellable: int, held: int, committed: int, channel_reserved: int) -> Position:
        policy = self._policies.get(key, Policy())
        # Sold units leave the ring-fence.
        quota = max(0, policy.quota - self._fulfilled_on[key, MARKETPLACE])
        free = self._on_hand[key] - unsellable - held - committed
        available = max(0, free - policy.safety_stock - max(0, quota - channel_reserved))
        return Position(self._on_hand[key], unsellable, held, committed, policy.safety_stock, quota, available)


def _hold(grant: Grant) -> Hold:
    units = Counter[Key]()
    for sku, location, quantity in grant.lines:
        units[location, sku] += quantity
    return Hold(grant.channel, dict(units), grant.expires_s)


def oversold(positions: Mapping[Key, Position]) -> int:
    """Units that were promised, or left on a promise, beyond what was there."""
    return sum(max(0, -(p.on_hand - p.unsellable - p.held - p.committed)) for p in positions.values())
