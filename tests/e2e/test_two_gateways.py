from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from allocator.client import AsyncClient, Client, Movement, MovementType, ReserveResult, ReserveStatus
from allocator.v1 import availability_pb2 as availability
from allocator.v1 import reservation_pb2 as reservation
from allocator.v1.availability_pb2_grpc import AvailabilityServiceStub
from allocator.v1.common_pb2 import LocationVersion
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub
from tests.support.service import RunningService

OWN_CONNECTION = {"grpc.use_local_subchannel_pool": 1}
CHANNELS_MAX = 200
SHOPPERS = 64
UNITS = 100
WAIT_S = 60


def test_only_the_last_units_are_sold(service: RunningService) -> None:
    """64 clients race for the last 100 units through two gateways: 100 are sold, the others hear what is left."""
    results = asyncio.run(_race(service.address))
    sold = [result for result in results if result.status is ReserveStatus.HELD]
    refused = [result for result in results if result.status is ReserveStatus.INSUFFICIENT_STOCK]
    assert len(sold) == UNITS
    assert len(sold) + len(refused) == len(results) == 3 * SHOPPERS
    assert all(result.reservation is None and result.lines[0].available == 0 for result in refused)
    with Client(service.address) as client:
        (stock,) = client.stock("north", ["last"])
    assert (stock.held, stock.available) == (UNITS, 0)


async def _race(address: str) -> list[ReserveResult]:
    _receive(address, "north", "last", UNITS)

    async def shop() -> list[ReserveResult]:
        async with AsyncClient(address, timeout_s=WAIT_S, channel_options=OWN_CONNECTION) as client:
            return [await client.reserve({"last": 1}, at="north") for _ in range(3)]

    return list(itertools.chain(*await asyncio.gather(*(shop() for _ in range(SHOPPERS)))))


@pytest.fixture(name="gateways", scope="module")
def _gateways(service: RunningService) -> Iterator[tuple[grpc.Channel, grpc.Channel]]:
    """A channel to each gateway process: connections are made until both have taken one."""
    with ExitStack() as stack:
        channels: dict[str, grpc.Channel] = {}
        for _ in range(CHANNELS_MAX):
            channel = stack.enter_context(grpc.insecure_channel(service.address, list(OWN_CONNECTION.items())))
            channels.setdefault(_gateway_behind(channel), channel)
            if len(channels) == 2:
                break
        yield channels["0"], channels["1"]


def _gateway_behind(channel: grpc.Channel) -> str:
    """Which gateway process answers on `channel`."""
    call: Any = AvailabilityServiceStub(channel).BatchGetAvailability.with_call(
        availability.BatchGetAvailabilityRequest(skus=["any"]), timeout=WAIT_S, wait_for_ready=True
    )[1]
    return str(dict(call.trailing_metadata())["x-allocator-gateway"])


def test_a_request_id_acts_once_through_any_gateway_and_after_a_crash(
    service: RunningService, gateways: tuple[grpc.Channel, grpc.Channel]
) -> None:
    """The same id through both gateways, before and after SIGKILL of the actor, is one reservation."""
    _receive(service.address, "south", "apple", 10)
    answers = [_reserve(channel, "apple", 3, "cart-1") for channel in gateways]
    service.kill_actor("south")
    with Client(service.address, timeout_s=WAIT_S, retries_max=100) as client:
        client.stock("south", ["apple"])  # until the actor is back
    answers += [_reserve(channel, "apple", 3, "cart-1") for channel in reversed(gateways)]
    assert [answer.repeated_request for answer in answers] == [False, True, True, True]
    assert len({answer.reservation.name for answer in answers}) == 1
    with Client(service.address) as client:
        (stock,) = client.stock("south", ["apple"])
    assert (stock.on_hand, stock.held) == (10, 3)


def test_a_request_id_with_other_content_is_an_error_that_names_the_field(
    service: RunningService, gateways: tuple[grpc.Channel, grpc.Channel]
) -> None:
    """Another quantity under a used id is ALREADY_EXISTS, whichever gateway hears it, and changes nothing."""
    _receive(service.address, "south", "pear", 10)
    _reserve(gateways[0], "pear", 3, "cart-2")
    with pytest.raises(grpc.RpcError) as caught:
        _reserve(gateways[1], "pear", 4, "cart-2")
    info = _info(caught.value)
    assert (caught.value.code(), info.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert info.metadata["field"].startswith("lines")
    with Client(service.address) as client:
        (stock,) = client.stock("south", ["pear"])
    assert stock.held == 3


def test_a_gateway_reads_what_the_other_one_wrote(
    service: RunningService, gateways: tuple[grpc.Channel, grpc.Channel]
) -> None:
    """With the versions of a write any gateway answers from at least that state."""
    _receive(service.address, "north", "plum", 10)
    for held in range(1, 11):
        writer, reader = gateways[held % 2], gateways[1 - held % 2]
        written = _reserve(writer, "plum", 1, f"plum-{held}", "north")
        assert _available(reader, "plum", written.versions) == 10 - held


def _receive(address: str, location: str, sku: str, units: int) -> None:
    with Client(address, timeout_s=WAIT_S) as client:
        client.record([Movement("test", f"{location}-{sku}", location, sku, MovementType.RECEIPT, units)])


def _reserve(
    channel: grpc.Channel, sku: str, units: int, request_id: str, location: str = "south"
) -> reservation.ReserveResponse:
    line = reservation.ReserveLine(sku=sku, quantity=units, location=f"locations/{location}")
    request = reservation.ReserveRequest(lines=[line], request_id=request_id)
    return ReservationServiceStub(channel).Reserve(request, timeout=WAIT_S)


def _available(channel: grpc.Channel, sku: str, versions: Iterable[LocationVersion]) -> int:
    line = availability.AvailabilityLine(sku=sku, quantity=1)
    request = availability.CheckAvailabilityRequest(lines=[line], min_versions=versions)
    check = AvailabilityServiceStub(channel).CheckAvailability
    try:
        return check(request, timeout=WAIT_S).lines[0].total
    except grpc.RpcError as error:
        if _info(error).reason != "VERSION_NOT_REACHED":
            raise
        # Not within its second, as on a machine that stood still: callers ask again, and once is enough.
        return check(request, timeout=WAIT_S).lines[0].total


def _info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    """Why a call failed."""
    status: Any = rpc_status.from_call(error)  # type: ignore[arg-type]  # it is the call as well
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info
