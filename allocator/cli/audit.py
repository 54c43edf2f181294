"""`allocator audit`: do the counters of every location agree with what they count?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allocator.cli import parameters as p
from allocator.cli.output import emit, numbers, progress, say, show_table, words
from allocator.cli.session import session_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.cli.findings import Finding

DRIFT_SHOWN = 20
"""Lines of drift and of shortages that are printed; JSON has all."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Data", epilog="Example: allocator audit; allocator audit --data data")(audit)


def audit(
    *,
    context: typer.Context,
    locations: Annotated[
        list[str] | None, typer.Option("--location", help="Only this one; may be repeated; default: all.")
    ] = None,
    tries: Annotated[
        int, typer.Option("--tries", min=1, help="How often a location that changes meanwhile is read.")
    ] = 20,
    settings: Annotated[
        Path | None,
        # Unlike that of the other commands it does not come from the environment: it chooses what is audited.
        typer.Option("--settings", metavar="FILE", help="Audit the journal of the service with these settings."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Audit the journal in this data folder.")
    ] = None,
    journal: Annotated[
        str | None, typer.Option("--journal", metavar="URL", help="Audit this journal: a folder or postgresql://...")
    ] = None,
    as_json: p.Json = False,
) -> None:
    """Check that the counters of every location agree with its reservations.

    By default it asks the service: held and committed must be the sum of the
    open reservations. With --data, --settings or --journal it reads the journal
    instead, also while the service runs: it rebuilds every ledger, recomputes
    all counters and, when the whole log is there, recounts on hand from the
    movements.

    Exit code 1 on drift. A shortage is no drift: a movement took what was
    promised.
    """
    if settings or data or journal:
        found = _offline(settings, data, journal, locations)
    else:
        found = _online(context, locations, tries)
    if as_json:
        for finding in found:
            emit(finding)
    else:
        _show(found)
    if not all(finding.ok for finding in found):
        raise typer.Exit(1)


def _online(context: typer.Context, chosen: list[str] | None, tries: int) -> list[Finding]:
    from allocator.cli.audit_online import audit_location

    with session_of(context).client() as client, progress() as bar:
        locations = chosen or [location.id for location in client.locations()]
        return [audit_location(client, location, tries) for location in bar.track(locations, description="Auditing")]


def _offline(settings: Path | None, data: Path | None, journal: str | None, chosen: list[str] | None) -> list[Finding]:
    from allocator.cli.audit_offline import audit_shard
    from allocator.cli.journals import archive, location_shards, shard_of

    with archive(settings, data, journal) as opened, progress() as bar:
        shards = location_shards(opened.reader)
        if chosen:
            shards = {location: shard_of(opened.reader, location) for location in chosen}
        return [
            audit_shard(opened, location, shard)
            for location, shard in bar.track(shards.items(), total=len(shards), description="Auditing")
        ]


def _show(found: Sequence[Finding]) -> None:
    columns = [*words("location"), *numbers("version", "SKUs", "reservations"), *words("checked", "result")]
    show_table(columns, [_row(finding) for finding in found])
    for title, lines in (
        ("Drift", [f"{finding.location}: {line}" for finding in found for line in finding.drift]),
        ("Shortages", [f"{finding.location}: {line}" for finding in found for line in finding.shortages]),
    ):
        for line in lines[:DRIFT_SHOWN]:
            say(f"{title}: {line}")
        if len(lines) > DRIFT_SHOWN:
            say(f"{title}: {len(lines) - DRIFT_SHOWN:,} more; --json has all")
    say(f"{len(found):,} locations audited, {sum(not finding.ok for finding in found):,} with drift.")


def _row(finding: Finding) -> tuple[object, ...]:
    result = "ok" if finding.ok else f"{len(finding.drift):,} drift" if finding.drift else "not checked"
    if finding.shortages:
        result += f", {len(finding.shortages):,} short"
    return finding.location, finding.version, finding.skus, finding.reservations, finding.checked, result
