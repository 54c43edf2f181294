"""The least a server can do: the same prepared answer to every call, on bare sockets.

It is there to show what the generator can do at most. It reads no header, serves one answer whatever the path, and
trusts its only caller, the generator, to keep its windows open.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from struct import Struct
from typing import Final

from hpack import Encoder

from bench.http2 import frames as f

RECEIVE_BYTES: Final = 262_144
LOOK_S: Final = 0.2
WINDOW_BYTES: Final = f.WINDOW_BYTES_MAX - f.WINDOW_BYTES
_NUMBER: Final = Struct(">I")


class Answer:
    """The frames of an answer, in which only the number of the stream is missing."""

    def __init__(self, message: bytes) -> None:
        encoder = Encoder()
        encoder.header_table_size = 0  # as the generator wants it: every block stands for itself
        encoder.encode(())
        head = encoder.encode(((":status", "200"), ("content-type", "application/grpc")))
        trailers = encoder.encode((("grpc-status", "0"),))
        body = f.message(message)
        pieces = [body[at : at + f.FRAME_BYTES_MAX] for at in range(0, len(body), f.FRAME_BYTES_MAX)]
        frames = [f.frame(f.HEADERS, f.END_HEADERS, 0, head)]
        frames += [f.frame(f.DATA, 0, 0, piece) for piece in pieces]
        frames += [f.frame(f.HEADERS, f.END_HEADERS | f.END_STREAM, 0, trailers)]
        # The number goes between the first 5 bytes of a head and the payload.
        payloads = [frame[f.HEAD_BYTES :] for frame in frames]
        heads = [frame[: f.HEAD_BYTES - _NUMBER.size] for frame in frames]
        self._between = [after + before for after, before in zip(payloads, [*heads[1:], b""], strict=True)]
        self._first = heads[0]

    def on(self, stream: int) -> bytes:
        """The answer to the call of a stream."""
        number = _NUMBER.pack(stream)
        return self._first + number + number.join(self._between)


class Peer:
    """One connection, as the server."""

    def __init__(self, accepted: socket.socket, answer: Answer) -> None:
        self.socket = accepted
        self._answer = answer
        self._rest = b""
        self._preface = len(f.PREFACE)
        self._received = 0
        self.out = [f.settings({f.MAX_CONCURRENT_STREAMS: 2**20}), f.window_update(0, WINDOW_BYTES)]

    def answer(self) -> bool:
        """Read what has come and answer it; False at the end of the connection."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
            self._take(data)
            self.flush()
        except OSError:
            return False
        return bool(data)

    def _take(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) < self._preface:
            return
        at, size = self._preface, len(self._rest)
        while size - at >= f.HEAD_BYTES:
            head, flags, stream = f.HEAD.unpack_from(self._rest, at)
            end = at + f.HEAD_BYTES + (head >> 8)
            if end > size:
                break
            self._frame(head & 0xFF, flags, stream, at + f.HEAD_BYTES, end)
            at = end
        self._preface = 0
        self._rest = self._rest[at:]

    def _frame(self, kind: int, flags: int, stream: int, start: int, end: int) -> None:
        if kind == f.DATA:
            self._received += end - start
            if flags & f.END_STREAM:
                self.out.append(self._answer.on(stream))
            if self._received >= WINDOW_BYTES // 2:
                self.out.append(f.window_update(0, self._received))
                self._received = 0
        elif kind == f.SETTINGS and not flags & f.ACK:
            self.out.append(f.frame(f.SETTINGS, f.ACK, 0))
        elif kind == f.PING and not flags & f.ACK:
            self.out.append(f.frame(f.PING, f.ACK, 0, self._rest[start:end]))

    def flush(self) -> None:
        """Send all there is; the generator reads whenever we cannot go on."""
        self.socket.sendall(b"".join(self.out))
        self.out.clear()


def serve(message: bytes, tell: Callable[[int], None], stopped: Callable[[], bool]) -> None:
    """Answer every call with a message until told to stop; `tell` hears the port."""
    answer = Answer(message)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        tell(listening.getsockname()[1])
        peers: dict[socket.socket, Peer] = {}
        while not stopped():
            for ready in select.select([listening, *peers], (), (), LOOK_S)[0]:
                if ready is listening:
                    accepted, _ = listening.accept()
                    accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    peers[accepted] = Peer(accepted, answer)
                    peers[accepted].flush()
                elif not peers[ready].answer():
                    peers.pop(ready).socket.close()
