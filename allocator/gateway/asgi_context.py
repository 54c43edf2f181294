"""The context of one call on the ASGI front: what a servicer of grpcio may ask of it, and how its answer goes out."""

from __future__ import annotations

import asyncio
import time
from math import inf
from typing import TYPE_CHECKING, Any, Final

import grpc

from allocator.gateway import framing
from allocator.gateway.asgi_incoming import Incoming
from allocator.gateway.asgi_outcome import Outcome
from allocator.gateway.framing import FrameError, Unframer
from allocator.gateway.lookout import LOOK_FIRST_S, LOOK_LAST_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from allocator.gateway.asgi_incoming import Event, Receive
    from allocator.gateway.begun import Begun

    Send = Callable[[Event], Awaitable[None]]

WRITE_BUFFER_BYTES: Final = 32 * 1024
"""Answers of a stream that collect before the handler has to wait for them to leave."""

CONTENT_TYPE: Final = (b"content-type", framing.CONTENT_TYPE)

START: Final[Event] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [CONTENT_TYPE],
    "trailers": True,
}


class Context(Outcome):
    """One call under way; has the methods of `grpc.aio.ServicerContext`.

    The caller's own methods come first, then those that the application uses.

    Args:
        scope, receive, send: of ASGI.
        handler: of the method.
        message_bytes: size of the largest message either way, bytes.
        begun: what was begun of it at a glance: it goes on with the time and the caller of that.

    Attributes:
        waited_s: how long the call waited for its turn, seconds, where the server knows. Not in grpcio.
        begun: as given. Not in grpcio.
        abandoned: whether the caller has gone.
        expired: whether its deadline is over.
        until_s, looks_at_s: see `Waiting`.
    """

    # Defaults live in the class: most calls never need more than what `__init__` sets.
    abandoned = expired = False
    looks_at_s = waited_s = 0.0
    _look_s = LOOK_FIRST_S
    _started = _ended = _flush_due = False
    _encoding = b""
    _plain_next = False
    _initial: framing.Headers | tuple[()] = ()
    _task: asyncio.Task[Any] | None = None
    _incoming: Incoming | None = None
    _leaving: asyncio.Task[None] | None = None
    _buffer: tuple[bytes, ...] | list[bytes] = ()
    _buffered = 0

    def __init__(
        self,
        scope: Event,
        receive: Receive,
        send: Send,
        handler: Any,  # noqa: ANN401  # grpcio's named tuple of eight, which its stubs do not show
        message_bytes: int,
        begun: Begun | None = None,
    ) -> None:
        self._scope = scope
        self._pairs = scope["headers"]
        self.headers = said = dict(self._pairs)
        self._receive = receive
        self._send = send
        self._deserialise = handler.request_deserializer
        self._serialise = handler.response_serializer
        self._message_bytes = message_bytes
        self.begun = begun
        if begun is None:
            timeout = said.get(b"grpc-timeout")
            timeout_s = None if timeout is None else framing.timeout_s(timeout)
            self._deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        else:
            self._deadline_s, self._incoming, begun.on_gone = begun.over_s, begun.incoming, self._abandon
        self.until_s = inf if self._deadline_s is None else self._deadline_s

    # What servicers use

    def invocation_metadata(self) -> framing.Metadata:
        """The caller's metadata."""
        return framing.metadata_of(self._pairs)

    def time_remaining(self) -> float | None:
        """Seconds until the caller's deadline; None when there is none."""
        return None if self._deadline_s is None else max(0.0, self._deadline_s - time.monotonic())

    def peer(self) -> str:
        """The caller's address, as grpcio writes it."""
        host, port = self._scope.get("client") or ("unknown", 0)
        return f"ipv6:%5B{host}%5D:{port}" if ":" in host else f"ipv4:{host}:{port}"

    def peer_identities(self) -> None:
        """Nobody: this front does not tell servicers of certificates."""

    def peer_identity_key(self) -> None:
        """As above."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """As above."""
        return {}

    async def send_initial_metadata(self, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """What goes out before the answer; at once, as callers may wait for it before they say more."""
        self._may_write()
        if self._started or self._leaving is not None:
            raise grpc.aio.UsageError("Send initial metadata failed: already sent")
        self._initial = framing.headers_of(metadata)
        self._leave(b"")

    def set_compression(self, compression: grpc.Compression) -> None:
        """Compress answers like this, where the caller takes it."""
        if self._started or self._leaving is not None:
            raise RuntimeError("Compression setting must be specified before sending initial metadata")
        name = {grpc.Compression.Gzip: b"gzip", grpc.Compression.Deflate: b"deflate"}.get(compression, b"")
        accepted = [part.strip() for part in self.headers.get(b"grpc-accept-encoding", b"").split(b",")]
        self._encoding = name if name in accepted else b""

    def disable_next_message_compression(self) -> None:
        """Send the next answer as it is."""
        self._plain_next = True

    def cancelled(self) -> bool:
        """Whether the caller has gone or its deadline is over."""
        return self.abandoned or self.expired

    def done(self) -> bool:
        """Whether the last of the answer is out."""
        return self._ended or self.cancelled()

    async def read(self) -> Any:  # noqa: ANN401  # a request, or `grpc.aio.EOF`
        """The next request of the caller's stream."""
        data = await self._requests.message()
        return grpc.aio.EOF if data is None else self.request_of(data)

    async def write(self, answer: Any) -> None:  # noqa: ANN401  # an answer, or one serialised already
        """Send an answer of a stream; waits only while more than `WRITE_BUFFER_BYTES` have not left yet."""
        self._may_write()
        data = self._framed(answer)
        if isinstance(self._buffer, tuple):
            self._buffer = []
        self._buffer.append(data)
        self._buffered += len(data)
        while self._buffered >= WRITE_BUFFER_BYTES:
            self._flush()
            assert self._leaving is not None
            await asyncio.wait((self._leaving,))
        if self._buffer and not self._flush_due and self._leaving is None:
            self._flush_due = True  # what else is written before the loop comes round leaves in one piece
            asyncio.get_running_loop().call_soon(self._flush)

    # What the application uses

    async def only_request(self) -> Any:  # noqa: ANN401  # a message of the method
        """The request of a call that has one."""
        event = await self._receive()
        data = framing.only_message(event, self._message_bytes)
        if data is not None:
            return self.request_of(data)
        self._requests.take(event)
        request = await self.read()
        if request is grpc.aio.EOF:
            raise FrameError(grpc.StatusCode.INTERNAL, "the call has no request message")
        return request

    def request_of(self, data: bytes) -> Any:  # noqa: ANN401  # a message of the method
        """Bytes of a request as a message."""
        try:
            return self._deserialise(data)
        except Exception:  # noqa: BLE001  # whatever the deserialiser of a message raises
            raise FrameError(grpc.StatusCode.INTERNAL, "the request is not the message of this method") from None

    def watch(self, task: asyncio.Task[Any] | None) -> None:
        """From now on the handler waits for something: its deadline, and its caller's going, cancel `task`."""
        self._task = task
        self.looks_at_s = time.monotonic() + self._look_s

    def look(self, now_s: float) -> None:
        """End it if its time is over, and see whether the caller is still there."""
        if now_s >= self.until_s:
            self.until_s = inf
            self._cancel()
            self.expired = True
            return
        self._look_s = min(2 * self._look_s, LOOK_LAST_S)
        self.looks_at_s = now_s + self._look_s
        self._requests.look()

    async def answer(self, answer: Any) -> None:  # noqa: ANN401  # an answer, or one serialised already
        """Send the answer of a call that has one, and end it."""
        if self._code is not None and self._code is not grpc.StatusCode.OK:
            await self.end()
            return
        data, tail = self._framed(answer), self.tail()  # what may fail comes before anything goes out
        send = self._send
        if self._leaving is not None:
            await asyncio.wait((self._leaving,))
        if not self._started:
            await send(self._head())
        self._started = self._ended = True
        await send({"type": "http.response.body", "body": data, "more_body": False})
        await send(tail)

    async def end(self) -> None:
        """End the call with the status that was set, OK if none was; after the answers of a stream, if there are."""
        if self._ended:
            return
        while self._leaving is not None:
            await asyncio.wait((self._leaving,))
        tail = self.tail()
        self._ended = True
        if not self._started and not self._buffer:
            headers = [CONTENT_TYPE, *tail["headers"]]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": False})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        rest = b"".join(self._buffer)
        if not self._started:
            await self._send(self._head())
        await self._send({"type": "http.response.body", "body": rest, "more_body": False})
        await self._send(tail)

    def close(self) -> None:
        """Forget what still waits for this call, and tell those who wanted to know of its end."""
        self._ended = True
        self.tell_done()

    # Inside

    @property
    def _requests(self) -> Incoming:
        if self._incoming is None:
            unframer = Unframer(self.headers.get(b"grpc-encoding", b""), self._message_bytes)
            self._incoming = Incoming(self._receive, unframer, self._abandon)
        return self._incoming

    def _abandon(self) -> None:
        self._cancel()
        self.abandoned = True

    def _cancel(self) -> None:
        """Cancel the handler, once: what it does then is not disturbed again."""
        if self._task is not None and not self._ended and not self.cancelled():
            self._task.cancel()

    def _may_write(self) -> None:
        if self.cancelled():
            raise asyncio.CancelledError
        if self.aborted or self._ended:
            raise grpc.aio.UsageError("RPC already finished.")

    def _framed(self, answer: Any) -> bytes:  # noqa: ANN401  # an answer, or one serialised already
        message: bytes = self._serialise(answer)
        if len(message) > self._message_bytes:
            raise framing.too_large(len(message), self._message_bytes)
        encoding = b"" if self._plain_next else self._encoding
        self._plain_next = False
        return framing.frame(message, encoding)

    def _flush(self) -> None:
        """Hand over what was written, unless something is still on its way."""
        self._flush_due = False
        if self._leaving is not None or not self._buffer or self._ended:
            return
        body = b"".join(self._buffer)
        self._buffer = []
        self._buffered = 0
        self._leave(body)

    def _leave(self, body: bytes) -> None:
        self._leaving = asyncio.get_running_loop().create_task(self._hand_over(body))
        self._leaving.add_done_callback(self._left)

    async def _hand_over(self, body: bytes) -> None:
        if not self._started:
            self._started = True
            await self._send(self._head())
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    def _left(self, leaving: asyncio.Task[None]) -> None:
        self._leaving = None
        if not leaving.cancelled() and leaving.exception() is not None:
            self._abandon()
        else:
            self._flush()

    def _head(self) -> Event:
        if not self._initial and not self._encoding:
            return START
        headers = [CONTENT_TYPE, *self._initial]
        if self._encoding:
            headers.append((b"grpc-encoding", self._encoding))
        return {**START, "headers": headers}
