"""Which peers there are, what each of them needs, and how each is tuned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.peers import postgres_schema, ray_cluster, redis_server
from bench.peers.backing import Backing
from bench.peers.store import Store


class Kind(NamedTuple):
    """One kind of peer.

    Attributes:
        about: how it is tuned, in a line.
        missing: why it cannot run here; "" when it can.
        backing: makes what it needs, with its data in a folder.
        store: makes its store from what `Backing.start` returned, and its width (0: the best that was measured).
    """

    about: str
    missing: Callable[[], str]
    backing: Callable[[Path], Backing]
    store: Callable[[str, int], Store]


class Serving(NamedTuple):
    """What a front serves.

    Attributes:
        name: of the peer.
        at: where its backing is, as that told.
        width: calls to the store under way at once: connections, pipelines or threads; 0: the best that was measured.
    """

    name: str
    at: str
    width: int = 0


async def open_store(serving: Serving) -> Store:
    """The store, open."""
    store = KINDS[serving.name].store(serving.at, serving.width)
    await store.open()
    return store


def _redis(at: str, width: int) -> Store:
    from bench.peers.redis_store import PIPELINES_MAX, RedisStore  # noqa: PLC0415  # a peer imports what it needs only

    return RedisStore(int(at), width or PIPELINES_MAX)


def _postgres(at: str, width: int) -> Store:
    from bench.peers.postgres_store import CONNECTIONS, PostgresStore  # noqa: PLC0415  # as above

    url, schema = at.split("\n")
    return PostgresStore(url, schema, width or CONNECTIONS)


def _ray(at: str, width: int) -> Store:
    from bench.peers.ray_store import THREADS, RayStore  # noqa: PLC0415  # as above

    folder, address = at.split("\n")
    return RayStore(Path(folder), address, width or THREADS)


def _redis_kind(fsync: str) -> Kind:
    about = (
        f"Redis, appendfsync {fsync}: a Lua script per request, those of a moment in one pipeline (redis-py, hiredis)"
    )
    return Kind(about, redis_server.missing, partial(redis_server.RedisServer, fsync=fsync), _redis)


KINDS: Final[Mapping[str, Kind]] = {
    "redis": _redis_kind("always"),
    "redis-everysec": _redis_kind("everysec"),
    "postgres": Kind(
        "PostgreSQL, synchronous_commit on: conditional UPDATEs in one function call, pooled asyncpg, prepared",
        postgres_schema.missing,
        postgres_schema.PostgresSchema,
        _postgres,
    ),
    "ray-unbatched": Kind(
        "Ray, an actor per location: an actor call per request, threads that share a journal commit, no batching",
        ray_cluster.missing,
        ray_cluster.RayCluster,
        _ray,
    ),
}
