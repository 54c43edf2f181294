"""`h2load` of nghttp2 (Debian: nghttp2-client), a load generator in C, to hold ours against."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from bench.errors import BenchError
from bench.http2.frames import message

HEADERS: Final = ("te: trailers", "content-type: application/grpc", "user-agent: allocator-bench")
WAIT_S: Final = 60.0
_RATE: Final = re.compile(r"finished in .*?, ([\d.]+) req/s")
_ANSWERED: Final = re.compile(r"status codes: [1-9]\d* 2xx, 0 3xx, 0 4xx, 0 5xx")


class Sent(NamedTuple):
    """What it did.

    Attributes:
        requests_per_s: answered; it looks at no grpc-status.
        cpu_s: CPU time it used, seconds.
    """

    requests_per_s: float
    cpu_s: float


def missing() -> str:
    """Why it cannot be used here; "" when it can."""
    return "" if shutil.which("h2load") else "h2load is not installed (Debian: nghttp2-client)"


def run(url: str, request: bytes, folder: Path, seconds: float, connections: int, in_flight: int) -> Sent:
    """Send one request again and again in a closed loop, from one thread.

    Args:
        url: of the method.
        request: serialised.
        folder: for the file it is sent from.
        seconds: measured, after a tenth of them to warm up.
        connections: to the server.
        in_flight: calls under way on all of them together.

    Raises:
        BenchError: it failed, or something was not answered with 200.
    """
    body = folder / "request.grpc"
    body.write_bytes(message(request))
    command = ["h2load", "-t", "1", "-c", str(connections), "-m", str(max(1, in_flight // connections))]
    # Whole seconds are all it takes.
    command += ["-D", str(max(1, round(seconds))), "--warm-up-time", "1", "-d", str(body)]
    for header in HEADERS:
        command += ["-H", header]
    before_s = _children_cpu_s()
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False, timeout=seconds + WAIT_S)
    rate = _RATE.search(done.stdout)
    if done.returncode or rate is None or _ANSWERED.search(done.stdout) is None:
        raise BenchError(f"h2load failed:\n{done.stdout}\n{done.stderr}")
    return Sent(float(rate[1]), _children_cpu_s() - before_s)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
