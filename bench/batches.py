"""Many writes in one call: a batch in one message, or a stream of messages sent at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.http2 import Call, Calls, Kind
from bench.http2.frames import message, messages
from bench.measured import Measured
from bench.templates import Template, new_ids

CONTINUED: Final = 0x80
ELEMENT: Final = 0x0A
"""The tag of field 1 as a message."""
NUMBER: Final = 0x08
"""The tag of field 1 as a number, below 128 whenever it is read here."""
WHOLE: Final = "whole"
BROKEN: Final = "broken"
"""An answer with less in it than was asked, or an error among it."""

Chosen = NDArray[np.int64]
"""Which templates are in a batch."""


class Way(NamedTuple):
    """How writes are put together.

    Attributes:
        name: in the figures.
        path: of the rpc.
        writes: in a call.
        messages: of a call; 0: it is a batch, and its elements are field 1 of the one message.
    """

    name: str
    path: str
    writes: int
    messages: int = 0


class Batches(Calls):
    """Batches of random templates.

    Args:
        way: they are sent.
        templates: of the elements: with tag and length, as `templates.element` makes them.
    """

    def __init__(self, way: Way, templates: Sequence[Template]) -> None:
        self._way = way
        self._templates = templates
        self._ids = new_ids()
        self._chance = np.random.default_rng()
        self._kind = Kind(way.name, way.path, self._judge, framed=way.messages > 0)

    def next(self) -> Call:
        """A batch."""
        chosen: Chosen = self._chance.integers(0, len(self._templates), self._way.writes)
        elements = [before + identity + after for (before, after), identity in zip(self._chose(chosen), self._ids)]  # noqa: B905  # ids do not end
        if not self._way.messages:
            return Call(self._kind, b"".join(elements), chosen)
        return Call(self._kind, b"".join(map(message, self._together(elements))), chosen)

    def _chose(self, chosen: Chosen) -> Iterator[Template]:
        return map(self._templates.__getitem__, chosen.tolist())

    def _together(self, elements: Sequence[bytes]) -> Iterator[bytes]:
        """The messages of a stream."""
        size = len(elements) // self._way.messages
        return (self.wrap(b"".join(elements[at : at + size])) for at in range(0, len(elements), size))

    def wrap(self, elements: bytes) -> bytes:
        """The message of a stream that carries some elements."""
        return elements

    def _judge(self, answer: bytes, chosen: Chosen) -> str:
        parts = messages(answer) if self._way.messages else (answer,)
        told = np.array([status for part in parts for status in self.read(part)], dtype=np.int64)
        return WHOLE if len(told) == self._way.writes and self.note(chosen, told) else BROKEN

    @abstractmethod
    def read(self, answer: bytes) -> Iterator[int]:
        """What a message says became of the elements it is of: a number each."""

    @abstractmethod
    def note(self, chosen: Chosen, told: Chosen) -> bool:
        """Take note of what became of a batch; returns whether none of it is an error."""


def lines_per_s(parts: Sequence[Measured], lines: int) -> float:
    """Lines of the calls that had no error in them, each second, over all rounds; `lines` are in each call."""
    return sum(part.rate_per_s(outcome=WHOLE) for part in parts) / len(parts) * lines


def statuses(data: bytes) -> Iterator[int]:
    """The first number of each element of field 1 of a message, up to the first other field."""
    at, size = 0, len(data)
    while at < size and data[at] == ELEMENT:
        length, at = _length(data, at + 1)
        yield data[at + 1] if length and data[at] == NUMBER else 0
        at += length


def results(data: bytes) -> Iterator[int]:
    """The first number of what each element of field 1 of a message has in its own field 1; 0 for an error."""
    at, size = 0, len(data)
    while at < size and data[at] == ELEMENT:
        length, at = _length(data, at + 1)
        yield result(data, at)
        at += length


def result(data: bytes, at: int = 0) -> int:
    """The same of one element that begins at a place."""
    if data[at] != ELEMENT:
        return 0
    _, at = _length(data, at + 1)
    return data[at + 1] if data[at] == NUMBER else 0


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A length, and what comes after it."""
    number = shift = 0
    while (byte := data[at]) >= CONTINUED:
        number |= byte % CONTINUED << shift
        shift += 7
        at += 1
    return number | byte << shift, at + 1
