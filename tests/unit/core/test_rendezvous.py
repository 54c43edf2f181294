from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core.rendezvous import Rendezvous, rendezvous

NAMES = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=12)


@given(st.text(max_size=36), NAMES)
def test_the_vectorised_home_is_the_plain_one(request_id: str, locations: set[str]) -> None:
    """Both forms choose the same location, however the locations are ordered."""
    expected = rendezvous(request_id, locations)
    assert expected == rendezvous(request_id, sorted(locations, reverse=True))
    assert expected == Rendezvous(locations).home(request_id) == Rendezvous(sorted(locations)).home(request_id)


def test_homes_are_spread_evenly() -> None:
    """Of 20,000 requests each of 20 locations is the home of about a twentieth."""
    homes = Rendezvous(f"l{n}" for n in range(20))
    counts = Counter(homes.home(f"q{n}") for n in range(20_000))
    assert len(counts) == 20
    assert all(850 < count < 1150 for count in counts.values())


def test_a_new_location_takes_requests_only_for_itself() -> None:
    """A request that does not move to the new location keeps the home it had."""
    before, after = Rendezvous(["a", "b", "c"]), Rendezvous(["a", "b", "c", "d"])
    moved = {after.home(f"q{n}") for n in range(300) if after.home(f"q{n}") != before.home(f"q{n}")}
    assert moved == {"d"}


def test_a_home_needs_a_location() -> None:
    """Without any there is an error."""
    with pytest.raises(ValueError, match="at least one"):
        Rendezvous([])
