"""The loop of one load process: connections, a schedule, and calls that are sent, answered and noted."""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Iterable
from functools import partial
from typing import Final, Self

from bench.errors import BenchError
from bench.http2.blocks import OK, AnswerBlocks
from bench.http2.calls import Calls
from bench.http2.connection import STREAM_WINDOW_BYTES, Stream
from bench.http2.frames import PREFIX_BYTES, messages
from bench.http2.lane import CONNECT_S, Lane
from bench.http2.log import Log
from bench.pace import Schedule

RETRY_NS: Final = 100_000_000
"""Between attempts to replace a connection that was lost, and between looks for calls past their deadline."""
WAITING_MAX: Final = 2_000_000
"""Calls of a schedule that found no place on any connection."""
MALFORMED: Final = "MALFORMED"
"""An answer with status OK that is not exactly one message."""


class Client:
    """Sends calls over a few connections of its own.

    Args:
        address: host and port of whoever serves gRPC without TLS.
        connections: to it, for each of the calls that are `apart`; lost ones are replaced.
        timeout_s: deadline of each call, told to the peer and kept here.
        window_bytes: how much of one answer may be under way.
        lanes: how many calls that are `apart` it will send.

    Attributes:
        log: what became of the calls.
    """

    def __init__(
        self,
        address: str,
        connections: int,
        timeout_s: float,
        window_bytes: int = STREAM_WINDOW_BYTES,
        lanes: int = 1,
    ) -> None:
        self.log = Log()
        self._address = address
        self._timeout_s = timeout_s
        self._new_lane = partial(Lane, address, connections, timeout_s, window_bytes, AnswerBlocks())
        self._count = lanes
        self._lanes: list[Lane] = []
        self._retry_ns = 0

    def connect(self) -> Self:
        """Open all connections and wait until the peer has told how it wants to be used.

        Raises:
            BenchError: it cannot be reached, or says nothing.
        """
        try:
            self._lanes = [self._new_lane() for _ in range(self._count)]
        except OSError as error:
            raise BenchError(f"nobody answers at {self._address}: {error}") from error
        connections = [connection for lane in self._lanes for connection in lane.connections]
        until_ns = time.monotonic_ns() + int(CONNECT_S * 1e9)
        while not all(connection.greeted for connection in connections):
            if time.monotonic_ns() > until_ns or any(connection.closed for connection in connections):
                self.close()
                raise BenchError(f"{self._address} does not speak HTTP/2")
            self._exchange(until_ns - time.monotonic_ns())
        return self

    def close(self) -> None:
        """Close all connections."""
        for lane in self._lanes:
            lane.close()

    def drive(self, calls: Calls, schedule: Schedule) -> Log:
        """Send every call of a schedule and wait for the answers, or for their deadlines.

        Raises:
            BenchError: the peer broke HTTP/2, or far more calls wait than it lets us send.
        """
        lanes = list(zip(self._lanes, calls.apart(), strict=True))
        lanes.reverse()
        while True:
            now_ns = time.monotonic_ns()
            self._take(calls, schedule, now_ns)
            for lane, part in lanes:
                lane.send(part)
            wait_ns = schedule.wait_ns(time.monotonic_ns())
            if wait_ns is None and not self._under_way():
                return self.log
            ended = self._exchange(RETRY_NS if wait_ns is None else min(wait_ns, RETRY_NS))
            if pause_ns := schedule.pause_ns(ended):
                time.sleep(pause_ns / 1e9)
            if now_ns >= self._retry_ns:
                self._retry_ns = now_ns + RETRY_NS
                for lane, part in lanes:
                    self._note(lane.give_up(part, now_ns - int(self._timeout_s * 1e9)))
                    self._note(lane.replace())

    def _take(self, calls: Calls, schedule: Schedule, now_ns: int) -> None:
        times = schedule.take(now_ns, self._under_way())
        if not times:
            return
        if len(self._lanes) == 1:
            self._lanes[0].due.extend(times)
        else:
            for due_ns in times:
                self._lanes[calls.turn()].due.append(due_ns)
        if schedule.scheduled:
            for due_ns in times:
                self.log.late(due_ns, now_ns)
            if sum(len(lane.due) for lane in self._lanes) > WAITING_MAX:
                raise BenchError(f"more than {WAITING_MAX:,} calls found no place on their connections")

    def _under_way(self) -> int:
        return sum(lane.under_way() for lane in self._lanes)

    def _exchange(self, wait_ns: int) -> int:
        """Wait for the sockets at most so long, give and take what they have; returns how many calls ended."""
        alive = {
            connection.socket: connection
            for lane in self._lanes
            for connection in lane.connections
            if not connection.closed
        }
        if not alive:
            time.sleep(wait_ns / 1e9)
            return 0
        sending = [connected for connected, connection in alive.items() if connection.wants_to_send]
        # select() and not epoll: it waits in microseconds, and a schedule needs them.
        readable, writable, _ = select.select(alive, sending, (), wait_ns / 1e9)
        count = 0
        for connected in readable:
            ended = alive[connected].receive()
            self._note(ended)
            count += len(ended)
        for connected in {*readable, *writable}:
            alive[connected].flush()
        return count

    def _note(self, ended: Iterable[Stream]) -> None:
        done_ns = time.monotonic_ns()
        for stream in ended:
            kind = stream.kind
            answered, outcome = stream.status == OK, stream.status
            if answered and kind.judge is not None:
                message = (_stream if kind.framed else _message)(stream.body or [])
                answered, outcome = (False, MALFORMED) if message is None else (True, kind.judge(message, stream.note))
            self.log.ended((kind.name, answered, outcome), stream.due_ns, done_ns)


def _stream(body: list[bytes]) -> bytes | None:
    """All messages of an answer with their prefixes; None when they are not whole."""
    stream = b"".join(body)
    try:
        deque(messages(stream), maxlen=0)
    except ValueError:
        return None
    return stream


def _message(body: list[bytes]) -> bytes | None:
    """The one message of an answer; None when it is not one."""
    if len(body) == 1 and int.from_bytes(body[0][:PREFIX_BYTES], "big") == len(body[0]) - PREFIX_BYTES:
        return body[0][PREFIX_BYTES:]
    try:
        (message,) = messages(b"".join(body))
    except ValueError:
        return None
    return message
