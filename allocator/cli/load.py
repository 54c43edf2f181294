"""`allocator load`: movements from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from allocator.cli import parameters as p
from allocator.cli.output import emit, numbers, progress, say, show_table, warn, words
from allocator.cli.session import session_of

KEPT_SUFFIX = ".rejects.jsonl"
"""How the name of a file of rejected lines ends, for its format to be known by it."""
REASONS_SHOWN = 5
"""Rejected lines that are printed when nobody keeps them in a file."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        rich_help_panel="Stock",
        epilog="Example: allocator load opening-stock.csv --rejects opening.rejects.jsonl",
    )(load)


def load(
    *,
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", exists=True, dir_okay=False, help="What to load.")],
    kind: Annotated[
        str | None,
        typer.Option("--format", metavar="csv|cloudevents|rejects", help="Default: by the file's name."),
    ] = None,
    source: Annotated[str, typer.Option("--source", help="Who tells movements that name no source.")] = "file",
    delimiter: Annotated[str, typer.Option("--delimiter", help="Between the cells of CSV.")] = ",",
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="FILE", help="Keep rejected lines here with the reason; it can be loaded."),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=10_000, help="Movements of one call.")] = 1_000,
    as_json: p.Json = False,
) -> None:
    """Load movements from CSV or from JSON lines of CloudEvents; each counts once, however often it is loaded.

    CSV has a header with sku, location, type and quantity, and any of
    movement_id, source, sequence, occurred_at, recorded_at, disposition,
    from_disposition, reservation, reason, reference, corrects, supply,
    expect_at, final and supply_kind. Types are receipt, sale, return,
    adjustment, transfer_out, transfer_in, disposition_change, count, shipment
    and supply.

    Exit code 1 when a line was rejected.
    """
    import asyncio

    from allocator.cli.loading import Loader, plan_of

    plans = [plan_of(path, kind, source, delimiter) for path in files]
    with progress() as bar:
        task = bar.add_task("Loading", total=sum(plan.size for plan in plans))
        loader = Loader(batch, rejects, lambda size: bar.advance(task, size))
        asyncio.run(loader.load(session_of(context).async_client(), plans))
    tally = loader.tally
    if as_json:
        kept_in = str(rejects) if rejects and tally.rejected else None
        emit({"ok": not tally.rejected, "files": len(plans), **tally.by_status(), "rejects": kept_in})
    else:
        show_table([*words("status"), *numbers("lines")], list(tally.by_status().items()))
        _say_rejected(rejects, loader.reasons, tally.rejected)
    if tally.rejected:
        raise typer.Exit(1)


def _say_rejected(kept_in: Path | None, reasons: list[str], rejected: int) -> None:
    if not rejected:
        return
    if kept_in is not None:
        again = f"allocator load {kept_in}" + ("" if kept_in.name.endswith(KEPT_SUFFIX) else " --format rejects")
        say(f"{rejected:,} lines were rejected: {kept_in} has them with the reasons. Once they pass: {again}")
        return
    for reason in reasons[:REASONS_SHOWN]:
        warn(reason)
    warn(f"{rejected:,} lines were rejected; `--rejects FILE` keeps them with the reasons")
