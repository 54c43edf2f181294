from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from allocator.core.commands import Movement, MovementType, SupplyKind
from allocator.core.limits import QUANTITY_MAX
from allocator.core.results import MovementResult, MovementStatus, Reason, Rejected, Shortage
from allocator.gateway import translate_movement as t
from allocator.gateway.faults import Faults
from allocator.v1 import inventory_pb2 as i
from tests.support.api import make

FULL = make(
    i.StockMovement,
    source="//pos/7",
    movement_id="m-1",
    location="locations/dc",
    sku="apple",
    type=i.MOVEMENT_TYPE_SHIPMENT,
    quantity=3,
    sequence=5,
    disposition="damaged",
    reservation="reservations/key-1",
    occurred_time={"seconds": 1, "nanos": 2},
    recorded_time={"seconds": 3},
    reason="R1",
    reference="invoice 7",
    corrects="m-0",
    supply="po-1",
    expect_time={"seconds": 9},
    final=True,
    supply_kind=i.SUPPLY_KIND_TRANSFER,
)


def test_a_movement_keeps_all_its_facts() -> None:
    """Every field of the message is one of the command."""
    faults = Faults()
    location, movement = t.to_movement(FULL, faults)
    faults.check()
    assert location == "dc"
    assert movement == Movement(
        source="//pos/7",
        movement_id="m-1",
        sequence=5,
        sku="apple",
        type=MovementType.SHIPMENT,
        quantity=3,
        disposition="damaged",
        from_disposition="",
        reservation="key-1",
        occurred_ns=1_000_000_002,
        recorded_ns=3_000_000_000,
        reason="R1",
        reference="invoice 7",
        corrects="m-0",
        supply="po-1",
        expect_ns=9_000_000_000,
        final=True,
        supply_kind=SupplyKind.TRANSFER,
    )


def test_absent_times_are_none() -> None:
    """0 stands for "when it is recorded"; 1970 itself does not."""
    message = i.StockMovement()
    message.CopyFrom(FULL)
    message.ClearField("occurred_time")
    message.recorded_time.seconds = 0
    _, movement = t.to_movement(message, Faults())
    assert (movement.occurred_ns, movement.recorded_ns) == (0, 1)


def test_all_faults_of_a_movement_are_told() -> None:
    """In one detail, so that the source can be mended at once."""
    faults = Faults()
    t.to_movement(i.StockMovement(), faults)
    result = i.MovementResult()
    t.fill_faulty(result, faults)
    for field in ("source", "movement_id", "location", "sku", "type", "quantity"):
        assert f"{field}: " in result.detail
    assert (result.status, result.rejection) == (i.MOVEMENT_STATUS_REJECTED, i.MOVEMENT_REJECTION_INVALID)


def test_every_rejection_of_the_core_has_its_value() -> None:
    """The core says its reasons by name."""
    for reason in ("INVALID", "COUNT_TOO_OLD", "COUNT_SUPERSEDED", "TABLE_FULL"):
        message = i.MovementResult()
        result = MovementResult(MovementStatus.REJECTED, "apple", 4, reason, "because")
        t.MovementTeller().fill_result(message, "dc", result)
        assert i.MovementRejection.Name(message.rejection) == f"MOVEMENT_REJECTION_{reason}"
        assert (message.detail, message.on_hand) == ("because", 4)


def test_one_answer_names_so_many_reservations_and_no_more() -> None:
    """The totals are always told in full."""
    teller = t.MovementTeller()
    shortage = Shortage("apple", 5, tuple(f"key-{n}" for n in range(100)), 250)
    told = []
    for _ in range(102):
        message = i.Shortage()
        teller.fill_shortage(message, "dc", shortage)
        assert (message.sku, message.missing, message.reservations_total) == ("apple", 5, 250)
        told.append(list(message.reservations))
    assert [len(names) for names in told] == [100] * 100 + [0, 0]
    assert told[0][1] == "reservations/key-1"


def test_a_location_that_takes_nothing_rejects_only_its_own_movements() -> None:
    """It left the network meanwhile, or stands still; what may pass by itself is no rejection."""
    assert not t.is_not_taken(Rejected(Reason.RECOVERING, "location", ""))
    for reason, rejection in (
        (Reason.LOCATION_UNKNOWN, i.MOVEMENT_REJECTION_LOCATION_UNKNOWN),
        (Reason.JOURNAL_DAMAGED, i.MOVEMENT_REJECTION_LOCATION_STOPPED),
    ):
        rejected = Rejected(reason, "location", "entry 7 is damaged")
        assert t.is_not_taken(rejected)
        message = i.MovementResult()
        t.fill_not_taken(message, "dc", rejected)
        assert (message.status, message.rejection) == (i.MOVEMENT_STATUS_REJECTED, rejection)
        assert "locations/dc" in message.detail


TEXTS = st.sampled_from(("", "fig", "a b", "bad\nline", "x" * 65, "-x"))


@given(
    st.sampled_from(("fig", "", "a b", "x" * 65)),
    st.sampled_from(("locations/dc", "locations/", "dc")),
    st.sampled_from((*map(int, MovementType), 0, 99)),
    st.sampled_from((-1, 0, 1, QUANTITY_MAX, QUANTITY_MAX + 1)),
    st.dictionaries(
        st.sampled_from(
            ("disposition", "from_disposition", "reservation", "reason", "reference", "corrects", "supply")
        ),
        TEXTS,
        max_size=2,
    ),
    st.dictionaries(
        st.sampled_from(("occurred_time", "recorded_time", "expect_time")),
        st.sampled_from((0, 1_700_000_000, -1)).map(lambda seconds: {"seconds": seconds}),
    ),
)
def test_what_is_taken_for_plain_is_what_the_long_way_makes_of_it(  # the fields of a message
    sku: str, location: str, kind: int, quantity: int, texts: dict[str, str], times: dict[str, dict[str, int]]
) -> None:
    """A plain movement has no fault, and both ways make the same command of it."""
    fields: dict[str, Any] = {"source": "till", "movement_id": "m1", "sku": sku, "location": location, **texts, **times}
    message = i.StockMovement(type=kind, quantity=quantity, **fields)  # type: ignore[arg-type]  # unknown kinds too
    plain = t.to_plain_movement(message)
    if plain is not None:
        faults = Faults()
        assert plain == t.to_movement(message, faults)
        assert not faults.found
