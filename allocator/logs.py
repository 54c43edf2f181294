"""structlog for every process of the service: JSON lines, or readable ones on a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor


def configure_logs(level: str = "info", style: str = "auto", target: str = "", **context: str) -> None:
    """Send structured lines to stderr.

    Args:
        level: debug, info, warning or error.
        style: json, console, or auto (console when stderr is a terminal).
        target: file to write to instead; stderr again where it cannot be opened.
        context: fields that every line of this process carries.
    """
    stream = _open(target)
    pretty = style == "console" or (style == "auto" and stream.isatty())
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        lambda _logger, _method, event: {**event, **context},
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if pretty:
        processors.append(structlog.dev.ConsoleRenderer())
    else:
        # Without locals: settings with the journal's password are among them.
        tracebacks = structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        )
        processors += [tracebacks, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Patient(stream))),
        cache_logger_on_first_use=True,
    )


def own_stderr() -> str:
    """A path by which processes that Ray starts reach our stderr, so that their lines need no detour through Ray.

    From now on everybody appends: with a file behind `2>` writers would else overwrite each other's lines.
    """
    fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_APPEND)
    return f"/proc/{os.getpid()}/fd/2"


class _Patient:
    """A stream that loses a line rather than raise: a full disk or a closed pipe must not stop what it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose it."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return 0

    def flush(self) -> None:
        """Flush, or do not."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _open(target: str) -> TextIO:
    """The file at `target` for appending, line by line; stderr when there is none (another machine, a socket)."""
    try:
        return Path(target).open("a", buffering=1, encoding="utf-8") if target else sys.stderr
    except OSError:
        return sys.stderr
