"""One contract for all peers: a comparison with something that sells a unit twice would say nothing."""

from __future__ import annotations

import random
import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from allocator.v1 import availability_pb2 as a
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import reservation_pb2 as r
from allocator.v1.availability_pb2_grpc import AvailabilityServiceStub
from allocator.v1.inventory_pb2_grpc import InventoryServiceStub
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub
from bench.peers import NAMES, Peer, available
from bench.peers.fronts import FRONTS
from bench.stock import held_units, receive
from tests.conftest import IN_CI
from tests.support.ray_cluster import until

LOCATIONS = ("bench-1", "bench-2", "bench-3")
CLIENTS = 8
TIMEOUT_S = 60.0
DURABLE = ("redis", "postgres")
"""Those that promise to keep what they acknowledged, through the death of all their processes."""


def needed(name: str, front: str = "grpcio") -> None:
    """Skip when the peer cannot run here, and say why; in CI that is a failure."""
    reason = available(name, front)
    if reason and IN_CI:
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)


class Client(NamedTuple):
    """What a test asks a peer with."""

    address: str
    availability: Any
    reservations: Any
    inventory: Any

    def reserve(self, *lines: tuple[str, str, int], request_id: str = "", ttl_s: int = 600) -> r.ReserveResponse:
        """Hold (SKU, location, units)."""
        asked = [r.ReserveLine(sku=sku, location=f"locations/{place}", quantity=units) for sku, place, units in lines]
        request = r.ReserveRequest(lines=asked, request_id=request_id, ttl=Duration(seconds=ttl_s))
        answer: r.ReserveResponse = self.reservations.Reserve(request, timeout=TIMEOUT_S)
        return answer

    def check(self, lines: dict[str, int], *locations: str) -> a.CheckAvailabilityResponse:
        """Check a cart."""
        asked = [a.AvailabilityLine(sku=sku, quantity=units) for sku, units in lines.items()]
        request = a.CheckAvailabilityRequest(lines=asked, locations=[f"locations/{place}" for place in locations])
        answer: a.CheckAvailabilityResponse = self.availability.CheckAvailability(request, timeout=TIMEOUT_S)
        return answer

    def stocked(self, *cells: tuple[str, int]) -> list[str]:
        """Have new SKUs with units at (location, units); their names."""
        skus = [f"sku-{uuid.uuid4().hex[:12]}" for _ in cells]
        rows = ((place, sku, units) for sku, (place, units) in zip(skus, cells, strict=True))
        receive(self.address, iter(list(rows)), lambda _: None)
        return skus


def client_of(channel: grpc.Channel, address: str) -> Client:
    """A client on a channel."""
    return Client(
        address,
        AvailabilityServiceStub(channel),
        ReservationServiceStub(channel),
        InventoryServiceStub(channel),
    )


@pytest.fixture(scope="module", params=[(name, front) for front in FRONTS for name in NAMES], ids="-".join)
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of each peer on each front."""
    name, front = request.param
    needed(name, front)
    with (
        Peer(name, tmp_path_factory.mktemp("peer"), front) as peer,
        grpc.insecure_channel(peer.address, [("grpc.use_local_subchannel_pool", 1)]) as channel,
    ):
        yield client_of(channel, peer.address)


def test_a_cart_is_checked_everywhere_and_somewhere(client: Client) -> None:
    """All locations that have some, in the order of names; without a location, everywhere."""
    sku = client.stocked(("bench-2", 5))[0]
    rows = iter([("bench-1", sku, 3)])
    receive(client.address, rows, lambda _: None)
    line = client.check({sku: 8}).lines[0]
    assert (line.sku, line.requested, line.total, line.sufficient) == (sku, 8, 8, True)
    assert [(place.location, place.available) for place in line.quantities] == [
        ("locations/bench-1", 3),
        ("locations/bench-2", 5),
    ]
    somewhere = client.check({sku: 8}, "bench-2")
    assert not somewhere.sufficient
    assert [(place.location, place.available) for place in somewhere.lines[0].quantities] == [("locations/bench-2", 5)]


def test_what_was_never_stocked_is_not_there(client: Client) -> None:
    """Beside what is, and in a reserve too."""
    sku = client.stocked(("bench-1", 5))[0]
    answer = client.check({sku: 1, "never-stocked": 1})
    assert [(line.sku, line.total) for line in answer.lines] == [(sku, 5), ("never-stocked", 0)]
    assert client.reserve(("never-stocked", "bench-1", 1)).status == r.RESERVE_STATUS_INSUFFICIENT_STOCK


def test_a_hold_takes_what_can_be_promised(client: Client) -> None:
    """It is in the answer, in the next check and in the stock; what is on hand stays."""
    sku = client.stocked(("bench-1", 5))[0]
    answer = client.reserve((sku, "bench-1", 2), request_id=(name := str(uuid.uuid4())))
    assert answer.status == r.RESERVE_STATUS_HELD
    assert name in answer.reservation.name
    assert [(line.sku, line.requested, line.held) for line in answer.lines] == [(sku, 2, 2)]
    assert 590 < answer.reservation.expire_time.seconds - answer.reservation.create_time.seconds < 610
    assert client.check({sku: 1}).lines[0].total == 3
    assert held_units(client.address, "bench-1", [sku]) == ([5], [2])


def test_all_lines_or_none(client: Client) -> None:
    """A line that is short leaves those before and after it alone, at its location and at others."""
    first, second, third = client.stocked(("bench-1", 5), ("bench-2", 1), ("bench-1", 5))
    answer = client.reserve((third, "bench-1", 1), (second, "bench-2", 2), (first, "bench-1", 1))
    assert answer.status == r.RESERVE_STATUS_INSUFFICIENT_STOCK
    assert not answer.HasField("reservation")
    assert answer.lines[1].status == r.LINE_STATUS_INSUFFICIENT_STOCK
    assert answer.lines[1].available == 1
    assert [line.total for line in client.check({first: 1, second: 1, third: 1}).lines] == [5, 1, 5]
    held = client.reserve((third, "bench-1", 1), (second, "bench-2", 1), (first, "bench-1", 1))
    assert held.status == r.RESERVE_STATUS_HELD
    assert [line.total for line in client.check({first: 1, second: 1, third: 1}).lines] == [4, 0, 4]


def test_a_request_id_acts_once(client: Client) -> None:
    """One after the other and all at once, also when they hold the last unit; other lines are an error."""
    one, other = client.stocked(("bench-1", 1), ("bench-1", 10))
    name = str(uuid.uuid4())
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda _: client.reserve((one, "bench-1", 1), request_id=name), range(CLIENTS)))
    assert {answer.status for answer in answers} == {r.RESERVE_STATUS_HELD}
    assert sorted(answer.repeated_request for answer in answers) == [False] + [True] * (CLIENTS - 1)
    assert len({answer.reservation.SerializeToString(deterministic=True) for answer in answers}) == 1
    assert held_units(client.address, "bench-1", [one]) == ([1], [1])
    with pytest.raises(grpc.RpcError) as raised:
        client.reserve((other, "bench-1", 1), request_id=name)
    assert raised.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert held_units(client.address, "bench-1", [other]) == ([10], [0])


def test_nothing_is_sold_twice(client: Client) -> None:
    """Random carts from several clients at once, some told twice: what they were told they hold is what is held."""
    seed = random.randrange(2**32)
    cells = [(place, random.Random(seed).randrange(4, 40)) for place in LOCATIONS for _ in range(4)]
    skus = client.stocked(*cells)
    places = list(zip(skus, (place for place, _ in cells), strict=True))

    def buy(number: int) -> Counter[tuple[str, str]]:
        chance, held = random.Random(f"{seed} {number}"), Counter[tuple[str, str]]()
        for _ in range(40):
            cart = [(*cell, chance.randint(1, 3)) for cell in chance.sample(places, chance.randint(1, 3))]
            name = str(uuid.uuid4())
            answers = [client.reserve(*cart, request_id=name) for _ in range(chance.randint(1, 2))]
            if answers[-1].status == r.RESERVE_STATUS_HELD:
                held.update({(sku, place): units for sku, place, units in cart})
        return held

    with ThreadPoolExecutor(CLIENTS) as pool:
        told = sum(pool.map(buy, range(CLIENTS)), Counter[tuple[str, str]]())
    for (sku, place), (_, units) in zip(places, cells, strict=True):
        assert held_units(client.address, place, [sku]) == ([units], [told[sku, place]]), f"seed {seed}"
        assert told[sku, place] <= units, f"seed {seed}"


def test_a_hot_sku_is_sold_out_exactly(client: Client) -> None:
    """Everybody wants the same one: as many are held as there are."""
    sku = client.stocked(("bench-1", 60))[0]
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(lambda _: client.reserve((sku, "bench-1", 1)).status, range(100)))
    assert Counter(answers) == {r.RESERVE_STATUS_HELD: 60, r.RESERVE_STATUS_INSUFFICIENT_STOCK: 40}
    assert held_units(client.address, "bench-1", [sku]) == ([60], [60])


def test_receipts_count_once(client: Client) -> None:
    """Told again, and twice in one call; those of other types are not served."""
    sku = f"sku-{uuid.uuid4().hex[:12]}"
    receipt = i.StockMovement(
        source="test",
        movement_id=sku,
        location="locations/bench-1",
        sku=sku,
        type=i.MOVEMENT_TYPE_RECEIPT,
        quantity=7,
    )
    request = i.RecordMovementsRequest(movements=[receipt, receipt])
    for first in (i.MOVEMENT_STATUS_APPLIED, i.MOVEMENT_STATUS_DUPLICATE):
        results = client.inventory.RecordMovements(request, timeout=TIMEOUT_S).results
        assert [(row.status, row.on_hand) for row in results] == [(first, 7), (i.MOVEMENT_STATUS_DUPLICATE, 7)]
    receipt.type = i.MOVEMENT_TYPE_SALE
    with pytest.raises(grpc.RpcError) as raised:
        client.inventory.RecordMovements(i.RecordMovementsRequest(movements=[receipt]), timeout=TIMEOUT_S)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_hold_that_ran_out_is_given_back(client: Client) -> None:
    """Some moments after its end, at the latest; the other one stays."""
    sku = client.stocked(("bench-1", 5))[0]
    client.reserve((sku, "bench-1", 2), ttl_s=600)
    client.reserve((sku, "bench-1", 3), ttl_s=1)
    assert until(lambda: client.check({sku: 1}).lines[0].total, lambda total: total > 0) == 3
    assert held_units(client.address, "bench-1", [sku]) == ([5], [2])


def test_what_is_not_compared_is_not_served(client: Client) -> None:
    """It is said so, instead of being answered somehow."""
    for method, request in (
        (client.reservations.GetReservation, r.GetReservationRequest(name="reservations/x")),
        (client.reservations.Reserve, r.ReserveRequest(policy=r.RESERVE_POLICY_PARTIAL)),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            method(request, timeout=TIMEOUT_S)
        assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("name", DURABLE)
def test_what_was_acknowledged_survives(name: str, tmp_path: Path) -> None:
    """SIGKILL of the peer, and of its own server if it has one, in the middle of reserves."""
    needed(name)
    peer = Peer(name, tmp_path)
    told: list[str] = []
    enough = threading.Event()
    try:
        peer.start()
        with grpc.insecure_channel(peer.address, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            client = client_of(channel, peer.address)
            skus = client.stocked(*[("bench-1", 1_000)] * 3)

            def buy(number: int) -> None:
                chance = random.Random(number)
                for n in range(200):
                    sku = chance.choice(skus)
                    try:
                        answer = client.reserve((sku, "bench-1", 1), request_id=f"{number}-{n}")
                    except grpc.RpcError:
                        return
                    assert answer.status == r.RESERVE_STATUS_HELD
                    told.append(sku)
                    if len(told) >= 200:
                        enough.set()

            with ThreadPoolExecutor(CLIENTS) as pool:
                buyers = [pool.submit(buy, number) for number in range(CLIENTS)]
                assert enough.wait(TIMEOUT_S)
                peer.kill()
            for buyer in buyers:
                buyer.result()
        acknowledged = Counter(told)
        peer.start()
        on_hand, held = held_units(peer.address, "bench-1", skus)
        assert on_hand == [1_000] * 3
        assert sum(held) <= len(told) + CLIENTS
        assert all(units >= acknowledged[sku] for sku, units in zip(skus, held, strict=True))
    finally:
        peer.stop()
