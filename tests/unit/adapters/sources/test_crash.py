from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_a_pump_that_is_killed_at_any_step_loses_nothing_and_repeats_nothing() -> None:
    """SIGKILL before each file operation and each answer of the core, and again while it recovers."""
    seed = random.randrange(1 << 32)
    # A killed process leaves its writes to the system, whatever they go to: memory is as good as a disk, and faster.
    memory = Path("/dev/shm")  # noqa: S108  # a folder of our own in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        command = [sys.executable, "-m", "tests.unit.adapters.sources.crashing", folder, str(seed)]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"seed {seed}: {run.stderr}"
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["lives"] > 30, "the steps are not seen any more"
    for number, end in enumerate(told["ends"], 1):
        assert end == {
            "recorded": {"A": 4, "B": 3},
            "done": ["events.jsonl", "rows.csv"],
            "refused": [
                ["events.jsonl", 4, "unreadable"],
                ["rows.csv", 5, "unreadable"],
                ["rows.csv", 6, "unknown_location"],
            ],
            "left": 0,
        }, f"killed at step {number}, seed {seed}"
