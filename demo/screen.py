"""What people see while the demo runs: one line per stage, with a bar while it goes on. On stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Screen:
    """Shows stages on a terminal, and plain lines elsewhere.

    Args:
        console: where.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stage(self, text: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """Show a stage while it lasts; yields what to call with how much of `total` is done."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        counted = (MofNCompleteColumn(),) if total is not None else ()
        begun_s = time.monotonic()
        # Where nobody looks, a bar would be noise.
        hidden = not self._console.is_terminal
        with Progress(*columns, *counted, console=self._console, transient=True, disable=hidden) as progress:
            task = progress.add_task(text, total=total)
            yield lambda done: progress.update(task, completed=done)
        self._console.print(f"{text}: {time.monotonic() - begun_s:.1f} s", highlight=False)
