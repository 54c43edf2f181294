"""Every scenario after the other, each in a process of its own: memory and garbage of one are not those of the next."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from bench.machine import ROOT, machine, versions
from bench.progress import Screen
from bench.registry import Scenario
from bench.report import Result, Taken, read_results, write_json

TICK_S: Final = 1.0
"""How often we look at a scenario under way; oftener would take time of what is measured."""
LIMIT_S: Final = 3_600.0
"""A scenario that takes longer hangs."""
CLEAN_UP_S: Final = 60.0
"""For a scenario that is interrupted to end what it started."""
WRONG: Final = 1
"""Exit code of a scenario that measured something and found an answer wrong."""


class Wanted(NamedTuple):
    """How to measure.

    Attributes:
        seconds: of each scenario.
        front: of the service; None leaves it to the service.
        into: folder for the figures.
    """

    seconds: float
    front: str | None
    into: Path


def command_of(name: str, seconds: float, front: str | None) -> str:
    """The command that measures one scenario like that, for people."""
    return shlex.join(["python", "-m", "bench", *_options(name, seconds, front)])


def run_all(scenarios: Sequence[Scenario], wanted: Wanted, screen: Screen) -> list[Result]:
    """Run the scenarios and write a file for each as it ends, also for one that failed; returns what became of them."""
    known = {scenario.name: scenario for scenario in scenarios}
    wanted.into.mkdir(parents=True, exist_ok=True)
    earlier = read_results(wanted.into, known)
    took_s = {one.scenario.name: one.taken.took_s for one in earlier if one.taken.seconds == wanted.seconds}
    results: list[Result] = []
    for number, scenario in enumerate(scenarios):
        left = [one.name for one in scenarios[number:]]
        screen.begin(number, scenario.name, scenario.summary, estimate_s(left, took_s))
        result = _run(scenario, wanted, screen)
        took_s[scenario.name] = result.taken.took_s
        write_json(wanted.into / f"{scenario.name}.json", result.document())
        screen.end(result)
        results.append(result)
    return results


def estimate_s(left: Sequence[str], took_s: Mapping[str, float]) -> float | None:
    """How long the scenarios left will take: those never measured as long as the others do. None without any."""
    if not took_s:
        return None
    mean_s = sum(took_s.values()) / len(took_s)
    return sum(took_s.get(name, mean_s) for name in left)


def _options(name: str, seconds: float, front: str | None) -> Iterator[str]:
    yield from (name, "--seconds", f"{seconds:g}")
    if front is not None:
        yield from ("--front", front)


def _run(scenario: Scenario, wanted: Wanted, screen: Screen) -> Result:
    """One scenario in its own process."""
    command = command_of(scenario.name, wanted.seconds, wanted.front)
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="allocator-bench-") as name:
        path = Path(name) / "figures.json"
        options = _options(scenario.name, wanted.seconds, wanted.front)
        why = follow([sys.executable, "-m", "bench", *options, "--json", str(path)], Path(name) / "told", screen)
        taken = Taken(command, wanted.seconds, round(time.monotonic() - began_s, 1), now())
        if not why and path.exists():
            document = json.loads(path.read_text(encoding="utf-8"))
            return Result.read(document, {scenario.name: scenario})._replace(taken=taken)
    why = why or "it left no figures"
    return Result(scenario, {}, {}, wanted.front, (), taken, why, machine(), versions())


def now() -> str:
    """The time, UTC, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def follow(command: Sequence[str], told: Path, screen: Screen) -> str:
    """Run a scenario to its end and show what it tells; returns why it failed, "" when it did not.

    What it tells goes through a file: a pipe would stay open as long as anything that it started.
    """
    last = ""
    with told.open("w", encoding="utf-8") as output, told.open(encoding="utf-8") as lines:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=output)
        until_s = time.monotonic() + LIMIT_S
        while process.poll() is None:
            try:
                process.wait(TICK_S)
            except subprocess.TimeoutExpired:
                last = _show(lines, screen) or last
            except KeyboardInterrupt:
                # The terminal has interrupted the scenario, too; it has services to end.
                _stop(process)
                raise
            if time.monotonic() > until_s:
                process.send_signal(signal.SIGINT)
                _stop(process)
                return f"it took more than {LIMIT_S:,.0f} s"
        last = _show(lines, screen) or last
    return "" if process.returncode in (0, WRONG) else last or f"exit code {process.returncode}"


def _stop(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(CLEAN_UP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _show(lines: TextIO, screen: Screen) -> str:
    """Show what was told since; returns the last line."""
    last = ""
    for line in lines:
        last = line.strip() or last
        screen.tell(line.rstrip())
    screen.refresh()
    return last
