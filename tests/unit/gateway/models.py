"""Read models for the tests, filled as in production: by the changes of real ledgers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from allocator.core import codec
from allocator.core.commands import (
    Capacity,
    Configure,
    Movement,
    MovementType,
    PolicyLine,
    SetStockPolicy,
    SetSupply,
    SupplyLine,
)
from allocator.core.ledger import StockLedger
from allocator.core.network.ledger import NetworkLedger
from allocator.core.network.types import Group, LoadNetwork, Location, Place
from allocator.runtime.feed import Change, Recorder
from allocator.runtime.network_view import NetworkView
from allocator.runtime.read_model import AvailabilityModel

NOW_NS = 1_800_000_000 * 10**9


class Source:
    """One location's ledger and the changes it makes."""

    def __init__(self, location: str) -> None:
        self.ledger = StockLedger(location)
        self.recorder = Recorder(self.ledger)
        self._movements = 0

    def move(self, sku: str, quantity: int) -> Change:
        """Find or lose units, in a batch of its own."""
        self._movements += 1
        movement = Movement("test", str(self._movements), 0, sku, MovementType.ADJUSTMENT, quantity)
        self.ledger.execute(movement, NOW_NS)
        return self.change()

    def ring_fence(self, sku: str, quotas: Mapping[str, int]) -> Change:
        """Set all quotas of a SKU, in a batch of its own."""
        self._movements += 1
        line = PolicyLine(sku, quotas=tuple(quotas.items()))
        self.ledger.execute(SetStockPolicy(str(self._movements), (line,), allow_missing=True), NOW_NS)
        return self.change()

    def expect(self, sku: str, quantity: int, at_ns: int) -> Change:
        """Announce units that are to come, in a batch of its own."""
        self._movements += 1
        line = SupplyLine(f"supply-{self._movements}", sku, quantity, at_ns)
        self.ledger.execute(SetSupply(str(self._movements), (line,)), NOW_NS)
        return self.change()

    def limit(self, capacity: Capacity) -> Change:
        """Set what the location can pick, in a batch of its own."""
        self._movements += 1
        self.ledger.execute(Configure(str(self._movements), capacity=capacity), NOW_NS)
        return self.change()

    def change(self) -> Change:
        """What the batch changed."""
        self.ledger.close_batch()
        return self.recorder.changed()


def filled(stock: Mapping[str, Mapping[str, int]]) -> tuple[AvailabilityModel, dict[str, Source]]:
    """A model of location -> SKU -> units, and the ledgers behind it."""
    model = AvailabilityModel()
    sources = {}
    for location, units in stock.items():
        source = sources[location] = Source(location)
        model.apply(location, [source.recorder.whole()])
        for sku, quantity in units.items():
            model.apply(location, [source.move(sku, quantity)])
        model.heard([location])
    return model, sources


def network(locations: Sequence[str], groups: Mapping[str, Sequence[str]] | None = None) -> NetworkView:
    """A network of these locations, all in one actor."""
    ledger = NetworkLedger()
    rows = tuple(map(Location, locations))
    sets = tuple(Group(name, "", tuple(members)) for name, members in (groups or {}).items())
    ledger.execute(LoadNetwork("load", rows, sets), NOW_NS)
    ledger.execute(Place("place", ("actor",), tuple((name, "actor") for name in locations)), NOW_NS)
    ledger.close_batch()
    view = NetworkView()
    view.apply([(ledger.version, True, codec.pack(ledger.state()))])
    return view
