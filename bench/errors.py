"""The error of a benchmark that cannot be run, or whose answers were wrong."""

from __future__ import annotations

from allocator.core.errors import AllocatorError


class BenchError(AllocatorError):
    """The benchmark cannot be run, or it found the service wrong; the message says what to look at."""
