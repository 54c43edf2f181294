"""`python -m allocator.gateway`: one gateway process."""

from __future__ import annotations

from allocator.gateway.process import main

if __name__ == "__main__":
    main()
