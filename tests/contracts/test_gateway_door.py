"""Envoy's door: what it refuses by itself, and what its refusals say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Queue
from typing import Any

import grpc
import pytest

from allocator.gateway.door import MILLION, Door, door_routes, runtime_key
from allocator.gateway.envoy import ADMIN_SOCKET
from allocator.gateway.envoy_admin import EnvoyAdmin
from allocator.gateway.shedding import Pulse, Shedding
from allocator.runtime.worth import WaitTargets, Worth
from allocator.v1 import reservation_pb2 as r
from tests.support.api import Api, failure, make
from tests.support.fronts import OnEnvoy, envoy_left_out
from tests.support.gateway import LocalService, local_service

pytestmark = pytest.mark.skipif(envoy_left_out(), reason="pyvoy is not installed")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A service whose gateway leaves its door alone: nothing waits too long there."""
    waits: dict[str, Any] = {"browse_wait_s": 0, "hold_wait_s": 0, "settle_wait_s": 0}
    with local_service(tmp_path_factory.mktemp("journal"), "envoy", **waits) as service:
        yield service


def refuse(service: LocalService, worth: Worth, share: float) -> None:
    """Have the door refuse a share of the calls of a worth."""
    front = service.gateways[0].front
    assert isinstance(front, OnEnvoy)
    service.run(EnvoyAdmin(front.folder / ADMIN_SOCKET).set_runtime({runtime_key(worth): int(share * MILLION)}))


def is_refused(api: Api, sku: str) -> bool:
    """Whether a check is refused just now."""
    try:
        api.check((sku, 1))
    except grpc.RpcError:
        return True
    return False


def test_the_door_refuses_what_it_is_told_and_says_when_to_come_back(service: LocalService) -> None:
    """Reads are refused and all else goes through; a refusal has what every refusal has; then reads are answered."""
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        refuse(service, Worth.BROWSE, 1.0)
        while not is_refused(api, apple):
            pass
        found = failure(api.check, (apple, 1))
        assert (found.code, found.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert found.retry_s > 0
        name = api.held((apple, 1)).name
        commit = make(r.CommitReservationRequest, name=name)
        assert api.reservations.CommitReservation(commit).status == r.TRANSITION_STATUS_DONE
        refuse(service, Worth.BROWSE, 0.0)
        while is_refused(api, apple):
            pass


def reserve_until_refused(api: Api, sku: str) -> None:
    """Reserve for as long as it is taken."""
    while True:
        api.reserve((sku, 1))


def test_holds_are_refused_apart_from_what_settles(service: LocalService) -> None:
    """The next to go are new holds; a commit is none."""
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        name = api.held((apple, 1)).name
        refuse(service, Worth.HOLD, 1.0)
        with pytest.raises(grpc.RpcError) as caught:
            reserve_until_refused(api, apple)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        commit = make(r.CommitReservationRequest, name=name)
        assert api.reservations.CommitReservation(commit).status == r.TRANSITION_STATUS_DONE
        refuse(service, Worth.HOLD, 0.0)


def test_every_method_of_the_contract_passes_the_door() -> None:
    """Each has a route with the key of its worth, and what is not of the contract has none."""
    (host,) = door_routes()["virtual_hosts"]
    keys = {
        route["match"]["path"].rpartition("/")[2]: limit["filter_enabled"]["runtime_key"]
        for route in host["routes"]
        if "path" in route["match"]
        for limit in route["typed_per_filter_config"].values()
    }
    assert keys["CheckAvailability"] == runtime_key(Worth.BROWSE)
    assert keys["StreamReserve"] == runtime_key(Worth.HOLD)
    assert keys["CommitReservation"] == keys["RecordMovements"] == runtime_key(Worth.SETTLE)
    assert "Check" not in keys


class Told(EnvoyAdmin):
    """An admin interface that notes what it is told."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self.values: Queue[Mapping[str, int]] = Queue()

    async def set_runtime(self, values: Mapping[str, int]) -> bool:
        """Note it."""
        self.values.put(values)
        return True


async def test_the_door_is_told_the_shares_as_they_change() -> None:
    """While work waits too long a share is refused there and none in Python; when that is over, none at all."""
    shedding, told, waits_s = Shedding(100, 100, WaitTargets(0.1, 1.0, 10.0)), Told(), [0.2, 0.0, 0.0]
    pulse = Pulse(shedding, lambda: False)
    pulse.look_at(lambda: waits_s)
    door = Door(told, shedding, pulse)
    door.open()
    values = await asyncio.to_thread(told.values.get, timeout=30)
    assert shedding.at_the_door
    assert shedding.share(Worth.BROWSE) == 1.0
    assert 0 < values[runtime_key(Worth.BROWSE)] < MILLION
    assert values[runtime_key(Worth.HOLD)] == values[runtime_key(Worth.SETTLE)] == 0
    waits_s[0] = 0.0
    while any(values.values()):
        values = await asyncio.to_thread(told.values.get, timeout=30)
    door.close()
