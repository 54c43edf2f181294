"""The reservations of one location: by id, by SKU, by expiry, the parts that ask their homes, and the ended ones."""

from __future__ import annotations

import heapq
from collections import deque
from typing import TYPE_CHECKING

from allocator.core.protocol.types import ASK_GRACE_NS, OPENED, Done, reservation_of
from allocator.core.results import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allocator.core.limits import LedgerLimits
    from allocator.core.reservation import Reservation


class ReservationBook:
    """Reservations by id in the order they were made, live ones also by SKU, held ones also by expiry.

    The expiry queue keeps stale entries (committed or extended since) until they come up or outnumber the others;
    an entry counts only while its reservation is held and expires at that very time. Parts do not expire: they are in
    `asks` by the time at which they ask their home.

    Attributes:
        parts: reservation -> holds of its live parts here.
        telling: hold -> (home, what became of the SKUs that movements took) of parts whose home does not know yet.
        filling: holds of live parts whose home does not know yet which units do not wait any longer.
    """

    __slots__ = (
        "asks",
        "by_id",
        "by_sku",
        "closed",
        "filling",
        "limits",
        "live_count",
        "parts",
        "queue",
        "serial",
        "telling",
    )

    def __init__(self, limits: LedgerLimits) -> None:
        self.limits = limits
        self.by_id: dict[str, Reservation] = {}
        self.by_sku: dict[str, dict[str, None]] = {}
        self.queue: list[tuple[int, str]] = []
        self.closed: deque[tuple[int, str]] = deque()
        self.asks: list[tuple[int, str]] = []
        self.parts: dict[str, list[str]] = {}
        self.telling: dict[str, tuple[str, tuple[Done, ...]]] = {}
        self.filling: dict[str, None] = {}
        self.serial = 0
        self.live_count = 0

    def add(self, reservation: Reservation) -> None:
        """Take in a new or restored reservation."""
        key = reservation.id
        self.by_id[key] = reservation
        state = reservation.state
        if state > State.COMMITTED:
            return
        self.live_count += 1
        by_sku = self.by_sku
        for sku, _ in reservation.lines if reservation.done is None else reservation.open_lines():
            holders = by_sku.get(sku)
            if holders is None:
                by_sku[sku] = {key: None}
            else:
                holders[key] = None
        if reservation.home:
            self.parts.setdefault(reservation_of(key), []).append(key)
            self.await_asking(reservation)
        elif state == State.HELD:
            self.await_expiry(reservation)

    def hold(self, reservation: Reservation) -> None:
        """Take in a new hold; `add` for the one case that every reserve is."""
        key = reservation.id
        self.by_id[key] = reservation
        self.live_count += 1
        by_sku = self.by_sku
        for sku, _ in reservation.lines:
            if sku in by_sku:
                by_sku[sku][key] = None
            else:
                by_sku[sku] = {key: None}
        if reservation.home:
            self.parts.setdefault(reservation_of(key), []).append(key)
            self.await_asking(reservation)
            return
        heapq.heappush(self.queue, (reservation.expires_ns, key))
        if len(self.queue) > 2 * self.live_count + 64:
            self._drop_stale()

    def await_expiry(self, reservation: Reservation) -> None:
        """Queue a hold's expiry, dropping stale entries when they are most of the queue."""
        heapq.heappush(self.queue, (reservation.expires_ns, reservation.id))
        if len(self.queue) > 2 * self.live_count + 64:
            self._drop_stale()

    def await_asking(self, part: Reservation) -> None:
        """Queue the time at which a part asks its home."""
        if not part.expires_ns:
            return
        heapq.heappush(self.asks, (part.expires_ns, part.id))
        if len(self.asks) > 2 * self.live_count + 64:
            self.asks = sorted({entry for entry in self.asks if self._asks(entry)})

    def asking(self, now_ns: int) -> list[Reservation]:
        """The parts that should have heard of their home by `now_ns`, longest first."""
        found = []
        while self.asks and self.asks[0][0] <= now_ns:
            entry = heapq.heappop(self.asks)
            if self._asks(entry):
                found.append(entry)
        for entry in found:  # they go on asking until they are answered
            heapq.heappush(self.asks, entry)
        return [self.by_id[hold] for _, hold in found]

    def follow_home(self, reservation: Reservation, home: str) -> None:
        """Make a reservation of this location alone a part of itself: its header decides from now on."""
        reservation.home, reservation.seq = home, OPENED
        self.parts.setdefault(reservation.id, []).insert(0, reservation.id)  # as in a snapshot: it is the oldest
        if reservation.state == State.HELD:
            reservation.expires_ns += ASK_GRACE_NS
            self.await_asking(reservation)

    def tell(self, part: Reservation) -> None:
        """Note that the home of `part` does not know yet what movements took, and what that left for the rest."""
        self.telling[part.id] = (part.home, part.moved_rows())

    def serving(self, name: str, sku: str) -> Reservation | None:
        """The live reservation, or part of one, with open units of `sku` that a movement means by `name`."""
        for key in (name, *self.parts.get(name, ())):
            reservation = self.by_id.get(key)
            if reservation is not None and reservation.open_of(sku):
                return reservation
        return None

    def next_expiry_ns(self) -> int | None:
        """When the next hold runs out, ns; None when nothing is held."""
        while self.queue and not self._is_current(self.queue[0]):
            heapq.heappop(self.queue)
        return self.queue[0][0] if self.queue else None

    def due(self, now_ns: int) -> Reservation | None:
        """The hold that ran out first, if one has by `now_ns`."""
        next_ns = self.next_expiry_ns()
        return self.by_id[self.queue[0][1]] if next_ns is not None and next_ns <= now_ns else None

    def line_closed(self, reservation: Reservation, sku: str) -> None:
        """Forget that `reservation` holds `sku`."""
        holders = self.by_sku.get(sku)
        if holders is not None:
            holders.pop(reservation.id, None)
            if not holders:
                del self.by_sku[sku]

    def close(self, reservation: Reservation, state: int, at_ns: int) -> None:
        """End `reservation`, and forget ended ones that are too old or too many."""
        reservation.state = state
        self.live_count -= 1
        if reservation.home:
            self._close_part(reservation)
        self.closed.append((at_ns, reservation.id))
        oldest_ns = at_ns - self.limits.closed_age_ns
        while self.closed and (len(self.closed) > self.limits.closed_max or self.closed[0][0] < oldest_ns):
            self.by_id.pop(self.closed.popleft()[1], None)

    def holding(self, sku: str) -> Iterator[Reservation]:
        """Live reservations with open units of `sku`, oldest first."""
        return (self.by_id[key] for key in self.by_sku.get(sku, ()))

    def _close_part(self, part: Reservation) -> None:
        name = reservation_of(part.id)
        self.filling.pop(part.id, None)
        holds = self.parts[name]
        holds.remove(part.id)
        if not holds:
            del self.parts[name]

    def _asks(self, entry: tuple[int, str]) -> bool:
        part = self.by_id.get(entry[1])
        return part is not None and part.live and part.expires_ns == entry[0]

    def _drop_stale(self) -> None:
        self.queue = [entry for entry in self.queue if self._is_current(entry)]
        heapq.heapify(self.queue)

    def _is_current(self, entry: tuple[int, str]) -> bool:
        reservation = self.by_id.get(entry[1])
        if reservation is None or reservation.home:
            return False
        return reservation.state == State.HELD and reservation.expires_ns == entry[0]
