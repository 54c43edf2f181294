"""A server made of the library h2, which knows HTTP/2 by heart, on the other end of a connection of the load client."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

import h2.config
import h2.connection
import h2.events
import h2.settings

from bench.http2.blocks import AnswerBlocks, RequestBlocks
from bench.http2.connection import Connection, Stream
from bench.http2.frames import message

Headers = list[tuple[str, str]]
HEAD: Headers = [(":status", "200"), ("content-type", "application/grpc")]
OK: Headers = [("grpc-status", "0")]


class Pair:
    """A connection of the load client and the server of it.

    Args:
        window_bytes: of the client, for one answer.
        settings: of the server.

    Attributes:
        requests: headers and body of each stream.
        ended: the calls that ended, in that order.
    """

    def __init__(self, window_bytes: int = 65_535, settings: dict[h2.settings.SettingCodes, int] | None = None) -> None:
        ours, self._socket = socket.socketpair()
        ours.settimeout(0)
        self._socket.settimeout(0)
        self.client = Connection(ours, RequestBlocks("bench", 30), AnswerBlocks(), window_bytes)
        self.server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.server.local_settings = h2.settings.Settings(client=False, initial_values=settings or {})
        self.server.initiate_connection()
        self.requests: dict[int, tuple[dict[str, str], bytearray]] = {}
        self.complete: list[int] = []
        self.events: list[h2.events.Event] = []
        self.ended: list[Stream] = []
        self._answers: dict[int, bytearray] = {}
        self._trailers: dict[int, Headers] = {}

    def answer(self, number: int, body: bytes, trailers: Headers = OK) -> None:
        """Answer a stream with a message, as fast as the client takes it."""
        self.server.send_headers(number, HEAD)
        self._answers[number] = bytearray(message(body))
        self._trailers[number] = trailers

    def exchange(self, sizes: Iterator[int] | None = None) -> None:
        """Carry bytes both ways until both are silent; to the client in pieces of these sizes."""
        while self._to_server() | self._to_client(sizes):
            pass

    def close(self) -> None:
        """Close both ends."""
        self._socket.close()
        self.client.socket.close()

    def _to_server(self) -> bool:
        self.client.flush()
        try:
            data = self._socket.recv(2**16)
        except BlockingIOError:
            return False
        for event in self.server.receive_data(data):
            self._happened(event)
        return True

    def _happened(self, event: h2.events.Event) -> None:
        self.events.append(event)
        if isinstance(event, h2.events.RequestReceived):
            headers = {_text(name): _text(value) for name, value in event.headers}
            self.requests[event.stream_id] = (headers, bytearray())
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id][1].extend(event.data)
            self.server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.complete.append(event.stream_id)

    def _to_client(self, sizes: Iterator[int] | None) -> bool:
        for number in list(self._answers):
            self._send_body(number)
        data = self.server.data_to_send()
        for piece in _pieces(data, sizes):
            self.ended += self.client.take(piece)
        return bool(data)

    def _send_body(self, number: int) -> None:
        body = self._answers[number]
        room = min(self.server.local_flow_control_window(number), self.server.max_outbound_frame_size)
        if room > 0 and body:
            self.server.send_data(number, bytes(body[:room]))
            del body[:room]
        if not body:
            del self._answers[number]
            self.server.send_headers(number, self._trailers.pop(number), end_stream=True)


def _pieces(data: bytes, sizes: Iterator[int] | None) -> Iterable[bytes]:
    at = 0
    while at < len(data):
        size = len(data) if sizes is None else next(sizes)
        yield data[at : at + size]
        at += size


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
