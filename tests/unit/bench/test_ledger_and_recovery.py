from __future__ import annotations

from pathlib import Path

from bench.registry import Bench, Figures, scenarios
from bench.scenarios import ledger, recovery


def told(text: str) -> None:
    """Nobody listens."""


def declared(name: str) -> set[str]:
    """The figures a scenario promises to return."""
    return {figure.name for figure in scenarios()[name].figures}


def test_the_ledger_is_measured(tmp_path: Path) -> None:
    """The real core at a small size: every figure is there, and above zero."""
    size = ledger.Size(skus=50, reserves=200, memory_skus=20_000, remembered=500)
    figures: Figures = ledger.run(Bench(0.001, tmp_path, told), size)
    assert figures.keys() == declared("ledger")
    assert all(value > 0 for value in figures.values())
    assert figures["rounds"] >= ledger.ROUNDS_MIN


def test_a_recovery_is_measured(tmp_path: Path) -> None:
    """A real journal at a small size: the tail has as many entries as it should, and all of it comes back."""
    size = recovery.Size(skus=1_000, reservations=300, tail=100)
    figures: Figures = recovery.run(Bench(0.001, tmp_path, told), size)
    assert figures.keys() == declared("recovery") - {"back_s", "crash_lost", "crash_errors"}
    assert figures["tail_entries"] >= 100 / recovery.CALL_TAIL  # and what came while the snapshot was made
    assert 0 < figures["snapshot_stall_ms"] < 1e3 * figures["snapshot_s"]
    assert figures["rounds"] == recovery.ROUNDS_MIN
    assert figures["recovery_s"] > 0
    assert figures["snapshot_mib"] > 0
