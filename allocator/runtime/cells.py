"""`Cells`: a matrix of int64 that grows without copying what is in it.

A gateway may know a million SKUs at 400 locations, 3.2 GB. One array would have to be copied whenever it is full, which
stops everything for seconds and takes the memory twice. So there are blocks of rows; a new one costs as much as itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Integers = NDArray[np.int32] | NDArray[np.int64]

_SHIFT: Final = 12
BLOCK_ROWS: Final = 1 << _SHIFT
"""Rows of a block: at 400 columns it is 13 MB, which the kernel gives out page by page as it is written."""
_IN_BLOCK: Final = BLOCK_ROWS - 1
_FEW_COLUMNS: Final = 128
_FEW: Final = 64
"""Up to so many rows are written one by one; sorting them into blocks would take longer."""
_NARROW: Final = 4
_STEP: Final = 8
"""Columns come in steps of this many, up to 4 all at once."""


class Cells:
    """Rows and columns of int64, zero at first.

    Attributes:
        width: columns there is room for.
    """

    __slots__ = ("_blocks", "_narrow", "width")

    def __init__(self) -> None:
        self.width = _NARROW
        self._blocks = [_block(_NARROW)]
        self._narrow = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks, also of pages that were not written yet."""
        return sum(block.nbytes for block in self._blocks)

    def __getitem__(self, cell: tuple[int, int]) -> int:
        row, column = cell
        return int(self._ready(row >> _SHIFT)[row & _IN_BLOCK, column])

    def __setitem__(self, cell: tuple[int, int], value: int) -> None:
        row, column = cell
        self._ready(row >> _SHIFT)[row & _IN_BLOCK, column] = value

    def grow(self, rows: int, columns: int) -> None:
        """Have room for `rows` and `columns`. Blocks that are narrower than that grow when they are looked at."""
        if columns > self.width:
            self.width = -(-columns // _STEP) * _STEP
            self._narrow = len(self._blocks)
        while len(self._blocks) * BLOCK_ROWS < rows:
            self._blocks.append(_block(self.width))

    def read(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """A copy of some rows at some columns: int64, shape (rows, columns). Row -1 is any row there is."""
        if self._narrow:
            for place in np.unique(rows >> _SHIFT).tolist():
                self._ready(place)
        blocks = self._blocks
        found = np.empty((len(rows), len(columns)), dtype=np.int64)
        if len(columns) <= _FEW_COLUMNS:  # `take` lets go of the interpreter's lock, and getting it back takes longer
            for n, row in enumerate(rows.tolist()):
                found[n] = blocks[row >> _SHIFT][row & _IN_BLOCK][columns]
            return found
        for row, out in zip(rows.tolist(), found, strict=True):
            blocks[row >> _SHIFT][row & _IN_BLOCK].take(columns, out=out, mode="clip")  # "raise" would copy once more
        return found

    def write(self, rows: Integers, column: int, values: NDArray[np.int64] | int) -> None:
        """Set one column at `rows`: `values` are one for all, or int64 of shape (rows,)."""
        if len(rows) <= _FEW:
            listed = [values] * len(rows) if isinstance(values, int) else values.tolist()
            for row, value in zip(rows.tolist(), listed, strict=True):
                self[row, column] = value
            return
        for place, chosen in _by_block(rows):
            part = values if isinstance(values, int) else values[chosen]
            self._ready(place)[rows[chosen] & _IN_BLOCK, column] = part

    def _ready(self, place: int) -> NDArray[np.int64]:
        """A block, with all its columns."""
        block = self._blocks[place]
        if block.shape[1] < self.width:
            wide = _block(self.width)
            wide[:, : block.shape[1]] = block
            self._blocks[place] = block = wide
            self._narrow -= 1
        return block


def _block(width: int) -> NDArray[np.int64]:
    return np.zeros((BLOCK_ROWS, width), dtype=np.int64)


def _by_block(rows: Integers) -> Iterator[tuple[int, slice | NDArray[np.int64]]]:
    """Each block that has some of `rows`, and which of them it has."""
    places = rows >> _SHIFT
    order = None
    if (places[1:] < places[:-1]).any():
        order = np.argsort(places, kind="stable")
        places = places[order]
    bounds = [0, *(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
    for start, stop in pairwise(bounds):
        chosen = slice(start, stop)
        yield int(places[start]), chosen if order is None else order[chosen]
