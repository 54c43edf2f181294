from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from allocator.core.commands import (
    Fulfil,
    ListStock,
    Movement,
    MovementType,
    Policy,
    PolicyLine,
    Release,
    Reserve,
    SetStockPolicy,
)
from allocator.core.ledger import StockLedger
from allocator.core.results import StockView
from allocator.runtime.feed import Change, FeedRing, Recorder
from allocator.runtime.read_model import AvailabilityModel
from tests.unit.runtime.hosts import NOW_NS, TTL_NS

LOCATIONS = ("dc", "shop", "dark-store", "vendor", "annex", "kiosk")
CHANNELS = ("", "web", "app")
SKUS = st.sampled_from([f"sku-{n}" for n in range(6)])
UNITS = st.integers(1, 9)


class Site:
    """One location as its actor has it: the ledger, its recorder, its ring."""

    def __init__(self, name: str) -> None:
        self.ledger = StockLedger(name)
        self.begin()

    def begin(self) -> None:
        """Start anew from the ledger's state, as after a recovery."""
        self.recorder = Recorder(self.ledger)
        self.ring = FeedRing(self.ledger.version)

    def batch(self, *commands: object) -> None:
        """Execute commands as one batch; what changed is published when there was anything."""
        events = [event for command in commands for event in self.ledger.execute(command, NOW_NS)[1]]  # type: ignore[arg-type]  # commands
        if events:
            self.ledger.close_batch()
            self.ring.publish(self.recorder.changed())

    def news(self, known: int | None) -> list[Change]:
        """What an actor tells a reader at version `known`."""
        changes = self.ring.since(known) if known is not None else None
        return [self.recorder.whole()] if changes is None else changes

    def views(self) -> dict[str, StockView]:
        """Every component of every SKU, by SKU."""
        page = self.ledger.query(ListStock(0, 10_000))
        return {row.sku: row for row in page.rows}  # type: ignore[union-attr, misc]  # a page of stock


def promised(view: StockView, channel: str) -> int:
    """Units a channel can be promised, by the definition."""
    unsellable = sum(units for _, units in view.unsellable)
    others = sum(max(0, quota.quota - quota.reserved) for quota in view.quotas if quota.channel != channel)
    left = view.on_hand - unsellable - view.held - view.committed - view.safety_stock - others
    return max(0, left)


class ReadModel(RuleBasedStateMachine):
    """The model of one gateway beside plain dictionaries of what it was told of each location."""

    def __init__(self) -> None:
        super().__init__()
        self.model = AvailabilityModel()
        self.heard: list[tuple[str, int]] = []
        self.model.listeners.append(lambda location, rows: self.heard.append((location, len(rows))))
        self.sites = {name: Site(name) for name in LOCATIONS}
        self.told: dict[str, dict[str, StockView]] = {}
        self.reservations: defaultdict[str, list[str]] = defaultdict(list)
        self.number = 0

    def id(self) -> str:
        """A fresh id."""
        self.number += 1
        return f"id-{self.number}"

    @initialize()
    def open_with_stock(self) -> None:
        """Two locations have stock from the beginning."""
        for name in LOCATIONS[:2]:
            for n in range(3):
                self.move(name, f"sku-{n}", 9, MovementType.RECEIPT)

    @rule(
        name=st.sampled_from(LOCATIONS),
        sku=SKUS,
        units=UNITS,
        kind=st.sampled_from([MovementType.RECEIPT, MovementType.SALE, MovementType.DISPOSITION_CHANGE]),
    )
    def move(self, name: str, sku: str, units: int, kind: MovementType) -> None:
        """Stock comes, goes or is damaged."""
        disposition = "damaged" if kind == MovementType.DISPOSITION_CHANGE else ""
        self.sites[name].batch(Movement("erp", self.id(), 0, sku, kind, units, disposition))

    @rule(name=st.sampled_from(LOCATIONS), sku=SKUS, other=SKUS, units=UNITS, channel=st.sampled_from(CHANNELS))
    def reserve(self, name: str, sku: str, other: str, units: int, channel: str) -> None:
        """Somebody holds what there is of two SKUs."""
        request = self.id()
        lines = ((sku, units), (other, 1))
        self.sites[name].batch(Reserve(request, f"r-{request}", lines, TTL_NS, channel, Policy.PARTIAL))
        self.reservations[name].append(f"r-{request}")

    @rule(name=st.sampled_from(LOCATIONS), nth=st.integers(0, 50), fulfils=st.booleans())
    def end(self, name: str, nth: int, fulfils: bool) -> None:  # noqa: FBT001  # hypothesis hands it over
        """A reservation ends, if there is one."""
        known = self.reservations[name]
        if known:
            reservation = known.pop(nth % len(known))
            make = Fulfil if fulfils else Release
            self.sites[name].batch(make(self.id(), reservation))

    @rule(
        name=st.sampled_from(LOCATIONS),
        sku=SKUS,
        safety=st.integers(0, 4),
        quotas=st.dictionaries(st.sampled_from(CHANNELS[1:]), st.integers(0, 5)),
    )
    def set_policy(self, name: str, sku: str, safety: int, quotas: dict[str, int]) -> None:
        """Safety stock and quotas change; quotas may also go away."""
        line = PolicyLine(sku, safety, tuple(quotas.items()))
        self.sites[name].batch(SetStockPolicy(self.id(), (line,), allow_missing=True))

    @rule(name=st.sampled_from(LOCATIONS), sku=SKUS)
    def do_many_things_in_one_batch(self, name: str, sku: str) -> None:
        """One batch of several commands is one change."""
        moves = [Movement("erp", self.id(), 0, sku, MovementType.RECEIPT, n + 1) for n in range(3)]
        self.sites[name].batch(*moves, SetStockPolicy(self.id(), (PolicyLine(sku, 1, (("web", 2),)),)))

    @rule(name=st.sampled_from(LOCATIONS))
    def restart(self, name: str) -> None:
        """The actor comes back from its snapshot with an empty ring."""
        site = self.sites[name]
        site.ledger = StockLedger.restore(site.ledger.snapshot())
        site.begin()

    @rule(name=st.sampled_from(LOCATIONS))
    def hear(self, name: str) -> None:
        """The gateway takes over what the actor tells."""
        site = self.sites[name]
        assert self.model.apply(name, site.news(self.model.version(name)))
        self.told[name] = site.views()
        self.model.heard([name])

    @rule(name=st.sampled_from(LOCATIONS), back=st.integers(0, 3))
    def hear_again(self, name: str, back: int) -> None:
        """What is known already changes nothing, as answers and feed overlap."""
        version = self.model.version(name)
        if version is not None:
            site = self.sites[name]
            changes = [change for change in site.news(max(0, version - back)) if change.version <= version]
            assert self.model.apply(name, changes)

    @rule(name=st.sampled_from(LOCATIONS))
    def miss_one(self, name: str) -> None:
        """A gap is noticed, and nothing of what is behind it is taken over."""
        site = self.sites[name]
        changes = site.news(self.model.version(name))
        if len(changes) > 1:
            assert not self.model.apply(name, changes[1:])

    @precondition(lambda self: self.told)
    @rule(nth=st.integers(0, 5))
    def forget(self, nth: int) -> None:
        """A location leaves the network; its column may go to another one."""
        name = sorted(self.told)[nth % len(self.told)]
        self.model.forget(name)
        del self.told[name]

    @invariant()
    def promises_what_it_was_told(self) -> None:
        """For every channel, SKU and location, known to the location or not."""
        assert sorted(self.told) == sorted(self.model.locations())
        columns = self.model.columns(self.told)
        rows = np.arange(len(self.model.skus))
        for channel in CHANNELS:
            matrix = self.model.available(rows, columns, channel)
            expected = [
                [promised(views[sku], channel) if sku in views else 0 for views in self.told.values()]
                for sku in self.model.skus
            ]
            assert matrix.tolist() == expected
            assert expected == [[self.model.units(sku, name, channel) for name in self.told] for sku in self.model.skus]
            assert self.model.units("nobody", "dc", channel) == self.model.units("sku-1", "nowhere", channel) == 0
        for name, views in self.told.items():
            assert self.model.version(name) is not None, name
            assert set(views) <= set(self.model.skus)

    @invariant()
    def rows_and_names_belong_together(self) -> None:
        """Each SKU has one row for all locations."""
        assert self.model.rows == {sku: row for row, sku in enumerate(self.model.skus)}


TestReadModel = ReadModel.TestCase


def test_the_matrix_grows_in_both_directions() -> None:
    """Thousands of SKUs over more locations than there are columns at first; all of it stays where it belongs."""
    model = AvailabilityModel()
    for n, name in enumerate(LOCATIONS):
        site = Site(name)
        for first in range(0, 3_000, 1_000):
            skus = [f"sku-{k * (n + 1)}" for k in range(first, first + 1_000)]
            site.batch(*(Movement("erp", sku, 0, sku, MovementType.RECEIPT, n + 1) for sku in skus))
            assert model.apply(name, site.news(model.version(name)))
    row = model.rows["sku-30"]
    assert model.available(np.array([row]), model.columns(LOCATIONS), "").tolist() == [[1, 2, 3, 0, 5, 6]]
    everything = model.free.read(np.arange(len(model.skus)), model.columns(LOCATIONS))
    assert int(everything.sum()) == 3_000 * (1 + 2 + 3 + 4 + 5 + 6)


def test_listeners_hear_which_rows_changed() -> None:
    """Watches look at what moved and at nothing else."""
    model, site, heard = AvailabilityModel(), Site("dc"), []
    model.listeners.append(lambda location, rows: heard.append((location, [model.skus[row] for row in rows])))
    site.batch(Movement("erp", "m1", 0, "fig", MovementType.RECEIPT, 1))
    site.batch(Movement("erp", "m2", 0, "plum", MovementType.RECEIPT, 1))
    model.apply("dc", site.news(None))
    site.batch(Movement("erp", "m3", 0, "plum", MovementType.RECEIPT, 1))
    model.apply("dc", site.news(2))
    assert heard == [("dc", ["fig", "plum"]), ("dc", ["plum"])]


def test_the_age_of_the_data_is_the_time_since_its_ledger_was_heard_of() -> None:
    """Also when it had nothing new to tell; never heard of is infinitely old."""
    now = [100.0]
    model = AvailabilityModel(lambda: now[0])
    model.heard(["dc"])
    now[0] += 2.5
    assert model.age_s("dc") == 2.5
    assert model.age_s("shop") == float("inf")
    stores = [f"store-{number}" for number in range(9)]
    columns = model.columns(["shop", "dc", *stores])
    model.heard([stores[8]])
    assert model.ages_s(columns).tolist() == [float("inf"), 2.5, *[float("inf")] * 8, 0.0]
    model.forget("dc")
    assert model.ages_s(model.columns(["later"])).tolist() == [float("inf")]


def test_a_gateway_whose_location_restarts_empty_handed_sees_no_old_units() -> None:
    """A whole picture replaces everything that was known, quotas included."""
    model, site = AvailabilityModel(), Site("dc")
    site.batch(Movement("erp", "m1", 0, "fig", MovementType.RECEIPT, 7))
    site.batch(SetStockPolicy("p1", (PolicyLine("fig", quotas=(("web", 5),)),)))
    model.apply("dc", site.news(None))
    site.batch(SetStockPolicy("p2", (PolicyLine("fig", quotas=()),)))
    site.ledger = StockLedger.restore(site.ledger.snapshot())
    site.begin()
    model.apply("dc", site.news(model.version("dc")))
    assert model.available(np.array([0]), model.columns(["dc"]), "").tolist() == [[7]]


def test_a_picture_without_a_sku_that_was_there_tells_of_it_too() -> None:
    """Whoever keeps something of a row must hear that it is 0 now."""
    model, site, heard = AvailabilityModel(), Site("dc"), []
    for sku in ("fig", "plum"):
        site.batch(Movement("erp", sku, 0, sku, MovementType.RECEIPT, 3))
    model.apply("dc", site.news(None))
    model.listeners.append(lambda _, rows: heard.append(sorted(model.skus[row] for row in rows)))
    site.ledger = StockLedger("dc")
    for sku in ("plum", "kiwi", "kale"):
        site.batch(Movement("erp", sku, 0, sku, MovementType.RECEIPT, 1))
    site.begin()
    model.apply("dc", [site.recorder.whole()])
    assert heard == [["fig", "kale", "kiwi", "plum"]]
    assert model.available(np.arange(4), model.columns(["dc"]), "").tolist() == [[0], [1], [1], [1]]


def test_locations_that_are_expected_get_columns_in_the_order_of_names() -> None:
    """Those that are there keep theirs."""
    model = AvailabilityModel()
    model.columns(["m"])
    model.expect(["z", "m", "a"])
    assert model.columns(["m", "a", "z"]).tolist() == [0, 1, 2]
