"""`Courier`: carries what an actor's ledgers have to say to other ledgers, until they have heard it.

Gateways carry the news first; the courier is for what they did not get done, because they died or a location was away.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from allocator.core import codec
from allocator.core.protocol.errands import Errand, carried
from allocator.core.results import Reason, Rejected
from allocator.runtime.hosted import NETWORK
from allocator.runtime.network_view import NetworkView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.runtime.host import LedgerHost

Reach = Callable[[str, str, bytes], bytes]
"""(actor, method, data): calls `execute` or `changes` of an actor; raises when it is away."""
THREADS: Final = 4
"""Actors spoken to at once."""

log = structlog.get_logger("allocator.courier")


class _Trip(NamedTuple):
    """An errand, and the ledger that has it."""

    owner: str
    errand: Errand


class Courier:
    """Carries the errands of one host.

    Args:
        unit: the actor that the host is in.
        host: whose errands they are.
        reach: the way to other actors.
    """

    def __init__(self, unit: str, host: LedgerHost, reach: Reach) -> None:
        self._unit = unit
        self._host = host
        self._reach = reach
        self._network = NetworkView()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="courier")

    def run(self) -> int:
        """Carry what is due; returns how many errands were answered."""
        trips = [_Trip(item.name, errand) for item, errand in self._host.errands()]
        if not trips:
            return 0
        answers = self._carry(trips)
        calls = [
            (trip.owner, codec.tagged(command), "", "")
            for trip, answer in zip(trips, answers, strict=True)
            for command in carried(trip.errand, answer)
        ]
        if calls:
            self._host.execute(codec.pack(({}, calls)))
        return sum(answer is not None for answer in answers)

    def _carry(self, trips: Sequence[_Trip]) -> list[Any]:
        """The answer to each errand; None where the other actor was away."""
        if any(self._network.actor_of(trip.errand.location) is None for trip in trips) and not self._look_up():
            return [None] * len(trips)
        groups: dict[str, list[int]] = {}
        answers: list[Any] = [None] * len(trips)
        for n, trip in enumerate(trips):
            actor = self._network.actor_of(trip.errand.location)
            if actor is None:
                answers[n] = Rejected(Reason.LOCATION_UNKNOWN, "location", "it left the network")
            else:
                groups.setdefault(actor, []).append(n)
        told = self._pool.map(lambda actor: self._tell(actor, [trips[n].errand for n in groups[actor]]), groups)
        for numbers, results in zip(groups.values(), told, strict=True):
            for n, result in zip(numbers, results, strict=True):
                answers[n] = result
        return answers

    def _tell(self, actor: str, errands: Sequence[Errand]) -> list[Any]:
        data = codec.pack(({}, [(errand.location, codec.tagged(errand.message), "", "") for errand in errands]))
        try:
            reply = self._host.execute(data) if actor == self._unit else self._reach(actor, "execute", data)
            results = [codec.untagged(array) for array in codec.unpack(reply)[1]]
        except Exception as error:  # noqa: BLE001  # it is away, or of another build; the errands come up again
            log.info("actor away", actor=actor, error=type(error).__name__)
            results = []
        return results if len(results) == len(errands) else [None] * len(errands)

    def _look_up(self) -> bool:
        """Learn the network anew; false when its actor is away."""
        try:
            data = self._reach(NETWORK, "changes", codec.pack(("", -1, {NETWORK: None}, 0.0)))
            news = codec.unpack(data)[2].get(NETWORK)
            if news is None or not news[2]:
                return False
            self._network.apply(news[2])
        except Exception as error:  # noqa: BLE001  # as above
            log.info("network away", error=type(error).__name__)
            return False
        return True
