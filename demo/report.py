"""The report of `make demo`: tables to read, a page and a picture to keep, and the one line that says it all."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from demo.audit import Check
from demo.picture import draw
from demo.play import Outcome
from demo.served import Served, served

DIFFERENCES_MAX: Final = 20
"""Differences told one by one."""
COMPARED: Final = {
    "fill_rate": ("units held of those ordered", "{:.2%}"),
    "parcels_per_order": ("parcels per order", "{:.2f}"),
    "cost_per_order": ("cost per order", "{:,.2f}"),
    "cost_per_unit": ("cost per unit", "{:.4f}"),
    "days_to_delivery": ("days from order to last parcel, mean", "{:.2f}"),
}
"""What the two ways of serving the orders are compared by, and how it is told."""
MADE_UP: Final = (
    "The orders are real (D. Chen, Online Retail, UCI Machine Learning Repository, 2015, CC BY 4.0). The network, its "
    "stock and costs, what units weigh, where customers live and what becomes of each order are made up."
)
CHECK_COLUMNS: Final = ("compared with", "numbers", "differ", "drift")
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
    console.print(_compared(outcome))
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
            "sourcing": {name: one.figures() for name, one in _both(outcome).items()},
            "checks": {check.where: check.drift for check in outcome.verdict.checks},
        },
        indent=2,
    )
    path.write_text(text + "\n", encoding="utf-8")


def write_pages(folder: Path, outcome: Outcome) -> Path:
    """Write `report.md`, `figures.json`, `flows.png` and `flows.svg` into a folder; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "figures.json", outcome)
    picture, _ = draw(folder, outcome.scene, outcome.score.parcels, outcome.nearest)
    page = folder / "report.md"
    page.write_text(_page(outcome, picture.name), encoding="utf-8")
    return page


def _page(outcome: Outcome, picture: str) -> str:
    return f"""# The demo

{MADE_UP}

## What happened

{_markdown(("what", ""), _event_rows(outcome), "---")}

## Where orders were served from

{_markdown(("", *_both(outcome)), _compared_rows(outcome))}

{_explained(outcome)}

![From where orders went where]({picture})

## Recounted from outside

{_markdown(CHECK_COLUMNS, _check_rows(outcome.verdict.checks))}

`{last_line(outcome)}`
"""


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]], rule: str = "---:") -> str:
    lines = [head, ["---", *(rule for _ in head[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _both(outcome: Outcome) -> dict[str, Served]:
    orders = outcome.scene.plan.orders
    return {
        "Allocate": served(orders, outcome.score.parcels),
        "nearest location first": served(orders, outcome.nearest),
    }


def _compared_rows(outcome: Outcome) -> list[tuple[str, ...]]:
    both = [one.figures() for one in _both(outcome).values()]
    return [(text, *(form.format(one[name]) for one in both)) for name, (text, form) in COMPARED.items()]


def _explained(outcome: Outcome) -> str:
    return (
        "Nearest location first: each line from the nearest location that has units of it, what that one lacks from "
        "the next; the same orders in the same sequence on a copy of the same stock, over the same lanes. Allocate is "
        f"what the service did, with {outcome.outage.location} killed in the middle. Costs are those of the lanes, "
        "made up from one figure of Jasin and Sinha 2015, with 1.00 more for a store parcel, and say nothing of a "
        "real carrier."
    )


def _compared(outcome: Outcome) -> Table:
    table = Table(title="Where orders were served from (customers, costs and stock are made up)", title_justify="left")
    for name in ("", *_both(outcome)):
        table.add_column(name, justify="right" if name else "left")
    for row in _compared_rows(outcome):
        table.add_row(*row)
    return table


def _events(outcome: Outcome) -> Table:
    table = Table(title="What happened", show_header=False, title_justify="left")
    for row in _event_rows(outcome):
        table.add_row(*row)
    return table


def _event_rows(outcome: Outcome) -> list[tuple[str, str]]:
    score, scene, outage = outcome.score, outcome.scene, outcome.outage
    turns = score.turns
    rows = {
        "orders": "Online Retail, D. Chen, UCI Machine Learning Repository, 2015, CC BY 4.0",
        "made up": "network, stock, costs, weights, where customers live, and what becomes of each order",
        "order book": f"{len(scene.orders.orders):,} orders, {scene.orders.source_lines:,} lines, "
        f"{sum(len(order.lines) for order in scene.orders.orders):,} once those of a SKU are summed",
        "over the counter": f"{len(scene.plan.till_sales):,} of these lines, as till sales through the folder",
        "played over gRPC": f"{score.orders:,} orders, {score.lines:,} lines in {score.seconds:.1f} s",
        "lines held whole": f"{score.reserved:,}",
        "lines refused or short": f"{score.refused:,} ({score.refused / max(1, score.lines):.1%})",
        "allocates": f"{turns['granted']:,} granted, {turns['refused']:,} refused; {score.retried:,} calls retried",
        "then": f"{turns['commit']:,} committed, {turns['fulfil']:,} shipments, {turns['release']:,} releases, "
        f"{turns['expire']:,} expired, {outcome.live:,} still open",
        "killed": f"{outage.location} (process {outage.pid}); it answered again after {outage.seconds:.1f} s",
        "told twice": f"{outcome.repeats:,} till sales in a file that came again",
        "units": ", ".join(f"{name} {outcome.units.get(name, 0):+,}" for name in UNITS),
        "ERP": f"{outcome.postings:,} postings",
    }
    return list(rows.items())


def _checks(checks: Iterable[Check]) -> Table:
    table = Table(title="Recounted from outside", title_justify="left")
    for name in CHECK_COLUMNS:
        table.add_column(name, justify="left" if name == CHECK_COLUMNS[0] else "right")
    for row in _check_rows(checks):
        table.add_row(*row)
    return table


def _check_rows(checks: Iterable[Check]) -> list[tuple[str, ...]]:
    return [(one.where, f"{one.numbers:,}", f"{len(one.differences):,}", f"{one.drift:,}") for one in checks]
