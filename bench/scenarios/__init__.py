"""The scenarios, in the order in which `python -m bench all` runs them."""

from __future__ import annotations

from bench.scenarios import ledger, recovery, boot, reserve, availability, sourcing  # isort: skip  # the order is that of `all`

__all__ = ["availability", "boot", "ledger", "recovery", "reserve", "sourcing"]
