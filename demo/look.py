"""Looks at everything the service and the ERP have, for the audit."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from allocator.client import AsyncClient, NotFound, Reservation, ReservationState, Stock
from demo.audit import Found, promised, reserved
from demo.book import Hold, Key
from demo.erp import caught_up, read_erp

STOCK_MAX: Final = 1_000
"""SKUs of one GetStock."""
LOOK_S: Final = 0.2
ERP_TIMEOUT_S: Final = 60.0
FOLLOW_TIMEOUT_S: Final = 60.0
"""How long parts of reservations may take to follow their homes: a part that hears nothing asks after 30 seconds."""
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
    return Found(listed, got, reservations, await _parts(client, skus), read_erp(books))


async def parts_followed(client: AsyncClient, locations: Iterable[str], live: Mapping[str, Hold]) -> None:
    """Wait until every location has done what was decided at the homes of its reservations, or time is up.

    A decision is final at once, but reaches a location that was down, or that nobody told in time, a little later. What
    is still different then is for the audit to tell.
    """
    places, expected = list(locations), promised(live)
    deadline_s = time.monotonic() + FOLLOW_TIMEOUT_S
    while reserved(await _parts(client, places)) != expected:
        if time.monotonic() > deadline_s:
            return
        await asyncio.sleep(LOOK_S)


async def _parts(client: AsyncClient, locations: Iterable[str]) -> list[Reservation]:
    """What each location holds units for."""
    return [
        one
        for location in locations
        for state in LIVE
        async for one in client.reservations(location=location, state=state, held_here=True)
    ]


async def _get(client: AsyncClient, location: str, skus: list[str]) -> list[Stock]:
    """Stock of these SKUs; what the service has never heard of is left out, and the audit will miss it."""
    rows: list[Stock] = []
    for begin in range(0, len(skus), STOCK_MAX):
        try:
            rows += await client.stock(location, skus[begin : begin + STOCK_MAX])
        except NotFound:
            continue
    return rows
