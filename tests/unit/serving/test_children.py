from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from allocator.serving import children
from allocator.serving.children import Child, stop_all

MODULE = ("tests.unit.serving.obedient",)
PATIENCE_S = 20.0

Start = Callable[..., Child]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a child that does as told; killed after the test if it is still there."""
    with ExitStack() as stack:

        def started(**settings: object) -> Child:
            child = Child("obedient", MODULE, json.dumps(settings), {"TESTED": "yes"})
            child.start()
            stack.callback(killed, child)
            return child

        yield started


def killed(child: Child) -> None:
    """End a child for good."""
    if child.pid and psutil.pid_exists(child.pid):
        os.kill(child.pid, signal.SIGKILL)
    child.join(PATIENCE_S)


def until(holds: Callable[[], bool], pace: Callable[[], None] = lambda: None) -> None:
    """Wait until something holds, doing something in between."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s
        pace()


def test_a_child_gets_its_settings_and_says_when_it_is_ready(start: Start, tmp_path: Path) -> None:
    """By one line each way; its environment has what was added."""
    child = start(note=str(tmp_path / "note"))
    assert child.wait_ready(PATIENCE_S)
    assert (tmp_path / "note").read_text(encoding="utf-8") == f"{child.pid} yes"


def test_a_child_that_ends_before_it_is_ready_is_noticed_at_once(start: Start) -> None:
    """Nobody waits for the whole timeout then."""
    assert not start(code=3).wait_ready(PATIENCE_S)


def test_a_child_that_never_gets_ready_is_given_up(start: Start) -> None:
    """After the timeout."""
    assert not start(silent=True).wait_ready(0.05)


def test_a_child_that_was_killed_is_started_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without anybody's help, and with the same settings."""
    monkeypatch.setattr(children, "RESTART_MIN_S", 0.01)
    child = start(note=str(tmp_path / "note"))
    monkeypatch.setattr(child, "_wait_s", 0.01)
    assert child.wait_ready(PATIENCE_S)
    first = child.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: child.pid != first, child.check)
    assert child.wait_ready(PATIENCE_S)
    assert (tmp_path / "note").read_text(encoding="utf-8") == f"{child.pid} yes"


def test_a_child_that_does_not_last_is_started_later_each_time(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash loop does not eat the machine: the wait doubles."""
    child = start(code=1)
    monkeypatch.setattr(child, "_wait_s", 0.01)
    waits, pids = [], {child.pid}
    for _ in range(4):
        until(lambda: child.pid not in pids, child.check)
        pids.add(child.pid)
        waits.append(child._wait_s)  # noqa: SLF001  # what it does is only told by the clock
    assert waits == [0.02, 0.04, 0.08, 0.16]


def test_a_child_ends_with_its_supervisor(start: Start) -> None:
    """Its stdin ends when we do, however we end."""
    child = start()
    assert child.wait_ready(PATIENCE_S)
    process = psutil.Process(child.pid)
    child._close_pipes()  # noqa: SLF001  # as the kernel does for a process that was killed
    process.wait(PATIENCE_S)


def test_children_are_stopped_side_by_side(start: Start) -> None:
    """Each is asked to end, and told of when it has."""
    pair, told = [start(), start()], list[str]()
    assert all(child.wait_ready(PATIENCE_S) for child in pair)
    pids = [child.pid for child in pair]
    stop_all(pair, PATIENCE_S, told.append)
    assert told == ["obedient", "obedient"]
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_child_that_will_not_end_is_killed(start: Start) -> None:
    """After its time."""
    child = start(deaf=True)
    assert child.wait_ready(PATIENCE_S)
    pid = child.pid
    stop_all([child], 0.05, lambda _: None)
    assert not psutil.pid_exists(pid)


def test_stopping_what_never_started_is_fine() -> None:
    """A start that failed half-way is cleaned up all the same."""
    child = Child("never", MODULE, "{}", {})
    stop_all([child], PATIENCE_S, lambda _: None)
    child.check()
    assert child.pid == 0
