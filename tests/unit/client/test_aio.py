"""The client for asyncio, against the fake: the waiting is its own, the rest is shared with `Client`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from allocator.client import (
    AsyncClient,
    Cancelled,
    InvalidRequest,
    Movement,
    MovementType,
    NotFound,
    ServingStatus,
    Unavailable,
)
from tests.unit.client.fake import FakeServer, Fault

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


@pytest.fixture
async def client(fake: FakeServer) -> AsyncIterator[AsyncClient]:
    """A client of the fake."""
    async with AsyncClient(fake.address) as made:
        yield made


def batch(number: int) -> list[Movement]:
    """A receipt of one apple."""
    return [Movement("test", f"m{number}", "leeds", "APPLE", MovementType.RECEIPT, 1)]


async def test_an_order_goes_its_way(client: AsyncClient) -> None:
    """The same calls and results, awaited."""
    held = await client.reserve({"APPLE": 3}, at="leeds")
    assert held.reservation is not None
    assert (await client.commit(held.reservation.name)).ok
    assert (await client.fulfil(held.reservation.name)).ok
    assert (await client.stock("leeds", ["APPLE"]))[0].on_hand == 7
    assert (await client.availability(["APPLE"])).of("APPLE", "york") == 4


async def test_tasks_share_a_client(client: AsyncClient) -> None:
    """Many calls at once over one connection."""
    results = await asyncio.gather(*(client.reserve({"APPLE": 1}, at="leeds") for _ in range(30)))
    assert sum(result.ok for result in results) == 10


async def test_lists_are_read_over_all_pages(client: AsyncClient) -> None:
    """With async for."""
    assert [stock.sku async for stock in client.list_stock("leeds", page_size=1)] == ["APPLE", "PEAR"]


async def test_a_lost_answer_is_asked_for_again_with_the_same_id(client: AsyncClient, fake: FakeServer) -> None:
    """One reservation, however often it was sent."""
    fake.fail("Reserve", Fault(UNAVAILABLE, after=True), Fault(lost=True))
    result = await client.with_options(timeout_s=20, attempt_timeout_s=0.1).reserve({"APPLE": 4}, at="york")
    assert (result.ok, result.repeated, client.retries) == (True, True, 2)
    assert len(fake.state.reservations) == 1


async def test_errors_are_those_of_the_other_client(client: AsyncClient, fake: FakeServer) -> None:
    """With reason, names and request id."""
    fake.fail("Reserve", Fault(UNAVAILABLE))
    with pytest.raises(Unavailable, match="repeat it with request id mine"):
        await client.with_options(retries_max=0).reserve({"APPLE": 1}, at="york", request_id="mine")
    with pytest.raises(NotFound) as caught:
        await client.check({"APPLE": 1}, locations=["mars"])
    assert (caught.value.reason, caught.value.metadata) == ("LOCATION_UNKNOWN", {"location": "mars"})
    with pytest.raises(InvalidRequest):
        await client.reserve({"APPLE": 1 << 80}, at="york")


async def test_health_and_readiness(client: AsyncClient, fake: FakeServer) -> None:
    """A server that is not ready is waited for, as long as was said."""
    await client.wait_ready(5)
    fake.serving = False
    assert await client.health() is ServingStatus.NOT_SERVING
    with pytest.raises(Unavailable):
        await client.wait_ready(0.2)


async def test_a_closed_client_says_so(client: AsyncClient) -> None:
    """Closing twice is fine."""
    await client.check({"APPLE": 1})
    await client.close()
    await client.close()
    with pytest.raises(Cancelled):
        await client.check({"APPLE": 1})


async def test_a_watch_goes_on_where_it_was(client: AsyncClient, fake: FakeServer) -> None:
    """After a break it resumes with the versions it saw."""
    watch = client.watch(["APPLE"], locations=["leeds"])
    first = await anext(watch)
    await client.record(batch(1))
    fake.state.closing.set()
    second = await anext(watch)
    await watch.aclose()
    assert (first.versions, second.versions) == ({"leeds": 1}, {"leeds": 2})


async def test_movements_stream_through_breaks(client: AsyncClient, fake: FakeServer) -> None:
    """Sent again what was not answered, from an async producer or a plain one; each counts once."""

    async def produce() -> AsyncIterator[list[Movement]]:
        for number in range(6):
            yield batch(number)

    fake.fail("StreamMovements", Fault(UNAVAILABLE, after=True), Fault(UNAVAILABLE))
    results = [result async for result in client.stream_movements(produce(), in_flight=3)]
    again = [result async for result in client.stream_movements([batch(number) for number in range(6)])]
    assert [len(results), len(again)] == [6, 6]
    assert fake.state.stock["locations/leeds"]["APPLE"].on_hand == 16


async def test_a_stream_of_movements_that_is_left_early_ends(client: AsyncClient) -> None:
    """Closing the generator ends the stream."""
    stream = client.stream_movements([batch(number) for number in range(100)])
    assert (await anext(stream)).ok
    await stream.aclose()
    assert (await client.check({"APPLE": 1})).ok


async def test_a_call_under_way_ends_with_its_client(client: AsyncClient, fake: FakeServer) -> None:
    """Closing is no cancellation of whoever waits."""
    fake.fail("Reserve", Fault(lost=True))
    reserving = asyncio.ensure_future(client.reserve({"APPLE": 1}, at="york"))
    watching = asyncio.ensure_future(anext(client.watch(["APPLE"], resume_versions={"leeds": 1, "york": 1})))
    await asyncio.to_thread(fake.arrived.wait)
    await client.close()
    for task in (reserving, watching):
        with pytest.raises(Cancelled):
            await task


async def test_a_cancelled_task_leaves_the_client_usable(client: AsyncClient, fake: FakeServer) -> None:
    """Cancellation passes through as what it is, not as an error of ours."""
    fake.fail("Reserve", Fault(lost=True))
    task = asyncio.ensure_future(client.reserve({"APPLE": 1}, at="york"))
    await asyncio.to_thread(fake.arrived.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await client.check({"APPLE": 1})).ok
