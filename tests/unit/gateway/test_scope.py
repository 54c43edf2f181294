from __future__ import annotations

import pytest

from allocator.gateway.errors import ApiError
from allocator.gateway.scope import Scopes, versions_wanted
from allocator.v1.common_pb2 import LocationVersion
from tests.unit.gateway.models import filled, network

A, B, C = "locations/a", "locations/b", "locations/c"


@pytest.fixture
def scopes() -> Scopes:
    """Three locations and a group of two."""
    model, _ = filled({"c": {}, "a": {}, "b": {}})
    return Scopes(network(["c", "a", "b"], {"some": ["c", "b"]}), model)


def test_a_scope_is_in_the_order_of_names(scopes: Scopes) -> None:
    """Named locations, a group, or everything; repeats count once."""
    assert scopes.find([], "").names == (A, B, C)
    assert scopes.find([C, A, C], "").names == (A, C)
    assert scopes.find([], "locationGroups/some").names == (B, C)
    assert scopes.find([C, A], "").columns.tolist() == [1, 0]


def test_an_ordered_scope_stays_as_it_was_named(scopes: Scopes) -> None:
    """For the columns of a matrix."""
    assert scopes.in_order([C, A], "").names == (C, A)
    assert scopes.in_order([], "").names == (A, B, C)
    with pytest.raises(ApiError, match="twice"):
        scopes.in_order([A, A], "")


def test_a_scope_is_found_again_until_the_network_changes() -> None:
    """The same few are asked for again and again; a change of the network forgets them."""
    model, _ = filled({"a": {}})
    view = network(["a"])
    scopes = Scopes(view, model)
    first = scopes.find([], "")
    assert scopes.find([], "") is first
    view.apply([(view.version + 1, True, _packed(["a", "b"]))])
    assert scopes.find([], "").names == (A, B)


def _packed(locations: list[str]) -> bytes:
    """The state of a network."""
    from allocator.core import codec  # noqa: PLC0415  # only here

    rows = [(name,) for name in locations]
    return codec.pack({"locations": rows, "groups": [], "actors": (), "placement": {}})


@pytest.mark.parametrize(
    ("locations", "group", "reason"),
    [
        ([A], "locationGroups/some", "INVALID"),
        (["a"], "", "INVALID"),
        ([], "some", "INVALID"),
        ([A, "locations/x"], "", "LOCATION_UNKNOWN"),
        ([], "locationGroups/x", "LOCATION_GROUP_UNKNOWN"),
        ([A] * 1_001, "", "BATCH_TOO_LARGE"),
    ],
)
def test_a_scope_that_cannot_be_is_told(scopes: Scopes, locations: list[str], group: str, reason: str) -> None:
    """Both at once, malformed, unknown, or too many."""
    with pytest.raises(ApiError) as caught:
        scopes.find(locations, group)
    assert caught.value.reason == reason


def test_of_two_versions_of_a_location_the_greater_one_is_wanted() -> None:
    """A caller may pass on the versions of several writes as they are."""
    rows = [LocationVersion(location=A, version=version) for version in (3, 7, 5)]
    assert versions_wanted("min_versions", rows, network(["a"])) == {"a": 7}
