"""The load generator: processes that send calls at a pace and note when each was due and when it was answered.

A scenario says what to send (`Calls`) and when (`Pace`); a target is an address that speaks `allocator.v1`, whoever
serves it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
import traceback
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NamedTuple

import grpc
import numpy as np
from numpy.typing import NDArray

from allocator.runtime.actor import tune_gc
from bench.errors import BenchError
from bench.pace import Pace

READY_S: Final = 60.0
GRACE_S: Final = 60.0
"""How long after the end the last answers may take."""
NS_PER_S: Final = 1_000_000_000
CHANNEL: Final = (
    ("grpc.use_local_subchannel_pool", 1),  # a connection for each process, not one for all
    ("grpc.max_receive_message_length", 16 * 2**20),
)


class Calls(ABC):
    """What one process sends. Made there, so it may hold what cannot be sent to another process."""

    @abstractmethod
    def connect(self, channel: grpc.aio.Channel) -> None:
        """Take the channel to send on."""

    @abstractmethod
    async def send(self) -> str:
        """Send the next call and return how it was answered, in a word or two."""

    def tally(self) -> Any:  # noqa: ANN401  # whatever the scenario wants to know
        """What this process knows of its calls besides their outcomes; sent back, so it has to pickle."""
        return None


class Load(NamedTuple):
    """What to send where.

    Attributes:
        address: of whoever serves `allocator.v1`.
        make: makes the calls of process number n; sent to it, so it has to pickle.
        pace: when to send, all processes together.
        processes: to send from.
        warm_up_s: sent like the rest, and not measured.
        seconds: measured.
    """

    address: str
    make: Callable[[int], Calls]
    pace: Pace
    processes: int
    warm_up_s: float
    seconds: float


class Measured(NamedTuple):
    """What became of a load.

    Attributes:
        requests_per_s: answered within the time measured; errors do not count.
        latencies_ms: of the calls that were due within it and answered: float64, ascending, shape (calls,).
        outcomes: how many calls were answered how, those of the warm-up among them.
        errors: how many of all ended in an error.
        tallies: of each process.
    """

    requests_per_s: float
    latencies_ms: NDArray[np.float64]
    outcomes: Counter[str]
    errors: int
    tallies: list[Any]

    def percentile_ms(self, percent: float) -> float:
        """The latency that `percent` of the calls did not exceed."""
        return float(np.percentile(self.latencies_ms, percent)) if self.latencies_ms.size else float("nan")


class _Report(NamedTuple):
    """What a process sends back: due and done are int64 ns of the machine's monotonic clock."""

    due_ns: NDArray[np.int64]
    done_ns: NDArray[np.int64]
    outcomes: Counter[str]
    errors: int
    tally: Any


def run(load: Load, tell: Callable[[str], None]) -> Measured:
    """Send a load and measure.

    Raises:
        BenchError: a process failed, or did not come back.
    """
    context = multiprocessing.get_context("spawn")
    workers, pipes = [], []
    for number in range(load.processes):
        ours, theirs = context.Pipe()
        worker = context.Process(target=_work, args=(load, number, theirs), daemon=True)
        worker.start()
        theirs.close()
        workers.append(worker)
        pipes.append(ours)
    try:
        _gather(pipes, READY_S)
        start_ns = time.monotonic_ns() + int(load.warm_up_s * NS_PER_S)
        for pipe in pipes:
            pipe.send(start_ns)
        tell(
            f"{load.processes} processes, {load.pace}, {load.warm_up_s:g} s to warm up and {load.seconds:g} s measured"
        )
        reports = _gather(pipes, load.warm_up_s + load.seconds + GRACE_S)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    return _measured(reports, start_ns, load.seconds)


def _gather(pipes: Sequence[Connection], timeout_s: float) -> list[Any]:
    """One message from each process, in their order."""
    messages: dict[int, Any] = {}
    deadline_s = time.monotonic() + timeout_s
    while len(messages) < len(pipes):
        missing = [pipe for number, pipe in enumerate(pipes) if number not in messages]
        ready = wait(missing, max(0.0, deadline_s - time.monotonic()))
        if not ready:
            raise BenchError(f"{len(missing)} load processes did not answer within {timeout_s:g} s")
        for number, pipe in enumerate(pipes):
            if pipe in ready:
                messages[number] = _receive(pipe)
    return [messages[number] for number in range(len(pipes))]


def _receive(pipe: Connection) -> Any:  # noqa: ANN401  # readiness or a report
    try:
        message = pipe.recv()
    except EOFError:
        raise BenchError("a load process ended without a word") from None
    if isinstance(message, str):
        raise BenchError(f"a load process failed:\n{message}")
    return message


def _measured(reports: Sequence[_Report], start_ns: int, seconds: float) -> Measured:
    due_ns = np.concatenate([report.due_ns for report in reports])
    done_ns = np.concatenate([report.done_ns for report in reports])
    end_ns = start_ns + int(seconds * NS_PER_S)
    answered = int(np.count_nonzero((done_ns >= start_ns) & (done_ns < end_ns)))
    within = (due_ns >= start_ns) & (due_ns < end_ns)
    return Measured(
        requests_per_s=answered / seconds,
        latencies_ms=np.sort((done_ns[within] - due_ns[within]) / 1e6),
        outcomes=sum((report.outcomes for report in reports), Counter[str]()),
        errors=sum(report.errors for report in reports),
        tallies=[report.tally for report in reports],
    )


def _work(load: Load, number: int, pipe: Connection) -> None:
    """The life of one process."""
    try:
        tune_gc()
        pipe.send(asyncio.run(_drive(load, number, pipe)))
    except Exception:  # noqa: BLE001  # told to the parent, which raises
        pipe.send(traceback.format_exc())


async def _drive(load: Load, number: int, pipe: Connection) -> _Report:
    calls = load.make(number)
    due_ns: list[int] = []
    done_ns: list[int] = []
    outcomes: Counter[str] = Counter()
    errors = 0

    async def send(due: int) -> None:
        nonlocal errors
        try:
            outcome = await calls.send()
        except grpc.aio.AioRpcError as error:
            outcomes[error.code().name] += 1
            errors += 1
            return
        done_ns.append(time.monotonic_ns())
        due_ns.append(due)
        outcomes[outcome] += 1

    async with grpc.aio.insecure_channel(load.address, CHANNEL) as channel:
        calls.connect(channel)
        await channel.channel_ready()
        pipe.send(number)
        start_ns = pipe.recv()
        await load.pace.share(load.processes).drive(send, start_ns + int(load.seconds * NS_PER_S))
    return _Report(np.array(due_ns, np.int64), np.array(done_ns, np.int64), outcomes, errors, calls.tally())
