"""What changed last: keys by the number of their last change, bounded."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

K = TypeVar("K")


class Recent(Generic[K]):
    """Remembers of up to `most` keys when they changed last; of more it forgets the older ones.

    Attributes:
        known_from: what changed after this number is known, all of it.
    """

    __slots__ = ("_changed", "_most", "known_from")

    def __init__(self, most: int, known_from: int) -> None:
        self._most = most
        self._changed: dict[K, int] = {}  # in the order of numbers
        self.known_from = known_from

    def __len__(self) -> int:
        return len(self._changed)

    def note(self, number: int, keys: Iterable[K]) -> None:
        """These changed with `number`, which is at least those before."""
        changed = self._changed
        for key in keys:
            changed.pop(key, None)
            changed[key] = number
        if len(changed) > self._most:
            left = dict(islice(changed.items(), len(changed) - self._most // 2, None))
            self.known_from = max(self.known_from, *(changed[key] for key in islice(changed, len(changed) - len(left))))
            self._changed = left

    def forget(self, number: int) -> None:
        """Nothing is known of what changed up to `number`."""
        self._changed.clear()
        self.known_from = number

    def since(self, number: int) -> list[K] | None:
        """What changed after `number`, the latest first; None when that is not known any more."""
        if number < self.known_from:
            return None
        found = []
        for key in reversed(self._changed):
            if self._changed[key] <= number:
                break
            found.append(key)
        return found
