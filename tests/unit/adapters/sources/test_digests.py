from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sources import digests
from adapters.sources.digests import Digests


def test_what_was_added_is_known_also_to_the_next_process(tmp_path: Path) -> None:
    """And is written once."""
    path = tmp_path / "digests"
    first = Digests(path)
    first.load()
    for digest in ("a", "b", "a"):
        first.add(digest)
    second = Digests(path)
    second.load()
    assert "a" in second
    assert "c" not in second
    assert path.read_text() == "a\nb\n"


def test_the_oldest_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the named maximum, and the file is shortened."""
    monkeypatch.setattr(digests, "DIGESTS_MAX", 2)
    path = tmp_path / "digests"
    path.write_text("a\nb\nc\n")
    known = Digests(path)
    known.load()
    assert "a" not in known
    assert "c" in known
    assert path.read_text() == "b\nc\n"
