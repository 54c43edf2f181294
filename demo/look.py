"""Looks at everything the service and the ERP have, for the audit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from allocator.client import AsyncClient, NotFound, Reservation, ReservationState, Stock
from demo.audit import Found
from demo.book import Key
from demo.erp import caught_up, read_erp

STOCK_MAX: Final = 1_000
"""SKUs of one GetStock."""
ERP_TIMEOUT_S: Final = 60.0
LIVE: Final = (ReservationState.HELD, ReservationState.COMMITTED)


async def look_around(client: AsyncClient, keys: Iterable[Key], books: Path) -> Found:
    """Read all stock and live reservations, and the ERP once it has come as far.

    Args:
        client: of the service.
        keys: locations and SKUs to ask GetStock for.
        books: the ERP's database.

    Raises:
        AllocatorError: the service or the ERP does not answer, or the ERP stays behind.
    """
    skus = defaultdict(list)
    for location, sku in keys:
        skus[location].append(sku)
    got = [row for location in skus for row in await _get(client, location, skus[location])]
    listed = [row for location in skus for row in [one async for one in client.list_stock(location)]]
    versions: dict[str, int] = {}
    for row in listed:
        versions[row.location] = max(row.version, versions.get(row.location, 0))
    reservations: list[Reservation] = []
    for state in LIVE:
        reservations += [one async for one in client.reservations(state=state)]
    await caught_up(books, versions, ERP_TIMEOUT_S)
    return Found(listed, got, reservations, read_erp(books))


async def _get(client: AsyncClient, location: str, skus: list[str]) -> list[Stock]:
    """Stock of these SKUs; what the service has never heard of is left out, and the audit will miss it."""
    rows: list[Stock] = []
    for begin in range(0, len(skus), STOCK_MAX):
        try:
            rows += await client.stock(location, skus[begin : begin + STOCK_MAX])
        except NotFound:
            continue
    return rows
