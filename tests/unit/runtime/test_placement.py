from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from allocator.core.network.types import Location
from allocator.runtime.placement import actors_max_default, place

NETWORKS = st.lists(st.sampled_from(["", "", "", "north", "south", "x"]), max_size=80).map(
    lambda groups: [Location(f"site-{n}", actor_group=group) for n, group in enumerate(groups)]
)


@given(network=NETWORKS, actors=st.integers(0, 12), actors_max=st.integers(1, 20), seed=st.integers())
def test_every_location_has_one_actor_and_groups_share_theirs(
    network: list[Location], actors: int, actors_max: int, seed: int
) -> None:
    """Never more actors than wanted or useful, none idle, and the same for any order of the file."""
    placed = place(network, actors, actors_max)
    everywhere = sorted(name for members in placed.values() for name in members)
    assert everywhere == sorted(location.location for location in network)
    homes = {name: actor for actor, members in placed.items() for name in members}
    groups = {location.actor_group for location in network} - {""}
    for group in groups:
        assert len({homes[location.location] for location in network if location.actor_group == group}) == 1
    bundles = len(groups) + sum(not location.actor_group for location in network)
    assert len(placed) == max(1, min(actors or actors_max, bundles))
    assert all(placed.values()) or not network
    assert list(placed) == [f"actor-{number:04d}" for number in range(len(placed))]
    shuffled = list(network)
    random.Random(seed).shuffle(shuffled)
    assert place(shuffled, actors, actors_max) == placed


@given(network=NETWORKS, actors=st.integers(1, 12))
def test_actors_are_about_equally_full(network: list[Location], actors: int) -> None:
    """The fullest has no more than the emptiest and one bundle besides; without groups they differ by one at most."""
    placed = place(network, actors, 16)
    loads = [len(members) for members in placed.values()]
    sizes = [sum(location.actor_group == group for location in network) for group in ("north", "south", "x")]
    assert max(loads) - min(loads) <= max([1, *sizes])


def test_an_empty_network_has_one_actor_for_what_is_still_to_come() -> None:
    """Locations made while the service runs need a place to live."""
    assert place([], 0, 16) == {"actor-0000": []}


def test_up_to_the_maximum_each_location_has_its_own_actor() -> None:
    """Packing begins above it."""
    network = [Location(f"site-{n}") for n in range(40)]
    assert [len(members) for members in place(network[:16], 0, 16).values()] == [1] * 16
    assert sorted(len(members) for members in place(network, 0, 16).values()) == [2] * 8 + [3] * 8


def test_so_many_actors_fit_a_machine() -> None:
    """One for two cores, at least one."""
    assert [actors_max_default(cores) for cores in (1, 2, 4, 9)] == [1, 1, 2, 4]
