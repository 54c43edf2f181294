"""Which state an answer is of, and what a gateway has not heard of yet."""

from __future__ import annotations

from allocator.runtime.hosted import NETWORK
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as r
from tests.support.api import DC, Api, make, movement, now, reserve
from tests.support.gateway import Serve, fresh

pytest_plugins = ("tests.support.gateway_fixtures",)


def let_in(api: Api, sku: str) -> None:
    """Return once the calls sent before on this connection have most likely begun: reads are answered at once.

    What the tests assert holds in any order; this makes it likely that all wait for the same batch.
    """
    for _ in range(3):
        api.available(sku)


def test_a_read_that_shares_a_batch_with_a_movement_tells_its_own_version(serve: Serve) -> None:
    """Not the one after the batch: else a count that compares with it would wipe the movement out."""
    service = serve(in_flight_max=1)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        while actor.arrived.acquire(blocking=False):
            pass
        actor.hold()
        first = api.reservations.Reserve.future(reserve((apple, 1)))
        actor.arrived.acquire()
        query = make(i.GetStockRequest, location=DC, skus=[apple])
        page = make(i.ListStockRequest, location=DC)
        reads = api.inventory.GetStock.future(query), api.inventory.ListStock.future(page)
        let_in(api, apple)
        sale = make(i.RecordMovementsRequest, movements=[movement(i.MOVEMENT_TYPE_SALE, apple, 4)])
        sold = api.inventory.RecordMovements.future(sale)
        let_in(api, apple)
        actor.release()
        versions = [read.result().stocks[0].version for read in reads if read.result().stocks[0].on_hand == 10]
        after = sold.result().versions[0].version
        first.result()
        assert all(version < after for version in versions)
        for version in versions:
            lines = [{"sku": apple, "quantity": 10}]
            fields = {"location": DC, "lines": lines, "as_of_time": now(), "expected_version": version}
            response = api.inventory.SetCount(make(i.SetCountRequest, **fields))
            assert response.status == i.SET_COUNT_STATUS_VERSION_MISMATCH
        assert api.stock(apple).on_hand == 6


def test_a_read_of_a_reservation_tells_its_own_version(serve: Serve) -> None:
    """Also when a write to it shares the batch."""
    service = serve(in_flight_max=1)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        name = api.held((apple, 2)).name
        while actor.arrived.acquire(blocking=False):
            pass
        actor.hold()
        first = api.reservations.Reserve.future(reserve((apple, 1)))
        actor.arrived.acquire()
        query, listed = make(r.GetReservationRequest, name=name), make(r.ListReservationsRequest, location=DC)
        one, page = api.reservations.GetReservation.future(query), api.reservations.ListReservations.future(listed)
        let_in(api, apple)
        committing = api.reservations.CommitReservation.future(make(r.CommitReservationRequest, name=name))
        let_in(api, apple)
        actor.release()
        first.result()
        after = committing.result().versions[0].version
        for found in (one.result().reservation, page.result().reservations[0]):
            assert (found.version < after) == (found.state == r.RESERVATION_STATE_HELD)


def test_a_location_made_through_one_gateway_is_soon_known_to_the_other(serve: Serve) -> None:
    """One that has not heard of it yet waits a moment for news, instead of answering that there is no such location."""
    service = serve(gateways=2)
    news = service.actor(NETWORK)
    with service.channel(0) as first, service.channel(1) as second:
        one, other = Api(first), Api(second)
        news.hold_feed()
        create = make(n.CreateLocationRequest, location_id=fresh("place"), location={"kind": n.LOCATION_KIND_STORE})
        place = one.network.CreateLocation(create).location.name
        apple = one.stocked(10, place)
        held = one.held((apple, 1), at=place)
        query = make(r.GetReservationRequest, name=held.name)
        reserving = other.reservations.Reserve.future(reserve((apple, 1), at=place))
        reading = other.inventory.GetStock.future(make(i.GetStockRequest, location=place, skus=[apple]))
        finding = other.reservations.GetReservation.future(query)
        news.release_feed()
        reserved, stock, found = reserving.result(), reading.result(), finding.result()
        assert reserved.status == r.RESERVE_STATUS_HELD
        assert stock.stocks[0].location == place
        assert found.reservation.name == held.name
