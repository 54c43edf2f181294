"""What the play came to: counted from the acknowledgements."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from demo.acks import Ack, Finished, Grant, Parcel, Played, Turn


@dataclass(slots=True)
class Score:
    """Counts of a play.

    Attributes:
        processes: client processes; the play is over when all of them have finished.
        orders, lines: played.
        reserved: lines held whole.
        turns: reservations by what became of them.
        parcels: of each order, by its reference.
        latencies_ms: of each Allocate call, retries and waits included.
        retried: calls that were sent again.
        begun_s, over_s: when the play began and was over, on a clock that only goes forward; 0: not yet.
    """

    processes: int
    orders: int = 0
    lines: int = 0
    reserved: int = 0
    turns: Counter[str] = field(default_factory=Counter)
    parcels: defaultdict[str, list[Parcel]] = field(default_factory=lambda: defaultdict(list))
    latencies_ms: list[float] = field(default_factory=list)
    retried: int = 0
    finished: int = 0
    begun_s: float = 0.0
    over_s: float = 0.0

    def count(self, ack: Ack) -> None:
        """Count an acknowledgement."""
        self.begun_s = self.begun_s or time.monotonic()
        match ack:
            case Grant():
                self.latencies_ms.append(ack.latency_ms)
                self.parcels[ack.order] += ack.parcels
                self.turns["granted" if ack.reservation else "refused"] += 1
            case Turn():
                self.turns[ack.turn] += 1
            case Played():
                self.orders += 1
                self.lines += ack.lines
                self.reserved += ack.whole
            case Finished():
                self.retried += ack.retries
                self.finished += 1
                if self.finished == self.processes:
                    self.over_s = time.monotonic()

    @property
    def refused(self) -> int:
        """Lines that were refused or are short."""
        return self.lines - self.reserved

    @property
    def seconds(self) -> float:
        """How long the play took, from the first answer to the last shipment."""
        return max(self.over_s - self.begun_s, 0.001)

    def latency_ms(self, share: float) -> float:
        """The latency that `share` of the Allocate calls did not exceed (nearest rank); 0 without any."""
        ranked = sorted(self.latencies_ms)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0
