"""The report of `make demo`: tables to read, and the one line that says it all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from demo.audit import Check
from demo.play import Outcome

DIFFERENCES_MAX: Final = 20
"""Differences told one by one."""
UNITS: Final = ("opening", "receipt", "return", "adjustment", "sale", "fulfilled")


def figures(outcome: Outcome) -> dict[str, float]:
    """The numbers of the last line, unrounded where they are measured."""
    score, verdict = outcome.score, outcome.verdict
    return {
        "orders": score.orders,
        "lines": score.lines,
        "reserved": score.reserved,
        "refused": score.refused,
        "oversold": verdict.oversold,
        "drift": verdict.drift,
        "retried": score.retried,
        "p50_ms": score.latency_ms(0.50),
        "p99_ms": score.latency_ms(0.99),
        "orders_per_s": score.orders / score.seconds,
    }


def last_line(outcome: Outcome) -> str:
    """The line that says it all, in whole numbers."""
    return " ".join(f"{name}={round(number)}" for name, number in figures(outcome).items())


def print_report(console: Console, outcome: Outcome) -> None:
    """Print what happened, what was compared, and last the line for scripts."""
    console.print(_events(outcome))
    console.print(_checks(outcome.verdict.checks))
    told = [one for check in outcome.verdict.checks for one in check.differences]
    for one in told[:DIFFERENCES_MAX]:
        console.print(f"[red]{one}")
    if len(told) > DIFFERENCES_MAX:
        console.print(f"[red]and {len(told) - DIFFERENCES_MAX:,} more")
    # Not through rich: nothing may be wrapped or coloured here.
    console.file.write(last_line(outcome) + "\n")
    console.file.flush()


def write_json(path: Path, outcome: Outcome) -> None:
    """Write the figures for scripts."""
    text = json.dumps(
        figures(outcome)
        | {
            "play_s": outcome.score.seconds,
            "outage": asdict(outcome.outage),
            "units": outcome.units,
            "checks": {check.where: check.drift for check in outcome.verdict.checks},
        },
        indent=2,
    )
    path.write_text(text + "\n", encoding="utf-8")


def _events(outcome: Outcome) -> Table:
    score, scene, outage = outcome.score, outcome.scene, outcome.outage
    turns = score.turns
    table = Table(title="What happened", show_header=False, title_justify="left")
    rows = {
        "orders": "Online Retail, D. Chen, UCI Machine Learning Repository, 2015, CC BY 4.0",
        "made up": "the network, its stock, and what becomes of each order",
        "order book": f"{len(scene.orders.orders):,} orders, {scene.orders.source_lines:,} lines, "
        f"{sum(len(order.lines) for order in scene.orders.orders):,} once those of a SKU are summed",
        "over the counter": f"{len(scene.plan.till_sales):,} of these lines, as till sales through the folder",
        "played over gRPC": f"{score.orders:,} orders, {score.lines:,} lines in {score.seconds:.1f} s",
        "lines held whole": f"{score.reserved:,}",
        "lines refused or short": f"{score.refused:,} ({score.refused / max(1, score.lines):.1%})",
        "reserves": f"{turns['granted']:,} granted, {turns['refused']:,} refused; {score.retried:,} calls retried",
        "then": f"{turns['commit']:,} committed, {turns['fulfil']:,} shipments, {turns['release']:,} releases, "
        f"{turns['expire']:,} expired, {outcome.live:,} still open",
        "killed": f"{outage.location} (process {outage.pid}); it answered again after {outage.seconds:.1f} s",
        "told twice": f"{outcome.repeats:,} till sales in a file that came again",
        "units": ", ".join(f"{name} {outcome.units.get(name, 0):+,}" for name in UNITS),
        "ERP": f"{outcome.postings:,} postings",
    }
    for name, text in rows.items():
        table.add_row(name, text)
    return table


def _checks(checks: Iterable[Check]) -> Table:
    table = Table(title="Recounted from outside", title_justify="left")
    for name in ("compared with", "numbers", "differ", "drift"):
        table.add_column(name, justify="left" if name == "compared with" else "right")
    for check in checks:
        table.add_row(check.where, f"{check.numbers:,}", f"{len(check.differences):,}", f"{check.drift:,}")
    return table
