from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.descriptor import FileDescriptor

from allocator.v1 import availability_pb2, inventory_pb2, network_pb2, network_pb2_grpc, reservation_pb2, sourcing_pb2
from tools import proto

SERVICE_CONFIG = (proto.SOURCES / proto.PACKAGE / "service_config.json").read_text("utf-8")
FILES: list[FileDescriptor] = [
    module.DESCRIPTOR for module in (availability_pb2, reservation_pb2, inventory_pb2, network_pb2, sourcing_pb2)
]
METHODS = {
    (service.full_name, method.name): method.client_streaming or method.server_streaming
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods
}
"""Whether each (service, method) streams."""


def _entries() -> list[tuple[set[tuple[str, str]], dict[str, Any]]]:
    entries = json.loads(SERVICE_CONFIG)["methodConfig"]
    return [({(name["service"], name["method"]) for name in entry["name"]}, entry) for entry in entries]


def test_every_method_has_one_entry() -> None:
    """No method is forgotten, none has two entries, and none is made up."""
    assert sorted(name for names, _ in _entries() for name in names) == sorted(METHODS)


def test_calls_have_a_deadline_and_retries_and_streams_neither() -> None:
    """One-call methods end in time and are repeated when that may help; streams live until ended."""
    for names, entry in _entries():
        if any(METHODS[name] for name in names):
            assert all(METHODS[name] for name in names)
            assert not {"timeout", "retryPolicy"} & entry.keys()
        else:
            assert re.fullmatch(r"[1-9]\d*s", entry["timeout"])
            assert entry["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]
            assert 2 <= entry["retryPolicy"]["maxAttempts"] <= 5  # gRPC takes more as 5


def test_grpc_follows_the_service_config() -> None:
    """A plain channel with the committed config meets an unavailable server twice and gets its answer."""
    calls = []

    def get_location(
        request: network_pb2.GetLocationRequest, context: grpc.ServicerContext
    ) -> network_pb2.GetLocationResponse:
        calls.append(request.name)
        if len(calls) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "recovering")
        return network_pb2.GetLocationResponse(location=network_pb2.Location(name=request.name))

    handler = grpc.unary_unary_rpc_method_handler(
        get_location,
        request_deserializer=network_pb2.GetLocationRequest.FromString,
        response_serializer=network_pb2.GetLocationResponse.SerializeToString,
    )
    service = network_pb2.DESCRIPTOR.services_by_name["NetworkService"].full_name
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"GetLocation": handler})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.service_config", SERVICE_CONFIG)]) as channel:
            asked = network_pb2.GetLocationRequest(name="locations/leeds")
            answer = network_pb2_grpc.NetworkServiceStub(channel).GetLocation(asked)
    finally:
        server.stop(None).wait()
    assert (len(calls), answer.location.name) == (3, "locations/leeds")
