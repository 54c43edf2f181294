"""What clients see of `any_servicer`, and the servers that serve it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import grpc

from tests.support.any_servicer import SERVICE
from tests.support.ports import free_port

READY_S = 60
CALL_S = 30
_SERVE = "from tests.support.any_servicer import main; main()"
_OWN = {"date", "x-envoy-upstream-service-time"}
SHORT = 100

Metadata = tuple[tuple[str, str | bytes], ...]


class Seen(NamedTuple):
    """All that a client sees of a call; long messages by their first byte and length."""

    messages: tuple[Any, ...]
    code: grpc.StatusCode
    details: str
    initial: Metadata
    trailing: Metadata


@contextmanager
def any_server(front: str) -> Iterator[grpc.Channel]:
    """A process that serves it, and a connection of its own."""
    folder, port = Path(tempfile.mkdtemp(prefix="allocator-any-")), free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, front, str(port), str(folder)],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        stdin=subprocess.DEVNULL,
    )
    options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
            grpc.channel_ready_future(channel).result(READY_S)
            yield channel
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)


class Caller:
    """Calls methods of it by name, with bytes."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel: Any = channel

    def ask(self, method: str, request: bytes = b"hi", **options: Any) -> Any:  # noqa: ANN401  # a future call
        """One request, one answer."""
        return _one(self.channel.unary_unary(_path(method)).future(request, **{"timeout": CALL_S, **options}))

    def listen(self, method: str, request: bytes = b"3", **options: Any) -> Any:  # noqa: ANN401  # a call
        """One request, a stream of answers."""
        return self.channel.unary_stream(_path(method))(request, **{"timeout": CALL_S, **options})

    def tell(self, method: str, requests: Iterable[bytes], **options: Any) -> Any:  # noqa: ANN401  # a future call
        """A stream of requests, one answer."""
        return _one(self.channel.stream_unary(_path(method)).future(iter(requests), **{"timeout": CALL_S, **options}))

    def talk(self, method: str, requests: Iterable[bytes], **options: Any) -> Any:  # noqa: ANN401  # a call
        """Both streams."""
        return self.channel.stream_stream(_path(method))(iter(requests), **{"timeout": CALL_S, **options})


def _one(call: Any) -> Any:  # noqa: ANN401  # a future call
    """Mark a call that has one answer; grpcio's are of one class whatever their shape."""
    call.has_one_answer = True
    return call


def seen(call: Any) -> Seen:  # noqa: ANN401  # a call of any shape
    """Wait for its end."""
    messages: list[bytes] = []
    with suppress(grpc.RpcError, grpc.FutureCancelledError):
        if hasattr(call, "has_one_answer"):
            messages.append(call.result())
        else:
            messages.extend(call)
    short = tuple(message if len(message) <= SHORT else (message[:1], len(message)) for message in messages)
    code: grpc.StatusCode = call.code()
    # A client finds its own deadline over first, or its server's end of the stream: its words for that vary.
    details = "" if code is grpc.StatusCode.DEADLINE_EXCEEDED else call.details()
    return Seen(short, code, details, _told(call.initial_metadata()), _told(call.trailing_metadata()))


def _told(metadata: Iterable[tuple[str, str | bytes]] | None) -> Metadata:
    """Without what servers say of themselves."""
    return tuple(sorted((key, value) for key, value in metadata or () if key not in _OWN))


def _path(method: str) -> str:
    return f"/{SERVICE}/{method}"


GZIP = grpc.Compression.Gzip
DEFLATE = grpc.Compression.Deflate
SAID = (("a", "1"), ("a", "2"), ("b-bin", b"\x00\xff"), ("c-bin", b""), ("d", "a b  c"), ("x-request-id", "mine"))
UNARY = (
    "echo", "twice", "both_ways", "aborts", "aborts_before", "aborts_unheard", "aborts_by_number", "sets_code",
    "details_only", "raises", "raises_with_code", "answers_nothing", "odd_metadata", "compresses",
    "compresses_too_late", "knows_its_call", "tells_its_end",
)  # fmt: skip
ENDING = ("count", "writes", "fails_after", "aborts_after")
READING = ("joined", "reads", "first_only")
Make = Callable[[Caller], Any]


def _asking(method: str) -> Make:
    return lambda caller: caller.ask(method)


def _listening(method: str, request: bytes) -> Make:
    return lambda caller: caller.listen(method, request)


def _telling(method: str, requests: Iterable[bytes]) -> Make:
    return lambda caller: caller.tell(method, requests)


def _talking(method: str, requests: Iterable[bytes]) -> Make:
    return lambda caller: caller.talk(method, requests)


CALLS: Mapping[str, Make] = {
    **{method: _asking(method) for method in UNARY},
    **{method: _listening(method, b"3") for method in (*ENDING, "compressed_stream")},
    **{f"{method} nothing": _listening(method, b"0") for method in ENDING},
    **{method: _telling(method, (b"a", b"b", b"")) for method in READING},
    **{f"{method} nothing": _telling(method, ()) for method in READING},
    **{method: _talking(method, (b"a", b"b", b"")) for method in ("echoes", "greets", "ends_early")},
    **{f"{method} nothing": _talking(method, ()) for method in ("echoes", "greets")},
    "metadata": lambda caller: caller.ask("metadata", metadata=SAID),
    "gzip": lambda caller: caller.ask("echo", b"z" * 1_000, compression=GZIP),
    "deflate": lambda caller: caller.ask("echo", b"z" * 1_000, compression=DEFLATE),
    "gzip of a stream": lambda caller: caller.tell("joined", [b"a" * 1_000] * 3, compression=GZIP),
    "gzip both ways": lambda caller: caller.talk("echoes", [b"a" * 1_000, b""], compression=GZIP),
    "many answers": lambda caller: caller.listen("count", b"3000"),
    "deadline": lambda caller: caller.ask("waits", b"deadline", timeout=0.2),
    "deadline of a stream": lambda caller: caller.listen("watches", b"deadline", timeout=1),
}
"""Calls that clients have to see the same of on both servers."""
