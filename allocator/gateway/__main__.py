"""`python -m allocator.gateway`: one gateway process."""

from __future__ import annotations

import sys

from allocator.gateway.process import main

if __name__ == "__main__":
    sys.exit(main())
