"""Real Ray for the integration tests: one local cluster for a module, and deployments on it that come and go."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

from allocator.config import Settings, load_settings
from allocator.core.network.types import Location
from allocator.journal import JournalSettings
from allocator.network_file import NetworkFile
from allocator.runtime import cluster
from allocator.runtime.router import Bounds, Router
from allocator.serving.boot import boot

PATIENCE_S = 40.0
"""How long a test waits for what has to happen; only a failing one waits so long."""
T = TypeVar("T")
BOUNDS = Bounds(queue_max=10_000, batch_max=256, in_flight_max=2)


@contextmanager
def ray_cluster() -> Iterator[str]:
    """Run a local Ray in a folder of its own; yields its address."""
    # Not under pytest's folders: the path of a socket has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="allocator-it-"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")  # Ray's own are not ours to mend
            yield cluster.start_ray(load_settings(None, {"log": {"level": "error"}}), folder)
            cluster.stop_ray()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        shutil.rmtree(folder, ignore_errors=True)


def settings_for(data_dir: Path, **sections: dict[str, Any]) -> Settings:
    """Settings of a deployment whose state is in `data_dir`."""
    return load_settings(None, {"data_dir": data_dir, "log": {"level": "error", "format": "json"}, **sections})


def network_of(*names: str) -> NetworkFile:
    """A network of these locations."""
    return NetworkFile(locations=tuple(Location(name) for name in names), groups=(), capacities={})


class Deployment:
    """Actors that are up.

    Attributes:
        settings: theirs.
        handles: Ray's handles by the actor's name.
    """

    def __init__(self, settings: Settings, handles: Sequence[Any]) -> None:
        self.settings = settings
        self.handles: dict[str, Any] = {ask(handle)["unit"]: handle for handle in handles}

    def status(self, actor: str) -> dict[str, Any]:
        """What the actor says of itself; waits while it restarts."""
        return ask(self.handles[actor])

    def pid(self, actor: str) -> int:
        """Its process, told by itself."""
        return int(self.status(actor)["pid"])

    def actor_of(self, location: str) -> str:
        """The actor that hosts `location`."""
        return next(name for name in self.handles if location in self.status(name)["ledgers"])

    def kill(self, actor: str) -> int:
        """SIGKILL its process and wait until that is gone; the process id it had."""
        pid = self.pid(actor)
        kill_and_wait(pid)
        return pid

    def wait_settled(self, actor: str) -> dict[str, Any]:
        """Wait until none of its ledgers is recovering; its status."""
        return until(lambda: self.status(actor), lambda status: "recovering" not in str(status["ledgers"]))


def ask(handle: Any) -> dict[str, Any]:  # noqa: ANN401  # a Ray handle
    """What an actor says of itself; waits while it restarts."""
    import ray  # noqa: PLC0415  # reads the environment when imported

    end_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            status: dict[str, Any] = ray.get(handle.status.options(concurrency_group="control").remote())
        except ray.exceptions.RayActorError:
            if time.monotonic() > end_s:
                raise
            time.sleep(0.05)
        else:
            return status


@contextmanager
def deployed(settings: Settings, network: NetworkFile | None = None) -> Iterator[Deployment]:
    """Boot the actors, and end them without a goodbye afterwards. One deployment at a time."""
    store = JournalSettings(settings.journal_url, settings.journal.schema_name).store()
    with store, store.lock():
        try:
            # Kept here: an actor ends when nobody has a handle of it any more.
            deployment = Deployment(settings, boot(settings, store, network, 2, lambda *_: None))
            yield deployment
        finally:
            _end_actors()


@asynccontextmanager
async def gateway(timeout_s: float = PATIENCE_S) -> AsyncIterator[Router]:
    """A gateway's router on the actors that are up."""
    router = Router(cluster.RayLinks(), BOUNDS)
    await router.start(timeout_s)
    try:
        yield router
    finally:
        await router.stop()


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that others bring about."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # what we wait for has no event of its own
            await asyncio.sleep(0.01)


def until(ask: Callable[[], T], settled: Callable[[T], bool]) -> T:
    """Ask again until the answer is settled; that answer."""
    end_s = time.monotonic() + PATIENCE_S
    while True:
        answer = ask()
        if settled(answer):
            return answer
        assert time.monotonic() < end_s, answer
        time.sleep(0.02)


def kill_and_wait(pid: int) -> None:
    """SIGKILL a process and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    wait_gone(pid)


def wait_gone(pid: int) -> None:
    """Wait until a process is gone, or only its parent still has to notice."""
    until(lambda: _alive(pid), lambda alive: not alive)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end_actors() -> None:
    """End every actor of the cluster, and wait until its process and its name are gone."""
    import ray  # noqa: PLC0415  # as above
    from ray.util import list_named_actors  # noqa: PLC0415  # as above

    pids = []
    for row in list_named_actors(all_namespaces=True):
        handle = ray.get_actor(row["name"], namespace=row["namespace"])
        pids.append(int(ask(handle)["pid"]))
        ray.kill(handle, no_restart=True)
    for pid in pids:
        wait_gone(pid)
    until(lambda: list_named_actors(all_namespaces=True), lambda left: not left)
