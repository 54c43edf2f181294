"""`service.json` in the data directory: where the service is and which processes it consists of."""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from allocator.runtime.errors import BootError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

REFRESH_S: Final = 1.0

log = structlog.get_logger("allocator.serve")


@contextlib.contextmanager
def notice_file(data_dir: Path) -> Iterator[Path]:
    """The file's place: made, without what an earlier run left there, and empty again after a clean end.

    Raises:
        BootError: the data directory cannot be used.
    """
    path = data_dir / "service.json"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise BootError(f"the data directory {data_dir} cannot be used: {error.strerror}") from None
    yield path
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


class ServiceNotice:
    """Keeps the file current; an actor's process id comes from the actor itself.

    Args:
        path: of the file.
        port: that the gateways share.
        ray_address: of the cluster.
        handles: of all actors.
    """

    def __init__(self, path: Path, port: int, ray_address: str, handles: Sequence[Any]) -> None:
        self._path = path
        self._fixed = {"pid": os.getpid(), "port": port, "ray_address": ray_address}
        self._handles = handles
        self._actors: dict[str, dict[str, Any]] = {}
        self._asked: list[Any] = []
        self._next_s = 0.0
        self._written = ""
        self._problem = ""

    def refresh(self, children: Mapping[str, int]) -> None:
        """Ask the actors now and then, without waiting for them, and write the file when it changed."""
        import ray  # noqa: PLC0415  # see cluster.py

        if self._asked:
            done, self._asked = ray.wait(self._asked, num_returns=len(self._asked), timeout=0)
            for ref in done:
                self._note(ref)
        if not self._asked and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + REFRESH_S
            self._asked = [h.status.options(concurrency_group="control").remote() for h in self._handles]
        self._write(children)

    def _note(self, ref: Any) -> None:  # noqa: ANN401  # a Ray reference
        import ray  # noqa: PLC0415  # see cluster.py

        try:
            status = ray.get(ref)
        except ray.exceptions.RayError:
            return  # it restarts; its last process id stays until it answers again
        ledgers = {name: state for name, (state, _) in status["ledgers"].items()}
        self._actors[status["unit"]] = {"pid": status["pid"], "ledgers": ledgers}

    def _write(self, children: Mapping[str, int]) -> None:
        text = json.dumps(self._fixed | {"children": dict(children), "actors": self._actors}, indent=2)
        if text == self._written:
            return
        part = self._path.with_suffix(".part")
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(self._path)
        except OSError as error:  # a full disk stops the ledgers, who say so; it must not end the service
            if str(error) != self._problem:
                log.warning("notice not written", path=str(self._path), error=str(error))
            self._problem = str(error)
        else:
            self._written, self._problem = text, ""
