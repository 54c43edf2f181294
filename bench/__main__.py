"""`python -m bench SCENARIO` measures one thing, `python -m bench all` everything, one process for each."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console

from allocator.core.errors import AllocatorError
from bench.progress import telling
from bench.registry import Bench, Scenario, scenarios
from bench.report import Result, table, write_json
from bench.series import run_all

ALL: Final = "all"
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
    try:
        if options.scenario == ALL:
            return _all(console, known, options.seconds, options.json)
        return _one(console, known[options.scenario], options.seconds, options.json)
    except AllocatorError as error:
        print(f"bench: {error}", file=sys.stderr)
        return FAILED


def _options(known: dict[str, Scenario], arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("scenario", nargs="?", choices=(*known, ALL), metavar="SCENARIO", help="see --list")
    parser.add_argument("--list", action="store_true", help="list the scenarios and their figures")
    parser.add_argument(
        "--seconds", type=_positive, default=SECONDS, metavar="N", help="how long to measure (default: %(default)g)"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures here, too; with `all`, a list of documents"
    )
    return parser.parse_args(arguments)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def _one(console: Console, scenario: Scenario, seconds: float, path: Path | None) -> int:
    with tempfile.TemporaryDirectory(prefix="allocator-bench-") as folder, telling(scenario.name) as tell:
        figures = scenario.run(Bench(seconds, Path(folder), tell))
    result = Result(scenario, figures)
    console.print(table([result]))
    if path is not None:
        write_json(path, result.document())
    return _judge([result])


def _all(console: Console, known: dict[str, Scenario], seconds: float, path: Path | None) -> int:
    documents, failed = run_all(list(known.values()), seconds)
    results = [Result(known[document["scenario"]], document["figures"]) for document in documents]
    console.print(table(results))
    if path is not None:
        write_json(path, documents)
    for name in failed:
        print(f"bench: {name} could not be measured", file=sys.stderr)
    return FAILED if failed else _judge(results)


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
