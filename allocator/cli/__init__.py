"""The command line: `allocator --help`. A command imports what it needs when it runs, so that help comes at once."""

from __future__ import annotations

from allocator.cli.app import main

__all__ = ["main"]
