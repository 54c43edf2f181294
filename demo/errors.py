"""What can go wrong with the demo itself."""

from __future__ import annotations

from allocator.core.errors import AllocatorError


class DemoError(AllocatorError):
    """The play cannot go on; the message says why."""
