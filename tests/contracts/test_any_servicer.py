"""Any servicer of grpcio runs on the ASGI front, and its clients see no difference."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from queue import SimpleQueue

import grpc
import pytest

from tests.support.any_client import CALLS, Caller, any_server, seen
from tests.support.any_servicer import FLOOD, MESSAGE_BYTES
from tests.support.fronts import FRONTS, envoy_left_out
from tests.support.gateway import fresh

OVER = bytes(MESSAGE_BYTES + 1)


@pytest.fixture(scope="module")
def callers() -> Iterator[Mapping[str, Caller]]:
    """A caller of the servicer on each server."""
    with ExitStack() as running:
        yield {front: Caller(running.enter_context(any_server(front))) for front in FRONTS}


@pytest.fixture(params=list(FRONTS))
def caller(callers: Mapping[str, Caller], request: pytest.FixtureRequest) -> Caller:
    """One of them after the other."""
    return callers[request.param]


@pytest.mark.skipif(envoy_left_out(), reason="pyvoy is not installed")
@pytest.mark.parametrize("call", CALLS)
def test_clients_see_the_same_on_both_servers(callers: Mapping[str, Caller], call: str) -> None:
    """Messages, code, details and metadata before and after."""
    on_grpcio, on_envoy = (seen(CALLS[call](callers[front])) for front in ("grpcio", "envoy"))
    assert on_envoy == on_grpcio


def test_initial_metadata_is_there_before_anything_was_asked(caller: Caller) -> None:
    """A client may wait for it before it says more."""
    asked: SimpleQueue[bytes | None] = SimpleQueue()
    call = caller.talk("greets", iter(asked.get, None))
    assert ("hello", "there") in call.initial_metadata()
    asked.put(b"now")
    assert next(call) == b"now"
    asked.put(None)
    assert list(call) == []


def test_a_server_may_end_before_its_client(caller: Caller) -> None:
    """With an answer or a stream of them: the client's half stays open, and the call is over."""
    for begin in (caller.tell, caller.talk):
        asked: SimpleQueue[bytes | None] = SimpleQueue()
        asked.put(b"first")
        method = "first_only" if begin == caller.tell else "ends_early"
        found = seen(begin(method, iter(asked.get, None)))
        assert (found.messages, found.code) == ((b"first",), grpc.StatusCode.OK)
        asked.put(None)


def test_a_message_over_the_limit_ends_its_call_and_nothing_else(caller: Caller) -> None:
    """In both directions, alone and in a stream, compressed too; other calls of the connection go on."""
    asked: SimpleQueue[bytes | None] = SimpleQueue()
    other = caller.talk("echoes", iter(asked.get, None))
    asked.put(b"before")
    assert next(other) == b"before"
    for call in (
        caller.ask("echo", OVER),
        caller.ask("echo", OVER, compression=grpc.Compression.Gzip),
        caller.tell("joined", [b"a", OVER]),
        caller.talk("echoes", [OVER]),
        caller.ask("too_much"),
        caller.listen("too_much_after"),
    ):
        assert seen(call).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    asked.put(b"after")
    assert next(other) == b"after"
    asked.put(None)
    assert seen(caller.ask("echo", bytes(MESSAGE_BYTES))).code is grpc.StatusCode.OK


def test_an_unknown_method_is_unimplemented(caller: Caller) -> None:
    """Whatever its shape."""
    for call in (caller.ask("nowhere"), caller.listen("nowhere"), caller.tell("nowhere", [b"a"])):
        assert seen(call).code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("method", ["watches", "ignores_requests", "reads_aside"])
def test_the_handler_of_a_cancelled_stream_ends(caller: Caller, method: str) -> None:
    """One of answers, one whose requests nobody reads, and one whose requests another task reads."""
    name = fresh(method).encode()
    asked: SimpleQueue[bytes | None] = SimpleQueue()
    for request in (name, b"more", b"more"):
        asked.put(request)
    call = caller.listen(method, name) if method == "watches" else caller.talk(method, iter(asked.get, None))
    next(call)
    call.cancel()
    asked.put(None)
    assert caller.ask("endings", name).result() == name


def test_a_deadline_ends_the_handler_of_a_stream(caller: Caller) -> None:
    """As a cancellation does."""
    name = fresh("deadline").encode()
    assert seen(caller.listen("watches", name, timeout=0.5)).code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert caller.ask("endings", name).result() == name


def test_a_slow_reader_holds_its_server_back_and_loses_nothing(caller: Caller) -> None:
    """250 MiB of answers are not written while nobody reads them; all of them come in the end."""
    name = fresh("flood").encode()
    call = caller.listen("flood", name, timeout=120)
    assert len(next(call)) == 2**16
    written = int(caller.ask("flooded", name).result())
    assert written * 2**16 < 64 * 2**20
    assert sum(1 for _ in call) == FLOOD - 1


def test_a_slow_server_loses_no_requests(caller: Caller) -> None:
    """40 MiB of them, all sent before the first is read where the client is let to."""
    name = fresh("slow").encode()
    count, sent = 40 * 16, threading.Event()

    def requests() -> Iterator[bytes]:
        yield name
        for number in range(count):
            if number == count // 2:
                sent.set()
            yield bytes(2**16)

    call = caller.tell("sums_slowly", requests(), timeout=120)
    sent.wait(1)
    caller.ask("ends", name).result()
    assert call.result() == b"%d" % (count * 2**16)


def test_a_thousand_calls_at_once_are_answered_on_one_connection(caller: Caller) -> None:
    """Each with its own answer, in whatever order."""
    calls = [caller.ask("twice", b"%d." % number) for number in range(1_000)]
    assert [call.result() for call in calls] == [b"%d.%d." % (number, number) for number in range(1_000)]
