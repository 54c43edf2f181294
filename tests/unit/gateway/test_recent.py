from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allocator.gateway.recent import Recent

MOST = 6


@given(st.lists(st.sets(st.integers(0, 12), max_size=8), max_size=20), st.integers(0, 5))
def test_what_changed_since_is_all_of_it_or_not_known(changes: list[set[int]], known_from: int) -> None:
    """Beside a plain log of everything."""
    recent: Recent[int] = Recent(MOST, known_from)
    log: list[tuple[int, int]] = []
    for number, keys in enumerate(changes, known_from + 1):
        recent.note(number, keys)
        log += [(number, key) for key in keys]
        assert len(recent) <= MOST
        for since in range(known_from, number + 1):
            found = recent.since(since)
            if found is None:
                assert since < recent.known_from
            else:
                assert len(found) == len(set(found))
                assert set(found) == {key for at, key in log if at > since}
        assert recent.since(number) == []
    assert known_from == 0 or recent.since(known_from - 1) is None


def test_forgetting_leaves_nothing_known() -> None:
    """Up to that number; what comes after it is known again."""
    recent: Recent[str] = Recent(MOST, 0)
    recent.note(1, ["a"])
    recent.forget(2)
    assert recent.since(1) is None
    recent.note(3, ["b"])
    assert recent.since(2) == ["b"]
