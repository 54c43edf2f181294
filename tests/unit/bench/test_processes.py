"""Servers that are not measured stand still, and go on afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from bench import processes


@contextmanager
def server(address: str) -> Iterator[psutil.Process]:
    """A process with a child, as servers have them."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", "sleep 600 & echo ready; wait"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    processes.started(address, process.pid)
    try:
        yield psutil.Process(process.pid)
    finally:
        processes.ended(address)
        for one in processes.tree(process.pid):
            one.kill()
        process.wait()
        process.stdout.close()


def comes_to(one: psutil.Process, *, stand_still: bool) -> bool:
    """Wait until all of its processes stand still, or none; a signal takes its time."""
    while {process.status() == psutil.STATUS_STOPPED for process in processes.tree(one.pid)} != {stand_still}:
        os.sched_yield()
    return True


def test_the_others_stand_still_until_the_end() -> None:
    """With all of their processes; the one that is measured goes on."""
    with server("a") as measured, server("b") as other:
        with processes.alone("a"):
            assert comes_to(other, stand_still=True)
            assert comes_to(measured, stand_still=False)
        assert comes_to(other, stand_still=False)


def test_nobody_stands_still_for_strangers_to_the_run() -> None:
    """Servers that have ended are not looked for."""
    with server("a"):
        pass
    with server("b") as other, processes.alone("b"):
        assert comes_to(other, stand_still=False)
