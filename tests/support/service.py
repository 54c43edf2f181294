"""The whole service as its users run it: `allocator serve` in a session of its own, with everything in one folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

import psutil
import yaml

from allocator.client import Client, ServingStatus
from allocator.client.errors import RequestError

START_S: Final = 120.0
STOP_S: Final = 60.0
LOOK_S: Final = 0.05


class RunningService:
    """`allocator serve` over `locations`; every process of it ends with the `with` block.

    Args:
        folder: for data, network file and log.
        locations: ids of open stores.
        options: more options of `allocator serve`.
        network: more of the network file.
    """

    def __init__(
        self,
        folder: Path,
        locations: Sequence[str],
        options: Sequence[str] = (),
        network: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "service.log"
        self.port = _free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        rows = {"locations": [{"id": name, "kind": "store"} for name in locations]}
        (folder / "network.yaml").write_text(yaml.safe_dump(rows | dict(network or {})), encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until every location answers."""
        command = [sys.executable, "-m", "allocator.cli", "serve", "--data", str(self.data), "--port", str(self.port)]
        command += ["--network", str(self.folder / "network.yaml"), "--log-format", "json", *self._options]
        (self.data / "service.json").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline_s = time.monotonic() + START_S
        while not self._up():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise AssertionError(f"the service did not come up:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(LOOK_S)

    def notice(self) -> Mapping[str, Any]:
        """What the service tells of itself, actors' process ids by their own word."""
        text = (self.data / "service.json").read_text(encoding="utf-8")
        notice: Mapping[str, Any] = json.loads(text)
        return notice

    def actor_of(self, location: str) -> int:
        """Process id of the actor that hosts `location`."""
        actors = self.notice()["actors"].values()
        return next(int(actor["pid"]) for actor in actors if location in actor["ledgers"])

    def kill_actor(self, location: str) -> int:
        """SIGKILL the actor that hosts `location`; returns its process id."""
        pid = self.actor_of(location)
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill_gateway(self) -> int:
        """SIGKILL one gateway process; returns its process id."""
        pid = int(self.notice()["children"]["gateway 0"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def kill(self) -> None:
        """SIGKILL every process of the service at once, as a power cut would."""
        for process in self._tree():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._reap()

    def terminate(self) -> int:
        """SIGTERM the service and wait for its end; returns its exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(STOP_S)
        self._process = None
        return code

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        try:
            self.terminate()  # it takes its temporary files along
        except subprocess.TimeoutExpired:
            self.kill()

    def _tree(self) -> list[psutil.Process]:
        """The service's processes, and those of them that Ray has set free from their parents."""
        assert self._process is not None
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait(STOP_S)
        self._process = None

    def _up(self) -> bool:
        """Whether health says serving and the notice knows every actor."""
        if not (self.data / "service.json").exists() or not self.notice()["actors"]:
            return False
        with Client(self.address, timeout_s=1, retries_max=0) as client:
            try:
                return client.health() is ServingStatus.SERVING
            except RequestError:
                return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
