from __future__ import annotations

import re

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.ids import ID_PATTERN
from allocator.gateway.errors import ApiError
from allocator.gateway.faults import Faults, has_control
from allocator.gateway.names import RESERVATIONS, id_in


def test_faults_are_raised_together() -> None:
    """The caller sees all of them, in the order they were found."""
    faults = Faults()
    faults.id("sku", "")
    faults.units("quantity", 0, 1, 5)
    with pytest.raises(ApiError) as caught:
        faults.check()
    assert [violation.field for violation in caught.value.violations] == ["sku", "quantity"]
    assert "and 1 more" in caught.value.message


def test_no_fault_is_no_error() -> None:
    """What is right passes, and is returned as it means."""
    faults = Faults()
    assert faults.id("sku", "apple") == "apple"
    assert faults.optional_id("channel", "") == ""
    assert faults.request_id("") == ""
    assert faults.name("location", "locations/dc/1") == "dc/1"
    assert faults.name("name", "reservations/r", RESERVATIONS) == "r"
    assert faults.text("reason", "öfter mal was Neues", 20) == "öfter mal was Neues"
    assert faults.units("quantity", 5, 0, 5) == 5
    assert faults.choice("type", 2, (1, 2)) == 2
    assert faults.time("at", Timestamp(seconds=1, nanos=5)) == 1_000_000_005
    assert faults.length("ttl", Duration(seconds=1), 1, 2) == 10**9
    faults.check()


@given(st.text(max_size=70))
def test_a_name_is_its_collection_and_an_id(text: str) -> None:
    """Any text is either an id by the pattern of the contract, or a fault."""
    is_one = re.fullmatch(ID_PATTERN, text) is not None
    assert (id_in(f"locations/{text}", "locations/") == text) == is_one
    faults = Faults()
    faults.name("location", f"locations/{text}")
    assert bool(faults.found) != is_one


@given(st.text())
def test_control_characters_are_those_of_unicode(text: str) -> None:
    """Category Cc: what a terminal or a log file might obey."""
    controls = {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}
    assert has_control(text) == any(character in controls for character in text)


def test_what_is_shown_of_a_value_is_short() -> None:
    """An error does not send back what was sent."""
    faults = Faults()
    faults.id("sku", "?" * 10_000)
    assert len(faults.found[0].description) < 150
