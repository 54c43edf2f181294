from __future__ import annotations

import pickle
import re
from pathlib import Path

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from allocator.core.results import Reason, Rejected
from allocator.gateway import errors
from allocator.gateway.errors import ApiError, Violation
from allocator.gateway.limits import VIOLATIONS_MAX
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError
from allocator.v1.common_pb2 import ErrorReason
from tests.support.api import failure_in

ROOT = Path(__file__).parents[3]
REASONS = [name.removeprefix("ERROR_REASON_") for name in ErrorReason.keys()[1:]]


def test_every_reason_has_the_code_that_the_contract_states() -> None:
    """The comment above each reason begins with its gRPC code."""
    text = (ROOT / "proto/allocator/v1/common.proto").read_text("utf-8")
    stated = {}
    for comment, reason in re.findall(r"((?:  // .*\n)+)  ERROR_REASON_(\w+) = \d+;", text):
        if reason != "UNSPECIFIED":
            stated[reason] = comment.lstrip(" /").partition(":")[0]
    assert {reason: code.name for reason, code in errors.CODE_OF.items()} == stated
    assert sorted(stated) == sorted(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_every_error_survives_pickling(reason: str) -> None:
    """It may cross a process border."""
    error = ApiError(reason, "what happened", {"sku": "apple"}, (Violation("lines", "none"),), 0.5)
    again = pickle.loads(pickle.dumps(error))
    assert vars(again) == vars(error)
    assert errors.to_proto(again) == errors.to_proto(error)


def test_an_error_carries_all_its_details() -> None:
    """One ErrorInfo of our domain, violations and time to come back only when there are any."""
    full = errors.to_proto(ApiError("OVERLOADED", "full", {"a": "b"}, (Violation("f", "d"),), 1.25))
    found = failure_in(full)
    assert (found.code, found.reason, found.message) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", "full")
    assert (found.metadata, found.fields, found.retry_s) == ({"a": "b"}, ["f"], 1.25)
    assert len(errors.to_proto(errors.draining()).details) == 1


def test_an_error_stays_small_enough_for_a_header() -> None:
    """However many faults there are and however long they are told, clients bound headers at 8 KiB."""
    faults = [Violation(f"lines[{n}].quantity", "x" * 10_000) for n in range(10_000)]
    status = errors.to_proto(errors.invalid(*faults))
    assert len(status.SerializeToString()) < 4_500
    bad_request = error_details_pb2.BadRequest()
    status.details[1].Unpack(bad_request)
    assert len(bad_request.field_violations) == VIOLATIONS_MAX


REJECTED = [
    (Rejected(Reason.SKU_UNKNOWN, "lines[1].sku", ""), "SKU_UNKNOWN", {"sku": "pear", "location": "locations/dc"}),
    (Rejected(Reason.RESERVATION_UNKNOWN, "name", ""), "RESERVATION_UNKNOWN", {"reservation": "reservations/r"}),
    (Rejected(Reason.REQUEST_ID_REUSED, "ttl_ns", ""), "REQUEST_ID_REUSED", {"field": "ttl"}),
    (Rejected(Reason.REQUEST_ID_REUSED, "lines", ""), "REQUEST_ID_REUSED", {"field": "lines"}),
    (Rejected(Reason.INVALID, "as_of_ns", "too late"), "INVALID", {}),
    (Rejected(Reason.TABLE_FULL, "skus", ""), "TABLE_FULL", {"field": "skus", "location": "locations/dc"}),
    (Rejected(Reason.LOCATION_UNKNOWN, "location", ""), "LOCATION_UNKNOWN", {"location": "locations/dc"}),
    (Rejected(Reason.RECOVERING, "location", ""), "RECOVERING", {"location": "locations/dc"}),
    (Rejected(Reason.JOURNAL_DAMAGED, "location", ""), "JOURNAL_DAMAGED", {"location": "locations/dc"}),
]


@pytest.mark.parametrize(("rejected", "reason", "metadata"), REJECTED)
def test_an_error_answer_of_a_ledger_becomes_one_of_the_contract(
    rejected: Rejected, reason: str, metadata: dict[str, str]
) -> None:
    """With the contract's names of fields, and the names behind the reason."""
    error = errors.from_rejected(rejected, "dc", ["apple", "pear"], "r")
    assert (error.reason, error.metadata) == (reason, metadata)


def test_what_may_pass_says_when_to_come_back() -> None:
    """Overload, a full table and recovery."""
    for reason in (Reason.TABLE_FULL, Reason.RECOVERING):
        assert errors.from_rejected(Rejected(reason, "", "")).retry_after_s > 0
    assert errors.overloaded("full").retry_after_s > 0


def test_a_defect_of_a_ledger_is_not_told_to_callers() -> None:
    """What it says goes to the logs only."""
    with pytest.raises(errors.LedgerFailedError, match="secret") as caught:
        errors.from_rejected(Rejected(Reason.INTERNAL, "", "secret"), "dc")
    assert errors.from_exception(caught.value) is None


def test_exceptions_become_errors_of_the_contract() -> None:
    """A lost answer names the request id to ask again with; a defect has no words of its own."""
    lost = errors.from_exception(OutcomeUnknownError("the actor died"), "request-1")
    assert lost is not None
    assert (lost.code, lost.reason) == (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")
    assert lost.metadata == {"request_id": "request-1"}
    late = errors.from_exception(TimeoutError(), "request-1")
    assert late is not None
    assert (late.code, late.metadata) == (grpc.StatusCode.DEADLINE_EXCEEDED, lost.metadata)
    full = errors.from_exception(OverloadedError("full"))
    assert full is not None
    assert full.reason == "OVERLOADED"
    known = errors.draining()
    assert errors.from_exception(known) is known
    assert errors.from_exception(ZeroDivisionError()) is None


def test_a_read_that_was_lost_names_no_request_id() -> None:
    """There is nothing to repeat under the same id."""
    lost = errors.from_exception(OutcomeUnknownError("the actor died"))
    assert lost is not None
    assert lost.metadata == {}
    assert "request id" not in lost.message


def test_a_status_is_one_of_google() -> None:
    """It can be put into an answer as it is."""
    assert isinstance(errors.to_proto(errors.draining()), status_pb2.Status)
