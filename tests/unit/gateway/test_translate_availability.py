from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.gateway import translate_availability as t
from allocator.gateway.errors import ApiError
from allocator.gateway.scope import Scopes
from allocator.runtime.cells import BLOCK_ROWS
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
)
def test_matrices_agree_with_plain_arithmetic(
    stock: dict[str, dict[str, int]],
    fences: list[tuple[str, str, dict[str, int]]],
    channel: str,
) -> None:
    """Every cell is what is left of on_hand after the other channels' quotas, floored at 0."""
    model, sources = filled(stock)
    fenced: dict[str, dict[str, dict[str, int]]] = {name: {} for name in LOCATIONS}
    for location, sku, by_channel in fences:
        model.apply(location, [sources[location].ring_fence(sku, by_channel)])
        fenced[location][sku] = by_channel
    scope = Scopes(network(LOCATIONS), model).find([], "")
    expected = {sku: [promised(stock[name], fenced[name], sku, channel) for name in sorted(LOCATIONS)] for sku in SKUS}
    matrix = a.BatchGetAvailabilityResponse.FromString(t.to_matrix(model, scope, SKUS, channel))
    assert (tuple(matrix.skus), tuple(matrix.locations)) == (SKUS, scope.names)
    cells = np.frombuffer(matrix.cells, "<i8").reshape(len(SKUS), len(LOCATIONS))
    assert cells.tolist() == list(expected.values())
    known = [sku for sku in SKUS if sku in model.rows]
    rows = np.array([model.rows[sku] for sku in known], dtype=np.int64)
    for k, name in enumerate(sorted(LOCATIONS)):  # one by one, too: few columns are read in another way
        column = model.available(rows, model.columns([name]), channel)
        assert column.tolist() == [[expected[sku][k]] for sku in known]
    assert list(matrix.unknown_skus) == [sku for sku in SKUS if sku not in model.rows]


def test_an_unknown_row_is_zeros_also_when_every_row_is_in_use() -> None:
    """There is no spare row to read by mistake."""
    skus = [f"sku-{n}" for n in range(BLOCK_ROWS)]
    model, _ = filled({"dc": dict.fromkeys(skus, 7)})
    scope = Scopes(network(["dc"]), model).find([], "")
    matrix = a.BatchGetAvailabilityResponse.FromString(t.to_matrix(model, scope, ["nobody", skus[-1]], ""))
    assert np.frombuffer(matrix.cells, "<i8").tolist() == [0, 7]


def test_lines_are_summed_in_the_order_of_their_first() -> None:
    """Before anything is looked up."""
    asked = cart(("apple", 1), ("pear", 2), ("apple", 3))
    assert list(t.to_cart(asked, {}).items()) == [("apple", 4), ("pear", 2)]


@pytest.mark.parametrize(
    "lines", [[], [("apple", 3), ("apple", -1)], [("apple", 10**9), ("apple", 1)], [("apple", 0)], [("?", 1)]]
)
def test_a_bad_cart_is_told(lines: list[tuple[str, int]]) -> None:
    """Each line must be sound, and so must what lines of the same SKU sum to."""
    with pytest.raises(ApiError) as caught:
        t.to_cart(cart(*lines), {"apple": 0})
    assert caught.value.reason == "INVALID"


def test_bytes_that_are_no_request_are_told() -> None:
    """They are the caller's fault."""
    with pytest.raises(ApiError, match="CheckAvailabilityRequest"):
        t.parsed(a.CheckAvailabilityRequest, b"\xff")


def test_skus_may_or_may_not_repeat() -> None:
    """A watch takes each once; the rows of a matrix must differ."""
    request = make(a.WatchAvailabilityRequest, skus=["pear", "apple", "pear"])
    assert t.to_skus(request, {}, repeats=True) == ["pear", "apple"]
    with pytest.raises(ApiError, match="twice"):
        t.to_skus(request, {}, repeats=False)
