"""Errors of the contract: the one seam between what goes wrong inside and what callers are told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from allocator.core.errors import AllocatorError
from allocator.core.results import Reason, Rejected
from allocator.gateway.limits import DESCRIPTION_LENGTH_MAX, MESSAGE_LENGTH_MAX, VIOLATIONS_MAX
from allocator.gateway.names import group_name, lane_name, location_name, profile_name, reservation_name
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from google.protobuf.message import Message

DOMAIN: Final = "allocator.v1"
OVERLOADED_RETRY_S: Final = 0.1
TABLE_FULL_RETRY_S: Final = 1.0
RECOVERING_RETRY_S: Final = 0.5

_Code = grpc.StatusCode
CODE_OF: Final[Mapping[str, grpc.StatusCode]] = {
    "INVALID": _Code.INVALID_ARGUMENT,
    "BATCH_TOO_LARGE": _Code.INVALID_ARGUMENT,
    "LINES_SPAN_LOCATIONS": _Code.INVALID_ARGUMENT,
    "PAGE_TOKEN_INVALID": _Code.INVALID_ARGUMENT,
    "FIELD_IMMUTABLE": _Code.INVALID_ARGUMENT,
    "SKU_UNKNOWN": _Code.NOT_FOUND,
    "LOCATION_UNKNOWN": _Code.NOT_FOUND,
    "LOCATION_GROUP_UNKNOWN": _Code.NOT_FOUND,
    "RESERVATION_UNKNOWN": _Code.NOT_FOUND,
    "LANE_UNKNOWN": _Code.NOT_FOUND,
    "SOURCING_PROFILE_UNKNOWN": _Code.NOT_FOUND,
    "SERVICE_LEVEL_UNKNOWN": _Code.NOT_FOUND,
    "SUPPLY_UNKNOWN": _Code.NOT_FOUND,
    "REQUEST_ID_REUSED": _Code.ALREADY_EXISTS,
    "LOCATION_EXISTS": _Code.ALREADY_EXISTS,
    "LOCATION_GROUP_EXISTS": _Code.ALREADY_EXISTS,
    "LANE_EXISTS": _Code.ALREADY_EXISTS,
    "SOURCING_PROFILE_EXISTS": _Code.ALREADY_EXISTS,
    "LOCATION_IN_USE": _Code.FAILED_PRECONDITION,
    "LOCATION_GROUP_IN_USE": _Code.FAILED_PRECONDITION,
    "OVERLOADED": _Code.RESOURCE_EXHAUSTED,
    "TABLE_FULL": _Code.RESOURCE_EXHAUSTED,
    "RATE_LIMITED": _Code.RESOURCE_EXHAUSTED,
    "RECOVERING": _Code.UNAVAILABLE,
    "DRAINING": _Code.UNAVAILABLE,
    "OUTCOME_UNKNOWN": _Code.UNAVAILABLE,
    "VERSION_NOT_REACHED": _Code.UNAVAILABLE,
    "JOURNAL_DAMAGED": _Code.DATA_LOSS,
    "INTERNAL": _Code.INTERNAL,
}
"""The gRPC code that goes with each `ErrorReason` of the contract."""

_FIELDS: Final[Mapping[str, str]] = {
    "ttl_ns": "ttl",
    "pick_at_ns": "pick_time",
    "as_of_ns": "as_of_time",
    "reservation": "name",
    "fields": "update_mask",
    "group": "location_group",
    "profile": "sourcing_profile",
    "accepting": "location.state",
    "clear_capacity": "capacity",
}
"""Fields of commands that have another name in the contract."""
_INDEX: Final = re.compile(r"\[(\d+)\]")


class Violation(NamedTuple):
    """What is wrong with one field of a request; `field` is its path in the contract's message."""

    field: str
    description: str


class ApiError(AllocatorError):
    """What a call ends in instead of an answer.

    Attributes:
        reason: name of the contract's `ErrorReason`, without its prefix.
        message: what happened, for people.
        metadata: names behind the reason.
        violations: what is wrong with the request, field by field.
        retry_after_s: when to come back, seconds; 0: not said.
        code: gRPC code, the one of the reason unless another is given.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after_s: float = 0.0,
        code: grpc.StatusCode | None = None,
    ) -> None:
        super().__init__(reason, message, metadata, violations, retry_after_s, code)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s
        self.code = code or CODE_OF[reason]


def invalid(*violations: Violation) -> ApiError:
    """Bad input; the message tells the first fault, the details all of them (up to `VIOLATIONS_MAX`)."""
    first = violations[0]
    more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
    return ApiError("INVALID", f"{first.field}: {first.description}{more}", None, violations)


def fault(field: str, description: str) -> ApiError:
    """One fault of a request."""
    return invalid(Violation(field, description))


def too_many(field: str, count: int, most: int, what: str = "") -> ApiError:
    """More items than a named maximum; `what` says what was counted when that is not the field's items."""
    metadata = {"field": field, "count": str(count), "maximum": str(most)}
    description = f"{count}{what and ' '}{what}; at most {most} are allowed"
    return ApiError("BATCH_TOO_LARGE", f"{field}: {description}", metadata, (Violation(field, description),))


def location_unknown(location: str) -> ApiError:
    """No such location in the network."""
    name = location_name(location)
    return ApiError("LOCATION_UNKNOWN", f"{name} is not in the network", {"location": name})


def group_unknown(group: str) -> ApiError:
    """No such location group in the network."""
    name = group_name(group)
    return ApiError("LOCATION_GROUP_UNKNOWN", f"{name} is not in the network", {"location_group": name})


def lane_unknown(lane: str) -> ApiError:
    """No such lane in the network."""
    name = lane_name(lane)
    return ApiError("LANE_UNKNOWN", f"{name} is not in the network", {"lane": name})


def profile_unknown(profile: str) -> ApiError:
    """No such sourcing profile in the network."""
    name = profile_name(profile)
    return ApiError("SOURCING_PROFILE_UNKNOWN", f"{name} is not in the network", {"sourcing_profile": name})


def service_level_unknown(service_level: str) -> ApiError:
    """A service level that no lane has."""
    message = f"no lane has service level {service_level!r}"
    return ApiError("SERVICE_LEVEL_UNKNOWN", message, {"service_level": service_level})


def sku_unknown(sku: str, location: str = "") -> ApiError:
    """A SKU that was never stocked, at one location or at any."""
    if not location:
        return ApiError("SKU_UNKNOWN", f"SKU {sku!r} was never stocked anywhere", {"sku": sku})
    name = location_name(location)
    return ApiError("SKU_UNKNOWN", f"SKU {sku!r} was never stocked at {name}", {"sku": sku, "location": name})


def reservation_unknown(reservation: str) -> ApiError:
    """No such reservation, or it ended too long ago."""
    name = reservation_name(reservation)
    message = f"{name} is not known; it may have ended too long ago to be remembered"
    return ApiError("RESERVATION_UNKNOWN", message, {"reservation": name})


def draining() -> ApiError:
    """This server is shutting down."""
    return ApiError("DRAINING", "this server is shutting down and did not take the call; another one will")


def overloaded(message: str) -> ApiError:
    """A queue on the way is full."""
    return ApiError("OVERLOADED", message, retry_after_s=OVERLOADED_RETRY_S)


def internal(correlation_id: str) -> ApiError:
    """A defect of ours; what it was is in the logs only."""
    return ApiError("INTERNAL", f"a defect of the server; its logs tell more under correlation id {correlation_id}")


def from_rejected(rejected: Rejected, location: str = "", skus: Sequence[str] = (), reservation: str = "") -> ApiError:
    """The error that a ledger's error answer means to the caller.

    Args:
        rejected: what the ledger said.
        location: id of the ledger's location; "" for the network's ledger.
        skus: SKUs of the request's lines, to name the one that `rejected.field` points to.
        reservation: id of the reservation that the command was about.
    """
    field = _FIELDS.get(rejected.field, rejected.field)
    where = {"location": location_name(location)} if location else {}
    match rejected.reason:
        case Reason.SKU_UNKNOWN:
            return sku_unknown(_pointed_at(field, skus), location)
        case Reason.RESERVATION_UNKNOWN:
            return reservation_unknown(reservation)
        case Reason.REQUEST_ID_REUSED:
            return ApiError("REQUEST_ID_REUSED", rejected.detail, {"field": field})
        case Reason.INVALID:
            return fault(field, rejected.detail)
        case Reason.TABLE_FULL:
            metadata = {"field": field, **where}
            return ApiError("TABLE_FULL", rejected.detail, metadata, retry_after_s=TABLE_FULL_RETRY_S)
        case Reason.RECOVERING:
            return ApiError("RECOVERING", rejected.detail, where, retry_after_s=RECOVERING_RETRY_S)
        case Reason.JOURNAL_DAMAGED:
            return ApiError("JOURNAL_DAMAGED", rejected.detail, where)
        case Reason.LOCATION_UNKNOWN:
            return ApiError("LOCATION_UNKNOWN", rejected.detail, where)
        case _:
            raise LedgerFailedError(location, rejected.detail)


class LedgerFailedError(AllocatorError):
    """A ledger answered with a defect of its own, or with something that no command of ours can lead to."""


def from_exception(error: BaseException, request_id: str = "") -> ApiError | None:
    """What the caller is told about an exception; None for a defect, which only the logs may tell."""
    match error:
        case ApiError():
            return error
        case OverloadedError():
            return overloaded(str(error))
        case OutcomeUnknownError():
            return outcome_unknown(f"the answer was lost: {error}", request_id)
        case TimeoutError():
            message = "no answer before the deadline"
            return outcome_unknown(message, request_id, grpc.StatusCode.DEADLINE_EXCEEDED)
        case _:
            return None


def outcome_unknown(message: str, request_id: str, code: grpc.StatusCode | None = None) -> ApiError:
    """The answer did not come: the write happened once or not at all."""
    advice = f"; repeat it with request id {request_id} to learn what became of it" if request_id else ""
    metadata = {"request_id": request_id} if request_id else None
    return ApiError("OUTCOME_UNKNOWN", message + advice, metadata, code=code)


def to_proto(error: ApiError) -> status_pb2.Status:
    """The error as it travels: a `google.rpc.Status` with all its details, small enough for a header."""
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    if error.violations:
        details.append(_bad_request(error.violations))
    if error.retry_after_s:
        delay = Duration(nanos=int(error.retry_after_s % 1 * 1e9), seconds=int(error.retry_after_s))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=error.code.value[0], message=_short(error.message, MESSAGE_LENGTH_MAX))
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    told = [
        error_details_pb2.BadRequest.FieldViolation(
            field=violation.field, description=_short(violation.description, DESCRIPTION_LENGTH_MAX)
        )
        for violation in violations[:VIOLATIONS_MAX]
    ]
    return error_details_pb2.BadRequest(field_violations=told)


def _pointed_at(field: str, skus: Sequence[str]) -> str:
    found = _INDEX.search(field)
    return skus[int(found[1])] if found and int(found[1]) < len(skus) else ""


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
