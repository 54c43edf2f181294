"""What people see while they wait: one line that changes on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.report import Result, table


@contextmanager
def telling(name: str) -> Iterator[Callable[[str], None]]:
    """A function that shows on stderr what the scenario `name` is doing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True)
        return
    with console.status(name) as status:
        yield lambda text: status.update(f"{name}: {text}")


class Screen:
    """How far a run of all scenarios is. A context manager.

    Args:
        console: to show it on; when it is no terminal, each step is a line.
        total: scenarios.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._began_s = time.monotonic()
        self._left_until_s = 0.0
        # Refreshed by hand: ten times a second would take time of what is measured.
        self._progress = Progress(
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("{task.description}"),
            console=console,
            auto_refresh=False,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total, left="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, number: int, name: str, summary: str, estimate_s: float | None) -> None:
        """Scenario `number`, from 0, starts; it and those after it take about so long."""
        self._left_until_s = 0.0 if estimate_s is None else time.monotonic() + estimate_s
        self._progress.update(self._task, completed=number, description=escape(name))
        if not self._console.is_terminal:
            elapsed = duration(time.monotonic() - self._began_s)
            left = "" if estimate_s is None else f", about {duration(estimate_s)} left"
            self._line(f"== {number + 1} of {self._total}: {name}. {summary} ({elapsed} so far{left})")
        self.refresh()

    def tell(self, text: str) -> None:
        """What the scenario is doing."""
        if self._console.is_terminal:
            self._progress.update(self._task, description=escape(text))
        else:
            self._line(text)

    def end(self, result: Result) -> None:
        """A scenario has ended: show its figures, or why there are none."""
        self._progress.advance(self._task)
        if result.failed:
            self._line(f"{result.scenario.name} could not be measured: {result.failed}")
        elif self._console.is_terminal:
            self._progress.print(table([result]))
        self.refresh()

    def refresh(self) -> None:
        """Show the time."""
        left_s = self._left_until_s - time.monotonic()
        self._progress.update(self._task, left=f"about {duration(left_s)} left" if left_s > 0 else "")
        self._progress.refresh()

    def _line(self, text: str) -> None:
        self._progress.print(text, markup=False, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Minutes and seconds, as people write them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
