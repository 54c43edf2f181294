"""A bare echo: the messages of a real service over gRPC, and nothing behind them.

What a service reaches of its rate shows what it adds to its front. It runs in a process of its own, `grpcio` as
`grpc.aio` with generic handlers, `envoy` as a small ASGI application under pyvoy.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from allocator.gateway.fronts import ENVOY, GRPCIO, envoy_installed
from bench import processes
from bench.echo_server import ANSWERS
from bench.errors import BenchError
from bench.http2 import Call, Calls, Client, Kind
from bench.load import Load, run
from bench.machine import ROOT
from bench.measured import Measured
from bench.pace import Schedule
from bench.registry import Bench

FRONTS: Final = (ENVOY, GRPCIO)
START_S: Final = 30.0
STOP_S: Final = 10.0
LOOK_S: Final = 0.02

Answers = Mapping[str, bytes]
"""The serialised answer of each path."""


def missing(front: str) -> str:
    """Why there is no such front here; "" when there is."""
    return "pyvoy is not installed" if front == ENVOY and not envoy_installed() else ""


def beside(bench: Bench, load: Load, front: str) -> Measured:
    """The same load on an echo of the answers that a service gives to it now.

    Its messages are those of the service, its calls those of the load, so the rate of the service as a share of this
    one is what its own work leaves of what its front can do.
    """
    answers = record(load.address, load.make(0))
    with Echo(bench.folder / f"echo-{front}", front, answers) as echo:
        return run(load._replace(address=echo.address), lambda text: bench.tell(f"echo on {front}: {text}"))


def record(address: str, calls: Calls, count: int = 1_000) -> dict[str, bytes]:
    """Send so many calls one after the other and return the last answer of each path.

    Raises:
        BenchError: one of them was not answered with OK.
    """
    answers: dict[str, bytes] = {}
    client = Client(address, 1, START_S).connect()
    log = client.drive(_Recorded(calls, answers), _Count(count))
    client.close()
    if failed := [key for key in log.times() if not key[1]]:
        raise BenchError(f"these calls were to be recorded, and failed: {failed}")
    return answers


class Echo:
    """An echo on a free port; ends with the `with` block.

    Args:
        folder: for its answers and its log.
        front: `envoy`, `grpcio`, or `raw`: bare sockets, and the same answer whatever the path.
        answers: by path.

    Attributes:
        address: where it answers.
    """

    def __init__(self, folder: Path, front: str, answers: Answers) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.address = ""
        self._front = front
        self._answers = folder / "answers.json"
        self._port = folder / "port"
        self._log = folder / "echo.log"
        self._process: subprocess.Popen[bytes] | None = None
        texts = {path: base64.b64encode(answer).decode() for path, answer in answers.items()}
        self._answers.write_text(json.dumps(texts), encoding="utf-8")

    def __enter__(self) -> Self:
        self._port.unlink(missing_ok=True)
        command = [sys.executable, "-m", "bench.echo_server", self._front, str(self._port)]
        environment = os.environ | {ANSWERS: str(self._answers)}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait()
        processes.started(self.address, self._process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        processes.ended(self.address)
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _wait(self) -> None:
        """Wait until it answers: Envoy tells its port before it is up."""
        until_s = time.monotonic() + START_S
        while not self._answers_now():
            assert self._process is not None
            if self._process.poll() is not None or time.monotonic() > until_s:
                self.__exit__()
                raise BenchError(
                    f"the echo did not come up:\n{self._log.read_text(encoding='utf-8', errors='replace')}"
                )
            time.sleep(LOOK_S)

    def _answers_now(self) -> bool:
        if not self._port.exists():
            return False
        self.address = f"127.0.0.1:{self._port.read_text(encoding='utf-8')}"
        with suppress(BenchError):
            Client(self.address, 1, START_S).connect().close()
            return True
        return False


class _Recorded(Calls):
    """Calls whose answers are kept, the last one of each path."""

    def __init__(self, calls: Calls, answers: dict[str, bytes]) -> None:
        self._calls = calls
        self._answers = answers
        self._kinds: dict[Kind, Kind] = {}

    def next(self) -> Call:
        call = self._calls.next()
        kind = self._kinds.get(call.kind)
        if kind is None:
            kind = self._kinds[call.kind] = replace(call.kind, judge=self._keep)
        return Call(kind, call.message, call)

    def _keep(self, answer: bytes, call: Call) -> str:
        self._answers[call.kind.path] = answer
        return "OK" if call.kind.judge is None else call.kind.judge(answer, call.note)


class _Count(Schedule):
    """So many calls, one after the other."""

    scheduled = False

    def __init__(self, count: int) -> None:
        self._left = count

    def take(self, now_ns: int, under_way: int) -> Sequence[int]:
        if under_way or not self._left:
            return ()
        self._left -= 1
        return (now_ns,)

    def wait_ns(self, now_ns: int) -> int | None:
        del now_ns
        return None
