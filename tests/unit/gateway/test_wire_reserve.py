"""Answers to reserves made by hand, against those that the library makes."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import Reserve
from allocator.core.limits import NS_PER_S, QUANTITY_MAX
from allocator.core.results import HeldLine, ReserveResult, ReserveStatus
from allocator.gateway.translate_reservation import fill_reserve
from allocator.gateway.wire_reserve import held_bytes
from allocator.v1.reservation_pb2 import ReserveResponse

IDS = st.text(string.ascii_letters + string.digits, min_size=1, max_size=64)
TIMES = st.integers(1, 7_258_118_400 * NS_PER_S)


@given(st.tuples(IDS, IDS), st.tuples(IDS | st.just(""), IDS | st.just("")), st.integers(1, QUANTITY_MAX),
       st.tuples(TIMES, TIMES), st.integers(1, 2**63 - 1))  # fmt: skip
def test_a_hold_by_hand_is_what_the_library_makes(
    what: tuple[str, str], whose: tuple[str, str], units: int, times: tuple[int, int], version: int
) -> None:
    """The bytes are those of the filled message, whatever is in it."""
    (location, sku), (channel, order) = what, whose
    command = Reserve("r1", f"home-{sku}", ((sku, units),), 1, channel=channel, order=order)
    result = ReserveResult(ReserveStatus.HELD, command.reservation, *times, (HeldLine(sku, units, units, 0),))
    response = ReserveResponse()
    fill_reserve(response, location, command, result, version)
    assert held_bytes(location, command, result, version) == response.SerializeToString(deterministic=True)


def test_every_other_answer_is_left_to_the_library() -> None:
    """Refusals, parts, several lines, waiting units and repeats are not made by hand."""
    command = Reserve("r1", "home-r1", (("fig", 2),), 1)
    line = HeldLine("fig", 2, 2, 0)
    held = ReserveResult(ReserveStatus.HELD, "home-r1", 1, 2, (line,))
    assert held_bytes("dc", command, held, 1) is not None
    for other in (
        held._replace(status=ReserveStatus.PARTIALLY_HELD),
        held._replace(status=ReserveStatus.INSUFFICIENT_STOCK),
        held._replace(lines=(line, line)),
        held._replace(lines=(line._replace(waiting=1),)),
        held._replace(repeated=True),
    ):
        assert held_bytes("dc", command, other, 1) is None
