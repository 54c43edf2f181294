"""`python -m bench SCENARIO` measures one thing, `python -m bench all` everything, one process for each.

`python -m bench report` writes the report of the figures of `all` again, `python -m bench readme` their table.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from allocator.core.errors import AllocatorError
from bench.echo import FRONTS
from bench.machine import RESULTS
from bench.progress import Screen, duration, telling
from bench.readme import README, with_measured
from bench.registry import Bench, Scenario, scenarios
from bench.report import MET, Result, Taken, read_results, table, write_json
from bench.series import Wanted, command_of, now, run_all

ALL: Final = "all"
REPORT: Final = "report"
TABLE: Final = "readme"
SECONDS: Final = 10.0
WIDTH: Final = 130
"""Of a table in a file or a pipe, characters."""
CLEAN: Final = 0
WRONG: Final = 1
FAILED: Final = 2


def main(arguments: list[str] | None = None) -> int:
    """Do as asked.

    Returns:
        0; 1 when a figure that must have one value has another, 2 when something could not be measured. A missed
        target of speed is shown, and is no error: it may be the machine.
    """
    known = scenarios()
    options = _options(known, arguments)
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    if options.list or options.scenario is None:
        for item in known.values():
            console.print(f"[bold]{item.name:<14}[/]{item.summary}")
            for figure in item.figures:
                console.print(f"{'':<14}{figure.name}: {figure.meaning}  {figure.target}", highlight=False)
        return CLEAN
    source = getattr(options, "from")
    try:
        if options.scenario == ALL:
            return _all(console, known, options)
        if options.scenario == REPORT:
            return _report(console, known, source, options.to or source)
        if options.scenario == TABLE:
            return _readme(source, write=options.write)
        return _one(console, known[options.scenario], options)
    except AllocatorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return FAILED


def _options(known: dict[str, Scenario], arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "scenario", nargs="?", choices=(*known, ALL, REPORT, TABLE), metavar="SCENARIO", help="see --list"
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios and their figures")
    parser.add_argument(
        "--seconds", type=_positive, default=SECONDS, metavar="N", help="how long to measure (default: %(default)g)"
    )
    parser.add_argument(
        "--front", choices=FRONTS, help="of the service, in scenarios that start one (default: as it chooses)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures here, too; with `all`, a list of documents"
    )
    _add_folders(parser)
    parser.add_argument("--write", action="store_true", help="`readme`: put the table into the README")
    return parser.parse_args(arguments)


def _add_folders(parser: argparse.ArgumentParser) -> None:
    for name, default, text in (
        ("--into", RESULTS, "`all`: where figures and report go (default: bench/results)"),
        ("--from", RESULTS, "`report`, `readme`: where the figures are (default: bench/results)"),
        ("--to", None, "`report`: where it goes (default: where the figures are)"),
    ):
        parser.add_argument(name, type=Path, metavar="DIR", default=default, help=text)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def _one(console: Console, scenario: Scenario, options: argparse.Namespace) -> int:
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="allocator-bench-") as folder, telling(scenario.name) as tell:
        bench = Bench(options.seconds, Path(folder), tell, options.front)
        figures = scenario.run(bench)
    command = command_of(scenario.name, options.seconds, options.front)
    taken = Taken(command, options.seconds, round(time.monotonic() - began_s, 1), now())
    result = Result(scenario, figures, bench.absent, options.front, bench.points, taken)
    console.print(table([result]))
    if options.json is not None:
        write_json(options.json, result.document())
    return _judge([result])


def _all(console: Console, known: dict[str, Scenario], options: argparse.Namespace) -> int:
    from bench.rendering import render  # noqa: PLC0415  # matplotlib, which those who measure one thing do not need

    began_s = time.monotonic()
    with Screen(Console(stderr=True), len(known)) as screen:
        results = run_all(list(known.values()), Wanted(options.seconds, options.front, options.into), screen)
    if options.json is not None:
        write_json(options.json, [result.document() for result in results])
    report = render(results, known, options.into)
    _tell_end(console, results, report, time.monotonic() - began_s)
    failed = [result for result in results if result.failed]
    for result in failed:
        print(f"bench: {result.scenario.name} could not be measured: {result.failed}", file=sys.stderr)
    return FAILED if failed else _judge(results)


def _tell_end(console: Console, results: Sequence[Result], report: Path, took_s: float) -> None:
    outcomes = [row.outcome for result in results for row in result.rows() if row.figure.target]
    console.print(f"{outcomes.count(MET)} of {len(outcomes)} targets met, in {duration(took_s)}", highlight=False)
    console.print(f"report: {report}", highlight=False, soft_wrap=True)
    if report.parent == RESULTS:
        console.print("the README has its table and pictures from there: python -m bench readme --write")


def _report(console: Console, known: dict[str, Scenario], source: Path, folder: Path) -> int:
    from bench.rendering import render  # noqa: PLC0415  # as above

    report = render(read_results(source, known), known, folder)
    console.print(f"report: {report}", highlight=False, soft_wrap=True)
    return CLEAN


def _readme(source: Path, *, write: bool) -> int:
    text = with_measured(README.read_text(encoding="utf-8"), source)
    if write:
        README.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return CLEAN


def _judge(results: list[Result]) -> int:
    code = CLEAN
    for result in results:
        for figure in result.scenario.wrong(result.figures):
            value = result.figures[figure.name]
            print(f"bench: {result.scenario.name}: {figure.name} is {value:g}, not {figure.exactly:g}", file=sys.stderr)
            code = WRONG
    return code


if __name__ == "__main__":
    sys.exit(main())
