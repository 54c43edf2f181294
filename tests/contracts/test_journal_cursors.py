"""Cursors: the durable positions of those who follow the journal."""

from __future__ import annotations

import pytest

from allocator.journal import Cursor, CursorUnknown, Journal, JournalSettings, JournalStore, SettingsInvalid


def test_a_position_survives(store: JournalStore, journal_settings: JournalSettings) -> None:
    """Another process sees what was advanced."""
    store.register_cursor("erp")
    store.advance_cursor("erp", "dc-1", 7)
    with journal_settings.store() as other:
        assert other.cursors() == [Cursor("erp", "dc-1", 7)]


def test_a_cursor_never_goes_backwards(store: JournalStore) -> None:
    """A late, older position changes nothing."""
    store.register_cursor("erp")
    store.advance_cursor("erp", "dc-1", 7)
    store.advance_cursor("erp", "dc-1", 3)
    assert store.cursors() == [Cursor("erp", "dc-1", 7)]


def test_many_shards_advance_in_one_step(store: JournalStore) -> None:
    """Each keeps its higher position."""
    store.register_cursor("erp")
    store.advance_cursors("erp", {"a": 5, "b": 5})
    store.advance_cursors("erp", {"a": 9, "b": 1, "c": 2})
    store.advance_cursors("erp", {})
    assert store.cursors() == [Cursor("erp", "a", 9), Cursor("erp", "b", 5), Cursor("erp", "c", 2)]


def test_a_cursor_of_every_shard_is_at_zero_where_it_has_not_begun(store: JournalStore, journal: Journal) -> None:
    """The list shows what holds back the cut."""
    for shard in ("a", "b"):
        journal.open(shard)
    store.register_cursor("erp")
    store.advance_cursor("erp", "b", 4)
    assert store.cursors() == [Cursor("erp", "a", 0), Cursor("erp", "b", 4)]


def test_registering_again_keeps_positions(store: JournalStore) -> None:
    """A follower registers at every start."""
    for _ in range(2):
        store.register_cursor("erp")
        store.register_cursor("few", ["a", "b"])
        store.advance_cursor("erp", "a", 3)
        store.advance_cursor("few", "a", 2)
    assert store.cursors() == [Cursor("erp", "a", 3), Cursor("few", "a", 2), Cursor("few", "b", 0)]


def test_a_cursor_of_some_shards_holds_only_those(store: JournalStore) -> None:
    """Registering it for others forgets the rest, and it cannot be moved for what it does not follow."""
    store.register_cursor("few", ["a", "b"])
    store.register_cursor("few", ["b", "c"])
    assert store.cursors() == [Cursor("few", "b", 0), Cursor("few", "c", 0)]
    with pytest.raises(CursorUnknown, match="'few' is registered for shard 'a'"):
        store.advance_cursor("few", "a", 1)


def test_an_unregistered_cursor_cannot_advance(store: JournalStore) -> None:
    """Otherwise a cut could have overtaken it."""
    with pytest.raises(CursorUnknown):
        store.advance_cursor("erp", "dc-1", 1)


def test_a_dropped_cursor_is_gone(store: JournalStore) -> None:
    """Dropping is repeatable, and registering anew starts at 0."""
    store.register_cursor("erp", ["a"])
    store.advance_cursor("erp", "a", 5)
    store.drop_cursor("erp")
    store.drop_cursor("erp")
    assert store.cursors() == []
    store.register_cursor("erp", ["a"])
    assert store.cursors() == [Cursor("erp", "a", 0)]


def test_a_cursor_needs_a_name(store: JournalStore) -> None:
    """Empty names are refused."""
    with pytest.raises(SettingsInvalid, match="cursor"):
        store.register_cursor("")
