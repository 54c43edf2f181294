"""One HTTP/2 connection as a client: bytes in, ended calls out; it does no waiting."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any, Final

from bench.errors import BenchError
from bench.http2 import frames as f
from bench.http2.blocks import AnswerBlocks, RequestBlocks
from bench.http2.calls import Kind

RECEIVE_BYTES: Final = 262_144
STREAM_WINDOW_BYTES: Final = 16 * 2**20
CONNECTION_WINDOW_BYTES: Final = 256 * 2**20
UNAVAILABLE: Final = "UNAVAILABLE"
DEADLINE_EXCEEDED: Final = "DEADLINE_EXCEEDED"
UNKNOWN: Final = "UNKNOWN"
_PLAIN: Final = f.END_HEADERS | f.PADDED | f.PRIORITISED
_RESETS: Final = {7: UNAVAILABLE, 8: "CANCELLED", 11: "RESOURCE_EXHAUSTED", 12: "PERMISSION_DENIED"}
"""Statuses of a reset stream by its HTTP/2 error, as gRPC maps them; every other one is INTERNAL."""


class PeerError(BenchError):
    """The peer does not speak HTTP/2 as we understand it."""


class Stream:
    """A call under way.

    Attributes:
        due_ns: when it was due.
        status: how it ended; "" before.
        body: of the answer, piece by piece; None when nobody will read it.
    """

    __slots__ = ("body", "due_ns", "kind", "note", "received", "status", "unsent", "window")

    def __init__(self, kind: Kind, note: Any, due_ns: int) -> None:  # noqa: ANN401  # of the caller
        self.kind = kind
        self.note = note
        self.due_ns = due_ns
        self.status = ""
        self.body: list[bytes] | None = None if kind.judge is None else []
        self.received = 0
        self.unsent = memoryview(b"")
        self.window = 0


class Connection:
    """Calls on one socket, which does not block.

    Args:
        connected: the socket.
        blocks: of requests, with the authority and the deadline in them.
        answers: blocks of answers; may be shared by connections.
        window_bytes: how much of one answer may be under way.

    Attributes:
        streams: calls under way by stream, oldest first.
        greeted: whether the peer has told its settings; before, nothing may be sent that they could forbid.
        draining: the peer takes no new calls on this connection.
        closed: nothing more comes or goes.
    """

    def __init__(
        self,
        connected: socket.socket,
        blocks: RequestBlocks,
        answers: AnswerBlocks,
        window_bytes: int = STREAM_WINDOW_BYTES,
    ) -> None:
        self.socket = connected
        self.streams: dict[int, Stream] = {}
        self.greeted = self.draining = self.closed = False
        self._blocks = blocks
        self._answers = answers
        self._next = 1
        self._streams_max = 0
        self._frame_max = f.FRAME_BYTES_MAX
        self._window = self._stream_window = f.WINDOW_BYTES
        self._unsent: dict[int, Stream] = {}
        self._rest = b""
        self._block: tuple[int, int, bytes] | None = None
        self._received = 0
        self._window_bytes = window_bytes
        self._out = [
            f.PREFACE,
            f.settings({f.HEADER_TABLE_SIZE: 0, f.ENABLE_PUSH: 0, f.INITIAL_WINDOW_SIZE: window_bytes}),
            f.window_update(0, CONNECTION_WINDOW_BYTES - f.WINDOW_BYTES),
        ]

    @property
    def room(self) -> int:
        """How many calls may be started now."""
        return 0 if self.draining or self.closed else self._streams_max - len(self.streams)

    @property
    def wants_to_send(self) -> bool:
        """Whether something waits for the socket to take more."""
        return bool(self._out)

    def start(self, stream: Stream, message: bytes) -> None:
        """Begin a call; there has to be room. It goes with the next flush."""
        number = self._next
        self._next += 2
        self.streams[number] = stream
        block = self._blocks.block(stream.kind)
        size = len(message) + f.PREFIX_BYTES
        self._out.append(f.HEAD.pack(len(block) << 8 | f.HEADERS, f.END_HEADERS, number) + block)
        framed = stream.kind.framed
        if not framed and size <= self._window and size <= self._stream_window and size <= self._frame_max:
            self._window -= size
            prefix = f.HEAD_AND_PREFIX.pack(size << 8 | f.DATA, f.END_STREAM, number, 0, size - f.PREFIX_BYTES)
            self._out.append(prefix + message)
        else:
            stream.unsent = memoryview(message if framed else f.message(message))
            stream.window = self._stream_window
            self._unsent[number] = stream
            self._send_more()

    def cancel(self, number: int) -> Stream:
        """Give up a call under way."""
        self._unsent.pop(number, None)
        self._out.append(f.reset(number, f.CANCEL))
        return self.streams.pop(number)

    def flush(self) -> None:
        """Send what the socket takes."""
        if not self._out or self.closed:
            return
        data = b"".join(self._out)
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.closed = True
            return
        self._out = [] if sent == len(data) else [data[sent:]]

    def receive(self) -> list[Stream]:
        """Take what has come; returns the calls that ended with it."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return self.fail(UNAVAILABLE)
        return self.take(data)

    def fail(self, status: str) -> list[Stream]:
        """End every call under way with a status."""
        ended = list(self.streams.values())
        self.streams.clear()
        self._unsent.clear()
        for stream in ended:
            stream.status = status
        return ended

    def take(self, data: bytes) -> list[Stream]:
        """Take bytes of the peer; returns the calls that ended with them.

        Raises:
            PeerError: they are not what HTTP/2 allows.
        """
        if self._rest:
            data = self._rest + data
        ended: list[Stream] = []
        streams, known = self.streams, self._answers.known
        at, size = 0, len(data)
        while size - at >= f.HEAD_BYTES:
            head, flags, number = f.HEAD.unpack_from(data, at)
            start = at + f.HEAD_BYTES
            end = start + (head >> 8)
            if end > size:
                break
            at = end
            kind = head & 0xFF
            if kind == f.HEADERS and flags & _PLAIN == f.END_HEADERS and self._block is None:
                status = known.get(data[start:end])
                if status is None:
                    status = self._answers.status(data[start:end])
                if flags & f.END_STREAM:
                    self._end(number, status, ended)
                elif status and number in streams:
                    streams[number].status = status
            elif kind == f.DATA and not flags & f.PADDED and self._block is None:
                self._data(number, flags, data[start:end], end - start, ended)
            else:
                self._other(kind, flags, number, data[start:end], ended)
        self._rest = data[at:]
        if len(self._rest) >= f.HEAD_BYTES and f.HEAD.unpack_from(self._rest)[0] >> 8 > f.FRAME_BYTES_MAX:
            raise PeerError("a frame is larger than we allow")
        self._open_window()
        return ended

    def _end(self, number: int, status: str, ended: list[Stream]) -> None:
        stream = self.streams.pop(number, None)
        if stream is None:  # given up before
            return
        stream.status = status or stream.status or UNKNOWN
        if stream.unsent:  # answered before all of it was sent: the rest is not wanted
            del self._unsent[number]
            self._out.append(f.reset(number, f.CANCEL))
        ended.append(stream)

    def _data(self, number: int, flags: int, piece: bytes, size: int, ended: list[Stream]) -> None:
        """Take a DATA frame of so many bytes, padding among them."""
        self._received += size
        stream = self.streams.get(number)
        if stream is None:
            return
        if stream.body is not None:
            stream.body.append(piece)
        if flags & f.END_STREAM:  # without trailers, so without a status
            self._end(number, "", ended)
            return
        stream.received += size
        if stream.received >= self._window_bytes // 2:
            self._out.append(f.window_update(number, stream.received))
            stream.received = 0

    def _open_window(self) -> None:
        if self._received >= CONNECTION_WINDOW_BYTES // 2:
            self._out.append(f.window_update(0, self._received))
            self._received = 0

    def _other(self, kind: int, flags: int, number: int, payload: bytes, ended: list[Stream]) -> None:
        """Every frame that is rare."""
        try:
            if self._block is not None or kind == f.CONTINUATION:
                self._continue(kind, flags, number, payload, ended)
            elif kind == f.HEADERS:
                self._begin_block(flags, number, f.without_padding(flags, payload), ended)
            elif kind == f.DATA:
                self._data(number, flags, f.without_padding(flags & f.PADDED, payload), len(payload), ended)
            elif kind == f.PUSH_PROMISE:
                raise PeerError("a push, which we forbade")
            else:
                self._control(kind, flags, number, payload, ended)
        except (ValueError, IndexError) as error:
            raise PeerError(f"frame of type {kind}: {error}") from error

    def _begin_block(self, flags: int, number: int, block: bytes, ended: list[Stream]) -> None:
        if not flags & f.END_HEADERS:
            self._block = (flags, number, block)
            return
        status = self._answers.status(block)
        if flags & f.END_STREAM:
            self._end(number, status, ended)
        elif status and number in self.streams:
            self.streams[number].status = status

    def _continue(self, kind: int, flags: int, number: int, payload: bytes, ended: list[Stream]) -> None:
        if self._block is None or kind != f.CONTINUATION or number != self._block[1]:
            raise PeerError("a header block that is not continued, or continued without a begin")
        first, _, block = self._block
        self._block = None
        self._begin_block(first | flags & f.END_HEADERS, number, block + payload, ended)

    def _control(self, kind: int, flags: int, number: int, payload: bytes, ended: list[Stream]) -> None:
        if kind == f.SETTINGS and not flags & f.ACK:
            self._settings(payload)
        elif kind == f.WINDOW_UPDATE:
            self._widen(number, f.word(payload))
        elif kind == f.PING and not flags & f.ACK:
            self._out.append(f.frame(f.PING, f.ACK, 0, payload))
        elif kind == f.RST_STREAM and (stream := self.streams.pop(number, None)):
            self._unsent.pop(number, None)
            stream.status = _RESETS.get(f.word(payload), "INTERNAL")
            ended.append(stream)
        elif kind == f.GOAWAY:
            self.draining = True
            ended += self._not_taken(f.word(payload))

    def _not_taken(self, last: int) -> Iterator[Stream]:
        """End the calls above the last one the peer will answer."""
        for number in [number for number in self.streams if number > last]:
            self._unsent.pop(number, None)
            stream = self.streams.pop(number)
            stream.status = UNAVAILABLE
            yield stream

    def _settings(self, payload: bytes) -> None:
        if not self.greeted:
            self.greeted = True
            self._streams_max = f.WINDOW_BYTES_MAX  # unlimited unless it says so
        for name, value in f.read_settings(payload):
            if name == f.HEADER_TABLE_SIZE:
                self._blocks.limit_table(value)
            elif name == f.MAX_CONCURRENT_STREAMS:
                self._streams_max = value
            elif name == f.MAX_FRAME_SIZE:
                self._frame_max = value
            elif name == f.INITIAL_WINDOW_SIZE:
                for stream in self._unsent.values():
                    stream.window += value - self._stream_window
                self._stream_window = value
        self._out.append(f.frame(f.SETTINGS, f.ACK, 0))
        self._send_more()

    def _widen(self, number: int, increment: int) -> None:
        if number == 0:
            self._window += increment
        elif number in self._unsent:
            self._unsent[number].window += increment
        self._send_more()

    def _send_more(self) -> None:
        """Send of the messages that did not fit as much as the windows allow now, oldest first."""
        for number in list(self._unsent):
            stream = self._unsent[number]
            while (size := min(len(stream.unsent), self._window, stream.window, self._frame_max)) > 0:
                piece, stream.unsent = stream.unsent[:size], stream.unsent[size:]
                self._window -= size
                stream.window -= size
                self._out.append(f.frame(f.DATA, 0 if stream.unsent else f.END_STREAM, number, piece))
            if not stream.unsent:
                del self._unsent[number]
