"""Reservations that a shortage puts at risk are sourced again, if the settings say so.

A movement or a count told us that fewer units are there than are promised. The newest reservations named by the
shortage give units up here once other locations hold them; those that nobody can take over stay as they are.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog

from allocator.gateway.errors import ApiError
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.results import Shortage
    from allocator.gateway.amending import Amending
    from allocator.gateway.call import Call

log = structlog.get_logger("allocator.resourcing")


class Resourcing:
    """Sources again what shortages put at risk, beside the calls that told of them.

    Args:
        amending: moves units of reservations.
        enabled: as the settings say.
    """

    def __init__(self, amending: Amending, *, enabled: bool) -> None:
        self._amending = amending
        self._enabled = enabled
        self._under_way: set[asyncio.Task[Any]] = set()

    def begin(self, location: str, shortages: Iterable[Shortage | None], call: Call) -> None:
        """Start sourcing again what the shortages at `location` name; nobody waits for it."""
        found = [shortage for shortage in shortages if shortage is not None]
        if self._enabled and found:
            task = asyncio.get_running_loop().create_task(self._resource(location, found, call.detached()))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _resource(self, location: str, shortages: list[Shortage], call: Call) -> None:
        """One reservation after the other, until what is missing is promised elsewhere."""
        for sku, missing, reservations, _ in shortages:
            left = missing
            for reservation in reservations:
                if left <= 0:
                    break
                try:
                    moved = await self._amending.move_away(reservation, location, sku, left, call)
                except (ApiError, OutcomeUnknownError, OverloadedError) as error:
                    log.warning("not sourced again", reservation=reservation, location=location, error=str(error))
                    continue
                except Exception:  # a defect with one reservation need not take the others along
                    log.exception("not sourced again", reservation=reservation, location=location)
                    continue
                left -= moved
                log.info("sourced again", reservation=reservation, location=location, sku=sku, moved=moved)
