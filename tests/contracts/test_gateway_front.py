"""What a front owes its callers whatever the rpc: sizes, compression, errors, streams that end, drains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from allocator.client import Cancelled, Client, Movement, MovementType
from allocator.v1 import availability_pb2 as a
from tests.support.api import Api, cart, failure, failure_of, health, health_request, make, taken
from tests.support.gateway import HOST, Serve, fresh
from tests.support.ports import free_port

pytest_plugins = ("tests.support.gateway_fixtures",)

CHECK = "/allocator.v1.AvailabilityService/CheckAvailability"
WATCH = "/allocator.v1.AvailabilityService/WatchAvailability"


def test_a_request_of_ten_megabytes_arrives(api: Api) -> None:
    """It is looked at, and its faults are told."""
    found = failure(api.check, ("apple", 1), channel="x" * 10 * 2**20)
    assert (found.code, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["channel"])


def test_a_request_over_the_limit_ends_nothing_but_itself(api: Api) -> None:
    """RESOURCE_EXHAUSTED; the connection and its streams live on."""
    apple = api.stocked(1)
    watch = api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, skus=[apple]))
    assert next(watch).snapshot
    with pytest.raises(grpc.RpcError) as caught:
        api.check(("apple", 1), channel="x" * 16 * 2**20)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    api.receive(apple, 1)
    assert next(watch).changes[0].available == 2
    watch.cancel()


def test_compressed_requests_are_read(api: Api) -> None:
    """One request, and a stream of them."""
    apple = api.stocked(3)
    gzip = grpc.Compression.Gzip
    request = cart((apple, 1))
    assert api.availability.CheckAvailability(request, compression=gzip).lines[0].total == 3
    answers = list(api.availability.QueryAvailability(iter([query(apple), query(apple)]), compression=gzip))
    assert [answer.check.lines[0].total for answer in answers] == [3, 3]


def query(sku: str) -> a.QueryAvailabilityRequest:
    """One request of a stream of checks."""
    return make(a.QueryAvailabilityRequest, check=cart((sku, 1)))


@pytest.mark.parametrize("path", [CHECK, WATCH])
def test_bytes_that_are_no_message_are_an_error_of_the_call(channel: grpc.Channel, path: str) -> None:
    """Not of the connection; grpc.aio says UNKNOWN or INTERNAL, by the shape of the call."""
    odd: Any = channel.unary_stream(path)
    with pytest.raises(grpc.RpcError) as caught:
        next(odd(b"\xff\xff\xff"))
    assert caught.value.code() in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INVALID_ARGUMENT}


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    """Of a known service and of an unknown one."""
    for path in ("/allocator.v1.AvailabilityService/Guess", "/allocator.v9.Nothing/At"):
        unknown: Any = channel.unary_unary(path)
        with pytest.raises(grpc.RpcError) as caught:
            unknown(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_errors_have_their_details_in_one_call_and_in_a_stream(api: Api) -> None:
    """As a status message in the trailers, beside what every answer tells."""
    found = failure(api.reserve, ("no such thing", 1))
    assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID")
    watch = api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, skus=["no such thing"]))
    with pytest.raises(grpc.RpcError) as caught:
        next(watch)
    assert failure_of(caught.value).reason == "INVALID"
    assert dict(watch.trailing_metadata())["x-allocator-gateway"] == "0"


def test_a_stream_that_is_cancelled_makes_room(serve: Serve) -> None:
    """Watches and queries alike: where two may be open, a third waits for the end of one, and of one only."""
    service = serve(streams_max=2)
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(1)
        for _ in range(3):
            asked: SimpleQueue[a.QueryAvailabilityRequest | None] = SimpleQueue()
            asked.put(query(apple))
            queries = conversing(api, asked)
            watch = opened(api, apple)
            watch.cancel()
            queries.cancel()
            asked.put(None)
        again = [opened(api, apple), opened(api, apple)]
        for stream in again:
            stream.cancel()


def opened(api: Api, sku: str) -> Any:  # noqa: ANN401  # a call
    """A watch, as soon as there is room for it."""
    return first_heard(lambda: api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, skus=[sku])))


def conversing(api: Api, asked: SimpleQueue[a.QueryAvailabilityRequest | None]) -> Any:  # noqa: ANN401  # a call
    """A stream of checks, as soon as there is room for it."""
    first = asked.get()

    def requests() -> Iterator[a.QueryAvailabilityRequest]:
        assert first is not None
        yield first
        yield from taken(asked)

    return first_heard(lambda: api.availability.QueryAvailability(requests()))


def first_heard(begin: Callable[[], Any]) -> Any:  # noqa: ANN401  # a call
    """A stream whose first answer is there; begun again as long as it is refused."""
    while True:
        call = begin()
        try:
            next(call)
        except grpc.RpcError as error:
            refused = failure_of(error)
        else:
            return call
        assert refused.reason == "OVERLOADED"


def test_a_deadline_ends_a_stream(api: Api) -> None:
    """The caller's own, while there is nothing to tell."""
    watch = api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, skus=[api.stocked(1)]), timeout=0.5)
    assert next(watch).snapshot
    with pytest.raises(grpc.RpcError) as caught:
        next(watch)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_client_goes_on_while_gateways_drain(serve: Serve) -> None:
    """They share a port: a connection is told to go, and the next one is another gateway's. No unit is lost."""
    service = serve(gateways=2, port=free_port())
    with Client(f"{HOST}:{service.gateways[0].port}") as client:
        client.record([Movement("test", "m", "dc-1", "apple", MovementType.RECEIPT, 1_000)])
        for _ in range(2):  # one of the two was ours
            drained = service.begin(service.gateways.pop(0).front.drain())
            for _ in range(200):
                assert reserved(client)
            assert drained() is True
            service.add_gateway()
        (stock,) = client.stock("dc-1", ["apple"])
    assert stock.held == 400


def reserved(client: Client) -> bool:
    """Reserve a unit; the client repeats what is refused, and grpc.aio cancels calls that meet its end."""
    request_id = fresh("request")
    while True:
        try:
            return client.reserve({"apple": 1}, at="dc-1", request_id=request_id).ok
        except Cancelled:
            continue


def test_a_call_can_be_made_from_what_reflection_tells(channel: grpc.Channel) -> None:
    """As grpcurl does: services, the file of one with all it imports, and a call with messages made of that."""
    ask = reflected(channel)
    services = {service.name for service in ask(list_services="").list_services_response.service}
    assert "allocator.v1.InventoryService" in services
    pool = descriptor_pool.DescriptorPool()
    add_file(ask, pool, ask(file_containing_symbol="allocator.v1.NetworkService"))
    method = pool.FindServiceByName("allocator.v1.NetworkService").FindMethodByName("GetLocation")
    request = message_factory.GetMessageClass(method.input_type)(name="locations/dc-1")
    call: Any = channel.unary_unary(
        "/allocator.v1.NetworkService/GetLocation",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    answer = call(request)
    assert "locations/dc-1" in str(answer)
    unknown = ask(file_containing_symbol="allocator.v1.Nothing")
    assert unknown.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


def reflected(channel: grpc.Channel) -> Any:  # noqa: ANN401  # a function of one reflection request
    """Ask reflection one thing at a time."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    return lambda **asked: next(stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**asked)])))


def add_file(ask: Any, pool: descriptor_pool.DescriptorPool, answer: Any) -> None:  # noqa: ANN401  # as above
    """Add the files of an answer, after those that they import."""
    for data in answer.file_descriptor_response.file_descriptor_proto:
        file = descriptor_pb2.FileDescriptorProto.FromString(data)
        for name in file.dependency:
            try:
                pool.FindFileByName(name)
            except KeyError:
                add_file(ask, pool, ask(file_by_filename=name))
        try:
            pool.FindFileByName(file.name)
        except KeyError:
            pool.Add(file)


def test_health_can_be_watched_and_left(channel: grpc.Channel) -> None:
    """A stream of another servicer than ours."""
    watch = health(channel).Watch(health_request())
    assert next(watch).status == 1
    watch.cancel()
    assert watch.code() is grpc.StatusCode.CANCELLED
