"""The report in Markdown: every figure beside its target, and what it depends on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from bench.machine import Machine
from bench.registry import Scenario
from bench.report import ABSENT, MET, MISSED, Result, readable

SHOWN: Final = {MET: "met", MISSED: "**missed**", ABSENT: "absent", "": ""}
GENERATOR: Final = "ceiling"
PICTURES: Final = {
    "throughput": "Calls per second of Allocator and of others behind the same contract",
    "latency": "Latency at half of the highest rate",
    "growth": "Rate and memory while the network grows",
}
"""What is to be seen on each."""
ABOUT: Final = """\
Written by `python -m bench report` from the JSON files beside it. What each scenario does is told in
docs/benchmarks.md."""
HOW_TO_READ: Final = """\
Service, peers and load generator share this machine, so a rate is what is left when all of them have had their part of
its cores; on another machine rates differ, ratios less. A ratio compares what ran beside each other in the same run: 2
means twice the rate of the other one. Rates are from a closed loop, with a fixed number of calls always under way, and
tell what can be done at most; latencies in such a loop (`full_*`) are those of a full house. `p50_ms` and `p99_ms` of
`availability` and `reserve` are from an open loop: calls are sent on schedule at half of that rate, and a latency
counts from when a call was due, not from when it could be sent. Every write was on disk (fsync) before its answer,
except of `redis_everysec`, which may lose a second. A missed target of speed may be the machine; a figure that has to
be exactly something and is not makes the run fail."""


def markdown(results: Sequence[Result], known: Iterable[Scenario], pictures: Sequence[str]) -> str:
    """The whole report.

    Args:
        results: what was measured, or failed.
        known: all scenarios, those without a result among them.
        pictures: names of those that are beside it.
    """
    missing = [one.name for one in known if one.name not in {result.scenario.name for result in results}]
    parts = [
        "# Benchmarks",
        ABOUT,
        "\n".join(_where(results)),
        "## Targets",
        *_targets(results),
        *(picture(name, f"{name}.png") for name in pictures),
        "## How to read it",
        HOW_TO_READ,
        "## Load generator",
        _generator(results),
        "## Left out",
        "\n".join(_left_out(results, missing)) or "Nothing: every figure of every scenario was measured.",
        *(part for result in results for part in _scenario(result)),
    ]
    return "\n\n".join(parts) + "\n"


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A Markdown table; columns in `right` are numbers."""
    rule = ["---:" if column in right else "---" for column in range(len(header))]
    lines = [header, rule, *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(name: str, path: str) -> str:
    """A picture in Markdown."""
    return f"![{PICTURES[name]}]({path})"


def machine_text(machine: Machine) -> str:
    """A machine in a few words."""
    text = f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gib']} GiB, {machine['kernel']}"
    return f"{text}, {machine['fsync_ms']:g} ms for an fsync" if "fsync_ms" in machine else text


def _where(results: Sequence[Result]) -> Iterator[str]:
    """Machine, versions and commit; when they are not the same for all, each with its scenarios."""
    runs: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        runs.setdefault((_hardware(result.machine), result.commit, _versions(result)), []).append(result)
    if len(runs) > 1:
        yield f"**These are figures of {len(runs)} different states of machine or code; compare only within one.**"
        yield ""
    for (_, commit, versions), taken in runs.items():
        names = "all scenarios" if len(runs) == 1 else ", ".join(result.scenario.name for result in taken)
        dates = sorted({result.taken.at for result in taken if result.taken.at})
        when = f", {dates[0]} to {dates[-1]}" if len(dates) > 1 else "".join(f", {date}" for date in dates)
        yield f"- {names}: {machine_text(taken[0].machine)}; commit {commit}{when}; {versions}"


def _hardware(machine: Machine) -> str:
    """What does not change from one process to the next, as the time of an fsync does."""
    return " ".join(str(value) for name, value in machine.items() if name != "fsync_ms")


def _versions(result: Result) -> str:
    return ", ".join(f"{name} {version}" for name, version in result.versions.items() if name != "commit")


def _targets(results: Sequence[Result]) -> Iterator[str]:
    rows = [(result, row) for result in results for row in result.rows() if row.figure.target]
    count = [row.outcome for _, row in rows].count
    yield f"{count(MET)} met, {count(MISSED)} missed, {count(ABSENT)} absent."
    cells = [
        (
            result.scenario.name,
            f"`{row.figure.name}`",
            row.value,
            row.figure.target,
            SHOWN[row.outcome],
            f"`{result.taken.command}`",
        )
        for result, row in rows
    ]
    yield grid(("scenario", "figure", "value", "target", "", "command"), cells, (2, 3))


def _generator(results: Sequence[Result]) -> str:
    about = (
        "Processes of `bench.load` send prepared requests over raw sockets (docs/benchmarks.md). "
        "`late_ms` of a scenario is how late the generator came to its own schedule."
    )
    figures = next((result.figures for result in results if result.scenario.name == GENERATOR), {})
    if "requests_per_s" not in figures:
        return f"{about} Its ceiling was not measured."
    told = {"envoy_per_s": "a bare echo on Envoy", "grpcio_per_s": "a bare echo on grpc.aio"}
    echoes = "".join(f", {readable(figures[name])}/s from {who}" for name, who in told.items() if name in figures)
    return (
        f"{about} Its ceiling on this machine, availability checks answered by bare sockets: "
        f"{readable(figures['requests_per_s'])}/s{echoes}. "
        "A rate that comes near it would be the generator's, not the service's."
    )


def _left_out(results: Sequence[Result], missing: Sequence[str]) -> Iterator[str]:
    for name in missing:
        yield f"- **{name}**: not measured in this run."
    for result in results:
        if result.failed:
            yield f"- **{result.scenario.name}**: failed, so it has no figures: {result.failed}"
            continue
        reasons: dict[str, list[str]] = {}
        for row in result.rows():
            if row.reason:
                reasons.setdefault(row.reason, []).append(f"`{row.figure.name}`")
        for reason, names in reasons.items():
            yield f"- {result.scenario.name}: {', '.join(names)}: {reason}"


def _scenario(result: Result) -> Iterator[str]:
    yield f"## {result.scenario.name}"
    yield result.scenario.summary
    taken = result.taken
    front = f", front {result.front}" if result.front else ""
    yield f"`{taken.command}`{front}; commit {result.commit}, {taken.at}, took {taken.took_s:,.0f} s in all."
    if result.failed:
        yield f"**It failed: {result.failed}**"
        return
    if wrong := result.scenario.wrong(result.figures):
        names = ", ".join(figure.name for figure in wrong)
        yield f"**Something is wrong: {names}. The other figures are worth nothing.**"
    rows = (
        (
            f"`{row.figure.name}`",
            row.value,
            row.figure.target,
            SHOWN[row.outcome],
            _meaning(row.figure.meaning, row.reason),
        )
        for row in result.rows()
    )
    yield grid(("figure", "value", "target", "", "meaning"), rows, (1, 2))
    if result.points:
        columns = list(dict.fromkeys(name for point in result.points for name in point))
        cells = ([readable(point[name]) if name in point else "-" for name in columns] for point in result.points)
        yield grid([f"`{name}`" for name in columns], cells, range(len(columns)))


def _meaning(meaning: str, reason: str) -> str:
    return f"{meaning}; absent: {reason}" if reason else meaning
