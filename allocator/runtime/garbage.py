"""How Python's garbage collector is set: its pauses are waits of every call that comes meanwhile."""

from __future__ import annotations

import gc
from typing import Final

GATEWAY_THRESHOLDS: Final = (50_000, 50, 1_000)
LEDGER_THRESHOLD: Final = 10_000
"""New objects per collection: 1 or 2 ms."""


def collect_seldom() -> None:
    """For a gateway: what lives on is much, and is seldom looked at again."""
    gc.set_threshold(*GATEWAY_THRESHOLDS)


def collect_once() -> None:
    """For a ledger's process: look at each object once.

    A ledger's objects live long and make no cycles, so one that outlived a collection is never looked at again: a
    full collection would walk millions of them, with every call waiting. References count as ever, so what a ledger
    forgets is given back; only a cycle that outlived a collection would not be.
    """
    gc.set_threshold(LEDGER_THRESHOLD)
    if _keep not in gc.callbacks:
        gc.callbacks.append(_keep)


def _keep(phase: str, info: dict[str, int]) -> None:
    del info
    if phase == "stop":
        gc.freeze()
