"""The service as a process of its own: started, found, hurt and ended from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from demo.errors import DemoError

ROOT: Final = Path(__file__).parents[1]
SETTINGS_FILE: Final = Path(__file__).parent / "demo.toml"
START_TIMEOUT_S: Final = 150.0
STOP_TIMEOUT_S: Final = 60.0
LOOK_S: Final = 0.1
ACTOR_TITLE: Final = "ray::LocationActor"
"""What the process of an actor calls itself; the name of the method it is in may follow."""
LOG_LINES: Final = 15


class Actor(BaseModel):
    """A process and the ledgers in it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    pid: int
    ledgers: dict[str, str]


class Notice(BaseModel):
    """What the service tells of itself in `service.json`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    port: int
    actors: dict[str, Actor]


class Service:
    """The service with the demo's settings.

    Args:
        data_dir: where it keeps everything.
        port: to listen on; 0: any that is free.
    """

    def __init__(self, data_dir: Path, port: int = 0) -> None:
        self._data_dir, self._port = data_dir.absolute(), port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def watched(self) -> Path:
        """The watched folder."""
        return self._data_dir / "sources" / "shop-floor"

    @property
    def books(self) -> Path:
        """The database of the ERP."""
        return self._data_dir / "erp" / "books.sqlite"

    @property
    def log(self) -> Path:
        """What the service logs."""
        return self._data_dir / "service.log"

    @property
    def _notice_file(self) -> Path:
        return self._data_dir / "service.json"

    async def start(self) -> str:
        """Start it and wait until it serves; returns its address.

        Raises:
            DemoError: it does not come up; with the end of its log.
        """
        self._launch()
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while (notice := self._read_notice()) is None or not notice.actors:
            self.check()
            if time.monotonic() > deadline_s:
                raise DemoError(f"the service is not up after {START_TIMEOUT_S:g} s; its log ends:\n{self._log_end()}")
            await asyncio.sleep(LOOK_S)
        return f"127.0.0.1:{notice.port}"

    def check(self) -> None:
        """See that it still runs.

        Raises:
            DemoError: it does not; with the end of its log.
        """
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            raise DemoError(f"the service ended with code {code}; its log ends:\n{self._log_end()}")

    def actor_of(self, location: str) -> int:
        """Process id of the actor that has a location's ledger.

        Raises:
            DemoError: nobody says so, or the process is no actor.
        """
        notice = self._read_notice()
        pids = [actor.pid for actor in notice.actors.values() if location in actor.ledgers] if notice else []
        if not pids:
            raise DemoError(f"{self._notice_file} names no actor for {location}")
        title = process_title(pids[0])
        if not title.startswith(ACTOR_TITLE):
            raise DemoError(f"process {pids[0]} is no location actor but {title!r}")
        return pids[0]

    def kill_actor(self, location: str) -> int:
        """Kill the actor of a location with SIGKILL; returns the id of the process that was."""
        pid = self.actor_of(location)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def stop(self) -> None:
        """End it: SIGTERM, and when it does not follow SIGKILL for it and what it started."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, STOP_TIMEOUT_S)
        # Whoever of its process group is left has nobody to look after it any more.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def _launch(self) -> None:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._notice_file.unlink(missing_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALLOCATOR_")}
        options = ("--settings", str(SETTINGS_FILE), "--data", str(self._data_dir), "--port", str(self._port))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "allocator.cli", "serve", *options],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demo, which then ends the service as it should.
                start_new_session=True,
            )

    def _read_notice(self) -> Notice | None:
        try:
            return Notice.model_validate_json(self._notice_file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _log_end(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])


def process_title(pid: int) -> str:
    """What a process calls itself; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
