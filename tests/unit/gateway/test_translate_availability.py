from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import merge_lines
from allocator.gateway import translate_availability as t
from allocator.gateway.errors import ApiError
from allocator.gateway.scope import Scopes
from allocator.runtime.read_model import AvailabilityModel
from allocator.v1 import availability_pb2 as a
from tests.support.api import cart, make
from tests.unit.gateway.models import filled, network

LOCATIONS = ("dc", "store-1", "store-2")
SKUS = ("apple", "pear", "fig", "kiwi")
CHANNELS = ("", "web", "shop")
stocks = st.dictionaries(
    st.sampled_from(LOCATIONS), st.dictionaries(st.sampled_from(SKUS), st.integers(1, 50)), min_size=3, max_size=3
)
quotas = st.lists(
    st.tuples(
        st.sampled_from(LOCATIONS),
        st.sampled_from(SKUS),
        st.dictionaries(st.sampled_from(("web", "shop")), st.integers(1, 40)),
    ),
    max_size=4,
)


def promised(units: dict[str, int], fenced: dict[str, dict[str, int]], sku: str, channel: str) -> int:
    """What one location can promise of a SKU, worked out slowly."""
    kept = sum(quantity for name, quantity in fenced.get(sku, {}).items() if name != channel)
    return max(0, units.get(sku, 0) - kept)


@given(
    stocks,
    quotas,
    st.sampled_from(CHANNELS),
    st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 60)), min_size=1),
)
def test_carts_and_matrices_agree_with_plain_arithmetic(
    stock: dict[str, dict[str, int]],
    fences: list[tuple[str, str, dict[str, int]]],
    channel: str,
    asked: list[tuple[str, int]],
) -> None:
    """Every cell is what is left of on_hand after the other channels' quotas, floored at 0."""
    model, sources = filled(stock)
    fenced: dict[str, dict[str, dict[str, int]]] = {name: {} for name in LOCATIONS}
    for location, sku, by_channel in fences:
        model.apply(location, [sources[location].ring_fence(sku, by_channel)])
        fenced[location][sku] = by_channel
    scope = Scopes(network(LOCATIONS), model).find([], "")
    expected = {sku: [promised(stock[name], fenced[name], sku, channel) for name in sorted(LOCATIONS)] for sku in SKUS}
    matrix = a.BatchGetAvailabilityResponse()
    t.fill_matrix(matrix, model, scope, SKUS, channel)
    cells = np.frombuffer(matrix.cells, "<i8").reshape(len(SKUS), len(LOCATIONS))
    assert cells.tolist() == list(expected.values())
    known = [sku for sku in SKUS if sku in model.rows]
    rows = np.array([model.rows[sku] for sku in known], dtype=np.int64)
    for k, name in enumerate(sorted(LOCATIONS)):  # one by one, too: few columns are read in another way
        column = model.available(rows, model.columns([name]), channel)
        assert column.tolist() == [[expected[sku][k]] for sku in known]
    assert list(matrix.unknown_skus) == [sku for sku in SKUS if sku not in model.rows]
    lines = merge_lines(tuple(asked))
    response = a.CheckAvailabilityResponse()
    unknown = [sku for sku, _ in lines if sku not in model.rows]
    if unknown:
        with pytest.raises(ApiError, match=unknown[0]):
            t.fill_check(response, model, scope, lines, channel)
        return
    t.fill_check(response, model, scope, lines, channel)
    for line, (sku, quantity) in zip(response.lines, lines, strict=True):
        row = expected[sku]
        assert (line.sku, line.requested, line.total) == (sku, quantity, sum(row))
        assert line.sufficient == (sum(row) >= quantity)
        pairs = zip(scope.names, row, strict=True)
        assert [(cell.location, cell.available) for cell in line.quantities] == [pair for pair in pairs if pair[1]]
    assert response.sufficient == all(line.sufficient for line in response.lines)


def test_an_unknown_row_is_zeros_also_when_every_row_is_in_use() -> None:
    """There is no spare row to read by mistake."""
    skus = [f"sku-{n}" for n in range(1_024)]
    model, _ = filled({"dc": dict.fromkeys(skus, 7)})
    assert model.free.shape[0] == len(skus)
    matrix = a.BatchGetAvailabilityResponse()
    t.fill_matrix(matrix, model, Scopes(network(["dc"]), model).find([], ""), ["nobody", "sku-1023"], "")
    assert np.frombuffer(matrix.cells, "<i8").tolist() == [0, 7]


def test_lines_are_summed_in_the_order_of_their_first() -> None:
    """Before anything is checked."""
    assert t.to_lines(cart(("apple", 1), ("pear", 2), ("apple", 3))) == (("apple", 4), ("pear", 2))


def test_skus_may_or_may_not_repeat() -> None:
    """A watch takes each once; the rows of a matrix must differ."""
    request = make(a.WatchAvailabilityRequest, skus=["pear", "apple", "pear"])
    assert t.to_skus(request, repeats=True) == ["pear", "apple"]
    with pytest.raises(ApiError, match="twice"):
        t.to_skus(request, repeats=False)


class Clock:
    """A clock to be moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """The time, seconds."""
        return self.now_s


def state_of(teller: t.StateTeller, scope: Any) -> tuple[list[int], list[float]]:  # noqa: ANN401  # a scope
    """Versions and ages as told now."""
    response = a.CheckAvailabilityResponse()
    teller.fill_check(response, scope)
    ages = [item.age.ToTimedelta().total_seconds() for item in response.ages]
    return [item.version for item in response.versions], ages


def test_the_state_told_is_of_this_moment() -> None:
    """A version that moves is told at once; an age is off by a millisecond at most."""
    clock = Clock()
    model = AvailabilityModel(clock)
    _, sources = filled({name: {} for name in LOCATIONS})
    for name, source in sources.items():
        model.apply(name, [source.recorder.whole()])
    model.heard(LOCATIONS)
    teller = t.StateTeller(model, clock)
    scope = Scopes(network(LOCATIONS), model).find([], "")
    assert state_of(teller, scope) == ([0, 0, 0], [0.0, 0.0, 0.0])
    clock.now_s += 0.5
    model.apply("store-1", [sources["store-1"].move("apple", 1)])
    assert state_of(teller, scope) == ([0, 1, 0], [0.5, 0.5, 0.5])
    clock.now_s += 0.0005
    assert state_of(teller, scope)[1] == [0.5, 0.5, 0.5]
    clock.now_s += 0.001
    assert state_of(teller, scope)[1] == [0.5015, 0.5015, 0.5015]
