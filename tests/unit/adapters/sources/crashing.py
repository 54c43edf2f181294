"""Kills a pump on a watched folder by SIGKILL at each of its steps, starts it again, and counts what came of it.

`python -m tests.unit.adapters.sources.crashing FOLDER SEED` prints one JSON object. It is a program of its own because
it forks: each life of the pump is a process.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adapters.formats import StockMovement
from adapters.sources.core import Core, MovementStatus, Outcome
from adapters.sources.folder import FolderOptions, FolderSource
from tests.unit.adapters.helpers import event, pump_all

STEPS = frozenset({"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.truncate", "recorded"})
ROWS = (
    b"sku,location,type,quantity\n"
    + b"A,leeds-2,receipt,1\n" * 3
    + b"A,leeds-2\nA,nowhere,receipt,1\nA,leeds-2,receipt,1\n"
)
EVENTS = b"".join(event(f"m{n}", envelope={"partitionkey": "leeds-2"}, sku="B") + b"\n" for n in range(3)) + b"?\n"
KILLED = -signal.SIGKILL


class FileCore(Core):
    """A core whose journal is a file of movement ids."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = set(path.read_text().splitlines()) if path.exists() else set()

    async def record(self, movements: Sequence[StockMovement]) -> list[Outcome]:
        """Record what is new, durably."""
        outcomes = [self._record(movement) for movement in movements]
        with self._path.open("a") as journal:
            for movement, outcome in zip(movements, outcomes, strict=True):
                if outcome.status is MovementStatus.APPLIED:
                    journal.write(f"{movement.sku} {movement.movement_id}\n")
        sys.audit("recorded", str(self._path))
        return outcomes

    def _record(self, movement: StockMovement) -> Outcome:
        if movement.location == "nowhere":
            return Outcome(MovementStatus.REJECTED, unknown_location=True, reason="LOCATION_UNKNOWN")
        key = f"{movement.sku} {movement.movement_id}"
        if key in self._known:
            return Outcome(MovementStatus.DUPLICATE)
        self._known.add(key)
        return Outcome(MovementStatus.APPLIED)


def live(folder: Path, kill_at: int) -> int:
    """Pump in a process of its own, killed before its `kill_at`-th step; returns how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    steps = 0

    def count(name: str, args: tuple[Any, ...]) -> None:
        nonlocal steps
        if name in STEPS and str(args[0]).startswith(str(folder)):
            steps += 1
            if steps == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    source = FolderSource("feed", FolderOptions(path=folder / "feed", poll_s=0.001), folder)
    asyncio.run(pump_all(source, FileCore(folder / "journal"), batch_max=2))
    os._exit(0)


def found(folder: Path) -> dict[str, Any]:
    """What is there after all."""
    recorded = Counter(line.split()[0] for line in (folder / "journal").read_text().splitlines())
    feed = folder / "feed"
    rows = [json.loads(line) for path in sorted((feed / "failed").iterdir()) for line in path.read_text().splitlines()]
    return {
        "recorded": recorded,
        "done": sorted(path.name for path in (feed / "done").iterdir()),
        "refused": sorted([row["file"], row["line"], row["class"]] for row in rows),
        "left": sum(len(list((feed / name).iterdir())) for name in ("inbox", "work")),
    }


def main(root: Path, seed: int) -> None:
    """Kill at the first step, then at the second, and so on; and sometimes once more, anywhere, on the way back."""
    chance = random.Random(seed)
    ends: list[dict[str, Any]] = []
    killed = KILLED
    while killed == KILLED:
        folder = root / str(len(ends))
        inbox = folder / "feed" / "inbox"
        inbox.mkdir(parents=True)
        (inbox / "rows.csv").write_bytes(ROWS)
        (inbox / "events.jsonl").write_bytes(EVENTS)
        killed = live(folder, len(ends) + 1)
        if chance.random() < 0.5:
            live(folder, chance.randint(1, 30))
        assert live(folder, 0) == 0
        ends.append(found(folder))
    sys.stdout.write(json.dumps({"lives": len(ends), "ends": ends}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
