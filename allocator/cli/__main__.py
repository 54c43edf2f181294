"""`python -m allocator.cli` is `allocator`."""

from __future__ import annotations

from allocator.cli import main

main()
