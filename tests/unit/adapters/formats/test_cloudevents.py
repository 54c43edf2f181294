from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.formats import FormatError, Line, StockMovement, parse_cloudevents
from adapters.formats.cloudevents import parse_event
from adapters.formats.lines import LINE_BYTES_MAX
from allocator.core.commands import MovementType, SupplyKind
from allocator.core.limits import NS_PER_S
from tests.unit.adapters.helpers import event, movement

JANUARY_NS = 1_769_846_400 * NS_PER_S  # 2026-01-31T08:00:00Z


def parsed(data: bytes) -> list[Line]:
    """The lines of a file."""
    return list(parse_cloudevents(io.BytesIO(data)))


def error(raw: bytes) -> FormatError:
    """What is wrong with one line."""
    found = parse_event(7, raw)
    assert isinstance(found, FormatError)
    return found


def test_a_whole_event_becomes_a_movement_with_every_field() -> None:
    """Nothing that an event tells is lost."""
    raw = event(
        "m1",
        -3,
        envelope={
            "partitionkey": "locations/leeds-2",
            "source": "//wms/2",
            "time": "2026-01-31T09:00:00.000001+01:00",
            "sequence": "42",
            "subject": "an extension or attribute we do not use",
        },
        type="Disposition_Change",
        disposition="damaged",
        from_disposition="quality_control",
        reservation="reservations/abc-1",
        reason="broken",
        reference="DN 77",
        corrects="m0",
        recorded_at="2026-01-31T08:00:00Z",
        supply="po-1",
        expect_at="2026-01-31T08:00:00Z",
        final=True,
        supply_kind="purchase_order",
    )
    assert parse_event(1, raw) == StockMovement(
        location="leeds-2",
        source="//wms/2",
        movement_id="m1",
        sequence=42,
        sku="SKU-1",
        type=MovementType.DISPOSITION_CHANGE,
        quantity=-3,
        disposition="damaged",
        from_disposition="quality_control",
        reservation="abc-1",
        occurred_ns=JANUARY_NS + 1_000,
        recorded_ns=JANUARY_NS,
        reason="broken",
        reference="DN 77",
        corrects="m0",
        supply="po-1",
        expect_ns=JANUARY_NS,
        final=True,
        supply_kind=SupplyKind.PURCHASE_ORDER,
    )


def test_null_and_empty_mean_absent() -> None:
    """Producers write what they do not have in either way."""
    empty = dict.fromkeys(
        ("disposition", "from_disposition", "reservation", "reason", "reference", "corrects", "supply"), ""
    )
    nothing = dict.fromkeys((*empty, "recorded_at", "expect_at", "final", "supply_kind"), None)
    for data in (empty, nothing):
        raw = event("m1", envelope={"time": None, "sequence": None})
        whole = json.loads(raw)
        whole["data"] |= data
        assert parse_event(1, json.dumps(whole).encode()) == movement("m1")


@pytest.mark.parametrize("kind", MovementType)
def test_every_movement_type_is_known_by_its_name(kind: MovementType) -> None:
    """In small letters."""
    found = parse_event(1, event("m1", type=kind.name.lower()))
    assert isinstance(found, StockMovement)
    assert found.type is kind


@pytest.mark.parametrize(
    ("raw", "field", "found"),
    [
        (b"", "", "EOF"),
        (b"{", "", "EOF"),
        (b"[]", "", "[]"),
        (b"null", "", "null"),
        (b'{"a": 1} {"b": 2}', "", "trailing"),
        (event("m1", envelope={"specversion": "0.3"}), "specversion", "'0.3'"),
        (event("m1", envelope={"specversion": 1.0}), "specversion", "1.0"),
        (event(""), "id", "''"),
        (event("x" * 129), "id", "'xxx"),
        (event("m1", envelope={"source": "a\nb"}), "source", r"'a\nb'"),
        (event("m1", envelope={"partitionkey": "no spaces"}), "partitionkey", "'no spaces'"),
        (event("m1", envelope={"partitionkey": None}), "partitionkey", "None"),
        (event("m1", envelope={"time": "2026-01-31T08:00:00"}), "time", "'2026-01-31T08:00:00'"),
        (event("m1", envelope={"time": "20260131"}), "time", "'20260131'"),
        (event("m1", envelope={"time": 1_700_000_000}), "time", "1700000000"),
        (event("m1", envelope={"time": "2026-02-30T08:00:00Z"}), "time", "'2026-02-30T08:00:00Z'"),
        (event("m1", envelope={"time": "1969-12-31T23:59:59Z"}), "time", "'1969-12-31T23:59:59Z'"),
        (event("m1", envelope={"time": "2200-01-01T00:00:00Z"}), "time", "'2200-01-01T00:00:00Z'"),
        (event("m1", envelope={"sequence": -1}), "sequence", "-1"),
        (event("m1", envelope={"sequence": True}), "sequence", "True"),
        (event("m1", envelope={"sequence": 1 << 63}), "sequence", "9223372036854775808"),
        (event("m1", envelope={"data": None}), "data", "None"),
        (event("m1", envelope={"data": "x"}), "data", "'x'"),
        (event("m1", sku=""), "data.sku", "''"),
        (event("m1", sku=7), "data.sku", "7"),
        (event("m1", type="zap"), "data.type", "'zap'"),
        (event("m1", type=1), "data.type", "1"),
        (event("m1", quantity=1.5), "data.quantity", "1.5"),
        (event("m1", quantity="2"), "data.quantity", "'2'"),
        (event("m1", quantity=True), "data.quantity", "True"),
        (event("m1", quantity=1 << 63), "data.quantity", "9223372036854775808"),
        (event("m1", quantity=None), "data.quantity", "None"),
        (event("m1", reservation="a b"), "data.reservation", "'a b'"),
        (event("m1", reason="x" * 65), "data.reason", "'xxx"),
        (event("m1", reference="\x00"), "data.reference", r"'\x00'"),
        (event("m1", occured_at="2026-01-31T08:00:00Z"), "data.occured_at", "'occured_at'"),
    ],
)
def test_a_bad_event_says_which_field_what_was_expected_and_what_came(raw: bytes, field: str, found: str) -> None:
    """A value, with the line's number."""
    problem = error(raw)
    assert (problem.line, problem.field) == (7, field)
    assert found in problem.found
    assert str(problem).startswith(f"line 7, {field}: expected " if field else "line 7: expected ")


@pytest.mark.parametrize("field", ["specversion", "id", "source", "type", "partitionkey", "data"])
def test_a_required_attribute_is_missed(field: str) -> None:
    """By name."""
    whole = json.loads(event("m1"))
    del whole[field]
    assert error(json.dumps(whole).encode())[1::2] == (field, "nothing")


@pytest.mark.parametrize(
    "raw",
    [event("m1").replace(b"SKU", b"\xff\xfe"), event("m1").decode().encode("utf-16"), b"\xff"],
    ids=["latin", "utf-16", "a byte"],
)
def test_text_that_is_not_utf_8_is_told_as_such(raw: bytes) -> None:
    """Instead of as JSON with a mysterious fault."""
    assert error(raw).expected == "text in UTF-8"


def test_a_lone_surrogate_is_refused() -> None:
    """JSON can write it, but no message could carry it to the core."""
    assert error(event("m1").replace(b"SKU-1", b"\\ud800")).field == ""


def test_a_message_repeats_only_a_part_of_a_long_value() -> None:
    """However long the line is."""
    assert len(str(error(event("m1", sku="x" * 60_000)))) < 300


def test_lines_end_with_lf_or_crlf_and_the_file_may_begin_with_a_bom() -> None:
    """As the systems that write it please; blank lines are passed over, and counted."""
    data = b"\xef\xbb\xbf" + event("a") + b"\r\n\n  \r\n" + event("b") + b"\n" + event("c")
    assert [(line.number, line.outcome) for line in parsed(data)] == [
        (1, movement("a")),
        (4, movement("b")),
        (5, movement("c")),
    ]


def test_a_damaged_line_harms_no_other() -> None:
    """What stands around it is read."""
    lines = parsed(b"\n".join([event("a"), b"\x00\xff{{", event("b")]))
    assert [type(line.outcome) for line in lines] == [StockMovement, FormatError, StockMovement]
    assert lines[1].raw == b"\x00\xff{{"


def test_an_endless_line_is_refused_without_being_read_whole() -> None:
    """What is kept of it is bounded, and the next line is found."""
    lines = parsed(b"x" * (5 * LINE_BYTES_MAX) + b"\n" + event("a"))
    assert isinstance(lines[0].outcome, FormatError)
    assert len(lines[0].raw) == LINE_BYTES_MAX
    assert lines[1].outcome == movement("a")


def test_reading_goes_on_after_any_line(tmp_path: Path) -> None:
    """From the place that a line names, with the same numbers, also from a path."""
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n\n".join([event("a"), b"?", event("b"), event("c")]))
    lines = list(parse_cloudevents(path))
    for n, line in enumerate(lines):
        assert list(parse_cloudevents(path, after=line.place)) == lines[n + 1 :]


@given(st.binary(max_size=300))
@example(b'{"a":' * 100)
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    """Whatever comes, each line is a movement or an error."""
    for line in parsed(raw):
        assert isinstance(line.outcome, FormatError)


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3), st.data()
)
def test_no_value_in_any_field_makes_it_raise(value: object, data: st.DataObject) -> None:
    """Each field takes what is right for it, and tells what is not."""
    whole = json.loads(event("m1"))
    part = data.draw(st.sampled_from([whole, whole["data"]]))
    field = data.draw(st.sampled_from([*part, "time", "sequence", "reason", "recorded_at", "reservation", "corrects"]))
    part[field] = value
    outcome = parse_event(1, json.dumps(whole).encode())
    if isinstance(outcome, StockMovement):
        assert all(text == text.encode().decode() for text in outcome if isinstance(text, str))
    else:
        assert "expected" in str(outcome)
