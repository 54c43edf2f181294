"""The servers of a run: what their processes use, and that only one of them runs while it is measured.

A service that nobody calls still uses a twentieth of a core, most of it Ray's. With six of them beside the one that is
measured a sixth of a small machine would be gone, so the others stand still (SIGSTOP) meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

_running: Final[dict[str, int]] = {}
"""Process ids of the servers of this run, by address."""


def started(address: str, pid: int) -> None:
    """A server that this run started answers at `address`."""
    _running[address] = pid


def ended(address: str) -> None:
    """It does no more."""
    _running.pop(address, None)


@contextmanager
def alone(address: str) -> Iterator[None]:
    """Every other server of this run stands still until the block is left."""
    others = [process for other, pid in _running.items() if other != address for process in tree(pid)]
    try:
        for process in others:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        yield
    finally:
        for process in others:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def tree(pid: int) -> list[psutil.Process]:
    """A process and those that it and its children have now."""
    own = psutil.Process(pid)
    return [own, *own.children(recursive=True)]


def cpu_s(pid: int) -> float:
    """CPU time that such a tree has used so far, seconds; processes that have gone do not count."""
    total_s = 0.0
    for process in tree(pid):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total_s += times.user + times.system
    return total_s
