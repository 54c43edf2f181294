from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from adapters.formats import (
    FormatError,
    Line,
    Origin,
    RejectClass,
    RejectedBy,
    RejectRow,
    format_of,
    parse_csv,
    parse_file,
    parse_rejects,
)
from tests.unit.adapters.helpers import event, movement

AT = "2026-01-31T08:00:00Z"
HEADER = "sku;location;type;quantity"


def row(raw: bytes, origin: Origin) -> bytes:
    """A line of a file in failed/."""
    kept = RejectRow.of(origin, raw, RejectClass.UNKNOWN_LOCATION, by=RejectedBy.CORE, reason="no such location", at=AT)
    return kept.dump()


def parsed(data: bytes) -> list[Line]:
    """The lines of such a file."""
    return list(parse_rejects(io.BytesIO(data)))


def test_a_refused_event_is_read_as_it_was() -> None:
    """With its own number and one more attempt."""
    (line,) = parsed(row(event("m1"), Origin("feed.jsonl", 7, "cloudevents", "abc")))
    assert line.outcome == movement("m1")
    assert line.raw == event("m1")
    assert line.origin == Origin("feed.jsonl", 7, "cloudevents", "abc", attempts=1)


def test_a_refused_row_has_the_id_it_had_in_its_file() -> None:
    """Its header, its file's digest, its number and its settings are kept beside it."""
    data = f"{HEADER}\nA;l;sale;1\nB;nowhere;sale;1\n".encode()
    first = list(parse_csv(io.BytesIO(data), source="//till", delimiter=";", digest="abc"))
    origin = Origin("feed.csv", 3, "csv", "abc", "//till", ";", HEADER)
    (again,) = parsed(row(first[1].raw, origin))
    assert again.outcome == first[1].outcome


def test_a_line_that_is_still_bad_is_told_by_its_first_number() -> None:
    """People look into the file it came from."""
    (line,) = parsed(row(b"\xff{", Origin("feed.jsonl", 7, "cloudevents")))
    assert line.raw == b"\xff{"
    assert isinstance(line.outcome, FormatError)
    assert line.outcome.line == 7


@pytest.mark.parametrize(
    "raw", [b"{}", b"?", b'{"file":', b"\xff", row(b"\xff", Origin("f", 1, "csv")).replace(b"/w", b"!w")]
)
def test_a_row_that_was_tampered_with_is_an_error(raw: bytes) -> None:
    """With its number in this file, and the row as it stands."""
    good = row(event("m1"), Origin("feed.jsonl", 7, "cloudevents"))
    bad, fine = parsed(raw.strip() + b"\n\n" + good)
    assert isinstance(bad.outcome, FormatError)
    assert (bad.number, bad.origin) == (1, None)
    assert fine.outcome == movement("m1")


def test_a_row_of_an_unknown_format_is_an_error() -> None:
    """Such as that of a file whose name did not tell its format."""
    (line,) = parsed(row(b"", Origin("feed.xml", 0, "")))
    assert isinstance(line.outcome, FormatError)
    assert line.outcome.field == "format"


def test_a_row_says_all_that_people_need() -> None:
    """The file, the line, who refused it and why."""
    told = json.loads(row(event("m1"), Origin("feed.jsonl", 7, "cloudevents")))
    assert (told["file"], told["line"], told["class"]) == ("feed.jsonl", 7, "unknown_location")
    assert (told["by"], told["reason"], told["at"], told["attempts"]) == ("core", "no such location", AT, 1)
    assert told["raw"] == event("m1").decode()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", "csv"),
        ("A.CSV", "csv"),
        ("a.json", "cloudevents"),
        ("a.jsonl", "cloudevents"),
        ("a.ndjson", "cloudevents"),
        ("a.csv.rejects.jsonl", "rejects"),
        ("a.xml", None),
        ("csv", None),
    ],
)
def test_a_files_name_tells_its_format(name: str, kind: str | None) -> None:
    """By its end."""
    assert format_of(name) == kind


def test_a_file_is_read_in_its_format(tmp_path: Path) -> None:
    """Whichever that is."""
    contents = {
        "cloudevents": event("m1"),
        "csv": b"sku,location,type,quantity,movement_id,source\nSKU-1,london-1,receipt,1,m1,//pos/1\n",
        "rejects": row(event("m1"), Origin("feed.jsonl", 7, "cloudevents")),
    }
    for kind, content in contents.items():
        path = tmp_path / kind
        path.write_bytes(content)
        assert [line.outcome for line in parse_file(path, kind)] == [movement("m1")]
