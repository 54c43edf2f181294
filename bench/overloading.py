"""The overload scenario: who buys and who settles what was held, memory meanwhile, and when all is well again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Final, Self

import grpc
import numpy as np
import psutil

from allocator.v1 import reservation_pb2 as pb
from allocator.v1.reservation_pb2_grpc import ReservationServiceStub
from bench.answers import first_number, words
from bench.errors import BenchError
from bench.http2 import Call, Calls, Kind
from bench.measured import Measured
from bench.pace import NS_PER_S
from bench.reserving import HELD, RESERVE, STATUSES, Shop
from bench.templates import PLACE, new_ids, reserve, template

HOLD: Final = "reserve"
SETTLE: Final = "settle"
HELD_BEFORE: Final = 2_000
"""Reservations that each process of the load has when it begins."""
BATCH: Final = 1_000
TIMEOUT_S: Final = 60.0
TRANSITIONS: Final = words(pb.TransitionStatus.items())
DONE: Final = "DONE"
LOOK_S: Final = 0.25
MIB: Final = 2**20
RAY: Final = ("gcs_server", "raylet", "dashboard", "log_monitor", "runtime_env", "autoscaler")
"""In the command lines of Ray's own processes."""
WINDOW_S: Final = 0.1
WINDOWS: Final = 5
"""So many windows in a row are well before latency counts as back."""
WELL_MS: Final = 20.0
WELL_SHARE: Final = 0.9


class Holds(Calls):
    """Reserves of one unit of anything; the names of what is held go to those who settle."""

    def __init__(self, shop: Shop, held: deque[bytes]) -> None:
        self._templates = [template(reserve([cell])) for cell in shop.cells()]
        self._chosen = cycle(np.random.default_rng().permutation(len(self._templates)).tolist())
        self._ids = new_ids()
        self._held = held
        self._kind = Kind(HOLD, RESERVE, self._judge)

    def next(self) -> Call:
        """Reserve."""
        before, after = self._templates[next(self._chosen)]
        return Call(self._kind, before + next(self._ids) + after)

    def _judge(self, answer: bytes, note: object) -> str:
        del note
        status = first_number(answer)
        if status == HELD:
            self._held.append(pb.ReserveResponse.FromString(answer).reservation.name.encode())
        return STATUSES[status]


class Settles(Calls):
    """A commit, a fulfilment of something committed, a release, and so on, of reservations that are there."""

    def __init__(self, held: deque[bytes]) -> None:
        self._held = held
        self._committed: deque[bytes] = deque()
        self._known = held.pop()
        self._ids = new_ids()
        rpcs = ("CommitReservation", "FulfilReservation", "ReleaseReservation")
        kinds = [Kind(SETTLE, f"/allocator.v1.ReservationService/{rpc}", self._judge) for rpc in rpcs]
        self._commit = kinds[0]
        self._turns = cycle(zip(kinds, (held, self._committed, held), strict=True))

    def next(self) -> Call:
        """Whatever has its turn; when there is nothing to settle, a commit again of the same one, which is DONE too."""
        kind, names = next(self._turns)
        if not names:
            kind, names = self._commit, deque((self._known,))
        name = names.popleft()
        message = b"\x0a%c%b\x12%c%b" % (len(name), name, len(PLACE), next(self._ids))
        return Call(kind, message, (kind, name))

    def _judge(self, answer: bytes, note: tuple[Kind, bytes]) -> str:
        kind, name = note
        outcome = TRANSITIONS[first_number(answer)]
        if kind is self._commit and outcome == DONE and name != self._known:
            self._committed.append(name)
        return outcome


class Memory:
    """Resident memory of the gateways and actors of a service, watched while the `with` block lasts.

    Attributes:
        before_mib: when it began.
        most_mib: the most since.
    """

    def __init__(self, processes: Callable[[], list[psutil.Process]]) -> None:
        self._processes = processes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.before_mib = self.most_mib = 0.0

    def __enter__(self) -> Self:
        self.before_mib = self.most_mib = self._now_mib()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.most_mib = max(self.most_mib, self._now_mib())

    def _watch(self) -> None:
        while not self._ended.wait(LOOK_S):
            self.most_mib = max(self.most_mib, self._now_mib())

    def _now_mib(self) -> float:
        return sum(map(_resident, self._processes())) / MIB


def back_s(measured: Measured, over_s: float) -> float | None:
    """How long after `over_s` until 9 in 10 calls take at most 20 ms, and do so for half a second; None: never."""
    due_ns, well = _well(measured)
    shares: list[bool] = []
    for window in range(int((measured.seconds - over_s) / WINDOW_S)):
        begin_ns = measured.start_ns + int((over_s + window * WINDOW_S) * NS_PER_S)
        within = (due_ns >= begin_ns) & (due_ns < begin_ns + int(WINDOW_S * NS_PER_S))
        shares.append(bool(within.any()) and float(well[within].mean()) >= WELL_SHARE)
        if len(shares) >= WINDOWS and all(shares[-WINDOWS:]):
            return (window + 1 - WINDOWS) * WINDOW_S
    return None


def _well(measured: Measured) -> tuple[np.ndarray, np.ndarray]:
    """When calls were due, and whether each was answered in time."""
    due, well = [], []
    for report in measured.reports:
        for (_, answered, _), times in report.times.items():
            due.append(times.due_ns)
            well.append(answered & (times.done_ns - times.due_ns <= WELL_MS * 1e6))
    return np.concatenate(due), np.concatenate(well)


def hold(shop: Shop, address: str) -> Iterator[bytes]:
    """Names of reservations, made now."""
    cells = shop.cells()
    ids = new_ids()
    with grpc.insecure_channel(address) as channel:
        stub = ReservationServiceStub(channel)
        for first in range(0, HELD_BEFORE, BATCH):
            asked = [reserve([cells[i % len(cells)]]) for i in range(first, min(first + BATCH, HELD_BEFORE))]
            for one in asked:
                one.request_id = next(ids).decode()
            answer = stub.BatchReserve(pb.BatchReserveRequest(reserves=asked), timeout=TIMEOUT_S)
            yield from (_name(result) for result in answer.results)


def _name(result: pb.BatchReserveResult) -> bytes:
    if not result.reserve.reservation.name:
        raise BenchError(f"not held: {result}")
    return result.reserve.reservation.name.encode()


def _resident(process: psutil.Process) -> int:
    try:
        if any(name in part for part in process.cmdline() for name in RAY):
            return 0
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # one of those that only come and go
        return 0
