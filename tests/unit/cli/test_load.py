from __future__ import annotations

import json
from pathlib import Path

import grpc
import pytest

from tests.unit.cli.conftest import Command
from tests.unit.client.fake import FakeServer, Fault

HEADER = "sku,location,type,quantity,movement_id,source\n"


def csv_of(path: Path, rows: int, location: str = "leeds") -> Path:
    """A file of receipts of one fig each."""
    lines = [f"FIG,{location},receipt,1,m{row},test\n" for row in range(rows)]
    path.write_text(HEADER + "".join(lines), "utf-8")
    return path


def event(number: int, **data: object) -> str:
    """A CloudEvent of a receipt of one fig."""
    body = {"specversion": "1.0", "id": f"e{number}", "source": "test", "type": "movement", "partitionkey": "leeds"}
    return json.dumps({**body, "data": {"sku": "FIG", "type": "receipt", "quantity": 1, **data}}) + "\n"


def test_files_of_both_formats_are_loaded(allocator: Command, fake: FakeServer, tmp_path: Path) -> None:
    """In batches, counted by status; a second time everything is a duplicate."""
    events = tmp_path / "events.jsonl"
    events.write_text("".join(event(number) for number in range(3)), "utf-8")
    files = [str(csv_of(tmp_path / "receipts.csv", 25)), str(events)]
    ran = allocator("load", *files, "--batch", "10", "--json")
    assert ran.code == 0
    assert ran.json == {
        "ok": True,
        "files": 2,
        "applied": 28,
        "duplicate": 0,
        "late_applied": 0,
        "rejected": 0,
        "rejects": None,
    }
    assert [len(request.movements) for request in fake.requests("RecordMovements")] == [10, 10, 5, 3]
    assert allocator("load", *files, "--json").json["duplicate"] == 28
    assert fake.state.stock["locations/leeds"]["FIG"].on_hand == 28


def test_a_table_for_people(allocator: Command, tmp_path: Path) -> None:
    """Counts by status."""
    ran = allocator("load", str(csv_of(tmp_path / "receipts.csv", 1_234)))
    assert ran.code == 0
    assert "1,234" in ran.out


def test_rejected_lines_are_kept_with_the_reason(allocator: Command, fake: FakeServer, tmp_path: Path) -> None:
    """Bad lines and refused movements; once they pass, the kept file can be loaded as it is."""
    path = csv_of(tmp_path / "receipts.csv", 1)
    with path.open("a") as stream:
        stream.write("FIG,leeds,gift,1,m8,test\nFIG,mars,receipt,1,m9,test\n")
    kept = tmp_path / "kept.rejects.jsonl"
    ran = allocator("load", str(path), "--rejects", str(kept))
    assert ran.code == 1
    assert f"2 lines were rejected: {kept} has them" in ran.out
    rows = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    assert [(row["file"], row["line"], row["class"]) for row in rows] == [
        ("receipts.csv", 3, "unreadable"),
        ("receipts.csv", 4, "unknown_location"),
    ]
    assert "line 3, type: expected" in rows[0]["reason"]
    fake.state.add("mars")
    again = allocator("load", str(kept), "--json")
    assert (again.code, again.json["applied"], again.json["rejected"]) == (1, 1, 1)


def test_without_a_file_for_them_the_first_rejected_lines_are_told(allocator: Command, tmp_path: Path) -> None:
    """On stderr, with their numbers."""
    ran = allocator("load", str(csv_of(tmp_path / "receipts.csv", 9, location="mars")))
    assert ran.code == 1
    assert ran.err.splitlines()[0].startswith("receipts.csv, line 2: LOCATION_UNKNOWN")
    assert ran.err.splitlines()[-1] == "9 lines were rejected; `--rejects FILE` keeps them with the reasons"
    assert len(ran.err.splitlines()) == 6


def test_a_batch_that_is_refused_as_a_whole_is_split(allocator: Command, fake: FakeServer, tmp_path: Path) -> None:
    """Only the movement that no batch can hold is rejected."""
    malformed = Fault(grpc.StatusCode.INVALID_ARGUMENT, "malformed", reason="INVALID")
    fake.fail("RecordMovements", malformed, malformed, malformed)
    ran = allocator("load", str(csv_of(tmp_path / "receipts.csv", 4)), "--json")
    assert (ran.json["applied"], ran.json["rejected"]) == (3, 1)


def test_a_service_that_goes_away_says_how_far_it_came(allocator: Command, fake: FakeServer, tmp_path: Path) -> None:
    """Loading again is safe, and the line says so."""
    fake.fail("RecordMovements", *[Fault(grpc.StatusCode.PERMISSION_DENIED, "not yours")])
    ran = allocator("load", str(csv_of(tmp_path / "receipts.csv", 4)))
    assert ran.code == 1
    assert "receipts.csv: stopped after 0 lines" in ran.err
    assert "load it again, nothing counts twice" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("movements.txt", [], "add --format"),
        ("gone.csv", [], "does not exist"),
        ("movements.txt", ["--format", "edi"], "add --format"),
        ("movements.csv", ["--delimiter", "::"], "one character is expected"),
    ],
)
def test_a_file_nobody_can_read_is_wrong_usage(
    allocator: Command, tmp_path: Path, name: str, options: list[str], told: str
) -> None:
    """Before anything is sent."""
    if name != "gone.csv":
        csv_of(tmp_path / name, 1)
    ran = allocator("load", str(tmp_path / name), *options)
    assert ran.code == 2
    assert told in ran.err
