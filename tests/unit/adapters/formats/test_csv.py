from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.formats import FormatError, Line, StockMovement, parse_csv
from adapters.formats.csv import REQUIRED
from adapters.formats.fields import EXPECTED
from allocator.core.commands import MovementType, SupplyKind
from allocator.core.limits import NS_PER_S

HEADER = b"sku,location,type,quantity\n"
ROW = b"A,leeds-2,sale,2\n"


def parsed(data: bytes, **options: str) -> list[Line]:
    """The lines of a file."""
    return list(parse_csv(io.BytesIO(data), **options))  # type: ignore[arg-type]  # only text here


def movements(data: bytes, **options: str) -> list[StockMovement]:
    """The movements of a file that has nothing else."""
    outcomes = [line.outcome for line in parsed(data, **options)]
    return [outcome for outcome in outcomes if isinstance(outcome, StockMovement)]


def errors(data: bytes) -> list[FormatError]:
    """What is wrong with the lines of a file."""
    return [line.outcome for line in parsed(data) if isinstance(line.outcome, FormatError)]


def test_a_row_with_every_column_becomes_a_movement() -> None:
    """Nothing that a row tells is lost, whatever the order of columns."""
    columns = {
        "supply_kind": "Transfer",
        "final": "True",
        "expect_at": "2026-01-31T08:00:00Z",
        "supply": "po-1",
        "corrects": "m0",
        "reference": "DN 77",
        "reason": "broken",
        "recorded_at": "2026-01-31T08:00:00Z",
        "occurred_at": "2026-01-31 10:00:00+02:00",
        "reservation": "reservations/abc-1",
        "from_disposition": "quality_control",
        "disposition": "damaged",
        "sequence": "42",
        "movement_id": "m1",
        "source": "//wms/2",
        "quantity": "-3",
        "type": "ADJUSTMENT",
        "location": "locations/leeds-2",
        "sku": "A",
    }
    at_ns = 1_769_846_400 * NS_PER_S
    assert set(columns) == set(EXPECTED)
    data = f"{','.join(columns)}\n{','.join(columns.values())}\n".encode()
    assert movements(data) == [
        StockMovement(
            location="leeds-2",
            source="//wms/2",
            movement_id="m1",
            sequence=42,
            sku="A",
            type=MovementType.ADJUSTMENT,
            quantity=-3,
            disposition="damaged",
            from_disposition="quality_control",
            reservation="abc-1",
            occurred_ns=at_ns,
            recorded_ns=at_ns,
            reason="broken",
            reference="DN 77",
            corrects="m0",
            supply="po-1",
            expect_ns=at_ns,
            final=True,
            supply_kind=SupplyKind.TRANSFER,
        )
    ]


def test_four_columns_are_enough() -> None:
    """The rest is absent; names of columns in any case, cells with spaces around."""
    (found,) = movements(b" SKU ,Location,TYPE,quantity\n A , leeds-2 ,Sale, 2 \n", source="//till")
    assert found[:2] == ("leeds-2", "//till")
    assert found[3:] == (0, "A", MovementType.SALE, 2, "", "", "", 0, 0, "", "", "", "", 0, False, None)


def test_the_same_content_gives_the_same_ids() -> None:
    """A file that comes twice, under whatever name, is recognised by the core."""
    data = HEADER + ROW + ROW
    first, again = movements(data), movements(data)
    assert first == again
    assert len({found.movement_id for found in first}) == 2


def test_another_content_gives_other_ids() -> None:
    """Two equal rows of two files are two facts."""
    assert movements(HEADER + ROW)[0].movement_id != movements(HEADER + ROW + ROW)[0].movement_id


def test_a_known_digest_is_taken_as_it_is() -> None:
    """A file that changed after it was claimed keeps the ids it had."""
    assert movements(HEADER + ROW, digest="abc")[0].movement_id == "abc:2"


def test_an_id_of_its_own_wins() -> None:
    """Only rows without one get the digest's."""
    data = b"movement_id,sku,location,type,quantity\nm1,A,l,sale,1\n,A,l,sale,1\n"
    first, second = movements(data)
    assert first.movement_id == "m1"
    assert second.movement_id.endswith(":3")


def test_another_delimiter_and_quotes() -> None:
    """As spreadsheets write them."""
    data = b'sku;location;type;quantity;reference\n"A";"l";sale;1;"a;b ""c"""\n'
    assert movements(data, delimiter=";")[0].reference == 'a;b "c"'


def test_a_bom_crlf_and_empty_rows_are_taken_as_they_come() -> None:
    """Rows keep their number in the file."""
    lines = parsed(b"\xef\xbb\xbf" + (HEADER + ROW + b"\n,,,\n" + ROW).replace(b"\n", b"\r\n"))
    assert [line.number for line in lines] == [2, 5]
    assert all(isinstance(line.outcome, StockMovement) for line in lines)


@pytest.mark.parametrize(
    ("row", "field", "found"),
    [
        (b"A,l,sale", "", "3"),
        (b"A,l,sale,1,2", "", "5"),
        (b"A,l,sale,", "quantity", "nothing"),
        (b",l,sale,1", "sku", "nothing"),
        (b"A,l,,1", "type", "nothing"),
        (b"A,l,zap,1", "type", "'zap'"),
        (b"A,l,sale,one", "quantity", "'one'"),
        (b"A,l,sale,1.5", "quantity", "'1.5'"),
        (b"A,l,sale,9223372036854775808", "quantity", "'9223372036854775808'"),
        (b"A b,l,sale,1", "sku", "'A b'"),
        (b"A,\xff,sale,1", "", r"b'A,\xff,sale,1'"),
        (b"A\x00,l,sale,1", "sku", r"'A\x00'"),
        (b'"A,l,sale,1', "", "unexpected end of data"),
        (b'"A"x,l,sale,1', "", "expected after"),
    ],
)
def test_a_bad_row_says_which_column_what_was_expected_and_what_came(row: bytes, field: str, found: str) -> None:
    """A value, with the row's number; the rows around it are read."""
    lines = parsed(HEADER + ROW + row + b"\n" + ROW)
    assert [line.number for line in lines] == [2, 3, 4]
    problem = lines[1].outcome
    assert isinstance(problem, FormatError)
    assert (problem.line, problem.field) == (3, field)
    assert found in problem.found
    assert lines[1].raw == row


@pytest.mark.parametrize("column", ["sequence", "occurred_at", "recorded_at", "disposition", "reservation", "source"])
def test_an_optional_column_is_checked_too(column: str) -> None:
    """A wrong value there would be lost, or fail later."""
    data = HEADER.strip() + f",{column}\n".encode() + ROW.strip() + b",\x1f!\n"
    assert [error.field for error in errors(data)] == [column]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"sku,location,type", "no column 'quantity'"),
        (b"sku;location;type;quantity", "no column 'sku', 'location', 'type', 'quantity'"),
        (b"sku,location,type,quantity,colour", "the unknown column 'colour'"),
        (b"sku,location,type,quantity,SKU", "twice the column 'sku'"),
        (b"", "no column 'sku', 'location', 'type', 'quantity'"),
        (b'"sku', "unexpected end of data"),
        (b"\xff\xfes\x00k\x00u\x00", "b'"),
        (b"A,leeds-2,sale,2", "no column"),
    ],
)
def test_a_bad_header_is_told_for_it_and_for_every_row(header: bytes, found: str) -> None:
    """No row is lost in silence, and none is read under a header that was guessed."""
    problems = errors(header + b"\n" + ROW + ROW)
    assert [problem.line for problem in problems] == [1, 2, 3]
    assert all(found in problem.found for problem in problems)


def test_a_file_with_nothing_in_it_has_no_lines() -> None:
    """Not even a header."""
    assert parsed(b"") == []


def test_reading_goes_on_after_any_row(tmp_path: Path) -> None:
    """With the header of the file's first line, and the same ids."""
    path = tmp_path / "feed.csv"
    path.write_bytes(b"\xef\xbb\xbf" + HEADER + ROW + b"bad\n" + ROW + ROW)
    lines = list(parse_csv(path))
    for n, line in enumerate(lines):
        assert list(parse_csv(path, after=line.place)) == lines[n + 1 :]


def test_reading_goes_on_under_a_bad_header() -> None:
    """Its own error is not told again."""
    data = b"sku\n" + ROW + ROW
    lines = parsed(data)
    assert list(parse_csv(io.BytesIO(data), after=lines[0].place)) == lines[1:]


@given(st.sampled_from([b"", HEADER]), st.binary(max_size=200))
def test_no_bytes_make_it_raise(header: bytes, raw: bytes) -> None:
    """Whatever comes, each line is a movement or an error."""
    for line in parsed(header + raw):
        assert isinstance(line.outcome, StockMovement | FormatError)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12),
        min_size=len(EXPECTED),
        max_size=len(EXPECTED),
    )
)
def test_no_cells_make_it_raise(cells: list[str]) -> None:
    """Each column takes what is right for it, and tells what is not."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([EXPECTED, cells])
    assert len(REQUIRED) <= len(EXPECTED) == len(cells)
    for line in parsed(text.getvalue().encode()):
        assert isinstance(line.outcome, StockMovement | FormatError)
