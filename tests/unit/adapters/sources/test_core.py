from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import grpc
import pytest

from adapters.errors import BatchInvalidError, CoreUnavailableError
from adapters.formats import RejectClass, StockMovement
from adapters.sources.core import ClientCore, MovementStatus, Outcome
from allocator.client import AsyncClient
from allocator.core.commands import MovementType, SupplyKind
from allocator.core.limits import NS_PER_S
from tests.unit.adapters.helpers import NOW_NS, movement
from tests.unit.client.fake import FakeServer, Fault, retry_info, serve


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A service with one location."""
    fake = FakeServer()
    fake.state.add("london-1")
    with serve(fake):
        yield fake


@pytest.fixture
async def core(server: FakeServer) -> AsyncIterator[ClientCore]:
    """The core behind a client that does not try again by itself."""
    async with AsyncClient(server.address, retries_max=0) as client:
        yield ClientCore(client)


async def test_a_movement_reaches_the_service_with_every_field(core: ClientCore, server: FakeServer) -> None:
    """As the contract has them."""
    whole = StockMovement(
        location="london-1",
        source="//wms/2",
        movement_id="m1",
        sequence=42,
        sku="A",
        type=MovementType.DISPOSITION_CHANGE,
        quantity=3,
        disposition="damaged",
        from_disposition="quality_control",
        reservation="r1",
        occurred_ns=NOW_NS + 1_000,
        recorded_ns=NOW_NS + 5 * NS_PER_S,
        reason="broken",
        reference="DN 77",
        corrects="m0",
        supply="po-1",
        expect_ns=NOW_NS + 7 * NS_PER_S,
        final=True,
        supply_kind=SupplyKind.TRANSFER,
    )
    assert await core.record([whole]) == [Outcome(MovementStatus.APPLIED)]
    (sent,) = server.requests("RecordMovements")[0].movements
    assert (sent.location, sent.reservation) == ("locations/london-1", "reservations/r1")
    assert (sent.source, sent.movement_id, sent.sequence, sent.sku) == ("//wms/2", "m1", 42, "A")
    assert (sent.type, sent.quantity) == (MovementType.DISPOSITION_CHANGE, 3)
    assert (sent.disposition, sent.from_disposition) == ("damaged", "quality_control")
    assert (sent.reason, sent.reference, sent.corrects) == ("broken", "DN 77", "m0")
    assert sent.occurred_time.ToNanoseconds() == NOW_NS + 1_000
    assert sent.recorded_time.ToNanoseconds() == NOW_NS + 5 * NS_PER_S
    assert (sent.supply, sent.final, sent.supply_kind) == ("po-1", True, SupplyKind.TRANSFER)
    assert sent.expect_time.ToNanoseconds() == NOW_NS + 7 * NS_PER_S


async def test_a_movement_without_times_is_sent_without(core: ClientCore, server: FakeServer) -> None:
    """The service then takes the time it records it."""
    await core.record([movement("m1")])
    (sent,) = server.requests("RecordMovements")[0].movements
    assert not sent.HasField("occurred_time")
    assert not sent.HasField("recorded_time")


async def test_each_movement_has_its_outcome(core: ClientCore) -> None:
    """In the order they were sent, an unknown location told apart."""
    first, second = await core.record([movement("m1"), movement("m1")])
    assert (first.status, second.status) == (MovementStatus.APPLIED, MovementStatus.DUPLICATE)
    (unknown,) = await core.record([movement("m2", location="nowhere")])
    assert (unknown.status, unknown.unknown_location) == (MovementStatus.REJECTED, True)
    assert unknown.reason.startswith("LOCATION_UNKNOWN: ")


async def test_a_location_that_stands_still_is_told_apart(core: ClientCore, server: FakeServer) -> None:
    """Its movements are set aside to come again, and hold up no others."""
    server.state.add("york-3").stopped.add("locations/york-3")
    stopped, other = await core.record([movement("m1", location="york-3"), movement("m2")])
    assert (stopped.status, stopped.reject_class) == (MovementStatus.REJECTED, RejectClass.LOCATION_STOPPED)
    assert stopped.reason == "LOCATION_STOPPED: locations/york-3 stands still"
    assert other.status is MovementStatus.APPLIED


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNIMPLEMENTED,
    ],
)
async def test_what_is_not_the_movements_fault_can_be_tried_again(
    core: ClientCore, server: FakeServer, code: grpc.StatusCode
) -> None:
    """No movement is dropped for it."""
    server.fail("RecordMovements", Fault(code, "told to fail"))
    with pytest.raises(CoreUnavailableError, match="told to fail"):
        await core.record([movement("m1")])


async def test_the_servers_wish_to_wait_is_passed_on(core: ClientCore, server: FakeServer) -> None:
    """In seconds."""
    server.fail("RecordMovements", Fault(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", "OVERLOADED", [retry_info(1.5)]))
    with pytest.raises(CoreUnavailableError) as caught:
        await core.record([movement("m1")])
    assert caught.value.retry_after_s == 1.5


async def test_a_batch_that_is_malformed_is_told_as_such(core: ClientCore, server: FakeServer) -> None:
    """By the server, or by the client that cannot even send it."""
    server.fail("RecordMovements", Fault(grpc.StatusCode.INVALID_ARGUMENT, "too many"))
    with pytest.raises(BatchInvalidError, match="too many"):
        await core.record([movement("m1")])
    with pytest.raises(BatchInvalidError):
        await core.record([movement("m1", sku="\ud800")])
    with pytest.raises(BatchInvalidError):
        await core.record([movement("m1", quantity=1 << 63)])
