"""What a location has to say to others until they have answered. Pure: the shell carries the messages.

An errand may be carried late, twice or never: it comes up again until the ledger has what it waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from allocator.core.limits import NS_PER_S
from allocator.core.protocol.answers import Heard
from allocator.core.protocol.types import OPENED, Ask, Confirm, Follow, reservation_of
from allocator.core.results import Reason, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocator.core.ledger import StockLedger
    from allocator.core.reservation import Reservation

PATIENCE_NS: Final = NS_PER_S
"""How long a new errand waits for the gateway that caused it to carry it."""
REPEAT_MAX_NS: Final = 30 * NS_PER_S
"""Longest pause between two attempts at one errand."""
ERRANDS_MAX: Final = 1_000
"""Errands of one round; the others come up in the next."""


class Errand(NamedTuple):
    """A message to the ledger of `location`."""

    location: str
    message: Follow | Ask


class Errands:
    """When each errand of one ledger is due again. Not journaled: after a restart all of them are due at once."""

    def __init__(self) -> None:
        self._next_ns: dict[str, tuple[int, int]] = {}

    def due(self, ledger: StockLedger, now_ns: int) -> list[Errand]:
        """The errands to carry now."""
        seen: dict[str, tuple[int, int]] = {}
        found: list[Errand] = []
        for key, errand, patience_ns in _outstanding(ledger, now_ns):
            if len(seen) == ERRANDS_MAX:
                break
            next_ns, pause_ns = self._next_ns.get(key) or (now_ns + patience_ns, PATIENCE_NS)
            if next_ns <= now_ns:
                found.append(errand)
                next_ns, pause_ns = now_ns + pause_ns, min(2 * pause_ns, REPEAT_MAX_NS)
            seen[key] = (next_ns, pause_ns)
        self._next_ns = seen
        return found


def carried(errand: Errand, answer: object) -> tuple[Confirm | Follow, ...]:
    """What the ledger that had the errand is to execute now that it was answered.

    A participant that left the network holds nothing any more, so it has followed.
    """
    message = errand.message
    if isinstance(message, Ask):
        return (answer.follow,) if isinstance(answer, Heard) and answer.follow is not None else ()
    gone = isinstance(answer, Rejected) and answer.reason == Reason.LOCATION_UNKNOWN
    if isinstance(answer, Heard) or gone:
        return (Confirm(reservation_of(message.hold), message.hold, message.seq),)
    return ()


def _outstanding(ledger: StockLedger, now_ns: int) -> Iterator[tuple[str, Errand, int]]:
    """Every errand with a key of its own, and how long the first attempt may wait."""
    for location, follow in ledger.headers.owed():
        yield f"{follow.hold}:{follow.seq}", Errand(location, follow), PATIENCE_NS
    for hold, (home, rows) in ledger.reservations.telling.items():
        yield f"told:{hold}", Errand(home, Ask(reservation_of(hold), hold, ledger.location, rows)), 0
    for hold in ledger.reservations.filling:
        part = ledger.reservations.by_id[hold]
        if part.seq >= OPENED:  # before that the home may not know it yet; then it asks soon, anyway
            yield f"filled:{hold}", Errand(part.home, _ask(ledger, part)), 0
    for part in ledger.reservations.asking(now_ns):
        yield f"ask:{part.id}", Errand(part.home, _ask(ledger, part)), 0


def _ask(ledger: StockLedger, part: Reservation) -> Ask:
    filled = tuple((part.filled or {}).items())
    return Ask(reservation_of(part.id), part.id, ledger.location, filled=filled)
