from __future__ import annotations

from pathlib import Path

import pytest

from allocator.runtime.errors import BootError
from allocator.serving.notice import notice_file


def test_the_notice_of_an_earlier_run_is_gone_before_the_service_is_up(tmp_path: Path) -> None:
    """Nobody takes the process ids of a service that was killed for ours; the folder is made where it is missing."""
    data_dir = tmp_path / "new" / "data"
    with notice_file(data_dir) as path:
        assert path.parent.is_dir()
        path.write_text("{}", encoding="utf-8")
    assert not path.exists()
    path.write_text("left behind", encoding="utf-8")
    with notice_file(data_dir):
        assert not path.exists()


def test_a_data_directory_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    """One line says which and why."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(BootError, match=r"the data directory .*file/data cannot be used: Not a directory"),
        notice_file(tmp_path / "file" / "data"),
    ):
        pass
