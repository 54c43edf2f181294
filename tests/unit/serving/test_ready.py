"""What a child of the supervisor prints after it is ready goes where somebody reads it."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "ready"), [("allocator.gateway.process", "say_ready(1)"), ("adapters.__main__", "_say_ready()")]
)
def test_a_child_that_prints_does_not_hang(module: str, ready: str) -> None:
    """Nobody reads the pipe behind stdout after the first line: more than it holds goes to stderr, to the logs."""
    code = f"import {module} as child; child.{ready}; print('x' * 1_000_000)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith(b"ready")
        assert process.wait(60) == 0
        assert process.stdout.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
