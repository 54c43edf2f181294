"""The load generator: processes that send calls at a pace and note when each was due and when it was answered.

A scenario says what to send (`Calls`) and when (`Pace`); a target is an address that speaks gRPC, whoever serves it.
Each process drives raw sockets (`bench.http2`), so that the generator is not what is measured.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NamedTuple

from bench.errors import BenchError
from bench.http2 import Calls, Client
from bench.measured import Measured, Report
from bench.pace import NS_PER_S, Pace

READY_S: Final = 60.0
GRACE_S: Final = 30.0
"""How long after the last deadline the reports may take."""
BEHIND_MS: Final = 1.0
"""A generator that comes this late to 1 call in 100 is told of."""


class Load(NamedTuple):
    """What to send where.

    Attributes:
        address: of whoever serves gRPC.
        make: makes the calls of process number n; sent to it, so it has to pickle.
        pace: when to send, all processes together.
        processes: to send from.
        warm_up_s: sent like the rest, and not measured.
        seconds: measured.
        connections: of each process, for each of the calls that are `apart`.
        timeout_s: deadline of each call.
    """

    address: str
    make: Callable[[int], Calls]
    pace: Pace
    processes: int
    warm_up_s: float
    seconds: float
    connections: int = 2
    timeout_s: float = 30.0


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
        reports = _gather(pipes, load.warm_up_s + load.seconds + load.timeout_s + GRACE_S)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    measured = Measured(reports, start_ns, load.seconds)
    if (late_ms := measured.late_ms(99)) > BEHIND_MS:
        tell(
            f"the generator itself was {late_ms:.1f} ms late for 1 call in 100, {measured.late_ms(100):.1f} ms at worst"
        )
    return measured


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


def _work(load: Load, number: int, pipe: Connection) -> None:
    """The life of one process."""
    try:
        pipe.send(_drive(load, number, pipe))
    except Exception:  # noqa: BLE001  # told to the parent, which raises
        pipe.send(traceback.format_exc())


def _drive(load: Load, number: int, pipe: Connection) -> Report:
    calls = load.make(number)
    client = Client(load.address, load.connections, load.timeout_s, lanes=len(calls.apart())).connect()
    # What is there stays, and calls leave no cycles behind: a collection would find nothing, in the middle of a load.
    gc.freeze()
    gc.disable()
    pipe.send(number)
    start_ns: int = pipe.recv()
    begin_ns, end_ns = start_ns - int(load.warm_up_s * NS_PER_S), start_ns + int(load.seconds * NS_PER_S)
    began_s = time.process_time()
    log = client.drive(calls, load.pace.schedule(number, load.processes, begin_ns, end_ns))
    report = Report(log.times(), log.taken(), time.process_time() - began_s, calls.tally())
    client.close()
    return report
