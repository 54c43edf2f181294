from __future__ import annotations

import pickle

import grpc
import pytest
from google.rpc import error_details_pb2

from allocator import client
from allocator.client import (
    ErrorDetails,
    FieldViolation,
    InvalidRequest,
    RequestError,
    RequestIdReused,
    ServerError,
    Unavailable,
)
from allocator.client.failures import CERTAIN_REASONS, from_status
from allocator.client.retry import FINAL_REASONS
from allocator.core.errors import AllocatorError
from allocator.v1 import common_pb2
from tests.unit.client.fake import error_info, retry_info, status_of

CLASSES = [thing for thing in vars(client).values() if isinstance(thing, type) and issubclass(thing, RequestError)]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_pickling(cls: type[RequestError]) -> None:
    """Errors cross processes, with all they carry."""
    violations = (FieldViolation("a", "b"),)
    details = ErrorDetails(
        "NOT_FOUND", "SKU_UNKNOWN", {"sku": "APPLE"}, "r-1", violations, 1.5, outcome_unknown=True, attempts=3
    )
    error = cls("gone", details)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args, str(again)) == (cls, error.args, str(error))
    assert isinstance(again, AllocatorError)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_code_becomes_an_error_with_its_reason(code: grpc.StatusCode) -> None:
    """No code is lost on the way, and the contract's reason and names come along."""
    status = status_of(code, "no", "", [error_info("LOCATION_UNKNOWN", location="locations/leeds")])
    error = from_status(status, "r-9")
    assert (error.details.code, error.reason, error.request_id) == (code.name, "LOCATION_UNKNOWN", "r-9")
    assert error.metadata == {"location": "leeds"}


def test_a_reused_request_id_names_the_field() -> None:
    """The caller sees which part of the request differs."""
    status = status_of(
        grpc.StatusCode.ALREADY_EXISTS, "reused", "", [error_info("REQUEST_ID_REUSED", field="lines[0].quantity")]
    )
    error = from_status(status, "")
    assert isinstance(error, RequestIdReused)
    assert error.field == "lines[0].quantity"


def test_field_violations_are_told() -> None:
    """Bad input says which field and what was expected, in one line."""
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field="lines[0].sku", description="an id is expected"),
        error_details_pb2.BadRequest.FieldViolation(field="ttl", description="4 hours at most"),
    ]
    bad = error_details_pb2.BadRequest(field_violations=violations)
    error = from_status(status_of(grpc.StatusCode.INVALID_ARGUMENT, "malformed", "INVALID", [bad]), "")
    assert isinstance(error, InvalidRequest)
    assert error.violations == (
        FieldViolation("lines[0].sku", "an id is expected"),
        FieldViolation("ttl", "4 hours at most"),
    )
    assert str(error) == "INVALID: malformed (lines[0].sku: an id is expected; ttl: 4 hours at most)"


def test_retry_info_is_read() -> None:
    """When to come back is a number of seconds."""
    error = from_status(status_of(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy", "OVERLOADED", [retry_info(0.25)]), "")
    assert error.details.retry_after_s == 0.25


@pytest.mark.parametrize(
    ("reason", "unknown"),
    [("RECOVERING", False), ("DRAINING", False), ("OUTCOME_UNKNOWN", True), ("", True)],
)
def test_only_some_unavailable_writes_may_have_happened(reason: str, *, unknown: bool) -> None:
    """The contract says after which reasons nothing happened; a broken connection says nothing."""
    error = from_status(status_of(grpc.StatusCode.UNAVAILABLE, "away", reason, []), "")
    assert isinstance(error, Unavailable)
    assert error.outcome_unknown is unknown


def test_a_code_nobody_knows_is_a_server_error() -> None:
    """A number beyond gRPC's codes is still an error of ours."""
    status = status_of(grpc.StatusCode.INTERNAL, "odd", "", [])
    status.code = 99
    assert isinstance(from_status(status, ""), ServerError)


def test_the_docs_name_only_reasons_of_the_contract() -> None:
    """Reasons the client acts on are those of the contract."""
    known = {name.removeprefix("ERROR_REASON_") for name in common_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    assert {*CERTAIN_REASONS, *FINAL_REASONS} <= known
