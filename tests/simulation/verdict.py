"""What the oracle says when an invariant does not hold."""

from __future__ import annotations

from typing import Final

INVARIANTS: Final = {
    1: "units are granted only from what is available",
    2: "counters equal the sum of their reservations, on_hand the sum of its movements",
    3: "an acknowledged write survives",
    4: "the same request id never acts twice",
    5: "a reservation ends exactly once, never half at one location and half not",
    6: "a hold never outlives its expiry by more than the grace, and is never cut short",
    7: "nothing is answered or published before it is durable, and readers see versions in order",
    8: "one writer per location",
    9: "every table is bounded",
    10: "a replay yields the state that was lived through",
    11: "what callers saw of one SKU at one location could have happened in some order",
}
"""The invariants of the architecture by number, and linearizability."""


class Violation(AssertionError):  # noqa: N818  # it is a verdict, not an error of the simulator
    """An invariant does not hold.

    Args:
        invariant: which, a key of `INVARIANTS`.
        what: the facts.
    """

    def __init__(self, invariant: int, what: str) -> None:
        self.invariant = invariant
        super().__init__(f"invariant {invariant} ({INVARIANTS[invariant]}): {what}")
