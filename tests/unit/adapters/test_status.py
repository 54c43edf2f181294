from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from adapters.status import AdapterStatus, State, all_statuses, read_status, write_status


def status(name: str) -> AdapterStatus:
    """A status with something in every field."""
    return AdapterStatus(
        name=name,
        kind="folder",
        role="source",
        state=State.RUNNING,
        error="none",
        updated_at=datetime(2026, 1, 31, 8, tzinfo=UTC),
        caught_up=True,
        lag=3,
        counts={"applied": 7},
        locations={"leeds-2": {"cursor": 7}},
        detail={"file": "a.csv"},
    )


def test_a_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The newest one, by name."""
    for name in ("b", "a.b", "b"):
        write_status(tmp_path, status(name))
    assert read_status(tmp_path, "b") == status("b")
    assert all_statuses(tmp_path) == [status("a.b"), status("b")]


def test_without_a_status_there_is_none(tmp_path: Path) -> None:
    """As before the first start."""
    assert read_status(tmp_path, "b") is None
    assert all_statuses(tmp_path) == []


def test_a_status_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    """Of another release, or damaged."""
    write_status(tmp_path, status("b"))
    for content in (b"", b"{}", b"\xff"):
        (tmp_path / "adapters" / "b.json").write_bytes(content)
        assert read_status(tmp_path, "b") is None
        assert all_statuses(tmp_path) == []
