from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from demo.errors import DemoError
from demo.service import Service, process_title


def notice(folder: Path, pid: int) -> Service:
    """A service that tells of one actor."""
    actors = {"actor-0000": {"pid": pid, "ledgers": {"leeds-1": "serving"}}}
    (folder / "service.json").write_text(json.dumps({"pid": 1, "port": 1, "actors": actors}))
    return Service(folder)


def test_only_an_actor_is_killed(tmp_path: Path) -> None:
    """A process id that went to somebody else is left alone; here it is our own."""
    with pytest.raises(DemoError, match="is no location actor"):
        notice(tmp_path, os.getpid()).kill_actor("leeds-1")


def test_a_process_that_is_gone_is_no_actor(tmp_path: Path) -> None:
    """The notice may be older than the process's end."""
    assert process_title(2**22 + 1) == ""
    with pytest.raises(DemoError, match="is no location actor"):
        notice(tmp_path, 2**22 + 1).kill_actor("leeds-1")


def test_a_location_without_an_actor_is_told(tmp_path: Path) -> None:
    """It says where it looked."""
    with pytest.raises(DemoError, match=r"service\.json names no actor for york-1"):
        notice(tmp_path, os.getpid()).actor_of("york-1")


def test_a_service_that_was_never_started_does_not_run(tmp_path: Path) -> None:
    """The log it ends with is empty."""
    service = Service(tmp_path)
    service.log.touch()
    with pytest.raises(DemoError, match="the service ended"):
        service.check()
