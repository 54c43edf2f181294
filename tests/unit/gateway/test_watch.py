from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from allocator.gateway import topic
from allocator.gateway.watch import Filter, Watch, WatchHub
from allocator.runtime.cells import BLOCK_ROWS
from allocator.runtime.read_model import AvailabilityModel
from allocator.v1 import availability_pb2 as a
from tests.unit.gateway.models import Source, filled

SKUS = ("apple", "fig")
LOCATIONS = ("dc", "store-1")
units = st.sampled_from([-3, -2, 2, 3])


def read(watch: Watch) -> list[a.WatchAvailabilityResponse]:
    """Everything a watch has to tell; what goes over the wire is as the library would write it."""
    return [parsed(data) for data in watch.messages()]


def parsed(data: bytes) -> a.WatchAvailabilityResponse:
    """One message."""
    message = a.WatchAvailabilityResponse.FromString(data)
    assert message.SerializeToString() == data
    return message


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
        self.moved: dict[str, int] = {}  # version at which the watched SKU moved last
        self.threshold = threshold
        self.watched = LOCATIONS if everywhere else LOCATIONS[:1]
        only = None if everywhere else frozenset(self.watched)
        wanted = Filter(("apple", "nobody-stocks-this"), "", only, threshold)
        self.watches = [self.hub.open(wanted, [], {}) for _ in range(2)]
        self.readers = [Reader() for _ in range(2)]

    @rule(location=st.sampled_from(LOCATIONS), sku=st.sampled_from(SKUS), quantity=units)
    def move(self, location: str, sku: str, quantity: int) -> None:
        """Stock changes somewhere; the first news of a location is a full picture."""
        source = self.sources.get(location)
        if source is None:
            source = self.sources[location] = Source(location)
            source.move(sku, quantity)
            self.model.apply(location, [source.recorder.whole()])
            self.moved[location] = source.ledger.version
        else:
            self.model.apply(location, [source.move(sku, quantity)])
            if sku == "apple":
                self.moved[location] = source.ledger.version

    @precondition(lambda self: self.sources)
    @rule(data=st.data())
    def anew(self, data: Any) -> None:  # noqa: ANN401  # Hypothesis' data
        """A gap: the feed brings a location's full picture again."""
        location = data.draw(st.sampled_from(sorted(self.sources)))
        source = self.sources[location]
        source.move("apple", data.draw(units))
        self.model.apply(location, [source.recorder.whole()])
        self.moved[location] = source.ledger.version

    @rule()
    def read(self) -> None:
        """The first reader reads everything there is."""
        self.read_all(0)

    def read_all(self, n: int) -> None:
        """Read what a watch has to tell."""
        for message in read(self.watches[n]):
            self.readers[n].take(message)
            versions = {item.location: item.version for item in message.versions}
            assert {change.location for change in message.changes} <= set(versions)
            for location, source in self.sources.items():
                told = versions.get(f"locations/{location}")
                assert told is None or self.moved[location] <= told <= source.ledger.version

    @invariant()
    def marks_are_bounded(self) -> None:
        """However long nobody reads, a watch remembers cells, not changes."""
        for watch in self.watches:
            assert len(watch.topic.marks) <= 2 * len(LOCATIONS)

    def teardown(self) -> None:
        """In the end both readers know what the model knows."""
        for n in range(2):
            self.read_all(n)
            assert not read(self.watches[n])
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
    watch = hub.open(Filter(("apple",), "", None, 0), ["dc"], {})
    assert len(read(watch)) == 1
    hub.close(watch)
    model.apply("dc", [sources["dc"].move("apple", 1)])
    assert read(watch) == []
    assert not watch.news.is_set()
    assert hub.watched_skus == 0


def test_a_sku_that_nobody_stocks_is_0_also_when_every_row_is_in_use() -> None:
    """There is no spare row to read by mistake."""
    model, _ = filled({"dc": {f"sku-{n}": 7 for n in range(BLOCK_ROWS)}})
    assert len(model.skus) == BLOCK_ROWS
    hub = WatchHub(model)
    watch = hub.open(Filter(("nobody",), "", None, 0), ["dc"], {})
    assert [len(message.changes) for message in read(watch)] == [0]


def test_the_first_picture_is_as_of_now_also_when_the_threshold_was_not_crossed() -> None:
    """Whoever comes later is not told what the one before was."""
    model, sources = filled({"dc": {"apple": 7}})
    hub = WatchHub(model)
    wanted = Filter(("apple",), "", None, 2)
    assert [change.available for message in read(hub.open(wanted, ["dc"], {})) for change in message.changes] == [7]
    model.apply("dc", [sources["dc"].move("apple", -3)])
    [picture] = read(hub.open(wanted, ["dc"], {}))
    assert [change.available for change in picture.changes] == [4]
    assert [item.version for item in picture.versions] == [sources["dc"].ledger.version]


def test_a_resumed_watch_knows_on_which_side_of_the_threshold_it_is() -> None:
    """Without a picture it still tells the next crossing, and nothing before it."""
    model, sources = filled({"dc": {"apple": 7}})
    hub = WatchHub(model)
    watch = hub.open(Filter(("apple",), "", None, 5), ["dc"], {"dc": 1})
    assert read(watch) == []
    model.apply("dc", [sources["dc"].move("apple", -1)])
    assert read(watch) == []
    model.apply("dc", [sources["dc"].move("apple", -2)])
    assert [change.available for message in read(watch) for change in message.changes] == [4]


def test_values_are_of_one_moment() -> None:
    """What moves while the messages of a picture go out belongs to the next one."""
    skus = [f"sku-{n}" for n in range(1_000)]
    names = [f"store-{n}" for n in range(11)]
    model, sources = filled({name: dict.fromkeys(skus[:1], 1) for name in names})
    for name in names:
        for sku in skus[1:]:
            model.apply(name, [sources[name].move(sku, 1)])
    hub = WatchHub(model)
    watch = hub.open(Filter(tuple(skus), "", None, 0), names, {})
    messages = iter(watch.messages())
    first = parsed(next(messages))
    model.apply("store-9", [sources["store-9"].move("sku-999", 5)])
    second = parsed(next(messages))
    assert (len(first.changes), len(second.changes), len(first.versions)) == (10_000, 1_000, 0)
    told = {(item.sku, item.location): item.available for item in (*first.changes, *second.changes)}
    assert told["sku-999", "locations/store-9"] == 1
    assert {item.location: item.version for item in second.versions}["locations/store-9"] == 1_000
    assert [item.available for message in read(watch) for item in message.changes] == [6]


def values(messages: list[a.WatchAvailabilityResponse]) -> list[tuple[bool, str, str, int]]:
    """Whether it is of a picture, SKU, location and units of each cell told."""
    return [(one.snapshot, cell.sku, cell.location, cell.available) for one in messages for cell in one.changes]


def test_a_resumed_watch_is_told_what_changed_since_and_nothing_else() -> None:
    """Also when it is the first with its filter; other SKUs that moved are not told, nor is what stayed."""
    model, sources = filled({"dc": {"apple": 7, "pear": 1, "fig": 1}, "store-1": {"apple": 1}})
    hub = WatchHub(model)
    for sku, quantity in (("apple", 1), ("kiwi", 1), ("fig", 1), ("apple", 1)):
        model.apply("dc", [sources["dc"].move(sku, quantity)])
    wanted = Filter(("apple", "pear", "fig"), "", None, 0)
    watch = hub.open(wanted, ["dc", "store-1"], {"dc": 6, "store-1": 1})
    messages = read(watch)
    assert values(messages) == [(False, "apple", "locations/dc", 9)]
    assert [(item.location, item.version) for item in messages[0].versions] == [("locations/dc", 7)]
    model.apply("dc", [sources["dc"].move("pear", 4)])
    assert values(read(watch)) == [(False, "pear", "locations/dc", 5)]
    again = hub.open(wanted, ["dc", "store-1"], {"dc": 4, "store-1": 1})
    told = [(False, "apple", "locations/dc", 9), (False, "fig", "locations/dc", 2), (False, "pear", "locations/dc", 5)]
    assert sorted(values(read(again))) == told


@pytest.mark.parametrize("version", [2, 5])
def test_a_resumed_watch_gets_a_picture_of_what_is_not_known(version: int) -> None:
    """Of what was before the gateway, and of what it has not heard of yet; elsewhere it goes on."""
    model, sources = filled({"dc": {"apple": 7, "pear": 1, "fig": 1}, "store-1": {"apple": 1}})
    hub = WatchHub(model)
    model.apply("dc", [sources["dc"].move("fig", 1)])
    watch = hub.open(Filter(("apple", "fig"), "", None, 0), ["dc", "store-1"], {"dc": version, "store-1": 1})
    assert values(read(watch)) == [(True, "apple", "locations/dc", 7), (True, "fig", "locations/dc", 2)]


def test_a_resumed_watch_with_a_threshold_gets_a_picture_of_where_its_skus_moved() -> None:
    """Nobody knows on which side it was told; where none of them moved it goes on."""
    model, sources = filled({"dc": {"apple": 7}, "store-1": {"apple": 1}})
    hub = WatchHub(model)
    for location, sku in (("dc", "apple"), ("store-1", "fig")):
        model.apply(location, [sources[location].move(sku, 1)])
    watch = hub.open(Filter(("apple",), "", None, 5), ["dc", "store-1"], {"dc": 1, "store-1": 1})
    assert values(read(watch)) == [(True, "apple", "locations/dc", 8)]


def test_watches_with_the_same_filter_share_their_messages() -> None:
    """A change is encoded once for all who were told the same; who reads later is told all of it at once."""
    model, sources = filled({"dc": {"apple": 7, "fig": 1}})
    hub = WatchHub(model)
    wanted = Filter(("apple", "fig"), "", None, 0)
    first, second, late = (hub.open(wanted, ["dc"], {}) for _ in range(3))
    for watch in (first, second, late):
        assert len(read(watch)) == 1
    model.apply("dc", [sources["dc"].move("apple", 1)])
    assert next(iter(first.messages())) is next(iter(second.messages()))
    model.apply("dc", [sources["dc"].move("fig", 1)])
    assert values(read(first)) == [(False, "fig", "locations/dc", 2)]
    assert values(read(late)) == [(False, "apple", "locations/dc", 8), (False, "fig", "locations/dc", 2)]
    for watch in (first, second, late):
        hub.close(watch)
    assert hub.watched_skus == 0


def test_a_watch_too_far_behind_gets_a_full_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks are bounded; it is told what is, in the end."""
    monkeypatch.setattr(topic, "WATCH_MARKS_MAX", 10)
    skus = tuple(f"sku-{n}" for n in range(30))
    model, sources = filled({"dc": dict.fromkeys(skus, 1), "store-1": {"sku-1": 3}})
    hub = WatchHub(model)
    watch = hub.open(Filter(skus, "", None, 0), ["dc", "store-1"], {})
    read(watch)
    for sku in skus:
        model.apply("dc", [sources["dc"].move(sku, 1)])
        assert len(watch.topic.marks) <= 10
    told = [(True, sku, "locations/dc", 2) for sku in skus] + [(True, "sku-1", "locations/store-1", 3)]
    assert values(read(watch)) == told


def test_a_location_that_left_reads_0_and_is_told_anew_when_it_comes_again() -> None:
    """A watch of everything sees both."""
    model, _ = filled({"dc": {"apple": 7}, "store-1": {"apple": 1}})
    hub = WatchHub(model)
    watch = hub.open(Filter(("apple",), "", None, 0), ["dc", "store-1"], {})
    read(watch)
    model.forget("dc")
    assert values(read(watch)) == [(False, "apple", "locations/dc", 0)]
    assert model.locations() == ["store-1"]
    source = Source("dc")
    source.move("apple", 2)
    model.apply("dc", [source.recorder.whole()])
    assert values(read(watch)) == [(True, "apple", "locations/dc", 2)]
