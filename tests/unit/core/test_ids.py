from __future__ import annotations

import pytest

from allocator.core.ids import home_key, home_of, is_id, is_request_id, reservation_id
from allocator.core.limits import ID_LENGTH_MAX, REQUEST_ID_LENGTH_MAX


@pytest.mark.parametrize("text", ["a", "9", "SKU-1", "shoes/red:42", "a.b_c-d", "x" * ID_LENGTH_MAX])
def test_ids_may_look_like_this(text: str) -> None:
    """Letters, digits and . _ : / - after a letter or digit, up to the limit."""
    assert is_id(text)


@pytest.mark.parametrize(
    "text", ["", "-a", "/a", " a", "a ", "a b", "a\n", "é", "a;b", "a\x00", "日本", "x" * (ID_LENGTH_MAX + 1)]
)
def test_ids_may_not_look_like_this(text: str) -> None:
    """Nothing empty, too long, with spaces, control characters or letters beyond ASCII."""
    assert not is_id(text)
    assert not is_request_id(text)


def test_request_ids_have_room_for_a_uuid() -> None:
    """And not for more."""
    assert is_request_id("123e4567-e89b-12d3-a456-426614174000")
    assert not is_request_id("x" * (REQUEST_ID_LENGTH_MAX + 1))


def test_a_retry_means_the_same_reservation() -> None:
    """The id is a function of location and request id, and differs when either does."""
    first = reservation_id("leeds", "q1")
    assert first == reservation_id("leeds", "q1")
    assert len({first, reservation_id("leeds", "q2"), reservation_id("york", "q1")}) == 3


def test_a_reservation_tells_its_home() -> None:
    """The key of its location stands in front, also when the request id has dashes."""
    assert home_of(reservation_id("leeds", "a-b-c")) == home_key("leeds")
    assert home_of("nothing") == ""


def test_the_longest_reservation_id_is_an_id() -> None:
    """It can be used wherever ids can."""
    assert is_id(reservation_id("x" * ID_LENGTH_MAX, "y" * REQUEST_ID_LENGTH_MAX))
