"""`allocator stock`: what is at a location."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from allocator.cli import parameters as p
from allocator.cli.orders import in_words
from allocator.cli.output import emit_rows, numbers, show_rows, words
from allocator.cli.session import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allocator.client import Client, ExpectedSupply, Stock

SKUS_MAX = 1_000
"""SKUs of one call."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Stock", epilog="Example: allocator stock leeds APPLE PEAR")(stock)
    app.command(rich_help_panel="Stock", epilog="Example: allocator supply leeds --sku APPLE")(supply)


def stock(
    context: typer.Context,
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Where.")],
    skus: Annotated[list[str] | None, typer.Argument(metavar="[SKU...]", help="Which; none: all of them.")] = None,
    limit: p.Limit = None,
    as_json: p.Json = False,
) -> None:
    """Show every component of the stock of a location: on hand, unsellable, held, committed, available."""
    rows = p.row_limit(limit, as_json=as_json)
    with session_of(context).client() as client:
        found = _named(client, location, skus) if skus else client.list_stock(location)
        if as_json:
            emit_rows(found, rows)
        else:
            show_stock(found, rows, title=location)


def supply(
    context: typer.Context,
    location: Annotated[str, typer.Argument(metavar="LOCATION", help="Where it comes to.")],
    sku: Annotated[str, typer.Option("--sku", help="Only of this SKU.")] = "",
    ended: Annotated[bool, typer.Option("--ended", help="Also what came, was cancelled or will not come.")] = False,
    limit: p.Limit = None,
    as_json: p.Json = False,
) -> None:
    """Show what a location expects: purchase orders and transfers, with what came of them and what is still to come.

    It is announced with movements of type supply: see `allocator load`.
    """
    rows = p.row_limit(limit, as_json=as_json)
    with session_of(context).client() as client:
        found = client.list_supply(location, sku=sku, include_ended=ended)
        if as_json:
            emit_rows(found, rows)
        else:
            columns = [*words("supply", "SKU", "kind", "expected"), *numbers("quantity", "received", "open")]
            show_rows(columns, map(_supply_row, found), rows, title=location)


def show_stock(found: Iterable[Stock], limit: int | None, title: str) -> None:
    """Print stock as a table."""
    columns = [
        *words("SKU"),
        *numbers("on hand", "held", "committed", "safety stock", "available", "incoming", "waiting"),
        *words("unsellable", "quotas (left)"),
    ]
    show_rows(columns, map(_row, found), limit, title)


def _row(one: Stock) -> tuple[object, ...]:
    unsellable = ", ".join(f"{name} {units:,}" for name, units in one.unsellable.items())
    quotas = ", ".join(f"{quota.channel} {quota.quota:,} ({quota.unused:,})" for quota in one.quotas)
    counts = (one.on_hand, one.held, one.committed, one.safety_stock, one.available, one.incoming, one.waiting)
    return one.sku, *counts, unsellable, quotas


def _supply_row(one: ExpectedSupply) -> tuple[object, ...]:
    expected = one.expect_at.isoformat(timespec="minutes") if one.expect_at is not None else ""
    return one.supply, one.sku, in_words(one.kind), expected, one.quantity, one.received, one.open


def _named(client: Client, location: str, skus: list[str]) -> Iterator[Stock]:
    for start in range(0, len(skus), SKUS_MAX):
        yield from client.stock(location, skus[start : start + SKUS_MAX])
