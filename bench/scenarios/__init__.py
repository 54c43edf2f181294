"""The scenarios, in the order in which `python -m bench all` runs them."""

from __future__ import annotations

from bench.scenarios import ceiling, ledger, recovery, boot, reserve  # isort: skip  # the order is that of `all`
from bench.scenarios import hot_sku, stream_reserve, movements, overload  # isort: skip  # as above
from bench.scenarios import availability, matrix, watch  # isort: skip  # as above
from bench.scenarios import mixed, growth, sourcing  # isort: skip  # as above

__all__ = [
    "availability",
    "boot",
    "ceiling",
    "growth",
    "hot_sku",
    "ledger",
    "matrix",
    "mixed",
    "movements",
    "overload",
    "recovery",
    "reserve",
    "sourcing",
    "stream_reserve",
    "watch",
]
