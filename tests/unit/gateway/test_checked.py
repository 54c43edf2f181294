from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from allocator.core import codec
from allocator.core.limits import DAY_NS
from allocator.gateway import checked
from allocator.gateway.checked import Checker
from allocator.gateway.errors import ApiError
from allocator.gateway.promises import Promise
from allocator.gateway.scope import Scopes
from allocator.gateway.translate_availability import to_cart
from allocator.runtime.network_view import NetworkView
from allocator.runtime.read_model import AvailabilityModel
from allocator.v1 import availability_pb2 as a
from tests.unit.gateway import plain_check
from tests.unit.gateway.models import NOW_NS, Source, filled, network

LOCATIONS = ("dc", "store-1", "store-2", "vendor")
GROUPS = {"stores": ("store-2", "store-1"), "none": ()}
SKUS = ("apple", "pear", "fig", "kiwi")
CHANNELS = ("", "web", "shop")
PLACES: tuple[dict[str, Any], ...] = (
    {},
    {"location_group": "locationGroups/stores"},
    {"location_group": "locationGroups/none"},
    {"locations": ["locations/vendor", "locations/dc"]},
)
skus = st.sampled_from(SKUS)
at = st.sampled_from(LOCATIONS)
units = st.one_of(st.integers(-200, 200), st.sampled_from([127, 128, 16_383, 16_384, 10**9]))
carts = st.lists(st.tuples(skus, st.one_of(st.integers(1, 300), st.just(10**9 // 8))), min_size=1, max_size=6)


def request(asked: list[tuple[str, int]], **fields: Any) -> a.CheckAvailabilityRequest:  # noqa: ANN401  # of any kind
    """A cart on the wire."""
    return a.CheckAvailabilityRequest(
        lines=[a.AvailabilityLine(sku=sku, quantity=units) for sku, units in asked], **fields
    )


class Checking(RuleBasedStateMachine):
    """Carts are checked again and again while stock, quotas and the network change: each answer is the plain one."""

    @initialize()
    def begin(self) -> None:
        """Every SKU is known somewhere."""
        self.model, self.sources = filled(
            {name: dict.fromkeys(SKUS[n:] + SKUS[:1], n) for n, name in enumerate(LOCATIONS)}
        )
        self.view = network(LOCATIONS, GROUPS)
        self.checker = Checker(self.model, Scopes(self.view, self.model))

    @rule(location=at, sku=skus, quantity=units)
    def move(self, location: str, sku: str, quantity: int) -> None:
        """Units are found or lost, maybe more than there are."""
        self.model.apply(location, [self.sources[location].move(sku, quantity)])

    @rule(location=at, sku=skus, quotas=st.dictionaries(st.sampled_from(("web", "shop")), st.integers(0, 150)))
    def ring_fence(self, location: str, sku: str, quotas: dict[str, int]) -> None:
        """Units are kept for channels, or no more."""
        self.model.apply(location, [self.sources[location].ring_fence(sku, quotas)])

    @rule(location=at)
    def anew(self, location: str) -> None:
        """A gap: the feed brings everything of a location again, and it stocks only one SKU now."""
        version = self.sources[location].ledger.version
        source = self.sources[location] = Source(location)
        while source.ledger.version <= version:
            source.move("kiwi", 1)
        self.model.apply(location, [source.recorder.whole()])

    @rule(name=st.sampled_from(("dc", "store-1")))
    def change_the_network(self, name: str) -> None:
        """A group has other members."""
        state = {"locations": [(name,) for name in LOCATIONS], "groups": [("stores", "", (name,)), ("none", "", ())]}
        data = codec.pack(state | {"actors": (), "placement": {}})
        self.view.apply([(self.view.version + 1, True, data)])

    @rule(asked=carts, channel=st.sampled_from(CHANNELS), place=st.sampled_from(PLACES), twice=st.booleans())
    def check(self, asked: list[tuple[str, int]], channel: str, place: dict[str, Any], *, twice: bool) -> None:
        """A cart is checked, once or again."""
        asked = list(dict(asked).items())
        message = request(asked, channel=channel, **place)
        for _ in range(1 + twice):
            glance = self.checker.glance(message.SerializeToString())
            assert glance is not None
            answer, scope = glance
            assert scope is self.checker._scopes.find(message.locations, message.location_group)  # noqa: SLF001  # the same is found
            assert b"".join(answer) == plain_check.check(self.model, scope, asked, channel).SerializeToString()

    @invariant()
    def what_is_kept_is_counted(self) -> None:
        """No line is kept that nobody would drop."""
        places = set(self.checker._places.values()) if hasattr(self, "checker") else ()  # noqa: SLF001  # no other way
        sizes = [checked._size(*kept) for place in places for kept in place.kept.items()]  # noqa: SLF001
        assert not places or sum(sizes) == self.checker.kept_bytes
        for place in places:
            assert sorted(chain(*place.of_sku.values())) == sorted(place.kept)


TestChecking = Checking.TestCase


@given(
    carts,
    st.sampled_from(CHANNELS),
    st.sampled_from(PLACES),
    st.integers(0, 9),
    st.lists(st.tuples(at, skus, st.integers(1, 9))),
)
def test_a_closer_look_is_the_plain_answer(
    asked: list[tuple[str, int]],
    channel: str,
    place: dict[str, Any],
    day: int,
    expected: list[tuple[str, str, int]],
) -> None:
    """With SKUs named twice, and for a date."""
    model, sources = filled({name: dict.fromkeys(SKUS, n + 1) for n, name in enumerate(LOCATIONS)})
    for n, (location, sku, quantity) in enumerate(expected):
        model.apply(location, [sources[location].expect(sku, quantity, NOW_NS + n * DAY_NS)])
    scopes = Scopes(network(LOCATIONS, GROUPS), model)
    message = request(asked, channel=channel, **place)
    scope = scopes.find(message.locations, message.location_group)
    promise = Promise(NOW_NS + day * DAY_NS, NOW_NS, NOW_NS + 30 * DAY_NS)
    checker = Checker(model, scopes)
    for date in (None, promise):
        answer = checker.check(scope, to_cart(message, model.rows), channel, date)
        assert answer == plain_check.check(model, scope, asked, channel, date).SerializeToString()
    seen = checker.glance(message.SerializeToString())
    assert (seen is None) == (len(dict(asked)) < len(asked))


BAD: tuple[bytes, ...] = (
    b"",
    b"\x0a",
    b"\x0a\x05",
    b"\xff\xff",
    request([("apple", 1)]).SerializeToString()[:-1],
    request([("apple", 1)]).SerializeToString() + b"\x0a\xff",
    request([("apple", 0)]).SerializeToString(),
    request([("apple", -1)]).SerializeToString(),
    request([("apple", 10**9 + 1)]).SerializeToString(),
    request([("nobody", 1)]).SerializeToString(),
    request([("?", 1)]).SerializeToString(),
    request([("a" * 200, 1)]).SerializeToString(),
    request([("apple", 1)], channel="?").SerializeToString(),
    request([("apple", 1)], locations=["dc"]).SerializeToString(),
    request([("apple", 1)], locations=["locations/x"]).SerializeToString(),
    request([("apple", 1)], locations=["locations/dc"], location_group="locationGroups/none").SerializeToString(),
    request([("apple", 1)], min_versions=[{"location": "locations/dc", "version": 1}]).SerializeToString(),
    request([("apple", 1)], promise_by={"seconds": 1}).SerializeToString(),
    request([], channel="web").SerializeToString() + request([("apple", 1)]).SerializeToString(),
)


@pytest.mark.parametrize("data", BAD)
def test_what_is_wrong_or_unusual_gets_a_closer_look(data: bytes) -> None:
    """A glance answers nothing that could be refused; and it keeps nothing of it."""
    model, _ = filled({"dc": {"apple": 1}})
    checker = Checker(model, Scopes(network(["dc"], {"none": ()}), model))
    assert checker.glance(data) is None
    assert checker.kept_bytes == 0


@given(st.binary(max_size=40))
def test_any_bytes_are_read_as_the_library_reads_them(noise: bytes) -> None:
    """Behind a good line, and instead of it: what a glance answers is what a closer look would have answered."""
    model, _ = filled({"dc": {"apple": 7}})
    scopes = Scopes(network(["dc"]), model)
    checker = Checker(model, scopes)
    for data in (noise, request([("apple", 1)]).SerializeToString() + noise):
        glance = checker.glance(data)
        if glance is not None:
            message = a.CheckAvailabilityRequest.FromString(data)
            assert b"".join(glance[0]) == checker.check(glance[1], to_cart(message, model.rows), message.channel)
            assert glance[1] is scopes.find(message.locations, message.location_group)


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the maximum everything goes, and answers stay right."""
    monkeypatch.setattr(checked, "LINES_KEPT_BYTES_MAX", 5_000)
    model, _ = filled({"dc": {"apple": 7}})
    checker = Checker(model, Scopes(network(["dc"]), model))
    for quantity in range(1, 50):
        glance = checker.glance(request([("apple", quantity)]).SerializeToString())
        assert glance is not None
        line = a.CheckAvailabilityResponse.FromString(b"".join(glance[0])).lines[0]
        assert (line.requested, line.total, line.sufficient) == (quantity, 7, quantity <= 7)
        assert checker.kept_bytes <= 5_000


def test_a_cart_of_too_many_cells_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines times locations, after lines of the same SKU are summed."""
    monkeypatch.setattr(checked, "CELLS_MAX", 3)
    model, _ = filled({"dc": dict.fromkeys(SKUS, 7), "store-1": {}})
    scopes = Scopes(network(["dc", "store-1"]), model)
    checker = Checker(model, scopes)
    assert checker.glance(request([("apple", 1), ("fig", 1)]).SerializeToString()) is None
    assert checker.check(scopes.find([], ""), {"apple": 2}, "")
    with pytest.raises(ApiError) as caught:
        checker.check(scopes.find([], ""), {"apple": 2, "fig": 1}, "")
    assert caught.value.reason == "BATCH_TOO_LARGE"


def test_a_network_without_locations_has_nothing() -> None:
    """As in the first moments."""
    model, view = AvailabilityModel(), NetworkView()
    checker = Checker(model, Scopes(view, model))
    assert checker.glance(request([("apple", 1)]).SerializeToString()) is None
