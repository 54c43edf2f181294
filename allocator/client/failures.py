"""gRPC's errors as ours: the one seam where they are translated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import grpc
from google.rpc import error_details_pb2, status_pb2

from allocator.client.errors import (
    CLASS_OF,
    ErrorDetails,
    FieldViolation,
    MessageTooLarge,
    RequestError,
    RequestIdReused,
    ServerError,
)

_STATUS_LOST: Final = "Internal error from Core"
"""What grpc.aio says instead of the server's status when it writes to a stream that just ended (grpc issue 36066)."""
_PREFIXES: Final = {
    "location": "locations/",
    "location_group": "locationGroups/",
    "reservation": "reservations/",
}
_DETAILS_KEY: Final = "grpc-status-details-bin"
_CODES: Final = {code.value[0]: code.name for code in grpc.StatusCode}
CERTAIN_REASONS: Final = frozenset({"RECOVERING", "DRAINING", "VERSION_NOT_REACHED"})
"""Reasons of UNAVAILABLE after which nothing happened."""
_UNKNOWN_OUTCOME: Final = frozenset({"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "UNKNOWN", "INTERNAL"})


def from_rpc(error: grpc.RpcError) -> RequestError:
    """Translate the error that a call ended in."""
    code = error.code()
    message = error.details() or code.name
    if code is grpc.StatusCode.INTERNAL and message == _STATUS_LOST:
        code, message = grpc.StatusCode.UNAVAILABLE, "the server ended the stream; its reason got lost"
    metadata: Any = error.trailing_metadata() or ()
    packed = next((value for key, value in metadata if key == _DETAILS_KEY), b"")
    return _translated(code.name, message, status_pb2.Status.FromString(packed).details)


def from_status(status: status_pb2.Status, request_id: str | None = None) -> RequestError:
    """Translate an error that came inside an answer, for the part of it with this request id; None for a read."""
    error = _translated(_CODES.get(status.code, "UNKNOWN"), status.message, status.details, request_id or "")
    if request_id is not None:
        return error
    return type(error)(error.message, replace(error.details, outcome_unknown=False))


def _translated(code: str, message: str, packed: Iterable[Any], request_id: str = "") -> RequestError:
    info, bad_request, retry = (
        _first(packed, error_details_pb2.ErrorInfo),
        _first(packed, error_details_pb2.BadRequest),
        _first(packed, error_details_pb2.RetryInfo),
    )
    details = ErrorDetails(
        code,
        reason=info.reason if info else "",
        metadata={key: _plain(key, text) for key, text in info.metadata.items()} if info else {},
        request_id=request_id,
        violations=tuple(FieldViolation(v.field, v.description) for v in bad_request.field_violations)
        if bad_request
        else (),
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
        outcome_unknown=code in _UNKNOWN_OUTCOME and not (info and info.reason in CERTAIN_REASONS),
    )
    return _class_of(details, message)(message, details)


def _plain(key: str, text: str) -> str:
    """Names are plain ids in Python, in errors too."""
    return text.removeprefix(_PREFIXES[key]) if key in _PREFIXES else text


def _class_of(details: ErrorDetails, message: str) -> type[RequestError]:
    if details.reason == "REQUEST_ID_REUSED":
        return RequestIdReused
    # gRPC itself says this, on either side, and has no details to tell it by.
    if details.code == "RESOURCE_EXHAUSTED" and "larger than max" in message:
        return MessageTooLarge
    return CLASS_OF.get(details.code, ServerError)


def _first(packed: Iterable[Any], cls: type[Any]) -> Any:  # noqa: ANN401  # a message of `cls`, or None
    for item in packed:
        if item.Is(cls.DESCRIPTOR):
            message = cls()
            item.Unpack(message)
            return message
    return None
