"""What is refused first when there is too much to do, what is not, and what a refusal says."""

from __future__ import annotations

import itertools
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from allocator.v1 import availability_pb2 as a
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import reservation_pb2 as r
from tests.support.api import (
    STORE_2,
    Api,
    Failure,
    cart,
    failure,
    failure_of,
    health,
    health_request,
    make,
    nothing_changes,
    receipt,
    reserve,
    taken,
)
from tests.support.gateway import LocalService, Serve

pytest_plugins = ("tests.support.gateway_fixtures",)

NEVER = {"browse_wait_s": 0, "hold_wait_s": 0, "settle_wait_s": 0}
"""Nothing is refused because work waits: only full tables count."""
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
ACTORS = ("actor-0000", "actor-0001")


def is_overload(found: Failure) -> bool:
    """Whether a refusal says all that it must."""
    return (found.code, found.reason) == (EXHAUSTED, "OVERLOADED") and found.retry_s > 0 and bool(found.message)


def test_reads_are_refused_first_then_holds_and_what_settles_goes_through(serve: Serve) -> None:
    """Of 16 places reads may take the first 12 and holds 14; health is told all the while; refusals change nothing."""
    service = serve(queue_max=8, in_flight_max=1, **NEVER)
    with service.channel() as channel, service.channel() as another:  # a front may bound the calls of one connection
        api = Api(channel)
        apple = api.stocked(100)
        api.receive(apple, 100, STORE_2)
        first, second = api.held((apple, 1)), api.held((apple, 1))
        hold(service)
        filling = [api.reservations.Reserve.future(reserve((apple, 1))) for _ in range(6)]
        filling += [api.reservations.Reserve.future(reserve((apple, 1), at=STORE_2)) for _ in range(6)]
        assert is_overload(first_refusal_of_reads(api, apple))
        ended: SimpleQueue[Any] = SimpleQueue()
        holds = [api.reservations.Reserve.future(reserve((apple, 1), at=STORE_2)) for _ in range(3)]
        for call in holds:
            call.add_done_callback(ended.put)
        refused = ended.get()  # the other two cannot end before the actors are released
        assert is_overload(failure_of(refused.exception()))
        commit = api.reservations.CommitReservation.future(make(r.CommitReservationRequest, name=first.name))
        release = api.reservations.ReleaseReservation.future(make(r.ReleaseReservationRequest, name=second.name))
        assert health(another).Check(health_request()).status == health_pb2.HealthCheckResponse.SERVING
        go_on(service)
        assert commit.result().status == r.TRANSITION_STATUS_DONE
        assert release.result().status == r.TRANSITION_STATUS_DONE
        granted = [call.result().status for call in (*filling, *holds) if call is not refused]
        assert granted == [r.RESERVE_STATUS_HELD] * 14
        assert api.stock(apple).held + api.stock(apple, at=STORE_2).held == 14


def hold(service: LocalService) -> None:
    """Let no command begin."""
    for name in ACTORS:
        service.actor(name).hold()


def go_on(service: LocalService) -> None:
    """Let commands go on."""
    for name in ACTORS:
        service.actor(name).release()


def first_refusal_of_reads(api: Api, sku: str) -> Failure:
    """Check until a check is refused: calls that were begun before are under way then."""
    while True:
        try:
            api.check((sku, 1))
        except grpc.RpcError as error:
            return failure_of(error)


def test_a_late_actor_refuses_holds_and_not_what_settles(serve: Serve) -> None:
    """Nothing is full; commands wait longer than they should. Other actors and reads go on; in the end all is well."""
    service = serve(in_flight_max=1, **{**NEVER, "hold_wait_s": 0.01})
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(100_000)
        api.receive(apple, 10, STORE_2)
        mine = api.held((apple, 1))
        service.actor().hold()
        ended: SimpleQueue[Any] = SimpleQueue()
        asked = []
        refused = None
        while refused is None:  # one by one: a connection takes no more than 128 at once
            asked.append(api.reservations.Reserve.future(reserve((apple, 1))))
            asked[-1].add_done_callback(ended.put)
            with suppress(Empty):
                refused = ended.get(timeout=0.05)
        assert is_overload(failure_of(refused.exception()))
        commit = api.reservations.CommitReservation.future(make(r.CommitReservationRequest, name=mine.name))
        assert api.available(apple, STORE_2) == 10
        service.actor().release()
        assert commit.result().status == r.TRANSITION_STATUS_DONE
        assert api.stock(apple).held == sum(call.exception() is None for call in asked)
        while (again := api.reservations.Reserve.future(reserve((apple, 1)))).exception() is not None:
            assert is_overload(failure_of(again.exception()))
        assert again.result().status == r.RESERVE_STATUS_HELD


def test_watches_leave_room_for_streams_of_movements(serve: Serve) -> None:
    """Of 8 streams 6 may read; a watch that ends makes room."""
    with serve(streams_max=8).channel() as channel:
        api = Api(channel)
        apple = api.stocked(1)
        request = make(a.WatchAvailabilityRequest, skus=[apple])
        watches = [api.availability.WatchAvailability(request) for _ in range(6)]
        for watch in watches:
            next(watch)
        assert is_overload(failure(next, api.availability.WatchAvailability(request)))
        query = make(a.QueryAvailabilityRequest, check=cart((apple, 1)))
        assert is_overload(failure(next, api.availability.QueryAvailability(iter([query]))))
        batch = make(i.StreamMovementsRequest, batch=make(i.RecordMovementsRequest, movements=[receipt(apple, 4)]))
        (answer,) = api.inventory.StreamMovements(iter([batch]))
        assert answer.batch.results[0].on_hand == 5
        watches.pop().cancel()
        while True:
            watch = api.availability.WatchAvailability(request)
            try:
                next(watch)
            except grpc.RpcError:
                continue
            break
        for open_one in (*watches, watch):
            open_one.cancel()


def as_client(name: str) -> tuple[tuple[str, str]]:
    """The metadata of a client."""
    return (("x-client-id", name),)


def limited(found: Failure) -> bool:
    """Whether a refusal says that the client calls too often."""
    return (found.code, found.reason) == (EXHAUSTED, "RATE_LIMITED") and found.retry_s > 0 and bool(found.message)


def test_a_client_has_its_rate_for_each_kind_of_call(serve: Serve) -> None:
    """Its reads, holds and the rest apart; another client, and the same address without an id, have theirs."""
    with serve(client_rate_per_s=0.001, client_burst=5).channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        check, hold_one = api.availability.CheckAvailability, api.reservations.Reserve
        for _ in range(5):
            check(cart((apple, 1)), metadata=as_client("shop"))
            check(cart((apple, 1)), metadata=as_client("app"))
        assert limited(failure(check, cart((apple, 1)), metadata=as_client("shop")))
        held = hold_one(reserve((apple, 1)), metadata=as_client("shop")).reservation
        commit = make(r.CommitReservationRequest, name=held.name)
        answer = api.reservations.CommitReservation(commit, metadata=as_client("shop"))
        assert answer.status == r.TRANSITION_STATUS_DONE
        for _ in range(4):
            hold_one(reserve((apple, 1)), metadata=as_client("shop"))
        assert limited(failure(hold_one, reserve((apple, 1)), metadata=as_client("shop")))
        assert api.stock(apple).held == 4
        assert health(channel).Check(health_request()).status == health_pb2.HealthCheckResponse.SERVING


def test_a_client_without_an_id_is_its_address(serve: Serve) -> None:
    """Over whatever connection it comes."""
    service = serve(client_rate_per_s=0.001, client_burst=4)
    with service.channel() as one, service.channel() as other:
        apple = Api(one).stocked(1)
        for channel in (one, other, one, other):
            Api(channel).check((apple, 1))
        for channel in (one, other):
            assert limited(failure(Api(channel).check, (apple, 1)))


def test_streams_are_within_the_rate_too(serve: Serve) -> None:
    """Opening one is a call; its further requests wait for their tokens, and then are answered in order."""
    with serve(client_rate_per_s=100, client_burst=1).channel() as channel:
        api = Api(channel)
        query = make(a.QueryAvailabilityRequest, check=cart((api.stocked(1), 1)))
        answers = api.availability.QueryAvailability(itertools.repeat(query, 5), metadata=as_client("shop"))
        assert len([answer.check for answer in answers]) == 5
    with serve(client_rate_per_s=0.001, client_burst=1).channel() as channel:
        api = Api(channel)
        query = make(a.QueryAvailabilityRequest, check=cart((api.stocked(1), 1)))
        asked: SimpleQueue[a.QueryAvailabilityRequest | None] = SimpleQueue()
        asked.put(query)
        answers = api.availability.QueryAvailability(taken(asked), metadata=as_client("shop"))
        next(answers)
        assert limited(failure(next, api.availability.QueryAvailability(iter([query]), metadata=as_client("shop"))))
        answers.cancel()
        asked.put(None)


@pytest.mark.parametrize("rate", [{"client_rate_per_s": 0.001, "client_burst": 20}])
def test_a_refusal_changes_nothing(serve: Serve, rate: dict[str, float]) -> None:
    """Not a unit, not a version, not the request id: it is free for what comes next."""
    with serve(**rate).channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        request = reserve((apple, 1), request_id="once")
        for _ in range(20):
            api.reservations.Reserve(reserve((apple, 20)), metadata=as_client("shop"))
        with nothing_changes(api):
            assert limited(failure(api.reservations.Reserve, request, metadata=as_client("shop")))
        other = api.reservations.Reserve(request, metadata=as_client("app"))
        assert (other.status, other.repeated_request) == (r.RESERVE_STATUS_HELD, False)
