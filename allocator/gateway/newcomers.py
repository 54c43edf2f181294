"""Names that this gateway may hear of any moment: another gateway answers a create before we have heard of it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from allocator.runtime.errors import VersionNotReachedError
from allocator.runtime.hosted import NETWORK

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.runtime.router import Router

NEWS_WAIT_S: Final = 0.15
"""Many times what news of the network take; a name that nobody has is told so that much later."""


class Newcomers:
    """Waits, for what is not known, until the network has news."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._news: asyncio.Task[None] | None = None

    async def arrived(self, known: Callable[[], object]) -> bool:
        """Whether `known` holds, now or after the next news of the network.

        All callers share one wait: it costs something with every answer that the router gets. Who comes in the middle
        of it waits for one more, as the first may be nearly over.
        """
        joined = self._news is not None and not self._news.done()
        for _ in range(1 + joined):
            if known():
                return True
            if self._news is None or self._news.done():
                self._news = asyncio.get_running_loop().create_task(self._wait())
            await asyncio.shield(self._news)  # a caller that gives up leaves the others their wait
        return bool(known())

    async def _wait(self) -> None:
        with contextlib.suppress(VersionNotReachedError):
            await self._router.reach({NETWORK: self._router.network.version + 1}, NEWS_WAIT_S)
