"""Every scenario after the other, each in a process of its own: memory and garbage of one are not those of the next."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.machine import ROOT
from bench.registry import Scenario


def run_all(scenarios: Sequence[Scenario], seconds: float) -> tuple[list[dict[str, Any]], list[str]]:
    """Run the scenarios; returns the documents of those measured and the names of the others."""
    documents: list[dict[str, Any]] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="allocator-bench-") as folder:
        for number, scenario in enumerate(scenarios, 1):
            print(f"== {number} of {len(scenarios)}: {scenario.name}. {scenario.summary}", file=sys.stderr, flush=True)
            path = Path(folder) / f"{scenario.name}.json"
            _run(scenario.name, seconds, path)
            if path.exists():
                documents.append(json.loads(path.read_text(encoding="utf-8")))
            else:
                failed.append(scenario.name)
    return documents, failed


def _run(name: str, seconds: float, path: Path) -> None:
    """One scenario in its own process; its table goes where ours goes, and a file that is not there tells a failure."""
    command = [sys.executable, "-m", "bench", name, "--seconds", f"{seconds:g}", "--json", str(path)]
    subprocess.run(command, cwd=ROOT, check=False)
