from __future__ import annotations

from enum import IntEnum
from typing import Any

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from hypothesis import given
from hypothesis import strategies as st

from allocator.core import commands, results
from allocator.core.commands import Policy, Reserve, merge_lines
from allocator.core.ids import is_id, is_request_id, reservation_id
from allocator.core.network.types import Kind
from allocator.core.results import HeldLine, ReservationLine, ReservationView, ReserveResult, ReserveStatus, State
from allocator.gateway import translate_reservation as t
from allocator.gateway.errors import ApiError
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as r
from tests.support.api import make

S = 10**9
BILLION = 1_000_000_000


@pytest.mark.parametrize(
    ("core", "contract", "prefix"),
    [
        (commands.Policy, r.ReservePolicy, "RESERVE_POLICY"),
        (results.ReserveStatus, r.ReserveStatus, "RESERVE_STATUS"),
        (results.State, r.ReservationState, "RESERVATION_STATE"),
        (results.TransitionStatus, r.TransitionStatus, "TRANSITION_STATUS"),
        (commands.MovementType, i.MovementType, "MOVEMENT_TYPE"),
        (results.MovementStatus, i.MovementStatus, "MOVEMENT_STATUS"),
        (results.CountStatus, i.SetCountStatus, "SET_COUNT_STATUS"),
        (Kind, n.LocationKind, "LOCATION_KIND"),
        (commands.Measure, n.CapacityMeasure, "CAPACITY_MEASURE"),
    ],
)
def test_core_and_contract_number_alike(core: type[IntEnum], contract: EnumTypeWrapper, prefix: str) -> None:
    """Values cross as they are, so their names and numbers must be the same on both sides."""
    told = {f"{prefix}_{value.name}": value.value for value in core} | {f"{prefix}_UNSPECIFIED": 0}
    assert told == dict(contract.items())


some_ids = st.sampled_from(["apple", "pear", "a/b:c.d_e-f", "x" * 64]) | st.sampled_from(["", "a b", "x" * 65, "-a"])
quantities = st.sampled_from([1, 2, BILLION]) | st.sampled_from([0, -1, BILLION + 1])
names = st.sampled_from(["locations/dc"]) | st.sampled_from(["locations/store", "dc", "", "locations/?"])
rows = st.fixed_dictionaries({"sku": some_ids, "quantity": quantities, "location": names})
seconds = st.sampled_from([1, 900, 4 * 3600]) | st.sampled_from([0, -1, 4 * 3600 + 1])
requests = st.fixed_dictionaries(
    {"lines": st.lists(rows, max_size=3)},
    optional={
        "ttl": st.builds(dict, seconds=seconds),
        "channel": some_ids,
        "order": some_ids,
        "policy": st.integers(0, 4),
        "pick_time": st.builds(dict, seconds=st.sampled_from([0, 1_800_000_000, -1, 7_258_118_400])),
        "request_id": st.sampled_from(["request-1", "x" * 36, "x" * 37, "?"]),
    },
)


@given(requests)
def test_exactly_sound_reserves_become_commands(fields: dict[str, Any]) -> None:
    """The quick check of the hot path and the one that finds all faults say the same of any request."""
    request = make(r.ReserveRequest, **fields)
    request_id = request.request_id or "made"
    try:
        told = t.to_reserve(request, request_id)
    except ApiError as error:
        assert not sound(request)
        assert error.reason == "INVALID"  # noqa: PT017  # sound ones must not raise
        return
    if told is None:
        assert len({line.location for line in request.lines}) > 1
        return
    location, command = told
    assert sound(request)
    assert f"locations/{location}" == request.lines[0].location
    assert command.reservation == reservation_id(location, request_id)
    assert command.lines == tuple((line.sku, line.quantity) for line in request.lines)
    assert command.ttl_ns == (request.ttl.ToNanoseconds() if request.HasField("ttl") else 900 * S)
    assert command.pick_at_ns == (max(1, request.pick_time.ToNanoseconds()) if request.HasField("pick_time") else 0)
    assert (command.channel, command.order, command.policy) == (request.channel, request.order, request.policy or 1)


def sound(request: r.ReserveRequest) -> bool:
    """Whether a reserve is what the contract takes, said slowly."""
    summed = merge_lines(tuple((line.sku, line.quantity) for line in request.lines))
    return (
        bool(request.lines)
        and {line.location for line in request.lines} in ({"locations/dc"}, {"locations/store"})
        and all(is_id(line.sku) and line.quantity >= 1 for line in request.lines)
        and all(1 <= quantity <= BILLION for _, quantity in summed)
        and (not request.HasField("ttl") or S <= request.ttl.ToNanoseconds() <= 4 * 3600 * S)
        and all(not value or is_id(value) for value in (request.channel, request.order))
        and request.policy in {0, 1, 2}
        and (not request.HasField("pick_time") or 0 <= request.pick_time.seconds < 7_258_118_400)
        and (not request.request_id or is_request_id(request.request_id))
    )


COMMAND = Reserve("request-1", "key-request-1", (("apple", 3), ("pear", 2)), 60 * S, "web", order="order-1")


def test_a_granted_reserve_is_told_with_its_reservation() -> None:
    """Lines that got nothing are in the answer, and not in the reservation."""
    lines = (HeldLine("apple", 3, 2, 2), HeldLine("pear", 2, 0, 0))
    result = ReserveResult(ReserveStatus.PARTIALLY_HELD, "key-request-1", 5 * S, 65 * S, lines, repeated=True)
    response = r.ReserveResponse()
    t.fill_reserve(response, "dc", COMMAND._replace(policy=Policy.PARTIAL), result, 7)
    row = {"sku": "apple", "location": "locations/dc"}
    expected = make(
        r.ReserveResponse,
        status=r.RESERVE_STATUS_PARTIALLY_HELD,
        reservation={
            "name": "reservations/key-request-1",
            "state": r.RESERVATION_STATE_HELD,
            "home_location": "locations/dc",
            "lines": [{**row, "held": 2, "open": 2}],
            "channel": "web",
            "order": "order-1",
            "create_time": {"seconds": 5},
            "expire_time": {"seconds": 65},
            "update_time": {"seconds": 5},
            "version": 7,
        },
        lines=[
            {**row, "status": r.LINE_STATUS_PARTIALLY_HELD, "requested": 3, "held": 2, "available": 2},
            {**row, "sku": "pear", "status": r.LINE_STATUS_INSUFFICIENT_STOCK, "requested": 2},
        ],
        versions=[{"location": "locations/dc", "version": 7}],
        repeated_request=True,
    )
    assert response == expected


def test_a_refusal_tells_which_lines_were_not_the_reason() -> None:
    """Enough of a SKU, and nothing held: the reserve as a whole was refused."""
    lines = (HeldLine("apple", 3, 0, 3), HeldLine("pear", 2, 0, 1))
    result = ReserveResult(ReserveStatus.NO_CAPACITY, "", 5 * S, 0, lines, capacity_left=4)
    response = r.ReserveResponse()
    t.fill_reserve(response, "dc", COMMAND, result, 7)
    assert [line.status for line in response.lines] == [
        r.LINE_STATUS_NOT_HELD,
        r.LINE_STATUS_INSUFFICIENT_STOCK,
    ]
    assert (response.HasField("reservation"), response.capacity_left) == (False, 4)


def test_a_reservation_is_told_as_it_stands() -> None:
    """Held = open + fulfilled + released on every line; no expiry once committed."""
    lines = (ReservationLine("apple", 5, 2, 1), ReservationLine("pear", 2, 0, 0))
    view = ReservationView("key-1", 3, State.COMMITTED, "web", "order-1", S, 2 * S, 0, lines)
    message = r.Reservation()
    t.fill_reservation(message, "dc", view, 9)
    assert [(line.held, line.open, line.fulfilled, line.released) for line in message.lines] == [
        (5, 2, 2, 1),
        (2, 2, 0, 0),
    ]
    assert not message.HasField("expire_time")
    assert (message.state, message.version, message.update_time.seconds) == (r.RESERVATION_STATE_COMMITTED, 9, 2)


def test_lines_of_a_release_say_where_they_are_held_or_not() -> None:
    """With a location on any line they are placed, each SKU and location once; without they are held anywhere."""
    rows = [
        {"sku": "apple", "quantity": 1},
        {"sku": "apple", "quantity": 2, "location": "locations/dc"},
        {"sku": "apple", "quantity": 4, "location": "locations/store"},
    ]
    request = make(r.ReleaseReservationRequest, name="reservations/key-1", lines=rows)
    target = t.to_target(request)
    command = t.to_release(request, target, "request-1")
    target.faults.check()
    assert (command.lines, command.placed) == ((), (("apple", 1, ""), ("apple", 2, "dc"), ("apple", 4, "store")))
    anywhere = t.to_release(make(r.ReleaseReservationRequest, lines=rows[:1] * 2), target, "request-1")
    assert (anywhere.lines, anywhere.placed) == ((("apple", 2),), ())


def test_lines_of_a_release_are_summed_before_the_check() -> None:
    """Each may be in bounds and their sum not."""
    rows = [{"sku": "apple", "quantity": BILLION}, {"sku": "apple", "quantity": 1}]
    request = make(r.ReleaseReservationRequest, name="reservations/key-1", lines=rows)
    target = t.to_target(request)
    t.to_release(request, target, "request-1")
    assert [violation.field for violation in target.faults.found] == ["lines[1].quantity"]
