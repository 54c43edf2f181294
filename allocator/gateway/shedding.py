"""Load shedding by worth: which calls go first when there is too much to do, and how a gateway notices.

`Shedding` decides and is pure. `Pulse` brings it the time and how long work waits for its turn.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from allocator.runtime.worth import WAITS_MOST, Gate, Valve, WaitTargets, Worth, room_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

TICK_S: Final = 0.02
"""How often a busy gateway looks how late its event loop is, seconds."""
KNOCK_S: Final = 0.1
"""How often it knocks at its own front, where a front keeps calls waiting out of sight, seconds."""

_HOLD: Final = ("Reserve", "Allocate", "BatchReserve", "StreamReserve", "TransferReservation")
_BROWSE: Final = (
    "CheckAvailability",
    "BatchGetAvailability",
    "WatchAvailability",
    "QueryAvailability",
    "Source",
    "ExplainSourcing",
)
_WORTH: Final[Mapping[str, Worth]] = {
    **dict.fromkeys(_HOLD, Worth.HOLD),
    **dict.fromkeys(_BROWSE, Worth.BROWSE),
}

log = structlog.get_logger("allocator.gateway")


def worth_of(rpc: str) -> Worth:
    """What an rpc of the contract is worth, by its name."""
    if rpc.startswith(("Get", "List")):
        return Worth.BROWSE
    return _WORTH.get(rpc, Worth.SETTLE)


class Shedding:
    """Decides which calls a gateway takes on.

    Args:
        calls_max: unary calls under way at most.
        streams_max: streams open at most.
        waits: how long work may wait before calls of each worth are refused.

    Attributes:
        calls_room: calls under way at which one of each worth is refused.
        streams_room: the same for streams.
        gates: what passes of each worth.
        valves: what passes of each worth at a door.
        stale_s: how long a call of each worth may have waited by the time its turn comes; longer, and it is refused.
        at_the_door: whether the front itself refuses what does not pass, so that nobody else has to; it is `observe`d
            from there then.
    """

    def __init__(self, calls_max: int, streams_max: int, waits: WaitTargets) -> None:
        self.calls_room = tuple(room_for(worth, calls_max) for worth in Worth)
        self.streams_room = tuple(room_for(worth, streams_max) for worth in Worth)
        self.gates = tuple(Gate(target_s) for target_s in waits)
        self.valves = tuple(Valve(target_s) for target_s in waits)
        self.stale_s = tuple(WAITS_MOST * target_s if target_s else float("inf") for target_s in waits)
        self.at_the_door = False
        self._told = [False for _ in Worth]

    @property
    def standing(self) -> bool:
        """Whether calls of any worth are refused because work waits too long."""
        return any(gate.standing for gate in self.gates) or any(valve.share < 1 for valve in self.valves)

    def share(self, worth: Worth) -> float:
        """The share of calls of a worth that pass here."""
        return 1.0 if self.at_the_door else self.gates[worth].share

    def observe(self, waits_s: Sequence[float], now_s: float) -> None:
        """Take note of how long work of each worth waits for its turn now, in the order of `Worth`."""
        for worth, wait_s, gate, valve in zip(Worth, waits_s, self.gates, self.valves, strict=True):
            gate.observe(wait_s, now_s)
            if self.at_the_door:
                valve.observe(wait_s, now_s, standing=gate.standing)
                self._tell(worth, valve.share, wait_s, refusing=valve.share < 1)
            else:
                self._tell(worth, gate.share, wait_s, refusing=gate.standing)

    def _tell(self, worth: Worth, share: float, wait_s: float, *, refusing: bool) -> None:
        """Log when calls of a worth begin to be refused, and when they cease to be."""
        if refusing != self._told[worth]:
            self._told[worth] = refusing
            event = "overloaded: refusing a share of calls" if refusing else "overload is over"
            log.warning(event, worth=worth.name.lower(), share=round(share, 3), wait_ms=round(1e3 * wait_s))


class Pulse:
    """Measures how long work waits for its turn while there is any, and tells `shedding`.

    A timer that rings late tells how late everything is that the event loop has to do. That is all there is on a front
    that hands calls to the loop at once. One that keeps calls back out of sight tells of it: Envoy notes when each call
    came (`note`); gRPC's core does not, so its front gives a `knock`, a call through its own door, which waits as long
    as the others do.

    An idle gateway has no timer here: `wake` starts it, and it ends after a tick without a call.

    Args:
        shedding: hears of it.
        busy: whether anything is under way.
    """

    def __init__(self, shedding: Shedding, busy: Callable[[], bool]) -> None:
        self._shedding = shedding
        self._busy = busy
        self._ticking = False
        self._knock: Callable[[], Awaitable[object]] | None = None
        self._knocking: asyncio.Task[None] | None = None
        self._knocked_s = 0.0
        self._answered_after_s = 0.0
        self._waited_s = [0.0 for _ in Worth]
        self._due_s = float("inf")
        self._queued_s: Callable[[], Sequence[float]] | None = None
        self.awake = False

    def listen(self, knock: Callable[[], Awaitable[object]]) -> None:
        """Use a front's `knock` from now on."""
        self._knock = knock

    def look_at(self, queued_s: Callable[[], Sequence[float]]) -> None:
        """Ask from now on how long those wait who have not begun, by worth."""
        self._queued_s = queued_s

    def note(self, worth: Worth, waited_s: float) -> None:
        """Take note of how long a call has waited before it began, where a front knows."""
        self._waited_s[worth] = max(self._waited_s[worth], waited_s)

    def wake(self) -> None:
        """Measure from now on; to be called when `awake` is False, which it is again after each tick."""
        self.awake = True
        if not self._ticking:
            self._ticking = True
            self._next()

    def stop(self) -> None:
        """Knock no more."""
        self._knock, self._answered_after_s = None, 0.0
        if self._knocking is not None:
            self._knocking.cancel()

    def waits_s(self, now_s: float) -> list[float]:
        """How long work of each worth waits as of now, or has waited since this was asked last.

        It may be asked from another thread, which learns of a loop that is late before the loop does.
        """
        noted_s, self._waited_s = self._waited_s, [0.0 for _ in Worth]
        everything_s = max(0.0, now_s - self._due_s, self._answered_after_s)
        queued_s = self._queued_s() if self._queued_s is not None else noted_s
        return [max(everything_s, *pair) for pair in zip(noted_s, queued_s, strict=True)]

    def _next(self) -> None:
        self._due_s = time.monotonic() + TICK_S
        asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        now_s = time.monotonic()
        self._look_behind_the_door(now_s)
        if not self._shedding.at_the_door:
            self._shedding.observe(self.waits_s(now_s), now_s)
        if self.awake or self._shedding.standing or self._knocking is not None or self._busy():
            self.awake = False
            self._next()
        else:
            self._ticking = False
            self._due_s = float("inf")

    def _look_behind_the_door(self, now_s: float) -> None:
        """Know how long the last knock took, or the one under way takes already."""
        if self._knock is None:
            return
        if self._knocking is not None:
            self._answered_after_s = max(self._answered_after_s, now_s - self._knocked_s)
        elif now_s - self._knocked_s >= KNOCK_S:
            self._knocked_s = now_s
            self._knocking = asyncio.get_running_loop().create_task(self._knock_once(self._knock))

    async def _knock_once(self, knock: Callable[[], Awaitable[object]]) -> None:
        try:
            await knock()
        except Exception as error:  # noqa: BLE001  # a front that ends, or one that was never reached this way
            log.debug("no answer to a knock", error=type(error).__name__)
        finally:
            self._answered_after_s = time.monotonic() - self._knocked_s
            self._knocking = None
