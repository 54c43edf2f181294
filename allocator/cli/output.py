"""What commands print: JSON for scripts, tables and sentences for people."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

PIPE_WIDTH = 200
"""Columns of a table that is not on a terminal."""


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        title: its head.
        number: whether it is aligned right.
    """

    title: str
    number: bool = False


def numbers(*titles: str) -> list[Column]:
    """Columns of numbers."""
    return [Column(title, number=True) for title in titles]


def words(*titles: str) -> list[Column]:
    """Columns of words."""
    return [Column(title) for title in titles]


def plain(value: Any) -> Any:  # noqa: ANN401  # whatever a result has in it
    """A result as values that JSON knows: fields by name, and `ok` where a result has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"ok": value.ok, **fields} if hasattr(value, "ok") else fields
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {plain(key): plain(part) for key, part in value.items()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, bytes):
        return value.hex()
    # An enum is written as its word.
    return str(value) if isinstance(value, str) else value


def emit(value: Any, **more: Any) -> None:  # noqa: ANN401  # a result or a mapping
    """Print one JSON object on one line."""
    typer.echo(json.dumps({**plain(value), **plain(more)}, ensure_ascii=False))


def emit_rows(rows: Iterable[Any], limit: int | None) -> None:
    """Print up to `limit` results, one JSON object a line; None: all."""
    for row in islice(rows, limit):
        emit(row)


def say(text: str) -> None:
    """Print a sentence."""
    typer.echo(text)


def warn(text: str) -> None:
    """Print a sentence to stderr."""
    typer.echo(text, err=True)


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Print a table."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(
            column.title, justify="right" if column.number else "left", overflow="fold", no_wrap=column.number
        )
    for row in rows:
        table.add_row(*(Text(f"{cell:,}" if type(cell) is int else str(cell)) for cell in row))
    console().print(table)


def show_rows(columns: Sequence[Column], rows: Iterable[Sequence[object]], limit: int | None, title: str = "") -> None:
    """Print up to `limit` rows, and say if there are more."""
    iterator = iter(rows)
    show_table(columns, list(islice(iterator, limit)), title)
    if limit is not None and next(iterator, None) is not None:
        say(f"There is more than these {limit:,}: see --limit.")


def console(*, err: bool = False) -> Console:
    """A rich console on stdout or stderr; a pipe gets wide lines."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    return Console(stderr=err, highlight=False, width=None if stream.isatty() else PIPE_WIDTH)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on a terminal's stderr, so that stdout stays for results; gone when it is done."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    screen = console(err=True)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        yield bar
