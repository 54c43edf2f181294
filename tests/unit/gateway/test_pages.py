from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.gateway import pages
from allocator.gateway.errors import ApiError

positions = st.tuples(st.text(max_size=64), st.integers(0, 2**62))
filters = st.lists(st.text(max_size=64) | st.integers(0, 9), max_size=4)


@given(positions, filters)
def test_a_token_leads_back_to_its_position(position: tuple[str, int], given_filters: list[object]) -> None:
    """Through any gateway: it depends on nothing but itself."""
    token = pages.make_token(position, *given_filters)
    assert token.isascii()
    assert pages.read_token(token, *given_filters) == position


@given(positions, filters, filters)
def test_a_token_only_fits_its_own_filters(position: tuple[str, int], made: list[object], asked: list[object]) -> None:
    """With others it is PAGE_TOKEN_INVALID."""
    if made == asked:
        return
    with pytest.raises(ApiError, match="page_token") as caught:
        pages.read_token(pages.make_token(position, *made), *asked)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


@given(st.text(max_size=100) | st.binary(max_size=100).map(lambda data: data.hex()))
def test_nonsense_is_no_token(text: str) -> None:
    """Whatever it is, it is told and not stumbled over."""
    with pytest.raises(ApiError, match="page_token"):
        pages.read_token(text)


@given(positions, st.data())
def test_a_changed_token_is_no_token(position: tuple[str, int], data: st.DataObject) -> None:
    """One character is enough."""
    token = pages.make_token(position)
    place = data.draw(st.integers(0, len(token.rstrip("=")) - 3))
    other = data.draw(st.sampled_from("abcXYZ019-_").filter(lambda character: character != token[place]))
    with pytest.raises(ApiError, match="page_token"):
        pages.read_token(token[:place] + other + token[place + 1 :])


def test_sizes_of_pages() -> None:
    """0 is the default, too much is the maximum, below 0 a fault."""
    assert [pages.size(asked) for asked in (0, 1, 1_000, 1_001, 2**31 - 1)] == [100, 1, 1_000, 1_000, 1_000]
    with pytest.raises(ApiError, match="page_size"):
        pages.size(-1)
