"""Which actor hosts which location: packed evenly into a few actors, or one each where that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.network.types import Location

CORES_PER_ACTOR: Final = 2


def actors_max_default(cores: int) -> int:
    """Actors beyond which locations share: one for two cores; gateways need the others.

    Every further actor splits the batches, and a batch has its price whatever is in it: on two cores a reserve costs
    1.5 times as much CPU with two actors as with one, and 1.7 times with four.
    """
    return max(1, cores // CORES_PER_ACTOR)


def place(locations: Iterable[Location], actors: int, actors_max: int) -> dict[str, list[str]]:
    """Spread locations over actors.

    Args:
        locations: those of the network; `actor_group` keeps its members together.
        actors: pack into this many on purpose; 0 leaves it to `actors_max`.
        actors_max: most actors when `actors` is 0.

    Returns:
        Actor name -> location ids; the names are those of the journal's units.
    """
    bundles: dict[str, list[str]] = {}
    for location in sorted(locations):
        key = f"group {location.actor_group}" if location.actor_group else location.location
        bundles.setdefault(key, []).append(location.location)
    count = min(actors or actors_max, len(bundles)) or 1
    placed: dict[str, list[str]] = {f"actor-{number:04d}": [] for number in range(count)}
    for bundle in sorted(bundles.values(), key=len, reverse=True):
        emptiest = min(placed, key=lambda name: (len(placed[name]), name))
        placed[emptiest].extend(bundle)
    return placed
