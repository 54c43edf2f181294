"""A local Ray of our own for the peer."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from allocator.config import load_settings
from allocator.runtime import cluster
from bench.peers.backing import Backing


def missing() -> str:
    """Why there can be none here; "" when there can."""
    return "" if importlib.util.find_spec("ray") else "ray is not installed"


class RayCluster(Backing):
    """Ray on this machine; the journals of its actors are in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temp: Path | None = None

    def start(self) -> str:
        """Start it; the folder and its address, each on a line."""
        # Not in the folder: the path of a socket has 107 characters at most.
        self._temp = Path(tempfile.mkdtemp(prefix="allocator-peer-"))
        address = cluster.start_ray(load_settings(None, {"log": {"level": "error"}}), self._temp)
        return f"{self._folder}\n{address}"

    def stop(self) -> None:
        """End it."""
        cluster.stop_ray()
        if self._temp is not None:
            shutil.rmtree(self._temp, ignore_errors=True)
