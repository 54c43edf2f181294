"""The stock columns of one location: SKU index -> units, as arrays of int64."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

COLUMNS = ("on_hand", "unsellable", "held", "committed", "safety_stock")


class Shared:
    """Names and positions that the ledgers of one process have in common, while they are restored one by one.

    Each comes with objects of its own for the same SKUs; with hundreds of locations those are half of the memory.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._positions: list[int] = []

    def names(self, names: Iterable[str]) -> list[str]:
        """The same names, each the object that was seen first."""
        return [self._names.setdefault(name, name) for name in names]

    def positions(self, count: int) -> list[int]:
        """0 to `count`, the same objects for everybody."""
        self._positions.extend(range(len(self._positions), count))
        return self._positions[:count]


class StockColumns:
    """Dense columns over the location's SKUs; a SKU's index is its position in the order of first mention.

    `array('q')` gives fast scalar access and, through `column`, zero-copy numpy views. 40 bytes per SKU plus its
    place in the name table.

    Attributes:
        skus: SKU by index.
        index: index by SKU.
        on_hand, unsellable, held, committed, safety_stock: base units by index.
        counted_ns: as-of time of the newest count by index, 0 for none; empty until the first count.
    """

    __slots__ = ("committed", "counted_ns", "held", "index", "on_hand", "safety_stock", "skus", "unsellable")

    def __init__(self, skus: Iterable[str] = ()) -> None:
        self.skus: list[str] = list(skus)
        self.index: dict[str, int] = {sku: position for position, sku in enumerate(self.skus)}
        zeros = bytes(8 * len(self.skus))
        self.on_hand = array("q", zeros)
        self.unsellable = array("q", zeros)
        self.held = array("q", zeros)
        self.committed = array("q", zeros)
        self.safety_stock = array("q", zeros)
        self.counted_ns = array("q")

    def __len__(self) -> int:
        return len(self.skus)

    def share(self, shared: Shared) -> None:
        """Use the names and positions that other ledgers use."""
        self.skus = shared.names(self.skus)
        self.index = dict(zip(self.skus, shared.positions(len(self.skus)), strict=True))

    def add(self, sku: str) -> int:
        """Return the index of `sku`, registering it with nothing in stock if it is new."""
        position = self.index.get(sku)
        if position is None:
            position = self.index[sku] = len(self.skus)
            self.skus.append(sku)
            for name in COLUMNS:
                getattr(self, name).append(0)
            if self.counted_ns:
                self.counted_ns.append(0)
        return position

    def free(self, i: int) -> int:
        """Units nobody holds and nothing protects, before quotas; may be negative after a shortage."""
        return self.on_hand[i] - self.unsellable[i] - self.held[i] - self.committed[i] - self.safety_stock[i]

    def missing(self, i: int) -> int:
        """Units promised beyond what is there and sellable; <= 0 when there is no shortage."""
        return self.held[i] + self.committed[i] - self.on_hand[i] + self.unsellable[i]

    def watermark_ns(self, sku: str) -> int:
        """As-of time of the newest count of `sku`, ns; 0 when it was never counted."""
        position = self.index.get(sku)
        return self.counted_ns[position] if self.counted_ns and position is not None else 0

    def note_count(self, i: int, as_of_ns: int) -> None:
        """Note a count of SKU `i`."""
        if not self.counted_ns:
            self.counted_ns = array("q", bytes(8 * len(self.skus)))
        self.counted_ns[i] = as_of_ns

    def column(self, name: str) -> NDArray[np.int64]:
        """A numpy int64 view of a column, shape (SKUs,).

        While the view lives the column cannot grow: drop it before the next `add`.
        """
        return np.frombuffer(getattr(self, name), dtype=np.int64)

    def free_of(self, indexes: NDArray[np.int64]) -> NDArray[np.int64]:
        """`free` of many SKUs at once: int64 of the shape of `indexes`."""
        reserved = self.column("held")[indexes] + self.column("committed")[indexes]
        protected = self.column("unsellable")[indexes] + self.column("safety_stock")[indexes]
        free: NDArray[np.int64] = self.column("on_hand")[indexes] - reserved - protected
        return free

    def load(self, name: str, data: bytes) -> None:
        """Replace a column by the little-endian int64 in `data`."""
        setattr(self, name, array("q", data))
