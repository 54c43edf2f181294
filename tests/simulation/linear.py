"""Whether what callers saw of one SKU at one location could have happened one after the other.

J. Wing and C. Gong, "Testing and verifying concurrent objects", JPDC 17 (1993), with the memo of G. Lowe, "Testing for
linearizability", CCPE 29(4), 2017: the object is a counter of available units, so what was done so far is the state.
"""

from __future__ import annotations

from typing import NamedTuple


class Op(NamedTuple):
    """One operation on a counter.

    Attributes:
        start_ns: when it was asked for.
        end_ns: when its answer came, or when it was durable if nobody heard.
        change: what it adds to the counter.
        least: it was granted, so the counter was at least this (None: nothing was granted).
        seen: it was told that the counter, floored at 0, was this (None: it was told nothing).
        what: for whoever reads a failure.
    """

    start_ns: int
    end_ns: int
    change: int
    least: int | None
    seen: int | None
    what: object

    def fits(self, counter: int) -> bool:
        """Whether it could have happened when the counter was this."""
        granted = self.least is None or counter >= self.least
        return granted and (self.seen is None or max(0, counter) == self.seen)


def linearizable(ops: list[Op]) -> bool:
    """Whether there is an order of all `ops` that agrees with their times and with what they were told."""
    everything = (1 << len(ops)) - 1
    tried: set[int] = set()
    stack = [(0, 0)]
    while stack:
        done, counter = stack.pop()
        if done == everything:
            return True
        if done in tried:
            continue
        tried.add(done)
        fitting = (n for n in reversed(_next(ops, done)) if ops[n].fits(counter))
        stack.extend((done | 1 << n, counter + ops[n].change) for n in fitting)  # the first one is tried first
    return False


def _next(ops: list[Op], done: int) -> list[int]:
    """Operations that may come next: begun before any of the others was over."""
    left = [n for n in range(len(ops)) if not done >> n & 1]
    first_end_ns = min(ops[n].end_ns for n in left)
    return [n for n in left if ops[n].start_ns <= first_end_ns]
