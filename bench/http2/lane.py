"""Connections that share a queue: the calls of one caller, in the order in which they were due."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from bench.http2.blocks import AnswerBlocks, RequestBlocks
from bench.http2.calls import Calls
from bench.http2.connection import DEADLINE_EXCEEDED, UNAVAILABLE, Connection, Stream

CONNECT_S: Final = 10.0
FLUSH_CALLS: Final = 32
"""Calls made before the socket is given what there is, so that the peer need not wait for all of them."""


class Lane:
    """Sends the calls that are due over a few connections in turn.

    Args:
        address: host and port of whoever serves gRPC without TLS.
        count: connections; lost ones are replaced.
        timeout_s: deadline of each call, told to the peer.
        window_bytes: how much of one answer may be under way.
        answers: blocks of answers, shared by all connections.

    Attributes:
        connections: those that are open, or were just now.
        due: times at which calls were due that found no place yet.

    Raises:
        OSError: the address cannot be reached.
    """

    def __init__(self, address: str, count: int, timeout_s: float, window_bytes: int, answers: AnswerBlocks) -> None:
        self.due: deque[int] = deque()
        self._address = address
        self._count = count
        self._timeout_s = timeout_s
        self._window_bytes = window_bytes
        self._answers = answers
        self._turn = 0
        self.connections = [self._open() for _ in range(count)]

    def under_way(self) -> int:
        """Calls that are due and have not ended."""
        return len(self.due) + sum(len(connection.streams) for connection in self.connections)

    def send(self, calls: Calls) -> None:
        """Send what is due, some to each connection in turn."""
        full = 0
        while self.due and full < len(self.connections):
            self._turn = (self._turn + 1) % len(self.connections)
            connection = self.connections[self._turn]
            part = min(len(self.due), connection.room, FLUSH_CALLS)
            full = 0 if part > 0 else full + 1
            for _ in range(part):
                kind, message, note = calls.next()
                connection.start(Stream(kind, note, self.due.popleft()), message)
            connection.flush()

    def give_up(self, calls: Calls, due_ns: int) -> Iterator[Stream]:
        """End the calls that were due before a time, and those that never found a place."""
        late: list[Stream] = []
        for connection in self.connections:
            for number, stream in list(connection.streams.items()):
                if stream.due_ns > due_ns:
                    break
                late.append(connection.cancel(number))
        while self.due and self.due[0] <= due_ns:
            kind, _, note = calls.next()
            late.append(Stream(kind, note, self.due.popleft()))
        for stream in late:
            stream.status = DEADLINE_EXCEEDED
            yield stream

    def replace(self) -> Iterator[Stream]:
        """Open connections for those that take no more calls; ends the calls of lost ones.

        What is answered on a draining one still is.
        """
        for connection in self.connections:
            if connection.closed:
                yield from connection.fail(UNAVAILABLE)
            if connection.closed or (connection.draining and not connection.streams):
                connection.socket.close()
        self.connections = [connection for connection in self.connections if connection.socket.fileno() >= 0]
        with suppress(OSError):  # it is down; the calls wait for it, until their deadlines
            while sum(not connection.draining for connection in self.connections) < self._count:
                self.connections.append(self._open())

    def close(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            connection.socket.close()

    def _open(self) -> Connection:
        host, _, port = self._address.rpartition(":")
        connected = socket.create_connection((host.strip("[]"), int(port)), CONNECT_S)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(0)
        blocks = RequestBlocks(self._address, self._timeout_s)
        return Connection(connected, blocks, self._answers, self._window_bytes)
