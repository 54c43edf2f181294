"""`allocator journal`: look into the journal, and take a follower out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from allocator.cli import parameters as p
from allocator.cli.output import emit, numbers, plain, progress, say, show_table, warn, words
from allocator.core.errors import AllocatorError

if TYPE_CHECKING:
    from allocator.journal.port import EntryDetail, ShardStatus

RAW_BYTES = 64
"""Bytes of a damaged entry that are shown."""

Shard = Annotated[str, typer.Argument(metavar="SHARD", help="Its name, or a location.")]


class NothingThere(AllocatorError):  # noqa: N818  # it says what happened; its root carries the Error
    """What was asked for is not in the journal; the message says what is."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Look into the journal: verify it, see where it stands, show an entry, list or drop cursors.",
        no_args_is_help=True,
    )
    group.command(epilog="Example: allocator journal verify --data data")(verify)
    group.command(epilog="Example: allocator journal status --data data")(status)
    group.command(epilog="Example: allocator journal show leeds 17 --data data")(show)
    group.command(epilog="Example: allocator journal cursors --drop old-erp --data data")(cursors)
    app.add_typer(group, name="journal", rich_help_panel="Data")


def verify(
    shard: Annotated[str | None, typer.Option("--shard", help="Only this one, by name or location.")] = None,
    settings: p.SettingsFile = None,
    data: p.DataDir = None,
    journal: p.JournalUrl = None,
    as_json: p.Json = False,
) -> None:
    """Read all that is stored and check it; lists every damage.

    Reads only, also while the service runs. Exit code 1 when something is damaged.
    """
    from allocator.cli.journals import archive, shard_of

    with archive(settings, data, journal) as opened, progress() as bar:
        shards = [shard_of(opened.reader, shard)] if shard else opened.reader.shards()
        found = [damage for name in bar.track(shards, description="Verifying") for damage in opened.reader.verify(name)]
    if as_json:
        emit({"ok": not found, "shards": len(shards), "damages": found})
    elif found:
        show_table(
            words("shard", "version", "damage", "file"), [(d.shard, d.version or "", d.what, d.file) for d in found]
        )
    else:
        say(f"{len(shards):,} shards are sound.")
    if found:
        raise typer.Exit(1)


def status(
    settings: p.SettingsFile = None,
    data: p.DataDir = None,
    journal: p.JournalUrl = None,
    as_json: p.Json = False,
) -> None:
    """Show where each shard stands: versions, snapshot, writer."""
    from allocator.cli.journals import archive

    with archive(settings, data, journal) as opened:
        rows = [opened.reader.status(shard) for shard in opened.reader.shards()]
    if as_json:
        for row in rows:
            emit(row)
        return
    columns = [*words("shard", "unit"), *numbers("epoch", "from", "to", "snapshot", "snapshot bytes")]
    show_table(columns, map(_status_row, rows))


def show(
    shard: Shard,
    version: Annotated[int, typer.Argument(min=1, metavar="VERSION", help="Of the entry.")],
    settings: p.SettingsFile = None,
    data: p.DataDir = None,
    journal: p.JournalUrl = None,
    as_json: p.Json = False,
) -> None:
    """Show one entry: its events, and the call behind each."""
    from allocator.cli.journals import archive, shard_of

    with archive(settings, data, journal) as opened:
        name = shard_of(opened.reader, shard)
        entries = opened.reader.inspect(name, version - 1, 1)
        stands = opened.reader.status(name)
    if not entries or entries[0].version != version:
        raise NothingThere(f"{name} has the entries {stands.first_available} to {stands.head}, and no {version}")
    entry = entries[0]
    events = [] if entry.damage else _events(entry)
    if as_json:
        emit({**plain(entry._replace(payload=b"")), "shard": name, "bytes": len(entry.payload), "events": events})
    else:
        _show_entry(name, entry, events)
    if entry.damage:
        raise typer.Exit(1)


def cursors(
    drop: Annotated[
        str | None,
        typer.Option("--drop", metavar="NAME", help="Forget this follower, so that it holds back no cut any more."),
    ] = None,
    settings: p.SettingsFile = None,
    data: p.DataDir = None,
    journal: p.JournalUrl = None,
    as_json: p.Json = False,
) -> None:
    """Show how far the followers of the journal have come; what none has passed is kept."""
    from allocator.cli.journals import archive

    with archive(settings, data, journal) as opened:
        found = opened.store.cursors()
        if drop is not None:
            names = {cursor.name for cursor in found}
            if drop not in names:
                raise NothingThere(f"there is no cursor {drop!r}; there are: {', '.join(sorted(names)) or 'none'}")
            opened.store.drop_cursor(drop)
            found = [cursor for cursor in found if cursor.name != drop]
            warn(f"Dropped {drop}.")
        heads = {cursor.shard: opened.reader.head(cursor.shard) for cursor in found}
    rows = [(c.name, c.shard, c.version, heads[c.shard], heads[c.shard] - c.version) for c in found]
    if as_json:
        for name, shard, version, head, behind in rows:
            emit({"name": name, "shard": shard, "version": version, "head": head, "behind": behind})
    else:
        show_table([*words("cursor", "shard"), *numbers("version", "head", "behind")], rows)


def _status_row(row: ShardStatus) -> tuple[object, ...]:
    snapshot = row.snapshot_version if row.snapshot_version is not None else ""
    return row.shard, row.unit, row.epoch, row.first_available, row.head, snapshot, row.snapshot_bytes


def _events(entry: EntryDetail) -> list[dict[str, Any]]:
    from allocator.core import codec

    return [
        {
            "event": type(event).__name__,
            "correlation_id": correlation_id,
            "traceparent": traceparent,
            **plain(event),
        }
        for event, correlation_id, traceparent in codec.unpack_batch(entry.payload)
    ]


def _show_entry(shard: str, entry: EntryDetail, events: list[dict[str, Any]]) -> None:
    say(f"{shard} {entry.version}: epoch {entry.epoch}, {len(entry.payload):,} bytes, checksum {entry.checksum:#010x}")
    if entry.damage:
        say(f"Damaged: {entry.damage}")
        say(f"It begins with: {bytes(entry.payload[:RAW_BYTES]).hex(' ')}")
    for event in events:
        emit(event)
