"""A server in this process that answers the whole contract from dictionaries, and fails when it is told to."""
# ruff: noqa: ANN401, ARG002, N802 - gRPC names the methods, and hands each a context whether it wants one or not.

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from allocator.v1 import (
    availability_pb2_grpc,
    inventory_pb2_grpc,
    network_pb2_grpc,
    reservation_pb2_grpc,
    sourcing_pb2_grpc,
)
from tests.unit.client.fake_inventory import FakeAvailability, FakeInventory
from tests.unit.client.fake_network import FakeNetwork
from tests.unit.client.fake_sourcing import FakeAllocations, FakeSourcing
from tests.unit.client.fake_state import Refusal, State


class Seen(NamedTuple):
    """A call as it arrived."""

    method: str
    request: Any
    metadata: dict[str, str | bytes]
    left_s: float | None


@dataclass
class Fault:
    """How a call fails: before it does anything, or `after` it did it.

    With `lost` there is no answer at all until the caller gives up.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    message: str = "told to fail"
    reason: str = ""
    details: Sequence[Message] = ()
    after: bool = False
    lost: bool = False


@dataclass
class FakeServer:
    """The fake: what it knows, what it saw, and how its next calls fail, by method."""

    state: State = field(default_factory=State)
    seen: list[Seen] = field(default_factory=list)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    address: str = ""
    serving: bool = True
    arrived: threading.Event = field(default_factory=threading.Event)
    given_up: threading.Event = field(default_factory=threading.Event)

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method fail, one by one."""
        self.faults[method].extend(faults)

    def requests(self, method: str) -> list[Any]:
        """The requests of a method, in the order they came."""
        return [seen.request for seen in self.seen if seen.method == method]


def status_of(code: grpc.StatusCode, message: str, reason: str, details: Sequence[Message]) -> status_pb2.Status:
    """An error as the contract has it."""
    status = status_pb2.Status(code=code_pb2.Code.Value(code.name), message=message)
    if reason:
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="allocator.v1"))
    for detail in details:
        status.details.add().Pack(detail)
    return status


def retry_info(seconds: float) -> error_details_pb2.RetryInfo:
    """When to come back."""
    return error_details_pb2.RetryInfo(retry_delay=Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)))


def error_info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    """A reason with names behind it."""
    return error_details_pb2.ErrorInfo(reason=reason, domain="allocator.v1", metadata=metadata)


class _Interceptor(grpc.ServerInterceptor):
    """Notes calls, makes faults and turns refusals into errors."""

    def __init__(self, fake: FakeServer) -> None:
        self._fake = fake

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Wrap the handler."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method.rpartition("/")[2]
        if handler is None or method == "ServerReflectionInfo":
            return handler
        codecs = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(method, handler.unary_unary), **codecs)
        stream: Any = handler.unary_stream or handler.stream_stream
        make = grpc.unary_stream_rpc_method_handler if handler.unary_stream else grpc.stream_stream_rpc_method_handler
        return make(self._stream(method, stream), **codecs)

    def _unary(self, method: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            fault = self._arrived(method, request, context)
            if fault is not None and fault.lost:
                self._fake.given_up.wait(timeout=30)
            if fault is None or fault.after:
                with self._fake.state.lock, _refusals(context):
                    result = inner(request, context)
                if fault is None:
                    return result
            _abort(context, fault.code, fault.message, fault.reason, fault.details)
            return None

        return answer

    def _stream(self, method: str, inner: Callable[..., Any]) -> Callable[..., Any]:
        def answers(requests: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            fault = self._arrived(method, requests, context)
            if fault is not None and not fault.after:
                _abort(context, fault.code, fault.message, fault.reason, fault.details)
            told = inner(requests, context)
            with _refusals(context):
                for answer in told:
                    if fault is not None:
                        _abort(context, fault.code, fault.message, fault.reason, fault.details)
                    yield answer

        return answers

    def _arrived(self, method: str, request: Any, context: grpc.ServicerContext) -> Fault | None:
        metadata = dict(context.invocation_metadata())
        self._fake.seen.append(Seen(method, request, metadata, context.time_remaining()))
        self._fake.arrived.set()
        faults = self._fake.faults[method]
        return faults.popleft() if faults else None


@contextmanager
def _refusals(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        _abort(context, refusal.code, refusal.message, "", refusal.details)


def _abort(
    context: grpc.ServicerContext, code: grpc.StatusCode, message: str, reason: str, details: Sequence[Message]
) -> None:
    status = status_of(code, message, reason, details)
    if status.details:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, message)


class _Health(health_pb2_grpc.HealthServicer):
    def __init__(self, fake: FakeServer) -> None:
        self._fake = fake

    def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:
        """Tell health."""
        serving = health_pb2.HealthCheckResponse.SERVING
        return health_pb2.HealthCheckResponse(
            status=serving if self._fake.serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )


@contextmanager
def serve(
    fake: FakeServer, address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None
) -> Iterator[FakeServer]:
    """Run the fake until the end of the block."""
    server = grpc.server(ThreadPoolExecutor(16), interceptors=[_Interceptor(fake)])
    availability_pb2_grpc.add_AvailabilityServiceServicer_to_server(FakeAvailability(fake.state), server)
    reservation_pb2_grpc.add_ReservationServiceServicer_to_server(FakeAllocations(fake.state), server)
    sourcing_pb2_grpc.add_SourcingServiceServicer_to_server(FakeSourcing(fake.state), server)
    inventory_pb2_grpc.add_InventoryServiceServicer_to_server(FakeInventory(fake.state), server)
    network_pb2_grpc.add_NetworkServiceServicer_to_server(FakeNetwork(fake.state), server)
    health_pb2_grpc.add_HealthServicer_to_server(_Health(fake), server)
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    fake.address = f"127.0.0.1:{port}"
    server.start()
    try:
        yield fake
    finally:
        fake.given_up.set()
        fake.state.closing.set()
        server.stop(None).wait()
