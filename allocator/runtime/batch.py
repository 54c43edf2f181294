"""What one ledger journals of a batch of commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocator.core import codec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from allocator.runtime.hosted import Hosted

BATCH_BYTES_MAX: Final = 8 * 2**20
"""Size at which a batch is closed and the next version begins: far below what a journal entry may have."""


class Batch:
    """What one ledger journals of a batch of commands, packed as it comes."""

    __slots__ = ("_pack", "bytes", "item", "packed")

    def __init__(self, item: Hosted, pack: Callable[[object], bytes]) -> None:
        self.item = item
        self._pack = pack
        self.clear()

    def add(self, events: Iterable[Any], correlation_id: str = "", traceparent: str = "") -> None:
        """Take in the events of one command."""
        for event in events:
            record = codec.pack_record((event, correlation_id, traceparent), self._pack)
            self.packed.append(record)
            self.bytes += len(record)

    def clear(self) -> None:
        """Begin again, with the next version."""
        self.packed: list[bytes] = []
        self.bytes = 0
