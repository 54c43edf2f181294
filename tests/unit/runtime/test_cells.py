from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.runtime.cells import BLOCK_ROWS, Cells

SHAPES = st.tuples(st.integers(1, 3 * BLOCK_ROWS), st.integers(1, 20))
INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(SHAPES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_what_is_written_stays_while_rows_and_columns_come(shapes: list[tuple[int, int]], lots: object) -> None:
    """Beside one array that is as big as everything from the beginning."""
    rng = np.random.default_rng(lots.getrandbits(32))  # type: ignore[attr-defined]  # a random.Random
    cells, plain = Cells(), np.zeros((3 * BLOCK_ROWS, 20), dtype=np.int64)
    rows, columns = 0, 0
    for more_rows, more_columns in shapes:
        rows, columns = max(rows, more_rows), max(columns, more_columns)
        cells.grow(rows, columns)
        for count in (3, min(rows, 500)):
            places = rng.permutation(rows)[:count]
            column, values = int(rng.integers(columns)), rng.integers(-(2**63), 2**63 - 1, len(places))
            cells.write(places, column, values)
            plain[places, column] = values
        asked, of = rng.integers(rows, size=50), rng.permutation(columns)
        assert np.array_equal(cells.read(asked, of), plain[asked[:, None], of])
    everything = cells.read(np.arange(rows), np.arange(columns))
    assert np.array_equal(everything, plain[:rows, :columns])


@pytest.mark.parametrize("rows", [[5, 3, 4], [*range(BLOCK_ROWS + 100), 7], [*range(200)]])
def test_a_column_is_cleared_where_it_was_written(rows: list[int]) -> None:
    """Few rows or many, in order or not; its neighbours stay."""
    cells = Cells()
    cells.grow(2 * BLOCK_ROWS, 2)
    everywhere = np.arange(2 * BLOCK_ROWS)
    for column in (0, 1):
        cells.write(everywhere, column, 7)
    cells.write(np.array(rows), 0, 0)
    left = cells.read(everywhere, np.arange(2))
    assert left[:, 1].tolist() == [7] * len(everywhere)
    assert sorted(set(rows)) == np.flatnonzero(left[:, 0] == 0).tolist()


@given(st.integers(0, 2 * BLOCK_ROWS - 1), st.integers(0, 8), INT64)
def test_a_cell_can_be_read_and_set_alone(row: int, column: int, value: int) -> None:
    """Also in a block that was made for fewer columns."""
    cells = Cells()
    cells.grow(2 * BLOCK_ROWS, 0)
    cells.grow(0, 9)
    cells[row, column] = value
    assert cells[row, column] == value
    assert cells.read(np.array([row]), np.array([column])).tolist() == [[value]]


def test_growing_leaves_blocks_where_they_are() -> None:
    """More rows cost what the new blocks cost; there is never a copy of all of it."""
    cells = Cells()
    cells.grow(BLOCK_ROWS, 8)
    cells.read(np.array([0]), np.array([0]))
    before = cells.nbytes
    cells.grow(BLOCK_ROWS + 1, 8)
    assert cells.nbytes == 2 * before == 2 * 8 * 8 * BLOCK_ROWS
