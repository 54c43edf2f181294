"""`allocator replay`: the stock of a location as of any version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from allocator.cli import parameters as p
from allocator.cli.output import emit_rows
from allocator.cli.stock import show_stock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocator.client import Stock
    from allocator.core.ledger import StockLedger
    from allocator.core.results import StockView

PAGE = 1_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Data", epilog="Example: allocator replay leeds --data data --to 1200")(replay)


def replay(
    *,
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Whose ledger.")],
    to: Annotated[
        int | None, typer.Option("--to", min=0, metavar="VERSION", help="As of this version; default: the newest.")
    ] = None,
    settings: p.SettingsFile = None,
    data: p.DataDir = None,
    journal: p.JournalUrl = None,
    limit: p.Limit = None,
    as_json: p.Json = False,
) -> None:
    """Rebuild a location's ledger from the journal and show its stock; reads only, also while the service runs."""
    from allocator.cli.journals import archive, rebuild, shard_of

    with archive(settings, data, journal) as opened:
        ledger = rebuild(opened, location, shard_of(opened.reader, location), to)
    rows = p.row_limit(limit, as_json=as_json)
    if as_json:
        emit_rows(_stock(ledger), rows)
    else:
        show_stock(_stock(ledger), rows, title=f"{location} at version {ledger.version:,}")


def _stock(ledger: StockLedger) -> Iterator[Stock]:
    from allocator.core.commands import ListStock

    start, more = 0, True
    while more:
        page = ledger.query(ListStock(start, PAGE))
        yield from (_row(ledger, view) for view in page.rows)  # type: ignore[union-attr, arg-type]  # a StockPage
        start = page.next_start  # type: ignore[union-attr]  # as above
        more = start > 0


def _row(ledger: StockLedger, view: StockView) -> Stock:
    from allocator.client import ChannelQuota, Stock

    return Stock(
        sku=view.sku,
        location=ledger.location,
        on_hand=view.on_hand,
        unsellable=dict(view.unsellable),
        held=view.held,
        committed=view.committed,
        safety_stock=view.safety_stock,
        quotas=tuple(ChannelQuota(q.channel, q.quota, q.reserved, max(0, q.quota - q.reserved)) for q in view.quotas),
        available=view.available,
        version=ledger.version,
        incoming=view.incoming,
        waiting=view.waiting,
    )
