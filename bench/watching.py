"""Watchers: processes that hold many watch streams open and note every change they are told."""

from __future__ import annotations

import gc
import multiprocessing
import select
import socket
import time
import traceback
from array import array
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from allocator.v1 import availability_pb2 as pb
from bench.errors import BenchError
from bench.http2.blocks import AnswerBlocks, RequestBlocks
from bench.http2.calls import Kind
from bench.http2.connection import Connection, Stream
from bench.http2.frames import PREFIX_BYTES

WATCH: Final = Kind("watch", "/allocator.v1.AvailabilityService/WatchAvailability")
LIVE_S: Final = 600.0
"""Deadline of the streams."""
OPEN_S: Final = 60.0
SETTLE_S: Final = 10.0
"""How long after the last write a watcher may take to know it."""
LOOK_S: Final = 0.2
OPENING_MAX: Final = 8
"""Streams of a process that wait for their first picture: a service may refuse some of a thousand at once."""

Cell = tuple[str, str]
"""SKU and location, as the API names them."""


class Watch(NamedTuple):
    """One stream: the SKUs it watches at all locations, and the units whose crossing it wants to hear of, if any."""

    skus: Sequence[str]
    threshold: int | None


class Heard(NamedTuple):
    """What one process was told.

    Attributes:
        cells, values, times_ns: of every change after the first pictures: place in the list of cells, units, and when
            it arrived, ns of the monotonic clock; int64, shape (changes,).
        missed: cells of all streams whose last value is not that of the ledger.
        cpu_s: CPU time it used.
    """

    cells: NDArray[np.int64]
    values: NDArray[np.int64]
    times_ns: NDArray[np.int64]
    missed: int
    cpu_s: float


class Watchers:
    """Streams spread over a few processes; ends with the `with` block.

    Args:
        address: of the service.
        watches: the streams.
        cells: all (SKU, location) that can change.
        processes, connections: how many, and how many connections each has.
    """

    def __init__(
        self, address: str, watches: Sequence[Watch], cells: Sequence[Cell], processes: int, connections: int
    ) -> None:
        self._pipes: list[Pipe] = []
        self._workers = []
        context = multiprocessing.get_context("spawn")
        for number in range(processes):
            ours, theirs = context.Pipe()
            part = watches[number::processes]
            worker = context.Process(target=_work, args=(address, part, cells, connections, theirs), daemon=True)
            worker.start()
            theirs.close()
            self._pipes.append(ours)
            self._workers.append(worker)

    def __enter__(self) -> Self:
        self._receive(OPEN_S)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.kill()
            worker.join()

    def finish(self, final: Sequence[int]) -> list[Heard]:
        """Wait until every stream knows the `final` value of each cell, or a while has passed; all they were told.

        Raises:
            BenchError: a stream ended.
        """
        for pipe in self._pipes:
            pipe.send(list(final))
        return self._receive(SETTLE_S + OPEN_S)

    def _receive(self, timeout_s: float) -> list[Any]:
        """A message of each process."""
        messages = []
        for pipe in self._pipes:
            if not wait((pipe,), timeout_s):
                raise BenchError(f"watchers did not answer within {timeout_s:g} s")
            try:
                message = pipe.recv()
            except EOFError:
                raise BenchError("watchers ended without a word") from None
            if isinstance(message, str):
                raise BenchError(f"watchers failed:\n{message}")
            messages.append(message)
        return messages


class Incoming(list[bytes]):
    """The body of a stream whose messages are handed over as they come."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        super().__init__()
        self._take = take
        self._rest = b""

    def append(self, piece: bytes, /) -> None:
        """More bytes."""
        data = self._rest + piece if self._rest else piece
        at = 0
        while len(data) - at >= PREFIX_BYTES:
            end = at + PREFIX_BYTES + int.from_bytes(data[at + 1 : at + PREFIX_BYTES], "big")
            if end > len(data):
                break
            self._take(data[at + PREFIX_BYTES : end])
            at = end
        self._rest = data[at:]


class Watcher:
    """One stream and what it knows: units by place in the list of cells."""

    def __init__(self, watch: Watch, places: Mapping[Cell, int], log: Log) -> None:
        self.complete = False
        self.known: dict[int, int] = {}
        self._threshold = watch.threshold
        self._places = places
        self._log = log

    def take(self, message: bytes) -> None:
        """A part of the stream."""
        now_ns = time.monotonic_ns()
        update = pb.WatchAvailabilityResponse.FromString(message)
        for change in update.changes:
            place = self._places[change.sku, change.location]
            self.known[place] = change.available
            if not update.snapshot:
                self._log.note(place, change.available, now_ns)
        if update.snapshot and update.versions:
            self.complete = True

    def missed(self, final: Sequence[int]) -> int:
        """Cells of which it does not know the last."""
        if self._threshold is None:
            return sum(units != final[place] for place, units in self.known.items())
        least = self._threshold
        return sum((units >= least) != (final[place] >= least) for place, units in self.known.items())


class Log:
    """Changes in columns."""

    def __init__(self) -> None:
        self._columns = array("q"), array("q"), array("q")

    def note(self, place: int, units: int, now_ns: int) -> None:
        """A change."""
        cells, values, times = self._columns
        cells.append(place)
        values.append(units)
        times.append(now_ns)

    def heard(self, missed: int, cpu_s: float) -> Heard:
        """All of them."""
        cells, values, times_ns = (np.array(column, np.int64) for column in self._columns)
        return Heard(cells, values, times_ns, missed, cpu_s)


def _work(address: str, watches: Sequence[Watch], cells: Sequence[Cell], connections: int, pipe: Pipe) -> None:
    """The life of one process."""
    try:
        pipe.send(_watch(address, watches, cells, connections, pipe))
    except Exception:  # noqa: BLE001  # told to the parent, which raises
        pipe.send(traceback.format_exc())


def _watch(address: str, watches: Sequence[Watch], cells: Sequence[Cell], connections: int, pipe: Pipe) -> Heard:
    log = Log()
    places = {cell: place for place, cell in enumerate(cells)}
    watchers = [Watcher(watch, places, log) for watch in watches]
    lines = _Lines(address, connections)
    lines.until(lambda: all(line.greeted for line in lines.connections), OPEN_S)
    opening: list[Watcher] = []
    for number, (watcher, watch) in enumerate(zip(watchers, watches, strict=True)):
        while len(opening) >= OPENING_MAX:
            lines.exchange()
            opening = [begun for begun in opening if not begun.complete]
        lines.start(number, watcher, watch)
        opening.append(watcher)
    if not lines.until(lambda: all(watcher.complete for watcher in watchers), OPEN_S):
        raise BenchError(f"{sum(not watcher.complete for watcher in watchers)} streams have no picture yet")
    gc.freeze()
    gc.disable()
    began_s = time.process_time()
    pipe.send(len(watchers))
    lines.until(pipe.poll, LIVE_S)
    final = pipe.recv()
    lines.until(lambda: not any(watcher.missed(final) for watcher in watchers), SETTLE_S)
    missed = sum(watcher.missed(final) for watcher in watchers)
    return log.heard(missed, time.process_time() - began_s)


class _Lines:
    """The connections of a process."""

    def __init__(self, address: str, count: int) -> None:
        answers = AnswerBlocks()
        self.connections: list[Connection] = []
        for _ in range(count):
            host, _, port = address.rpartition(":")
            connected = socket.create_connection((host, int(port)), OPEN_S)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connected.settimeout(0)
            self.connections.append(Connection(connected, RequestBlocks(address, LIVE_S), answers))

    def start(self, number: int, watcher: Watcher, watch: Watch) -> None:
        """Open a stream."""
        connection = self.connections[number % len(self.connections)]
        if connection.room <= 0:
            raise BenchError("the service takes no more streams on a connection")
        stream = Stream(WATCH, None, 0)
        stream.body = Incoming(watcher.take)
        request = pb.WatchAvailabilityRequest(skus=watch.skus, threshold=watch.threshold)
        connection.start(stream, request.SerializeToString())

    def until(self, done: Callable[[], bool], timeout_s: float) -> bool:
        """Give and take until something is so, looked at a few times a second; False when time was up before."""
        until_s = time.monotonic() + timeout_s
        look_s = 0.0
        while (now_s := time.monotonic()) < until_s:
            if now_s >= look_s:
                if done():
                    return True
                look_s = now_s + LOOK_S
            self.exchange()
        return False

    def exchange(self) -> None:
        """Give and take once, or wait a little when there is nothing."""
        by_socket = {connection.socket: connection for connection in self.connections}
        sending = [line for line, connection in by_socket.items() if connection.wants_to_send]
        readable, writable, _ = select.select(by_socket, sending, (), LOOK_S)
        for line in readable:
            if ended := by_socket[line].receive():
                raise BenchError(f"{len(ended)} streams ended: {ended[0].status}")
        for line in {*readable, *writable}:
            by_socket[line].flush()
