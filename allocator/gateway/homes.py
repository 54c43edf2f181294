"""Which location is the home of what a request id allocates, also when the network has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocator.core.commands import GetReservation
from allocator.core.ids import reservation_id
from allocator.core.limits import DAY_NS
from allocator.core.rendezvous import Rendezvous
from allocator.core.results import Rejected

if TYPE_CHECKING:
    from allocator.gateway.call import Call
    from allocator.runtime.router import Router

CHANGES_MAX: Final = 16
"""Times at which locations came into the network that are looked back at."""


class Homes:
    """The homes of request ids, the same at every gateway.

    A location that comes into the network wins some request ids over from others. For as long as ids are remembered,
    one that may have been used before is looked for at the homes it had then.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._version = -1
        self._networks: list[tuple[int, Rendezvous]] = []

    def home(self, request_id: str) -> str:
        """The home of a new request id; there is at least one location."""
        self._look()
        return self._networks[-1][1].home(request_id)

    async def known(self, request_id: str, now_ns: int, call: Call, *, everywhere: bool = False) -> str:
        """A home that knows a reservation of this id already; "" when none does.

        Args:
            request_id: of the caller.
            now_ns: time, ns since 1970 UTC.
            call: which asks.
            everywhere: look at the home of today, too, not only at those of yesterday's network.
        """
        today = self.home(request_id)
        homes = {network.home(request_id): None for until_ns, network in self._networks if until_ns > now_ns - DAY_NS}
        homes.pop(today, None)
        for home in (*homes, *([today] if everywhere else [])):
            query = GetReservation(reservation_id(home, request_id))
            result, _ = await self._router.submit(home, query, call.trail)
            if not isinstance(result, Rejected):
                return home
        return ""

    def _look(self) -> None:
        """Compile the network as it is and as it was before each change: (until when, homes)."""
        network = self._router.network
        if network.version == self._version:
            return
        made = {name: network.created_ns.get(name, 0) for name in network.locations}
        times = sorted(set(made.values()))[-CHANGES_MAX:]
        self._networks = [
            (until_ns, Rendezvous(name for name in made if made[name] < until_ns)) for until_ns in times[1:]
        ]
        self._networks.append((2**63, Rendezvous(made)))
        self._version = network.version
