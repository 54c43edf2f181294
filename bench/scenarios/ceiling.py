"""The load generator against servers that do nothing: what it can send, so that it is not what others measure."""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

from allocator.v1 import availability_pb2 as pb
from bench import h2load
from bench.answers import first_number
from bench.echo import FRONTS, Echo, missing
from bench.errors import BenchError
from bench.http2 import Call, Calls, Kind
from bench.load import Load
from bench.load import run as run_load
from bench.measured import Measured
from bench.pace import ClosedLoop, OpenLoop, Pace
from bench.registry import Bench, Figure, Figures, scenario

CHECK: Final = "/allocator.v1.AvailabilityService/CheckAvailability"
OURS: Final = ("{}_per_s", "{}_cpu_share")
BESIDE: Final = ("h2load_{}_per_s", "ratio_h2load_{}")


class Size(NamedTuple):
    """How big the message and the load are."""

    locations: int = 12
    lines: int = 3
    processes: int = 2
    connections: int = 2
    in_flight: int = 128
    warm_up_s: float = 1.0
    rate_per_s: float = 10_000


@scenario(
    "ceiling",
    Figure("requests_per_s", "checks answered by the least a server can do, generator and server on this machine"),
    Figure("calls_per_cpu_s", "of them for each second of CPU time of the generator"),
    Figure("p50_ms", "half of them were answered within"),
    Figure("p99_ms", "99 in 100 of them were answered within"),
    Figure("late_ms", "at 10,000 calls/s on schedule 99 in 100 were taken up by the generator within"),
    Figure("envoy_per_s", "the same answered by a bare echo on Envoy"),
    Figure("envoy_cpu_share", "CPU time of the generator for it, as a share of one core"),
    Figure("h2load_envoy_per_s", "the same echo with h2load as the generator"),
    Figure("ratio_h2load_envoy", "ours as a share of it"),
    Figure("grpcio_per_s", "the same answered by a bare echo on grpc.aio"),
    Figure("grpcio_cpu_share", "CPU time of the generator for it, as a share of one core"),
    Figure("h2load_grpcio_per_s", "the same echo with h2load as the generator"),
    Figure("ratio_h2load_grpcio", "ours as a share of it"),
    Figure("errors", "calls that ended in an error", exactly=0),
)
def measure(bench: Bench) -> Figures:
    """The load generator itself: against bare sockets and a bare echo on both fronts, and h2load beside it."""
    return run(bench, Size())


def run(bench: Bench, size: Size) -> Figures:
    """Measure at a given size.

    Closed loops, each for a third of the time: bare sockets, then on each front ours and h2load on the same echo.
    Then a schedule on bare sockets, to see how late the generator comes to its calls.
    """
    figures = _raw(bench, size)
    for front in FRONTS:
        if reason := missing(front):
            bench.leave_out(reason, *(name.format(front) for name in (*OURS, *BESIDE)))
        else:
            ours = _front(bench, size, front)
            figures["errors"] += ours.pop("errors")
            figures |= ours
    return figures


def _raw(bench: Bench, size: Size) -> Figures:
    with Echo(bench.folder / "raw", "raw", {CHECK: _answer(size)}) as echo:
        most = _send(bench, size, echo.address, ClosedLoop(size.in_flight), "bare sockets")
        timed = _send(bench, size, echo.address, OpenLoop(size.rate_per_s), "bare sockets")
    return {
        "requests_per_s": most.requests_per_s,
        "calls_per_cpu_s": sum(most.outcomes.values()) / most.generator_cpu_s,
        "p50_ms": most.percentile_ms(50),
        "p99_ms": most.percentile_ms(99),
        "late_ms": timed.late_ms(99),
        "errors": most.errors + timed.errors,
    }


def _front(bench: Bench, size: Size, front: str) -> Figures:
    """Ours on one front, and h2load on the same echo."""
    with Echo(bench.folder / front, front, {CHECK: _answer(size)}) as echo:
        ours = _send(bench, size, echo.address, ClosedLoop(size.in_flight), front)
        figures: Figures = {
            f"{front}_per_s": ours.requests_per_s,
            f"{front}_cpu_share": ours.generator_cpu_s / (size.warm_up_s + bench.seconds / 3),
            "errors": ours.errors,
        }
        if reason := h2load.missing():
            bench.leave_out(reason, *(name.format(front) for name in BESIDE))
            return figures
        connections = size.connections * size.processes
        bench.tell(f"h2load on {front}")
        theirs = h2load.run(
            f"http://{echo.address}{CHECK}",
            _request(size),
            bench.folder,
            bench.seconds / 3,
            connections,
            size.in_flight,
        )
    return figures | {
        f"h2load_{front}_per_s": theirs.requests_per_s,
        f"ratio_h2load_{front}": ours.requests_per_s / theirs.requests_per_s,
    }


def _send(bench: Bench, size: Size, address: str, pace: Pace, where: str) -> Measured:
    make = partial(Checks, size)
    load = Load(address, make, pace, size.processes, size.warm_up_s, bench.seconds / 3, size.connections)
    measured = run_load(load, lambda text: bench.tell(f"{where}: {text}"))
    if not measured.outcomes["sufficient"]:
        raise BenchError(f"the echo on {where} did not answer as it was told to: {dict(measured.outcomes)}")
    return measured


class Checks(Calls):
    """The same check again and again."""

    def __init__(self, size: Size, number: int) -> None:
        del number
        self._call = Call(Kind("check", CHECK, _judge), _request(size))

    def next(self) -> Call:
        """The check."""
        return self._call


def _judge(answer: bytes, note: object) -> str:
    del note
    return "sufficient" if first_number(answer) else "insufficient"


def _request(size: Size) -> bytes:
    lines = [pb.AvailabilityLine(sku=_sku(i), quantity=1) for i in range(size.lines)]
    return pb.CheckAvailabilityRequest(lines=lines).SerializeToString()


def _answer(size: Size) -> bytes:
    """An answer as long as the service's with stock of every line at every location."""
    names = [f"locations/bench-{number}" for number in range(1, size.locations + 1)]
    answer = pb.CheckAvailabilityResponse(sufficient=True)
    for i in range(size.lines):
        line = answer.lines.add(sku=_sku(i), requested=1, sufficient=True, total=100 * size.locations)
        for name in names:
            line.quantities.add(location=name, available=100)
    for name in names:
        answer.versions.add(location=name, version=1_000)
        answer.ages.add(location=name).age.nanos = 20_000_000
    return answer.SerializeToString()


def _sku(i: int) -> str:
    return f"check-{i:08d}"
