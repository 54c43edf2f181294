from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, TypeAlias

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from allocator.v1 import availability_pb2 as a
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import reservation_pb2 as r
from tests.support.api import (
    DC,
    STORE_1,
    Api,
    cart,
    failure,
    failure_in,
    failure_of,
    health,
    health_request,
    make,
    receipt,
    reserve,
    taken,
)
from tests.support.gateway import LocalService, Serve, fresh
from tests.support.local_links import LocalActor

pytest_plugins = ("tests.support.gateway_fixtures",)

NAMES = ("Availability", "Reservation", "Inventory", "Network", "Sourcing")
SERVICES = tuple(f"allocator.v1.{name}Service" for name in NAMES)
Reserving: TypeAlias = "grpc.Future[r.ReserveResponse]"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def test_every_service_is_healthy(channel: grpc.Channel) -> None:
    """The server as a whole and each service of the contract."""
    told = [health(channel).Check(health_request(service)).status for service in ("", *SERVICES)]
    assert told == [SERVING] * (1 + len(SERVICES))


def test_services_can_be_listed(channel: grpc.Channel) -> None:
    """Reflection tells them, so that grpcurl works at once."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    response = next(stub.ServerReflectionInfo(iter([request])))
    listed = {service.name for service in response.list_services_response.service}
    assert {*SERVICES, "grpc.health.v1.Health"} <= listed


def test_every_answer_tells_its_correlation_id_and_gateway(api: Api) -> None:
    """The caller's own id, or one made for it; with answers, errors and streams.

    A read that was well has none made, and a write whose caller gave it a request id is found by that.
    """
    mine = (("x-correlation-id", "order-4711"),)
    _, call = api.reservations.Reserve.with_call(reserve((api.stocked(1), 1)), metadata=mine)
    assert told_with(call)["x-correlation-id"] == "order-4711"
    _, call = api.reservations.Reserve.with_call(reserve((api.stocked(1), 1), request_id=""))
    told = told_with(call)
    assert re.fullmatch(r"[0-9a-f]{32}", told["x-correlation-id"])
    assert told["x-allocator-gateway"] == "0"
    _, call = api.reservations.Reserve.with_call(reserve((api.stocked(1), 1)))
    assert dict(told_with(call)) == {"x-allocator-gateway": "0"}
    _, call = api.availability.CheckAvailability.with_call(cart((api.stocked(1), 1)), metadata=mine)
    assert told_with(call)["x-correlation-id"] == "order-4711"
    _, call = api.availability.CheckAvailability.with_call(cart((api.stocked(1), 1)))
    assert told_with(call)["x-allocator-gateway"] == "0"
    assert "x-correlation-id" not in told_with(call)
    with pytest.raises(grpc.RpcError) as caught:
        api.reservations.Reserve(make(r.ReserveRequest), metadata=mine)
    assert told_with(caught.value)["x-correlation-id"] == "order-4711"
    stream = api.availability.QueryAvailability(iter([]), metadata=mine)
    assert list(stream) == []
    assert told_with(stream)["x-correlation-id"] == "order-4711"


def test_an_odd_correlation_id_is_replaced(api: Api) -> None:
    """It goes into logs and journal: a long one, or one with blanks, is not taken."""
    for odd in ("x" * 129, "a b"):
        metadata = (("x-correlation-id", odd),)
        request = reserve((api.stocked(1), 1), request_id="")
        _, call = api.reservations.Reserve.with_call(request, metadata=metadata)
        assert told_with(call)["x-correlation-id"] != odd


def told_with(call: Any) -> dict[str, str]:  # noqa: ANN401  # a call or an error, which have no common type
    """The trailing metadata."""
    return dict(call.trailing_metadata())


def test_64_clients_race_for_the_last_100_units(serve: Serve) -> None:
    """Exactly 100 units are sold; everybody else is told INSUFFICIENT_STOCK with what is left."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        api.receive("last", 100)
        answers = race(service, clients=64, each=4)
        held = [answer for answer in answers if answer.status == r.RESERVE_STATUS_HELD]
        refused = [answer for answer in answers if answer.status == r.RESERVE_STATUS_INSUFFICIENT_STOCK]
        assert (len(held), len(refused)) == (100, 156)
        assert {answer.lines[0].available for answer in refused} == {0}
        assert len({answer.reservation.name for answer in held}) == 100
        stock = api.stock("last")
        assert (stock.on_hand, stock.held, stock.available) == (100, 100, 0)


def race(service: LocalService, clients: int, each: int) -> Sequence[r.ReserveResponse]:
    """Many clients, each on a connection of its own, reserve one unit at a time, all at once."""
    answers: list[r.ReserveResponse] = []
    start = threading.Barrier(clients)

    def client() -> None:
        with service.channel() as channel:
            api = Api(channel)
            grpc.channel_ready_future(channel).result()
            start.wait()
            answers.extend([api.reserve(("last", 1)) for _ in range(each)])

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_request_id_acts_once_through_any_gateway_and_after_a_restart(serve: Serve) -> None:
    """Two gateways, one reservation; the same after the actor came back from its journal."""
    service = serve(gateways=2)
    with service.channel(0) as first, service.channel(1) as second:
        one, other = Api(first), Api(second)
        apple, request_id = one.stocked(10), fresh("request")
        name = one.reserve((apple, 3), request_id=request_id).reservation.name
        again = other.reserve((apple, 3), request_id=request_id)
        assert (again.reservation.name, again.repeated_request) == (name, True)
        service.actor().restart()
        late = retried(other, (apple, 3), request_id)
        assert (late.reservation.name, late.repeated_request) == (name, True)
        found = failure(other.reserve, (apple, 4), request_id=request_id)
        assert (found.code, found.metadata) == (grpc.StatusCode.ALREADY_EXISTS, {"field": "lines"})
        assert other.stock(apple).held == 3


def test_a_lost_answer_leaves_the_outcome_open(serve: Serve) -> None:
    """UNAVAILABLE, OUTCOME_UNKNOWN names the request id; the same id again tells what became of it."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        for lose, repeated in ((service.actor().lose_answer, True), (service.actor().lose_call, False)):
            request_id = fresh("request")
            lose()
            found = failure(api.reserve, (apple, 1), request_id=request_id)
            assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")
            assert found.metadata == {"request_id": request_id}
            assert api.reserve((apple, 1), request_id=request_id).repeated_request is repeated
        assert api.stock(apple).held == 2


def retried(api: Api, line: tuple[str, int], request_id: str) -> r.ReserveResponse:
    """The answer, however often the connection or the actor has to be waited for."""
    while True:
        try:
            return api.reserve(line, request_id=request_id)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise


def test_a_recovering_location_is_unavailable_and_unhealthy(serve: Serve) -> None:
    """RECOVERING names the location and when to come back; nothing happened; other locations go on."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        api.receive(apple, 10, "locations/store-2")
        with service.actor().recovering():
            watch = health(channel).Watch(health_request())
            while next(watch).status != NOT_SERVING:
                pass
            found = failure(api.reserve, (apple, 1))
            assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "RECOVERING")
            assert found.metadata == {"location": DC}
            assert found.retry_s > 0
            api.held((apple, 1), at="locations/store-2")
        while next(watch).status != SERVING:
            pass
        watch.cancel()
        api.held((apple, 1))


def test_a_burst_of_thousands_of_calls_is_answered(serve: Serve) -> None:
    """No call is dropped without a word: not by the server below us either, when none is to be refused for waiting."""
    service = serve(hold_wait_s=0)
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(2_500)
        calls = [api.reservations.Reserve.future(reserve((apple, 1))) for _ in range(2_500)]
        assert {call.result().status for call in calls} == {r.RESERVE_STATUS_HELD}
        assert api.available(apple) == 0


def test_a_full_queue_is_overload(serve: Serve) -> None:
    """Beyond queue_max a call is refused at once, with when to come back; nothing happened, others are answered."""
    service = serve(queue_max=3, in_flight_max=1)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(100)
        held_back, refused = fill_the_queue(api, actor, apple)
        for refusal in refused:
            found = failure_of(refusal.exception())
            assert (found.code, found.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
            assert found.retry_s > 0
        actor.release()
        assert [call.result().status for call in held_back] == [r.RESERVE_STATUS_HELD] * 4
        assert api.stock(apple).held == 4


def fill_the_queue(api: Api, actor: LocalActor, sku: str) -> tuple[list[Reserving], list[Reserving]]:
    """One Reserve of `sku` under way at a held actor and three in its queue, which takes no more; and two it refused.

    The first goes alone: of calls that come at once it would take three along, and leave an empty queue.
    """
    arrivals(actor)
    actor.hold()
    first = api.reservations.Reserve.future(reserve((sku, 1)))
    actor.arrived.acquire()
    ended: SimpleQueue[Reserving] = SimpleQueue()
    calls = [api.reservations.Reserve.future(reserve((sku, 1))) for _ in range(5)]
    for call in calls:
        call.add_done_callback(ended.put)
    refused = [ended.get() for _ in range(2)]  # the others cannot end before the actor is released
    return [call for call in (first, *calls) if call not in refused], refused


def arrivals(actor: LocalActor) -> None:
    """Forget the calls that have arrived so far."""
    while actor.arrived.acquire(blocking=False):
        pass


def code_of(error: BaseException | None) -> grpc.StatusCode:
    """The code that a call ended with."""
    assert isinstance(error, grpc.RpcError)
    return error.code()


def test_a_batch_over_the_queue_is_held_in_groups(serve: Serve) -> None:
    """Reserves of one location go there together; more than the queue takes at once follow one another."""
    service = serve(queue_max=3)
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(100)
        results = api.reservations.BatchReserve(batch(*[reserve((apple, 1)) for _ in range(11)])).results
        assert [result.WhichOneof("result") for result in results] == ["reserve"] * 11
        assert api.stock(apple).held == 11


def test_a_batch_tells_overload_for_each_reserve(serve: Serve) -> None:
    """Where the queue is full, each of them is OVERLOADED in its place, and nothing happened."""
    service = serve(queue_max=3, in_flight_max=1)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(100)
        api.receive(apple, 100, "locations/store-2")
        held_back, _ = fill_the_queue(api, actor, apple)
        mixed = [reserve((apple, 1)), reserve((apple, 1), at="locations/store-2"), reserve((apple, 1))]
        results = api.reservations.BatchReserve(batch(*mixed)).results
        assert [result.WhichOneof("result") for result in results] == ["error", "reserve", "error"]
        assert {failure_in(result.error).reason for result in results[::2]} == {"OVERLOADED"}
        actor.release()
        assert [call.result().status for call in held_back] == [r.RESERVE_STATUS_HELD] * 4
        assert api.stock(apple).held == 4


def batch(*reserves: r.ReserveRequest) -> r.BatchReserveRequest:
    """Many reserves in one request."""
    return make(r.BatchReserveRequest, reserves=reserves)


def test_movements_over_the_queue_are_recorded_in_groups(serve: Serve) -> None:
    """A batch of movements larger than queue and batch together is recorded all the same, in order."""
    service = serve(queue_max=8, batch_max=5)
    with service.channel() as channel:
        api = Api(channel)
        results = api.record([receipt("apple", 1) for _ in range(23)]).results
        assert [result.on_hand for result in results] == list(range(1, 24))


def test_movements_are_overload_only_when_nothing_was_recorded(serve: Serve) -> None:
    """RESOURCE_EXHAUSTED promises that nothing happened; else it is OUTCOME_UNKNOWN, and a repeat sorts it out."""
    service = serve(queue_max=2, in_flight_max=1)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        api.stocked(1)
        arrivals(actor)
        actor.hold()
        held_back = [api.inventory.RecordMovements.future(record(receipt("pear", 1)))]
        actor.arrived.acquire()  # alone: of three that come at once one would be refused
        held_back += [api.inventory.RecordMovements.future(record(receipt("pear", 1))) for _ in range(2)]
        movements = [receipt("apple", 1, DC), receipt("apple", 1, STORE_1)]
        found = failure(api.record, [*movements, receipt("apple", 1, "locations/store-2")])
        assert found.reason in {"OVERLOADED", "OUTCOME_UNKNOWN"}
        full = failure(api.record, [receipt("fig", 1), receipt("fig", 1), receipt("fig", 1)])
        assert full.reason == "OVERLOADED"
        actor.release()
        for call in held_back:
            call.result()
        statuses = [result.status for result in api.record(movements).results]
        assert i.MOVEMENT_STATUS_REJECTED not in statuses


def record(*movements: i.StockMovement) -> i.RecordMovementsRequest:
    """A request to record movements."""
    return make(i.RecordMovementsRequest, movements=movements)


def test_a_call_without_a_deadline_gets_one(serve: Serve) -> None:
    """Past the settings' deadline it ends in DEADLINE_EXCEEDED with the request id to ask again with."""
    service = serve(deadline_s=0.2)
    with service.channel() as channel:
        api = Api(channel)
        apple, request_id = api.stocked(1), fresh("request")
        service.actor().hold()
        found = failure(api.reserve, (apple, 1), request_id=request_id)
        service.actor().release()
        assert (found.code, found.metadata) == (grpc.StatusCode.DEADLINE_EXCEEDED, {"request_id": request_id})
        assert retried(api, (apple, 1), request_id).status == r.RESERVE_STATUS_HELD
        assert api.stock(apple).held == 1


def test_the_callers_deadline_holds(serve: Serve) -> None:
    """A call ends at its own deadline, and what it asked for is decided once or not at all."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        apple, request = api.stocked(1), reserve(("apple", 1))
        request = reserve((apple, 1), request_id=fresh("request"))
        service.actor().hold()
        with pytest.raises(grpc.RpcError) as caught:
            api.reservations.Reserve(request, timeout=0.2)
        service.actor().release()
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert api.reservations.Reserve(request).status == r.RESERVE_STATUS_HELD
        assert api.stock(apple).held == 1


def test_a_call_whose_caller_has_gone_before_it_was_sent_is_dropped(serve: Serve) -> None:
    """Waiting in the queue and cancelled: it is never executed."""
    service = serve(in_flight_max=1)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        arrivals(actor)
        actor.hold()
        first = api.reservations.Reserve.future(reserve((apple, 1)))
        actor.arrived.acquire()
        with pytest.raises(grpc.RpcError):
            api.reservations.Reserve(reserve((apple, 5)), timeout=0.2)
        actor.release()
        first.result()
        assert api.stock(apple).held == 1


def test_a_drain_answers_what_it_accepted_and_refuses_the_rest(serve: Serve) -> None:
    """Accepted writes are answered, streams end with DRAINING, health says NOT_SERVING, new calls go elsewhere."""
    service = serve()
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        watched = health(channel).Watch(health_request())
        assert next(watched).status == SERVING
        watch = api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, skus=[apple]))
        next(watch)
        asked: SimpleQueue[a.QueryAvailabilityRequest | None] = SimpleQueue()
        query = api.availability.QueryAvailability(taken(asked))
        arrivals(actor)
        actor.hold()
        accepted = api.reservations.Reserve.future(reserve((apple, 1)))
        actor.arrived.acquire()
        drained = service.begin(service.gateways.pop().front.drain())
        assert next(watched).status == NOT_SERVING
        for stream in (watch, query):
            with pytest.raises(grpc.RpcError) as caught:
                next(stream)
            found = failure_of(caught.value)
            assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
        with pytest.raises(grpc.RpcError) as caught:
            api.available(apple)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        actor.release()
        asked.put(None)
        watched.cancel()
        assert accepted.result().status == r.RESERVE_STATUS_HELD
        assert drained() is True


def test_a_drain_that_takes_too_long_is_not_clean(serve: Serve) -> None:
    """A call that is not answered in time ends without an answer, and the drain says so."""
    service = serve(drain_s=0.2)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        arrivals(actor)
        actor.hold()
        accepted = api.reservations.Reserve.future(reserve((apple, 1)))
        actor.arrived.acquire()
        drained = service.begin(service.gateways.pop().front.drain())
        assert code_of(accepted.exception()) in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        actor.release()
        assert drained() is False
