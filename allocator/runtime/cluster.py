"""Ray itself: starting or joining a cluster, making actors, reaching them by name. All of Ray's settings are here."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from allocator.journal.store import JournalSettings
from allocator.logs import own_stderr
from allocator.runtime.actor import ActorConfig, LocationActor
from allocator.runtime.errors import BootError
from allocator.runtime.hosted import NETWORK, Status
from allocator.runtime.line import CHANGES, EXECUTE, Line
from allocator.runtime.links import ActorLink, Links

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from allocator.config import Settings

NAMESPACE: Final = "allocator"
WRITE_THREADS: Final = 16
FEED_THREADS: Final = 70
"""Polls that may wait at one actor: one per gateway process, with room for one that restarts."""
REACH_TIMEOUT_S: Final = 10.0
"""How long an actor waits for the answer of another."""
LINE_RETRY_S: Final = 2.0
"""How long calls go by Ray before a line to the actor is sought once more."""
RAY_ENVIRONMENT: Final = {
    "RAY_worker_niceness": "0",  # actors answer checkouts; Ray would make them give way to everybody
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_AUTH_MODE": "token",
}
RAY_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Keeps a Ray of our own on 127.0.0.1: without it Ray listens on the machine's outward address."""

log = structlog.get_logger("allocator.cluster")


def start_ray(settings: Settings, temp_dir: Path | None = None) -> str:
    """Start a local Ray of our own, or join the one in the settings; returns its address.

    Raises:
        BootError: it does not start, or cannot be reached.
    """
    prepare_environment(settings.runtime.ray_address)
    import ray  # noqa: PLC0415  # takes a second, and reads the environment when imported

    options: dict[str, Any] = {"namespace": NAMESPACE, "logging_level": "warning", "log_to_driver": True}
    if settings.runtime.ray_address:
        options["address"] = settings.runtime.ray_address
    else:
        options |= {
            "address": "local",
            "include_dashboard": False,
            "num_cpus": max(1, os.cpu_count() or 1),
            "object_store_memory": settings.runtime.object_store_mb * 2**20,
            "_temp_dir": str(temp_dir) if temp_dir else None,
        }
    try:
        context = ray.init(**options)
    except Exception as error:  # Ray raises bare ones
        ray.shutdown()
        where = settings.runtime.ray_address or "of our own"
        raise BootError(f"Ray {where} cannot be started or joined: {_first_line(error)}") from error
    return str(context.address_info["gcs_address"])


def prepare_environment(ray_address: str) -> None:
    """Set Ray's environment, also for the processes started after this; a Ray of our own gets a token of its own."""
    os.environ.update(RAY_ENVIRONMENT)
    if not ray_address:
        os.environ.update(RAY_LOOPBACK)
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def join_ray(address: str) -> None:
    """Join a running Ray as one more driver, as gateway processes do; they inherit the environment."""
    os.environ.update(RAY_ENVIRONMENT)
    import ray  # noqa: PLC0415  # as above

    ray.init(address=address, namespace=NAMESPACE, logging_level="warning", log_to_driver=False)


def stop_ray() -> None:
    """Leave Ray; a local one of our own ends with it."""
    import ray  # noqa: PLC0415  # as above

    ray.shutdown()


def start_actor(settings: Settings, name: str, locations: Sequence[str]) -> Any:  # noqa: ANN401  # a Ray handle
    """Make the actor `name` with these ledgers; it recovers by itself, now and after every crash."""
    import ray  # noqa: PLC0415  # as above

    config = ActorConfig(
        unit=name,
        names=tuple(locations),
        journal=JournalSettings(settings.journal_url, settings.journal.schema_name),
        limits=settings.limits.ledger_limits(),
        snapshot_bytes=int(settings.journal.snapshot_mb * 2**20),
        log_level=settings.log.level,
        log_format=settings.log.format,
        log_target=own_stderr(),
    )
    remote = ray.remote(
        num_cpus=0,
        max_restarts=-1,
        max_task_retries=0,
        max_concurrency=WRITE_THREADS,
        concurrency_groups={"feed": FEED_THREADS, "control": 2},
    )(LocationActor)
    return remote.options(name=name, namespace=NAMESPACE).remote(config, reach_actor)


def reach_actor(actor: str, method: str, data: bytes) -> bytes:
    """Call `execute` or `changes` of another actor and wait for its answer; raises when it is away.

    The method's concurrency group is the one gateways use, so that a waiting poll takes no write's place.
    """
    import ray  # noqa: PLC0415  # as above

    handle = ray.get_actor(actor, namespace=NAMESPACE)
    call = handle.execute if method == "execute" else handle.changes.options(concurrency_group="feed")
    return ray.get(call.remote(data), timeout=REACH_TIMEOUT_S)  # type: ignore[no-any-return]  # Ray has no types here


def wait_serving(handles: Mapping[str, Any], timeout_s: float, told: Callable[[int], None] = lambda _: None) -> None:
    """Wait until every ledger of the actors serves or is known to be damaged; `told` hears how many actors are up.

    Raises:
        BootError: naming those that are not, with what they say.
    """
    import ray  # noqa: PLC0415  # as above

    deadline_s = time.monotonic() + timeout_s
    waiting = dict(handles)
    problems: dict[str, str] = {}
    while waiting:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            names = ", ".join(f"{name} ({problems.get(name) or 'no answer'})" for name in sorted(waiting))
            raise BootError(f"not up within {timeout_s:g} s: {names}")
        asked = {handle.status.remote(): name for name, handle in waiting.items()}
        done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=min(left_s, 5))
        for ref in done:
            name = asked[ref]
            try:
                problems[name] = _recovering(ray.get(ref))
            except ray.exceptions.ActorDiedError as error:  # for good: it could not even be made
                raise BootError(f"actor {name} cannot start: {_first_line(error)}") from None
            except ray.exceptions.RayError as error:  # it went away while it came up, and is restarted
                problems[name] = _first_line(error)
            if not problems[name]:
                del waiting[name]
        told(len(handles) - len(waiting))
        if waiting:
            time.sleep(0.02)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _recovering(status: Mapping[str, Any]) -> str:
    """The ledgers that are still recovering, with what is in the way."""
    slow = [f"{name} {detail}" for name, (state, detail) in status["ledgers"].items() if state == Status.RECOVERING]
    return ", ".join(slow)


class RayLink(ActorLink):
    """A way to one Ray actor: by its line once it is known and reachable, else by Ray."""

    def __init__(self, handle: Any) -> None:  # noqa: ANN401  # a Ray handle
        self._handle = handle
        self._line: Line | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._next_try_s = 0.0

    async def execute(self, data: bytes) -> bytes:
        """Run a batch of commands."""
        line = self._open_line()
        if line is not None:
            return await line.call(EXECUTE, data)
        return await self._handle.execute.remote(data)  # type: ignore[no-any-return]  # Ray has no types here

    async def changes(self, data: bytes) -> bytes:
        """Wait for news of its ledgers."""
        line = self._open_line()
        if line is not None:
            return await line.call(CHANGES, data)
        return await self._handle.changes.options(concurrency_group="feed").remote(data)  # type: ignore[no-any-return]

    async def adopt(self, location: str) -> bool:
        """Have it host one more location."""
        return await self._handle.adopt.options(concurrency_group="control").remote(location)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Hang up."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._line is not None:
            self._line.close()

    def _open_line(self) -> Line | None:
        """The line when it is whole; else one is sought meanwhile, as the actor may be another process by now."""
        if self._line is not None and not self._line.broken:
            return self._line
        now_s = time.monotonic()
        if now_s >= self._next_try_s:
            self._next_try_s = now_s + LINE_RETRY_S
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        return None

    async def _connect(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
        try:
            name = await self._handle.line.options(concurrency_group="control").remote()
            if not name:
                return
            line = Line(name)
            await line.open()
        except Exception as error:  # noqa: BLE001  # away, or on another machine: Ray carries the calls meanwhile
            log.debug("no line", error=type(error).__name__)
            return
        self._line = line


class RayLinks(Links):
    """Ways to all actors by their names in the cluster."""

    def link(self, actor: str) -> ActorLink:
        """The way to `actor`."""
        import ray  # noqa: PLC0415  # as above

        return RayLink(ray.get_actor(actor, namespace=NAMESPACE))


__all__ = ["NETWORK", "RayLinks", "join_ray", "start_actor", "start_ray", "stop_ray", "wait_serving"]
