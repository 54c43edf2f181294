"""What a call is worth under overload, and the gate that lets a share of the lesser ones pass.

Pure: the time and the chance come in as arguments.
"""

from __future__ import annotations

from enum import IntEnum
from math import exp
from typing import Final, NamedTuple


class Worth(IntEnum):
    """Which calls go first when there is too much to do: the lowest."""

    BROWSE = 0
    """Reads."""
    HOLD = 1
    """New holds."""
    SETTLE = 2
    """What becomes of holds, and what happened to stock: commits, releases, fulfilments, movements, counts."""


class WaitTargets(NamedTuple):
    """How long work may wait before calls of a worth are refused, seconds, in the order of `Worth`; 0: never."""

    browse_s: float = 0.15
    hold_s: float = 0.3
    settle_s: float = 2.0


WAITS: Final = WaitTargets()
"""What is well unless the settings say otherwise."""
STANDING_S: Final = 0.1
"""How long a wait is over its target before calls are refused, and under it before that is over: a burst that is gone
by then harms nobody (the interval of CoDel, RFC 8289)."""

STEEPNESS: Final = 1.5
CUT_MOST: Final = 0.3
"""The least that one cut of a valve leaves of its share."""
WAITS_MOST: Final = 2.0
"""What has waited this many times as long as is well is refused when its turn comes, so no queue lasts longer."""
SETTLES_S: Final = 0.1
"""How long a cut takes until it shows, beyond the wait of what was let in before."""
LEAST: Final = 0.02
"""The least share of a valve: what passes tells how the wait is."""
NEAR: Final = 0.85
"""Up to this part of the share at which it was too much a valve opens by `FAST` and then by `SLOW`."""
FAST: Final = 3.0
"""How fast the logarithm of the share grows, per second: twentyfold in one."""
SLOW: Final = 0.1
"""The logarithm grows with the cube of the time since the cut, by this in its first second: by a third in 1.4 s,
fifteenfold in 3 s (as CUBIC does, RFC 9438)."""


class Gate:
    """Lets all calls pass while work is taken up in time, and fewer the longer it waits.

    While the wait stands over its target, `(target / wait) ** STEEPNESS` of the calls pass. The wait of a queue that is
    taken up turn by turn is, from one turn to the next, multiplied by the load and by the share that passes; so the
    logarithm of the wait is off its rest by `1 - STEEPNESS` of what it was off the turn before, or less when refusals
    cost something too. Under 2 that dies out: the wait comes to rest at about `overload ** (1 / STEEPNESS)` times the
    target, and nothing swings. There is no state to unlearn: when the load ends, so does the wait.

    Args:
        target_s: the wait that is still well, seconds; 0: everything passes.

    Attributes:
        share: of the calls that pass, 0 to 1.
        standing: whether there is too much to do.
    """

    __slots__ = ("_changing_since_s", "_target_s", "share", "standing")

    def __init__(self, target_s: float) -> None:
        self._target_s = target_s
        self._changing_since_s: float | None = None
        self.share = 1.0
        self.standing = False

    def observe(self, wait_s: float, now_s: float) -> bool:
        """Take note of how long work waits now; tells whether `standing` changed."""
        if not self._target_s:
            return False
        changed = self._stands(wait_s > self._target_s, now_s)
        late = self.standing and wait_s > self._target_s
        self.share = (self._target_s / wait_s) ** STEEPNESS if late else 1.0
        return changed

    def passes(self, chance: float) -> bool:
        """Whether a call may go on; `chance` is uniform in [0, 1)."""
        return chance < self.share

    def _stands(self, late: bool, now_s: float) -> bool:  # noqa: FBT001  # two states
        if late == self.standing:
            self._changing_since_s = None
            return False
        if self._changing_since_s is None:
            self._changing_since_s = now_s
        if now_s - self._changing_since_s < STANDING_S:
            return False
        self.standing, self._changing_since_s = late, None
        return True


class Valve:
    """A share with a memory, for a door far ahead of the queue: what it refuses never waits where the wait is measured.

    A `Gate` there would see no wait as soon as it refuses enough, let everything pass again, and swing. A valve takes
    back a part of its share when work waits too long, then waits for the queue of that moment to be gone before it
    looks again. While the wait is below half of the target it opens: fast up to near the share at which it was too
    much, hardly there, and then ever faster, so that it is all open a few seconds after the load has gone.

    Args:
        target_s: the wait that is still well, seconds; 0: everything passes.

    Attributes:
        share: of the calls that pass, 0 to 1.
    """

    __slots__ = ("_at_s", "_opening_s", "_target_s", "_too_much", "_until_s", "share")

    def __init__(self, target_s: float) -> None:
        self._target_s = target_s
        self._at_s = self._until_s = self._opening_s = 0.0
        self.share = self._too_much = 1.0

    def observe(self, wait_s: float, now_s: float, *, standing: bool) -> None:
        """Take note of how long work waits now, and of whether the gate behind finds that this is no mere burst."""
        passed_s, self._at_s = min(now_s - self._at_s, 1.0), now_s
        if not self._target_s or now_s < self._until_s:
            return
        if wait_s > self._target_s and standing:
            self._cut(wait_s, now_s)
        elif wait_s < self._target_s / 2 and self.share < 1:
            self._open(passed_s)

    def _cut(self, wait_s: float, now_s: float) -> None:
        if self._opening_s:
            self._too_much, self._opening_s = self.share, 0.0
        self.share = max(LEAST, self.share * max(CUT_MOST, self._target_s / wait_s))
        self._until_s = now_s + min(wait_s, WAITS_MOST * self._target_s) + SETTLES_S

    def _open(self, passed_s: float) -> None:
        before_s, self._opening_s = self._opening_s, self._opening_s + passed_s
        near = NEAR * self._too_much
        if self.share < near:
            self.share = min(near, self.share * exp(FAST * passed_s))
        else:
            self.share = min(1.0, self.share * exp(SLOW * (self._opening_s**3 - before_s**3)))


def room_for(worth: Worth, most: int) -> int:
    """How many of the `most` places of a table may be taken before a call of this worth is refused, at least one.

    New holds leave an eighth to what settles, and reads a quarter, so that those never find the table full of these.
    """
    return max(1, most - (Worth.SETTLE - worth) * (most // 8))
