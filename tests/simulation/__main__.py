"""`python -m tests.simulation`: many seeds with a progress bar, or one seed with its story."""

from __future__ import annotations

import argparse
import os
import sys
import traceback

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.simulation.bugs import BUGS, planted
from tests.simulation.many import broken_ones
from tests.simulation.run import Outcome, simulate

SHOWN_MAX = 20
"""Failing seeds shown at most."""

console = Console()


def main() -> int:
    """Run what the command line asks for; returns 1 when a seed is broken, or when a planted bug is not found."""
    given = _parser().parse_args()
    if given.seed is not None:
        return _tell(given.seed, given.bug, traced=given.trace)
    broken = _run(range(given.start, given.start + given.seeds), given.bug, given.jobs)
    for outcome in broken[:SHOWN_MAX]:
        console.print(f"seed {outcome.seed}: {_first_line(outcome)}", markup=False, highlight=False, soft_wrap=True)
        console.print(
            f"  python -m tests.simulation --seed {outcome.seed}{_bug(given.bug)} --trace", style="bold", soft_wrap=True
        )
    console.print(f"{given.seeds - len(broken)} of {given.seeds} seeds hold, {len(broken)} are broken")
    return int(bool(broken) != bool(given.bug))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this one and tell what broke")
    parser.add_argument("--trace", action="store_true", help="tell everything that happened, with --seed")
    parser.add_argument("--seeds", type=int, default=300, help="how many to run")
    parser.add_argument("--start", type=int, default=0, help="the first one")
    parser.add_argument("--bug", choices=sorted(BUGS), default="", metavar="NAME", help=f"plant one: {', '.join(BUGS)}")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    return parser


def _tell(seed: int, bug: str, *, traced: bool) -> int:
    """Run one seed and tell its story."""
    with planted(bug):
        outcome = simulate(seed, traced=traced)
    for line in outcome.trace:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if outcome.broken is None:
        console.print(
            f"seed {seed} holds: {outcome.calls} calls, {outcome.versions} versions, {outcome.crashes} crashes"
        )
        return 0
    traceback.print_exception(outcome.broken)
    return 1


def _run(seeds: range, bug: str, jobs: int) -> list[Outcome]:
    """The broken ones of `seeds`, ascending, with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    broken: list[Outcome] = []
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("simulating", total=len(seeds))
        for done, outcomes in broken_ones(seeds, bug, jobs):
            broken += outcomes
            progress.update(task, advance=done, description=f"simulating, {len(broken)} broken")
    return sorted(broken, key=lambda outcome: outcome.seed)


def _first_line(outcome: Outcome) -> str:
    return str(outcome.broken).partition("\n")[0][:300]


def _bug(bug: str) -> str:
    return f" --bug {bug}" if bug else ""


if __name__ == "__main__":
    sys.exit(main())
