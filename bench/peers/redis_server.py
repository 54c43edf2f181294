"""A Redis server of our own for the peer: on a free port of the loopback, with an append-only file."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.peers.backing import Backing

BINARY: Final = "redis-server"
START_S: Final = 30.0
LOOK_S: Final = 0.02


def missing() -> str:
    """Why there can be none here; "" when there can."""
    return "" if shutil.which(BINARY) else f"no {BINARY} on the path"


class RedisServer(Backing):
    """`redis-server` in a folder, where an earlier one may have left its data.

    Args:
        folder: for its data and its log.
        fsync: `always` or `everysec`, as `appendfsync` takes it.
    """

    def __init__(self, folder: Path, fsync: str) -> None:
        self._folder = folder
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it and wait until it has read what is there; its port."""
        port = _free_port()
        options = {
            "bind": "127.0.0.1",
            "port": str(port),
            "dir": str(self._folder),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",  # the append-only file has everything
            "loglevel": "warning",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([BINARY, *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline_s = time.monotonic() + START_S
        while not _answers(port):
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.stop()
                raise BenchError(f"{BINARY} does not start, see {self._folder / 'redis.log'}")
            time.sleep(LOOK_S)
        return str(port)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64).startswith(b"+PONG")
    return False


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
