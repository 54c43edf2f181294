from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import grpc
import pytest

from allocator.v1 import reservation_pb2 as r
from tests.support.api import STORE_1, Api, failure_in, failure_of, make, reserve, taken
from tests.support.gateway import Serve, fresh

pytest_plugins = ("tests.support.gateway_fixtures",)


def asked(*lines: tuple[str, int], **fields: Any) -> r.StreamReserveRequest:  # noqa: ANN401  # of the message
    """One reserve on a stream."""
    return make(r.StreamReserveRequest, reserve=reserve(*lines, **fields))


def streamed(api: Api, requests: Iterator[r.StreamReserveRequest]) -> Any:  # noqa: ANN401  # a call has no public type
    """The answers to a stream."""
    return api.reservations.StreamReserve(requests)


def test_thousands_on_one_stream_are_answered_in_order(api: Api) -> None:
    """Each answer is that of its request, whatever is under way beside it, and no unit is held twice."""
    skus = [api.stocked(500), api.stocked(700)]
    requests = [asked((skus[n % 2], 1), request_id=fresh("request")) for n in range(3_000)]
    answers = list(streamed(api, iter(requests)))
    assert len(answers) == len(requests)
    held = [a.reserve.status == r.RESERVE_STATUS_HELD for a in answers]
    assert [sum(held[0::2]), sum(held[1::2])] == [500, 700]
    assert all(answer.reserve.lines[0].sku == skus[n % 2] for n, answer in enumerate(answers))
    assert [api.stock(sku).held for sku in skus] == [500, 700]


def test_one_that_is_bad_is_answered_and_the_stream_goes_on(api: Api) -> None:
    """Its error stands in its place, as Reserve would have told it; so does that of one that is not there at all."""
    apple = api.stocked(10)
    requests = [
        asked((apple, 1)),
        asked((apple, 0)),
        make(r.StreamReserveRequest),
        asked((apple, 1), at="locations/nowhere"),
        asked((apple, 2)),
    ]
    answers = list(streamed(api, iter(requests)))
    assert [answer.WhichOneof("result") for answer in answers] == ["reserve", "error", "error", "error", "reserve"]
    reasons = [failure_in(answer.error).reason for answer in answers[1:4]]
    assert reasons == ["INVALID", "INVALID", "LOCATION_UNKNOWN"]
    assert api.stock(apple).held == 3


def test_the_same_request_id_acts_once_on_a_stream_and_beside_it(api: Api) -> None:
    """Repeated on the stream, on another stream and as a call of its own."""
    apple, request_id = api.stocked(10), fresh("request")
    twice = [asked((apple, 3), request_id=request_id)] * 2
    names = {answer.reserve.reservation.name for answer in streamed(api, iter(twice))}
    names |= {answer.reserve.reservation.name for answer in streamed(api, iter(twice))}
    again = api.reserve((apple, 3), request_id=request_id)
    assert again.repeated_request
    assert names == {again.reservation.name}
    assert api.stock(apple).held == 3


def test_a_reserve_at_several_locations_is_whole_on_a_stream_too(api: Api) -> None:
    """It takes its own way among those that need one location."""
    apple = api.stocked(5)
    api.receive(apple, 5, STORE_1)
    both = asked((apple, 2))
    both.reserve.lines.add(sku=apple, quantity=3, location=STORE_1)
    answers = list(streamed(api, iter([asked((apple, 1)), both, asked((apple, 1))])))
    assert [answer.reserve.status for answer in answers] == [r.RESERVE_STATUS_HELD] * 3
    assert (api.stock(apple).held, api.stock(apple, STORE_1).held) == (4, 3)


def test_answers_come_while_the_stream_is_open(api: Api) -> None:
    """A till that waits for each answer before it asks again is served."""
    apple = api.stocked(10)
    asking: SimpleQueue[r.StreamReserveRequest | None] = SimpleQueue()
    call = streamed(api, taken(asking))
    for _ in range(5):
        asking.put(asked((apple, 1)))
        assert next(call).reserve.status == r.RESERVE_STATUS_HELD
    asking.put(None)
    assert list(call) == []


def test_a_drain_answers_what_came_and_ends_the_stream(serve: Serve) -> None:
    """DRAINING comes after the answers to what was accepted."""
    service = serve()
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(10)
        while actor.arrived.acquire(blocking=False):
            pass
        actor.hold()
        asking: SimpleQueue[r.StreamReserveRequest | None] = SimpleQueue()
        asking.put(asked((apple, 1)))
        call = streamed(api, taken(asking))
        actor.arrived.acquire()
        drained = service.begin(service.gateways.pop().front.drain())
        actor.release()
        assert next(call).reserve.status == r.RESERVE_STATUS_HELD
        with pytest.raises(grpc.RpcError) as caught:
            next(call)
        assert failure_of(caught.value).reason == "DRAINING"
        asking.put(None)
        assert drained() is True
