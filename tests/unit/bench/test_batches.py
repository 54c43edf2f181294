"""Requests put together from bytes, answers read from theirs, and refusals by their details."""

from __future__ import annotations

import base64
import itertools
import uuid

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hpack import Encoder

from allocator.v1 import inventory_pb2 as i
from allocator.v1 import reservation_pb2 as r
from bench.batches import result, results, statuses
from bench.http2.blocks import RETRY, AnswerBlocks
from bench.templates import PLACE, element, new_ids, reserve, template


def test_a_template_is_the_request_with_another_id() -> None:
    """And as an element it is that of a batch."""
    cells = [("here", "a"), ("there", "b")]
    wanted = reserve(cells)
    identity = next(new_ids())
    before, after = template(wanted)
    wanted.request_id = identity.decode()
    assert r.ReserveRequest.FromString(before + identity + after) == wanted
    before, after = element(reserve(cells * 10))
    wanted = reserve(cells * 10)
    wanted.request_id = identity.decode()
    batch = r.BatchReserveRequest.FromString((before + identity + after) * 2)
    assert list(batch.reserves) == [wanted, wanted]


def test_ids_are_new_and_look_like_uuids() -> None:
    """Also those of another process."""
    made = [*itertools.islice(new_ids(), 10_000), *itertools.islice(new_ids(), 10_000)]
    assert len(set(made)) == len(made)
    assert {len(identity) for identity in made} == {len(PLACE)}
    assert str(uuid.UUID(made[-1].decode())).encode() == made[-1]


def test_outcomes_of_a_batch_are_read_in_order() -> None:
    """Long and short elements, errors among them, and fields after them."""
    held = r.BatchReserveResult()
    held.reserve.status = r.RESERVE_STATUS_HELD
    held.reserve.reservation.name = "x" * 300
    short = r.BatchReserveResult(reserve=r.ReserveResponse(status=r.RESERVE_STATUS_INSUFFICIENT_STOCK))
    failed = r.BatchReserveResult(error=Status(code=5))
    answer = r.BatchReserveResponse(results=[held, short, failed, held]).SerializeToString()
    assert list(results(answer)) == [r.RESERVE_STATUS_HELD, r.RESERVE_STATUS_INSUFFICIENT_STOCK, 0, 1]
    assert [result(one.SerializeToString()) for one in (held, failed)] == [r.RESERVE_STATUS_HELD, 0]
    moved = i.RecordMovementsResponse(results=[i.MovementResult(status=i.MOVEMENT_STATUS_DUPLICATE, on_hand=7)])
    moved.results.add(status=i.MOVEMENT_STATUS_APPLIED)
    moved.versions.add(location="locations/here")
    assert list(statuses(moved.SerializeToString())) == [2, 1]


@pytest.mark.parametrize(("detail", "says"), [(RetryInfo(retry_delay=Duration(seconds=1)), RETRY), (ErrorInfo(), "")])
def test_a_refusal_tells_whether_it_says_when_to_come_back(detail: RetryInfo | ErrorInfo, says: str) -> None:
    """By the details of its status."""
    status = Status(code=8)
    status.details.add().Pack(detail)
    text = base64.b64encode(status.SerializeToString()).decode().rstrip("=")
    headers = ((":status", "200"), ("grpc-status", "8"), ("grpc-status-details-bin", text))
    encoder = Encoder()
    encoder.header_table_size = 0
    block = encoder.encode(headers)
    assert AnswerBlocks().status(block) == f"RESOURCE_EXHAUSTED{says}"
