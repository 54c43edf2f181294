"""A TCP proxy that can be cut and mended, in front of whatever must be out of reach for a while."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Self

CHUNK = 65_536


class TcpProxy:
    """Forwards connections to a server, and can cut them all.

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._cut = False
        self._closed = False
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def cut(self) -> None:
        """End every connection; new ones end at once."""
        with self._lock:
            self._cut = True
            for half in self._sockets:
                _end(half)

    def mend(self) -> None:
        """Let new connections through again."""
        with self._lock:
            self._cut = False

    def close(self) -> None:
        """End everything for good."""
        self._closed = True
        self.cut()
        _end(self._listener)
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), name="proxied", daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.ExitStack() as stack:
            with self._lock:
                if self._cut:
                    return
                far = stack.enter_context(socket.create_connection(self._target))
                self._sockets |= {near, far}
            try:
                _pump(near, far)
            finally:
                with self._lock:
                    self._sockets -= {near, far}


def _pump(near: socket.socket, far: socket.socket) -> None:
    """Copy both ways until one side ends."""
    other = {near: far, far: near}
    while True:
        ready, _, _ = select.select([near, far], [], [])
        for half in ready:
            try:
                data = half.recv(CHUNK)
                other[half].sendall(data)
            except OSError:
                return
            if not data:
                return


def _end(half: socket.socket) -> None:
    with contextlib.suppress(OSError):
        half.shutdown(socket.SHUT_RDWR)
