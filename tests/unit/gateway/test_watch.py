from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from allocator.gateway.watch import Filter, Watch, WatchHub
from allocator.runtime.read_model import AvailabilityModel
from allocator.v1 import availability_pb2 as a
from tests.unit.gateway.models import Source, filled

SKUS = ("apple", "fig")
LOCATIONS = ("dc", "store-1")
units = st.sampled_from([-3, -2, 2, 3])


class Reader:
    """A caller who reads a watch now and then, and does with each message what the contract says."""

    def __init__(self) -> None:
        self.cells: dict[tuple[str, str], int] = {}
        self.versions: dict[str, int] = {}
        self._picture: dict[tuple[str, str], int] = {}

    def take(self, message: a.WatchAvailabilityResponse) -> None:
        """Take one message over."""
        cells = {(change.sku, change.location): change.available for change in message.changes}
        assert len(cells) == len(message.changes), "a cell is told twice in one message"
        if not message.snapshot:
            self.cells |= cells
        else:
            self._picture |= cells
            told = {item.location for item in message.versions}
            if told:
                self.cells = {key: left for key, left in self.cells.items() if key[1] not in told}
                self.cells |= self._picture
                self._picture = {}
        self.versions |= {item.location: item.version for item in message.versions}


class Watching(RuleBasedStateMachine):
    """Locations come, stock changes, and readers read when they like: what they know is what there is."""

    @initialize(threshold=st.sampled_from([0, 2]), everywhere=st.booleans())
    def begin(self, threshold: int, *, everywhere: bool) -> None:
        """Two watches of the same: one reads now and then, one only at the end."""
        self.model = AvailabilityModel()
        self.hub = WatchHub(self.model)
        self.sources: dict[str, Source] = {}
        self.threshold = threshold
        self.watched = LOCATIONS if everywhere else LOCATIONS[:1]
        only = None if everywhere else frozenset(self.watched)
        wanted = Filter(("apple", "nobody-stocks-this"), "", only, threshold)
        self.watches = [Watch(wanted, self.model) for _ in range(2)]
        self.readers = [Reader() for _ in range(2)]
        for watch in self.watches:
            self.hub.add(watch)
            watch.begin([], {})

    @rule(location=st.sampled_from(LOCATIONS), sku=st.sampled_from(SKUS), quantity=units)
    def move(self, location: str, sku: str, quantity: int) -> None:
        """Stock changes somewhere; the first news of a location is a full picture."""
        source = self.sources.get(location)
        if source is None:
            source = self.sources[location] = Source(location)
            source.move(sku, quantity)
            self.model.apply(location, [source.recorder.whole()])
        else:
            self.model.apply(location, [source.move(sku, quantity)])

    @precondition(lambda self: self.sources)
    @rule(data=st.data())
    def anew(self, data: Any) -> None:  # noqa: ANN401  # Hypothesis' data
        """A gap: the feed brings a location's full picture again."""
        location = data.draw(st.sampled_from(sorted(self.sources)))
        source = self.sources[location]
        source.move("apple", data.draw(units))
        self.model.apply(location, [source.recorder.whole()])

    @rule()
    def read(self) -> None:
        """The first reader reads everything there is."""
        self.read_all(0)

    def read_all(self, n: int) -> None:
        """Read what a watch has to tell."""
        for message in self.watches[n].messages():
            self.readers[n].take(message)
            versions = {item.location: item.version for item in message.versions}
            assert {change.location for change in message.changes} <= set(versions)
            for location, source in self.sources.items():
                assert versions.get(f"locations/{location}") in {None, source.ledger.version}

    @invariant()
    def marks_are_bounded(self) -> None:
        """However long nobody reads, a watch remembers cells, not changes."""
        for watch in self.watches:
            assert sum(map(len, watch.marks.values())) <= 2 * len(LOCATIONS)

    def teardown(self) -> None:
        """In the end both readers know what the model knows."""
        for n in range(2):
            self.read_all(n)
            assert not list(self.watches[n].messages())
            known = self.readers[n].cells
            for location in set(self.watched) & set(self.sources):
                for sku in ("apple", "nobody-stocks-this"):
                    told = known.get((sku, f"locations/{location}"), 0)
                    left = self.sources[location].ledger
                    i = left.stock.index.get(sku)
                    now = max(0, left.stock.free(i)) if i is not None else 0
                    if self.threshold:
                        assert (told >= self.threshold) == (now >= self.threshold)
                    else:
                        assert told == now
                        assert self.readers[n].versions.get(f"locations/{location}", 0) <= left.version
            assert {key[1] for key in known} <= {f"locations/{name}" for name in self.watched}


TestWatching = Watching.TestCase
TestWatching.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@pytest.fixture
def hub() -> WatchHub:
    """A hub on an empty model."""
    return WatchHub(AvailabilityModel())


def test_a_watch_that_ended_is_marked_no_more() -> None:
    """Nor does the hub remember its SKUs."""
    model, sources = filled({"dc": {"apple": 1}})
    hub = WatchHub(model)
    watch = Watch(Filter(("apple",), "", None, 0), model)
    hub.add(watch)
    watch.begin(["dc"], {})
    assert len(list(watch.messages())) == 1
    hub.remove(watch)
    model.apply("dc", [sources["dc"].move("apple", 1)])
    assert list(watch.messages()) == []
    assert not watch.news.is_set()
    assert hub.watched_skus == 0


def test_a_sku_that_nobody_stocks_is_0_also_when_every_row_is_in_use() -> None:
    """There is no spare row to read by mistake."""
    model, _ = filled({"dc": {f"sku-{n}": 7 for n in range(1_024)}})
    assert model.free.shape[0] == 1_024
    watch = Watch(Filter(("nobody",), "", None, 0), model)
    watch.begin(["dc"], {})
    assert [len(message.changes) for message in watch.messages()] == [0]


def test_a_resumed_watch_knows_on_which_side_of_the_threshold_it_is() -> None:
    """Without a picture it still tells the next crossing, and nothing before it."""
    model, sources = filled({"dc": {"apple": 7}})
    hub = WatchHub(model)
    watch = Watch(Filter(("apple",), "", None, 5), model)
    hub.add(watch)
    watch.begin(["dc"], {"dc": 1})
    assert list(watch.messages()) == []
    model.apply("dc", [sources["dc"].move("apple", -1)])
    assert list(watch.messages()) == []
    model.apply("dc", [sources["dc"].move("apple", -2)])
    assert [change.available for message in watch.messages() for change in message.changes] == [4]


def test_values_are_of_one_moment() -> None:
    """What moves while the messages of a picture go out belongs to the next one."""
    skus = [f"sku-{n}" for n in range(1_000)]
    names = [f"store-{n}" for n in range(11)]
    model, sources = filled({name: dict.fromkeys(skus[:1], 1) for name in names})
    for name in names:
        for sku in skus[1:]:
            model.apply(name, [sources[name].move(sku, 1)])
    hub = WatchHub(model)
    watch = Watch(Filter(skus, "", None, 0), model)
    hub.add(watch)
    watch.begin(names, {})
    messages = watch.messages()
    first = next(messages)
    model.apply("store-9", [sources["store-9"].move("sku-999", 5)])
    second = next(messages)
    assert (len(first.changes), len(second.changes), len(first.versions)) == (10_000, 1_000, 0)
    told = {(item.sku, item.location): item.available for item in (*first.changes, *second.changes)}
    assert told["sku-999", "locations/store-9"] == 1
    assert {item.location: item.version for item in second.versions}["locations/store-9"] == 1_000
    assert [item.available for message in watch.messages() for item in message.changes] == [6]
