"""Which actor hosts which location: one each while there are few, packed evenly when there are many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.core.network.types import Location

ACTORS_PER_CORE: Final = 4
ACTORS_MIN: Final = 16


def actors_max_default(cores: int) -> int:
    """Actors beyond which locations share: 4 per core, at least 16 (an actor is a process of about 50 MB)."""
    return max(ACTORS_MIN, ACTORS_PER_CORE * cores)


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
