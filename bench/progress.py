"""What people see while they wait: one line that changes on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def telling(name: str) -> Iterator[Callable[[str], None]]:
    """A function that shows on stderr what the scenario `name` is doing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True)
        return
    with console.status(name) as status:
        yield lambda text: status.update(f"{name}: {text}")
