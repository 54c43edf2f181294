"""A ledger's process looks at each object once, and still gives back what nobody refers to."""

from __future__ import annotations

import gc
import weakref

from allocator.runtime.garbage import collect_once
from bench.fresh import in_fresh_process


def test_what_outlived_a_collection_is_never_looked_at_again() -> None:
    """A million objects that live on are in no generation after a collection."""
    assert in_fresh_process(_looked_at_after_a_collection) == 0


def test_what_is_forgotten_is_given_back() -> None:
    """An object that nobody refers to any more goes, whether it outlived a collection or not."""
    assert in_fresh_process(_forgotten_after_a_collection)


class _Thing:
    """Something that can be watched by a weak reference."""


def _looked_at_after_a_collection() -> int:
    collect_once()
    kept = [[number] for number in range(1_000_000)]
    gc.collect()
    return sum(1 for looked_at in gc.get_objects() if type(looked_at) is list and looked_at is kept)


def _forgotten_after_a_collection() -> bool:
    collect_once()
    thing = _Thing()
    seen = weakref.ref(thing)
    gc.collect()
    del thing
    return seen() is None
