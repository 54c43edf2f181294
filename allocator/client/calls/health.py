"""Calls of grpc.health.v1."""

from __future__ import annotations

from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1.health_pb2_grpc import HealthStub

from allocator.client.call import Call
from allocator.client.enums import ServingStatus
from allocator.client.errors import ErrorDetails, Unavailable


def health(service: str = "") -> Call[ServingStatus]:
    """Ask whether the server, or one of its services, answers calls now.

    Args:
        service: full name, such as `allocator.v1.ReservationService`; "": the server as a whole.

    Raises:
        NotFound: there is no such service.
    """
    return Call(HealthStub, "Check", pb.HealthCheckRequest(service=service), _status)


def serving(service: str = "") -> Call[None]:
    """Ask for health and take anything but SERVING as Unavailable, to be asked again."""

    def parse(answer: pb.HealthCheckResponse) -> None:
        status = _status(answer)
        if status is not ServingStatus.SERVING:
            raise Unavailable(f"the server says {status}: it is starting or shutting down", ErrorDetails("UNAVAILABLE"))

    return Call(HealthStub, "Check", pb.HealthCheckRequest(service=service), parse)


def _status(answer: pb.HealthCheckResponse) -> ServingStatus:
    return ServingStatus(pb.HealthCheckResponse.ServingStatus.Name(answer.status))
