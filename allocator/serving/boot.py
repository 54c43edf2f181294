"""From settings to serving actors: the network first, because it says which ledgers there are and where they live."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

import structlog

from allocator.core import codec
from allocator.core.commands import Capacity, Configure, Summarise
from allocator.core.network.types import LoadNetwork, Location, Place
from allocator.core.results import LedgerSummary, Rejected
from allocator.runtime import cluster
from allocator.runtime.errors import BootError
from allocator.runtime.hosted import LOCATION_PREFIX, NETWORK, Status
from allocator.runtime.placement import actors_max_default, place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from allocator.config import Settings
    from allocator.journal.store import JournalStore
    from allocator.network_file import NetworkFile

    Told = Callable[[str, int, int], None]

CALL_TIMEOUT_S: Final = 60

log = structlog.get_logger("allocator.serve")


def boot(settings: Settings, store: JournalStore, network: NetworkFile | None, cores: int, told: Told) -> list[Any]:
    """Start the network's actor and all location actors; returns their handles once every ledger serves.

    Args:
        settings: of the service.
        store: the journal, locked by us.
        network: the network file to load, if there is one.
        cores: of this machine, for the packing default.
        told: hears (what, done, of how many) while it goes on.

    Raises:
        BootError: an actor does not come up.
    """
    timeout_s = settings.runtime.boot_timeout_s
    told("network", 0, 1)
    head = cluster.start_actor(settings, NETWORK, [NETWORK])
    cluster.wait_serving({NETWORK: head}, timeout_s)
    told("network", 1, 1)
    if network is not None:
        load = LoadNetwork(uuid.uuid4().hex, network.locations, network.groups, network.lanes, network.profiles)
        _ask(head, NETWORK, [load])
    locations = _locations(head)
    actors_max = settings.runtime.actors_max or actors_max_default(cores)
    placed = place(locations, settings.runtime.actors, actors_max)
    homes = _with_left(store, placed)
    _assign(store, homes)
    _place(head, homes)
    handles = {name: cluster.start_actor(settings, name, members) for name, members in placed.items()}
    try:
        cluster.wait_serving(handles, timeout_s, lambda done: told("actors", done, len(handles)))
    except (
        BootError
    ) as error:  # the others need not wait for it: it serves once it is up, and is told RECOVERING till then
        log.error("serving without some locations", error=str(error))  # noqa: TRY400  # the message says all
    _settle(handles, placed, {row.location: row for row in locations}, network.capacities if network else {})
    return [head, *handles.values()]


def _with_left(store: JournalStore, placed: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """`placed`, and with the first actor the journals of locations that left the network: they may come back."""
    with store.reader() as reader:
        shards = {name.removeprefix(LOCATION_PREFIX) for name in reader.shards() if name.startswith(LOCATION_PREFIX)}
    left = shards.difference(*placed.values())
    first = next(iter(placed))
    return {unit: [*members, *(sorted(left) if unit == first else ())] for unit, members in placed.items()}


def _assign(store: JournalStore, placed: Mapping[str, Sequence[str]]) -> None:
    """Move journals to the actors that will write them; a regrouping loses nothing."""
    moved = store.assign({unit: [LOCATION_PREFIX + name for name in members] for unit, members in placed.items()})
    if moved:
        log.info("regrouped", shards=len(moved))


def _place(head: Any, placed: Mapping[str, Sequence[str]]) -> None:  # noqa: ANN401  # a Ray handle
    pairs = tuple((name, unit) for unit, members in placed.items() for name in members)
    _ask(head, NETWORK, [Place(uuid.uuid4().hex, tuple(placed), pairs)])


def _settle(
    handles: Mapping[str, Any],
    placed: Mapping[str, Sequence[str]],
    locations: Mapping[str, Location],
    capacities: Mapping[str, Capacity],
) -> None:
    """Bring what the network says of each location to its ledger: open or closed, and the file's capacity."""
    for unit, members in placed.items():
        try:
            _settle_unit(handles[unit], members, locations, capacities)
        except BootError as error:  # as for one that is late
            log.error("locations may differ from the network", actor=unit, error=str(error))  # noqa: TRY400  # as above


def _settle_unit(
    handle: Any,  # noqa: ANN401  # a Ray handle
    members: Sequence[str],
    locations: Mapping[str, Location],
    capacities: Mapping[str, Capacity],
) -> None:
    summaries = _ask_each(handle, [(name, Summarise()) for name in members])
    calls = [
        (name, command)
        for name, summary in zip(members, summaries, strict=True)
        if isinstance(summary, LedgerSummary)
        for command in _settings_of(locations[name], summary, capacities.get(name))
    ]
    for (name, _), result in zip(calls, _ask_each(handle, calls) if calls else (), strict=True):
        if isinstance(result, Rejected):
            log.error("location differs from the network", location=name, error=result.detail)


def _settings_of(location: Location, summary: LedgerSummary, capacity: Capacity | None) -> list[Configure]:
    commands = []
    if summary.accepting != location.open:
        commands.append(Configure(uuid.uuid4().hex, accepting=location.open))
    if capacity is not None:
        commands.append(Configure(uuid.uuid4().hex, capacity=capacity))
    return commands


def _locations(head: Any) -> list[Location]:  # noqa: ANN401  # a Ray handle
    data = _get(head.changes.options(concurrency_group="feed").remote(codec.pack(("", -1, {NETWORK: None}, 1.0))))
    _, _, news = codec.unpack(data)
    status, _, changes = news[NETWORK]
    if status != Status.SERVING:
        _, detail = _get(head.status.remote())["ledgers"][NETWORK]
        raise BootError(f"the network cannot be read: {detail}")
    return [Location(*row) for row in codec.unpack(changes[-1][2])["locations"]]


def _ask(handle: Any, name: str, commands: Sequence[Any]) -> list[Any]:  # noqa: ANN401  # a Ray handle
    results = _ask_each(handle, [(name, command) for command in commands])
    for result in results:
        if isinstance(result, Rejected):
            raise BootError(f"{name}: {result.detail}")
    return results


def _ask_each(handle: Any, calls: Sequence[tuple[str, Any]]) -> list[Any]:  # noqa: ANN401  # a Ray handle
    wire = [(name, codec.tagged(command), "boot", "") for name, command in calls]
    _, results = codec.unpack(_get(handle.execute.remote(codec.pack(({}, wire)))))
    return [codec.untagged(array) for array in results]


def _get(ref: Any) -> Any:  # noqa: ANN401  # what the actor returns
    import ray  # noqa: PLC0415  # see cluster.py

    try:
        return ray.get(ref, timeout=CALL_TIMEOUT_S)
    except ray.exceptions.RayError as error:
        raise BootError(f"an actor went away while it was set up: {type(error).__name__}; start again") from None
