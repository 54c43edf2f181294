"""The streams of the client for threads, and what becomes of them when the connection breaks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import pytest

from allocator.client import (
    Client,
    InvalidRequest,
    Movement,
    NotFound,
)
from tests.unit.client.fake import FakeServer, Fault
from tests.unit.client.samples import movement

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_watch_goes_on_where_it_was(client: Client, fake: FakeServer) -> None:
    """After a break it resumes with the versions it saw; nothing is told twice."""
    fake.fail("WatchAvailability", Fault(UNAVAILABLE))
    watch = client.watch(["APPLE"], locations=["leeds"], threshold=3)
    first = next(watch)
    assert (first.snapshot, first.versions) == (True, {"leeds": 1})
    assert [(c.sku, c.location, c.available) for c in first.changes] == [("APPLE", "leeds", 10)]
    client.record([movement(1)])
    fake.state.closing.set()
    second = next(watch)
    watch.close()
    assert (second.snapshot, second.versions) == (False, {"leeds": 2})
    resumed = fake.requests("WatchAvailability")[-1]
    assert [(v.location, v.version) for v in resumed.resume_versions] == [("locations/leeds", 1)]
    assert resumed.threshold == 3


def test_a_watch_of_nothing_known_ends_in_its_error(client: Client) -> None:
    """What will not pass ends the watch."""
    with pytest.raises(NotFound):
        next(client.watch(["APPLE"], locations=["mars"]))


def test_movements_stream_in_order(client: Client, fake: FakeServer) -> None:
    """One answer for each batch, in order."""
    batches = [[movement(2 * number), movement(2 * number + 1)] for number in range(10)]
    results = list(client.stream_movements(batches))
    assert [result.results[-1].on_hand for result in results] == [12 + 2 * number for number in range(10)]
    assert len(fake.requests("StreamMovements")) == 1


def test_a_broken_stream_of_movements_sends_what_was_not_answered_again(client: Client, fake: FakeServer) -> None:
    """Batches are told apart by their movements, so each counts once."""
    fake.fail("StreamMovements", Fault(UNAVAILABLE, after=True), Fault(UNAVAILABLE))
    results = list(client.stream_movements([[movement(number)] for number in range(6)], in_flight=3))
    assert len(results) == 6
    assert fake.state.stock["locations/leeds"]["APPLE"].on_hand == 16
    assert client.retries == 2


def test_with_one_in_flight_each_batch_is_answered_before_the_next_is_taken(client: Client) -> None:
    """A slow producer sees its answers at once."""
    taken: list[int] = []

    def produce() -> Iterator[list[Movement]]:
        for number in range(3):
            taken.append(number)
            yield [movement(number)]

    stream = client.stream_movements(produce(), in_flight=1)
    answered = [(len(taken), result.ok) for result in stream]
    assert answered == [(1, True), (2, True), (3, True)]


def test_a_stream_of_movements_that_is_left_early_ends(client: Client) -> None:
    """Closing the iterator ends the stream and its thread."""
    stream = client.stream_movements([[movement(number)] for number in range(100)])
    assert next(stream).ok
    stream.close()
    assert client.check({"APPLE": 1}).ok


def test_a_connection_that_broke_leaves_no_thread_behind(client: Client, fake: FakeServer) -> None:
    """The thread that waits for more to send ends with its connection."""
    before = set(threading.enumerate())
    fake.fail("StreamMovements", *[Fault(UNAVAILABLE, after=True)] * 3)
    assert len(list(client.stream_movements([[movement(number)] for number in range(4)]))) == 4
    senders = [one for one in threading.enumerate() if one not in before and "ThreadPool" not in one.name]
    for sender in senders:
        sender.join(30)
    assert not any(sender.is_alive() for sender in senders)


def test_a_bad_batch_ends_the_stream(client: Client) -> None:
    """Those after it were not looked at."""
    with pytest.raises(InvalidRequest):
        list(client.stream_movements([[], [movement(1)]], in_flight=1))
    with pytest.raises(InvalidRequest, match="in_flight"):
        list(client.stream_movements([], in_flight=0))
