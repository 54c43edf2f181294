"""A peer to measure, beside `bench.service.Service`: in a process of its own, with its data in a folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from allocator.gateway.fronts import GRPCIO
from bench import processes
from bench.errors import BenchError
from bench.machine import ROOT
from bench.peers import fronts
from bench.peers.kinds import KINDS

NAMES: Final = tuple(KINDS)
STOP_S: Final = 60.0
LOG_LINES: Final = 20


def available(name: str, front: str = GRPCIO) -> str:
    """Why a peer cannot run here; "" when it can."""
    return fronts.missing(front) or KINDS[name].missing()


class Peer:
    """`python -m bench.peers`; ends with the `with` block, and leaves nothing behind.

    Args:
        name: one of `NAMES`.
        folder: for its data and its log.
        front: grpcio or envoy.
        width: calls to its store under way at once; 0: the best that was measured.

    Attributes:
        address: where it answers, once it is started.
        about: how it is tuned, in a line.
        started_s: how long the last start took.
    """

    def __init__(self, name: str, folder: Path, front: str = GRPCIO, width: int = 0) -> None:
        self.name = name
        self.about = KINDS[name].about
        self.address = ""
        self.started_s = 0.0
        self._folder = folder
        self._options = ("--front", front, "--width", str(width))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, with what a killed one left in the folder, and wait until it serves.

        Raises:
            BenchError: it ended instead; with the end of its log.
        """
        began_s = time.monotonic()
        self._folder.mkdir(parents=True, exist_ok=True)
        # Settings of whoever runs the benchmark are not those of the benchmark; the address of a store is.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALLOCATOR_")}
        environment |= {name: os.environ[name] for name in ("ALLOCATOR_TEST_POSTGRES",) if name in os.environ}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bench.peers", self.name, "--folder", str(self._folder), *self._options],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, and then we end it
            )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if words[:1] != [b"ready"]:
            self.kill()
            lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
            raise BenchError("\n".join((f"the peer {self.name} does not start; its log ends:", *lines)))
        self.address = f"127.0.0.1:{int(words[1])}"
        processes.started(self.address, self._process.pid)
        self.started_s = time.monotonic() - began_s

    def stop(self) -> None:
        """End it and remove what it had."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
        self.kill()

    def kill(self) -> None:
        """End it at once, as a crash would: server processes of its own and all."""
        if self._process is None:
            return
        process, self._process = self._process, None
        processes.ended(self.address)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()

    def cpu_s(self) -> float:
        """CPU time that it and the processes it has now have used so far, seconds; not that of a shared server."""
        assert self._process is not None
        return processes.cpu_s(self._process.pid)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _log(self) -> Path:
        return self._folder / f"{self.name}.log"
