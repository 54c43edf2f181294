"""Child processes of the service: gateways and adapters, started, watched, restarted and drained."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

RESTART_MIN_S: Final = 0.5
RESTART_MAX_S: Final = 10.0

log = structlog.get_logger("allocator.serve")


class Child:
    """One child process.

    It gets its settings as one line of JSON on stdin and says `ready` on stdout. Its stdin stays open as long as we
    live: at its end the child knows that nobody looks after it any more and ends too, even after a SIGKILL of ours.
    """

    def __init__(self, name: str, module: Sequence[str], settings: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = [sys.executable, "-m", *module]
        self._settings = settings
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._wait_s = RESTART_MIN_S
        self._again_s = 0.0
        self._started_s = 0.0

    @property
    def pid(self) -> int:
        """Process id of the running child, 0 when there is none."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start the process and hand it its settings."""
        self._process = subprocess.Popen(  # noqa: S603  # our own modules
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._environment
        )
        assert self._process.stdin is not None
        self._started_s = time.monotonic()
        with contextlib.suppress(BrokenPipeError):  # it died at once; `check` tells and restarts
            self._process.stdin.write(self._settings.encode() + b"\n")
            self._process.stdin.flush()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait for the `ready` line; false when the child ended or took too long."""
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            deadline_s = time.monotonic() + timeout_s
            while (left_s := deadline_s - time.monotonic()) > 0 and self._process.poll() is None:
                if selector.select(min(left_s, 0.2)):
                    return self._process.stdout.readline().startswith(b"ready")
        return False

    def check(self) -> None:
        """Start the process again if it ended, later each time it does not last."""
        if self._process is None or self._process.poll() is None:
            return
        now_s = time.monotonic()
        if not self._again_s:
            self._wait_s = (
                RESTART_MIN_S if now_s - self._started_s > RESTART_MAX_S else min(2 * self._wait_s, RESTART_MAX_S)
            )
            self._again_s = now_s + self._wait_s
            log.error("child ended", child=self.name, code=self._process.returncode, restart_in_s=self._wait_s)
        elif now_s >= self._again_s:
            self._again_s = 0.0
            self._close_pipes()
            self.start()

    def terminate(self) -> None:
        """Ask it to finish what it has accepted and end."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def join(self, timeout_s: float) -> None:
        """Wait for its end; past the timeout end it."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            log.error("child does not end, killing it", child=self.name, waited_s=timeout_s)  # noqa: TRY400
            self._process.kill()
            self._process.wait()
        self._close_pipes()

    def _close_pipes(self) -> None:
        assert self._process is not None
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def stop_all(children: Sequence[Child], timeout_s: float, told: Callable[[str], None]) -> None:
    """Drain `children` side by side."""
    for child in children:
        child.terminate()
    deadline_s = time.monotonic() + timeout_s
    for child in children:
        child.join(max(0.1, deadline_s - time.monotonic()))
        told(child.name)
