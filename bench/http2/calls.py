"""What a load sends: calls of some kinds, mixed by weight, and what their answers mean."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

Judge = Callable[[bytes, Any], str]
"""Says in a word what an answer means, of its message and the note of its call. It runs for every answer, so a test of
a few bytes beats a parser."""


@dataclass(frozen=True, eq=False)
class Kind:
    """Calls of one method that belong together: their latencies are kept apart from those of other kinds.

    Attributes:
        name: of the kind, in what was measured.
        path: `/package.Service/Method`.
        judge: what answers mean; without one all are OK and nobody reads them.
        metadata: sent with every call.
        framed: whether a message is a whole stream of them, each with its prefix (`frames.message`), all sent at once;
            the judge gets the stream that was answered the same way.
    """

    name: str
    path: str
    judge: Judge | None = None
    metadata: Sequence[tuple[str, str]] = ()
    framed: bool = False


class Call(NamedTuple):
    """One call to send.

    Attributes:
        kind: it belongs to.
        message: the request, serialised.
        note: whatever the judge of the kind wants to know of it.
    """

    kind: Kind
    message: bytes
    note: Any = None


class Calls(ABC):
    """What one process sends. Made there, so it may hold what cannot be sent to another process."""

    @abstractmethod
    def next(self) -> Call:
        """The next call, made when it is sent."""

    def apart(self) -> Sequence[Calls]:
        """Those among them that share no connection and no queue with the others."""
        return (self,)

    def turn(self) -> int:
        """Which of `apart` the call that is due next belongs to."""
        return 0

    def tally(self) -> Any:  # noqa: ANN401  # whatever the scenario wants to know
        """What this process knows of its calls besides their outcomes; sent back, so it has to pickle."""
        return None


class Mix(Calls):
    """Several calls in one load, by weight: 700 checks for each reserve.

    Every round has each as often as its weight, in an order that is shuffled once.

    Args:
        parts: weights and calls.
        seed: of the order.
    """

    def __init__(self, parts: Sequence[tuple[int, Calls]], seed: int) -> None:
        self._parts = [calls for _, calls in parts]
        self._round = [calls for weight, calls in parts for _ in range(weight)]
        random.Random(seed).shuffle(self._round)
        self._at = -1

    def next(self) -> Call:
        """The next call of whichever is next."""
        self._at = (self._at + 1) % len(self._round)
        return self._round[self._at].next()

    def tally(self) -> list[Any]:
        """The tallies of all parts, in their order."""
        return [calls.tally() for calls in self._parts]


class Crowd(Mix):
    """A mix of callers who know nothing of each other: one who has to wait keeps none of another's calls.

    A caller that comes later in `parts` is served first when several have something to send.
    """

    def apart(self) -> Sequence[Calls]:
        """The parts."""
        return self._parts

    def turn(self) -> int:
        """By weight."""
        self._at = (self._at + 1) % len(self._round)
        return self._parts.index(self._round[self._at])
