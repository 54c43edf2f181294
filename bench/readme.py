"""The table and the pictures of the README, from the JSON files of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.machine import RESULTS, ROOT
from bench.markdown import grid, machine_text, picture
from bench.registry import scenarios
from bench.report import MISSED, Result, Row, read_results

README: Final = ROOT / "README.md"
LINK: Final = RESULTS.relative_to(ROOT).as_posix()
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
SHOWN: Final = ("throughput", "latency")
"""Pictures."""


class Told(NamedTuple):
    """A row of the README: some figures of one scenario, each in a text that has {} where its value goes."""

    scenario: str
    what: str
    figures: dict[str, str]


ROWS: Final = (
    Told(
        "availability",
        "carts of 3 lines checked at 12 locations",
        {
            "requests_per_s": "{}/s",
            "ratio_echo": "{} x a bare echo",
            "ratio_grpcio": "{} x our own grpc.aio front",
            "ratio_redis": "{} x Redis",
            "ratio_postgres": "{} x PostgreSQL",
        },
    ),
    Told(
        "availability",
        "the same at half of that rate",
        {"p50_ms": "p50 {} ms", "p99_ms": "p99 {} ms", "echo_p99_ms": "of the bare echo at that rate {} ms"},
    ),
    Told(
        "reserve",
        "single-line reserves, 4 locations",
        {
            "requests_per_s": "{}/s",
            "ratio_postgres": "{} x PostgreSQL",
            "ratio_redis": "{} x Redis",
            "ratio_ray_unbatched": "{} x one Ray call each",
            "oversold": "oversold {}",
            "lost": "lost {}",
        },
    ),
    Told("reserve", "the same at half of that rate", {"p50_ms": "p50 {} ms", "p99_ms": "p99 {} ms"}),
    Told(
        "hot-sku",
        "everybody reserves one SKU",
        {
            "requests_per_s": "{}/s",
            "ratio_uniform": "{} x spread over all SKUs",
            "ratio_postgres": "{} x PostgreSQL's hot row",
            "unsold": "unsold {}",
            "oversold": "oversold {}",
        },
    ),
    Told(
        "stream-reserve",
        "reserves in batches of 1,000, or streamed",
        {
            "batch_lines_per_s": "BatchReserve {} lines/s",
            "stream_lines_per_s": "StreamReserve {} lines/s",
            "lines_per_s": "fastest {} lines/s",
            "oversold": "oversold {}",
        },
    ),
    Told("movements", "movements recorded", {"lines_per_s": "{}/s"}),
    Told("matrix", "1,000 SKUs x 400 locations read into numpy", {"cells_per_s": "{} cells/s"}),
    Told(
        "watch",
        "1,000 watch streams told of changes",
        {"most_events_per_s": "{} events/s", "p99_ms": "p99 {} ms at 50 writes/s"},
    ),
    Told(
        "mixed",
        "700 checks for each reserve",
        {"requests_per_s": "{}/s", "check_p99_ms": "p99 of checks {} ms", "reserve_p99_ms": "of reserves {} ms"},
    ),
    Told(
        "overload",
        "3 times the peak sent, checks refused first",
        {
            "ratio_peak": "{} of the peak answered",
            "ratio_peak_writes": "{} of the writes at the peak",
            "commits_answered": "{} of what settles answered",
            "refused_p99_ms": "p99 of refusals {} ms",
        },
    ),
    Told(
        "growth",
        "1,000,000 SKUs, 400 locations",
        {
            "ratio_small": "checks at {} of the rate of 10,000 SKUs, 4 locations",
            "gateway_bytes_per_cell": "{} bytes per cell in a gateway",
            "actor_bytes_per_sku": "{} per stocked SKU in an actor",
        },
    ),
    Told(
        "ledger",
        "core alone, on one core",
        {"reserves_per_s": "{} reserves/s", "bytes_per_sku": "{} bytes per stocked SKU"},
    ),
    Told("recovery", "1,000,000 SKUs and 100,000 reservations recovered", {"recovery_s": "{} s"}),
    Told("boot", "400 locations up", {"boot_s": "{} s", "boot_again_s": "{} s with stock"}),
    Told(
        "sourcing",
        "orders planned",
        {
            "mean_cost_ratio": "cost {} x the exact optimum",
            "plan_400_p50_ms": "{} ms over 400 locations",
            "allocate_ratio_reserve": "Allocate at {} of the rate of Reserve",
        },
    ),
    Told(
        "ceiling",
        "the load generator itself",
        {"requests_per_s": "{} checks/s from bare sockets", "envoy_per_s": "{}/s from a bare echo on Envoy"},
    ),
)


def with_measured(text: str, folder: Path = RESULTS) -> str:
    """`text` with what stands between the marks replaced by the figures of the folder; as it is without any."""
    results = read_results(folder, scenarios())
    if not results:
        return text
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + measured(results, folder) + END + after


def measured(results: Sequence[Result], folder: Path = RESULTS) -> str:
    """A line of where, the table and the pictures that are in the folder."""
    there = [name for name in SHOWN if (folder / f"{name}.png").exists()]
    commits = ", ".join(dict.fromkeys(result.commit for result in results))
    where = (
        f"On {machine_text(results[0].machine)}, load generator and peers included, every write fsynced\n"
        f"before its answer, at commit {commits}. A target is told where it is missed.\n"
        "More: [all figures](bench/results/report.md), [what they mean](docs/benchmarks.md)."
    )
    parts = [
        where,
        grid(("what", "measured", "command"), _rows(results)),
        *(picture(name, f"{LINK}/{name}.png") for name in there),
    ]
    return "\n\n".join(parts) + "\n"


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, str, str]]:
    """In the order of ROWS; then what no row tells of, by the figures that something was promised of."""
    by_name = {result.scenario.name: result for result in results}
    for told in ROWS:
        if (result := by_name.get(told.scenario)) is not None:
            text = _told(result, told.figures) or ("could not be measured" if result.failed else "")
            if text:
                yield told.what, text, f"`{_short(result.taken.command)}`"
    known = {told.scenario for told in ROWS}
    for name, result in by_name.items():
        promised = {figure.name: f"`{figure.name}` {{}}" for figure in result.scenario.figures if figure.target}
        if name not in known and (text := _told(result, promised)):
            yield result.scenario.summary.rstrip("."), text, f"`{_short(result.taken.command)}`"


def _told(result: Result, texts: dict[str, str]) -> str:
    rows = {row.figure.name: row for row in result.rows() if row.figure.name in result.figures}
    return ", ".join(_figure(rows[name], text) for name, text in texts.items() if name in rows)


def _figure(row: Row, text: str) -> str:
    missed = f" (target {row.figure.target})" if row.outcome == MISSED else ""
    return f"{text.format(row.value)}{missed}"


def _short(command: str) -> str:
    return command.removesuffix(" --seconds 10")
