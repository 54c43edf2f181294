"""What a call may end in besides an answer. A business refusal is no error: it is the status of a result."""
# ruff: noqa: N818 - the names say what happened, as those of gRPC do; the root carries the Error.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from allocator.core.errors import AllocatorError

CLIENT_CLOSED = "CLIENT_CLOSED"
"""Reason of a call on a closed client."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of a request; `field` is its path in the contract's message."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What is known about an error besides its message.

    Attributes:
        code: gRPC status code, such as NOT_FOUND.
        reason: the contract's reason, such as SKU_UNKNOWN; "" when the error is not from Allocator itself.
        metadata: names behind the reason: `sku`, `location`, `field` and so on.
        request_id: of the write; "" for a read.
        violations: what is wrong with the request, field by field.
        retry_after_s: when the server wants to be asked again, seconds; None when it did not say.
        outcome_unknown: whether the write may have happened all the same.
        attempts: how often the call was tried.
    """

    code: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    request_id: str = ""
    violations: tuple[FieldViolation, ...] = ()
    retry_after_s: float | None = None
    outcome_unknown: bool = False
    attempts: int = 1


class RequestError(AllocatorError):
    """Root of the errors a call may end in.

    Attributes:
        message: what happened, for people.
        details: everything else.
    """

    def __init__(self, message: str, details: ErrorDetails) -> None:
        super().__init__(message, details)
        self.message, self.details = message, details

    @property
    def reason(self) -> str:
        """The contract's reason; "" when the error did not come from Allocator itself."""
        return self.details.reason

    @property
    def metadata(self) -> Mapping[str, str]:
        """Names behind the reason."""
        return self.details.metadata

    @property
    def request_id(self) -> str:
        """Of the write; "" for a read."""
        return self.details.request_id

    @property
    def outcome_unknown(self) -> bool:
        """Whether the write may have happened: the same request id again tells, and never acts twice."""
        return self.details.outcome_unknown

    def __str__(self) -> str:
        code = self.reason or self.details.code
        return f"{code}: {self.message}{self._advice()}"

    def _advice(self) -> str:
        if not self.outcome_unknown:
            return ""
        if self.request_id:
            return f" (outcome unknown: repeat it with request id {self.request_id} to learn it)"
        return " (outcome unknown: repeat it, what is recorded already is told apart)"


class InvalidRequest(RequestError):
    """A field is missing, malformed or out of range, or there are too many items; nothing was changed."""

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """What is wrong, field by field; may be empty when `reason` says it all."""
        return self.details.violations

    def _advice(self) -> str:
        parts = [f"{violation.field}: {violation.description}" for violation in self.violations]
        told = [part for part in parts if part not in self.message]
        return f" ({'; '.join(told)})" if told else ""


class MessageTooLarge(InvalidRequest):
    """A request or answer is larger than one side takes: ask for less at once."""


class NotFound(RequestError):
    """No such location, group, reservation or SKU; `reason` tells which, `metadata` names it."""


class AlreadyExists(RequestError):
    """A location or group has this id."""


class RequestIdReused(AlreadyExists):
    """The request id was used for something else before; nothing was changed."""

    @property
    def field(self) -> str:
        """The first field that differs from the first use."""
        return self.metadata.get("field", "")


class FailedPrecondition(RequestError):
    """What is there stands in the way, such as stock at a location that is to be deleted."""


class Overloaded(RequestError):
    """The server has too much to do, or a table of the location is full; nothing happened."""

    @property
    def retry_after_s(self) -> float | None:
        """When to come back, seconds; None when the server did not say."""
        return self.details.retry_after_s


class Unavailable(RequestError):
    """No server answered, however often asked; `outcome_unknown`: whether a write may have happened."""


class DeadlineExceeded(Unavailable):
    """No answer came in time."""


class Unauthenticated(RequestError):
    """The server does not know who is calling: credentials are missing or not valid."""


class PermissionDenied(RequestError):
    """The caller may not do this."""


class DataLoss(RequestError):
    """The journal of the location is damaged and the location stands still until someone looks at it."""


class Cancelled(RequestError):
    """The call was cancelled, or its client closed."""


class ServerError(RequestError):
    """A defect of the server, or a method it does not have. The message has an id to search its logs for."""


CLASS_OF: Mapping[str, type[RequestError]] = {
    "INVALID_ARGUMENT": InvalidRequest,
    "OUT_OF_RANGE": InvalidRequest,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "FAILED_PRECONDITION": FailedPrecondition,
    "RESOURCE_EXHAUSTED": Overloaded,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "DATA_LOSS": DataLoss,
    "CANCELLED": Cancelled,
}
"""Class by gRPC code; any other code is a `ServerError`."""


_DEFINITE = (InvalidRequest, NotFound, AlreadyExists, FailedPrecondition)
"""What a server only answers after it looked the request id up."""


def as_unknown(error: RequestError) -> RequestError:
    """Return the error of a write of which an earlier attempt may have happened, though this one did not."""
    if isinstance(error, _DEFINITE):
        return error
    cls = Unavailable if isinstance(error, Overloaded) else type(error)
    return cls(error.message, replace(error.details, outcome_unknown=True))


def invalid(name: str, description: str) -> InvalidRequest:
    """Return the error of an argument that cannot be sent at all."""
    return InvalidRequest(
        f"{name}: {description}",
        ErrorDetails("INVALID_ARGUMENT", "INVALID", violations=(FieldViolation(name, description),)),
    )


def closed() -> Cancelled:
    """Return the error of a call on a closed client."""
    return Cancelled("the client is closed; make a new one", ErrorDetails("CANCELLED", CLIENT_CLOSED))
